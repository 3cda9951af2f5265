from __future__ import annotations

import math
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from qctrl.calibration import ClassDiscriminator, LinearDiscriminator, coherence_limit, load, loads
from qctrl.errors import CalibrationError

FOLDER = Path(__file__).parents[3] / "calibrations"
PAIR = (FOLDER / "pair2" / "nominal.yaml").read_text()
CHAIN = (FOLDER / "chain5" / "nominal.yaml").read_text()
SX = "      sx: {kind: pulse, waveform: {shape: drag, duration: 2.4e-8, sigma: 6.0e-9, amp: 0.18, beta: 0.0}"


def changed(*pairs: tuple[str, str], text: str = PAIR):
    for old, new in pairs:
        assert old in text
        text = text.replace(old, new, 1)
    return loads(text, "f.yaml")


def times(t1: str = "4.5e-5", t2: str = "3.8e-5", *rest: tuple[str, str]):
    return changed(("    anharmonicity", f"    t1: {t1}\n    t2_echo: {t2}\n    anharmonicity"), *rest)


def test_view_is_indexed_by_qubit_number():
    calibration = load(FOLDER / "chain5" / "nominal.yaml")
    assert (calibration.name, calibration.id, calibration.num_qubits) == ("chain5", "nominal", 5)
    assert calibration.dt_s == Fraction(1, 10**9)
    assert calibration.qubit_names == ("q0", "q1", "q2", "q3", "q4")
    assert calibration.live_edges == ((0, 1), (1, 2), (2, 3), (3, 4))
    assert calibration.edge(3, 2) is calibration.edge(2, 3)
    assert calibration.edge(0, 2) is None
    assert calibration.gate("cz", (1, 0)) is calibration.gate("cz", (0, 1))
    assert calibration.timing.bit_latency == 4e-7


def test_holes_keep_their_index():
    calibration = changed(("index: 1", "index: 3"))
    assert calibration.qubit_names == ("q0", None, None, "q1")
    assert calibration.qubits[1] is None
    assert calibration.live_qubits == (0, 3)
    assert calibration.live_edges == ((0, 3),)
    with pytest.raises(CalibrationError, match="has no qubit 1; indices are 0, 3"):
        calibration.live_qubit(1)


def test_durations_are_whole_ticks():
    calibration = changed()
    assert calibration.duration_ticks("rz", (0,)) == 0
    assert calibration.duration_ticks("sx", (0,)) == 24
    assert calibration.duration_ticks("cz", (1, 0)) == 60 + 4
    assert calibration.duration_ticks("measure", (0,)) == 1000 + 200
    assert calibration.duration_ticks("reset", (0,)) == 1000 + 400 + 24


def test_a_reset_waits_for_its_bit_or_for_the_photons_to_leave_whichever_is_later():
    slow = changed(("ring_down: 2.0e-7", "ring_down: 6.0e-7"))
    assert slow.duration_ticks("measure", (0,)) == 1600
    assert slow.duration_ticks("reset", (0,)) == 1600 + 24


def test_durations_are_padded_up_to_the_grid():
    calibration = changed(("granularity: 1", "granularity: 16"), ("acquire_alignment: 1", "acquire_alignment: 48"))
    assert calibration.duration_ticks("sx", (0,)) == 32
    assert calibration.duration_ticks("cz", (0, 1)) == 64
    assert calibration.duration_ticks("measure", (0,)) == 1200
    assert calibration.duration_ticks("reset", (0,)) == 1440 + 48


def test_a_tick_that_is_no_decimal_still_gives_whole_ticks():
    # 4.5 GS/s: 2.4e-8 s is 108 ticks, 6.0e-8 s is 270, but neither division is exact in floats
    calibration = changed(("dt: 1.0e-9", f"dt: {1 / 4.5e9!r}"))
    assert calibration.duration_ticks("sx", (0,)) == 108
    assert calibration.duration_ticks("cz", (0, 1)) == 288


def test_composed_gate_is_the_sum_of_its_parts():
    calibration = changed((PAIR.splitlines()[19], "      x: {kind: compose, of: [sx, sx]}"), (SX, SX + ", error: 0.01"))
    assert calibration.duration_ticks("x", (0,)) == 48
    assert calibration.error("x", (0,)) == pytest.approx(1 - 0.99**2)
    assert calibration.error_source("x", (0,)) == "composed"


def test_composed_gate_of_unknown_parts_has_no_error():
    calibration = changed((PAIR.splitlines()[19], "      x: {kind: compose, of: [sx, sx]}"))
    assert calibration.error("x", (0,)) is None
    assert calibration.error_source("x", (0,)) is None


def test_passive_reset_lasts_as_long_as_it_says():
    calibration = changed(("reset: {kind: active}", "reset: {kind: passive, duration: 225 us, error: 0.01}"))
    assert calibration.duration_ticks("reset", (0,)) == 225_000
    assert calibration.error("reset", (0,)) == 0.01
    assert calibration.error_source("reset", (0,)) == "measured"


def test_absent_reset_and_gate_are_refused():
    calibration = changed(("    reset: {kind: active}\n", ""))
    with pytest.raises(CalibrationError, match="has no reset on qubit 0"):
        calibration.duration_ticks("reset", (0,))
    with pytest.raises(CalibrationError, match=r"has no h on qubits \[0\]; transpile"):
        calibration.gate("h", (0,))
    with pytest.raises(CalibrationError, match=r"has no cz on qubits \[0, 0\]"):
        calibration.gate("cz", (0, 0))
    with pytest.raises(CalibrationError, match=r"has no ccz on qubits \[0, 1, 0\]"):
        calibration.gate("ccz", (0, 1, 0))


def test_active_reset_without_x_does_not_exist():
    calibration = changed((PAIR.splitlines()[19] + "\n", ""))
    with pytest.raises(CalibrationError, match="has no reset on qubit 0"):
        calibration.duration_ticks("reset", (0,))


def test_one_way_gate_stays_one_way():
    calibration = changed(("kind: flux_cz", "kind: flux_cz\n        symmetric: false"))
    assert calibration.gate("cz", (0, 1)).kind == "flux_cz"
    with pytest.raises(CalibrationError, match=r"has no cz on qubits \[1, 0\]"):
        calibration.gate("cz", (1, 0))


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("    index: 0\n", "    index: 0\n    operational: false\n", "operational: false"),
        ("    frequency: 4.82e9\n", "", "no frequency"),
        ("drive: q0.drive, ", "", "no drive port"),
        ("readout: f0.readout, acquire: f0.acquire}", "acquire: f0.acquire}", "no readout port"),
        ("      rz: {kind: virtual_z}\n", "", "no gate rz"),
        (SX, SX + ", error: 1.0", "error of sx is 1"),
    ],
)
def test_partial_qubit_is_demoted_with_its_edges(old, new, reason):
    calibration = changed((old, new))
    assert calibration.demoted == {"q0": reason, "q0-q1": f"qubit q0: {reason}"}
    assert calibration.live_qubits == (1,)
    assert calibration.live_edges == ()
    with pytest.raises(
        CalibrationError, match=rf"qubit 0 \(q0\) is not usable, {reason}; use one of 1 or calibrate it"
    ):
        calibration.gate("sx", (0,))
    with pytest.raises(CalibrationError, match="edge q0-q1 is not usable, qubit q0"):
        calibration.gate("cz", (1, 0))


def test_qubit_without_readout_is_demoted():
    lines = PAIR.splitlines(keepends=True)
    start = lines.index("    readout:\n")
    calibration = loads("".join(lines[:start] + lines[start + 6 :]))
    assert calibration.demoted["q0"] == "no readout"


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("  q0-q1:\n", "  q0-q1:\n    operational: false\n", "operational: false"),
        ("kind: flux_cz", "kind: flux_cz\n        error: 1.0", "error of cz is 1"),
    ],
)
def test_dead_edge_leaves_its_qubits_alive(old, new, reason):
    calibration = changed((old, new))
    assert calibration.demoted == {"q0-q1": reason}
    assert calibration.live_qubits == (0, 1)


def test_edge_without_gates_is_dead():
    calibration = loads(PAIR[: PAIR.index("    gates:\n      cz:")])
    assert calibration.demoted == {"q0-q1": "no gates"}


def test_coherence_limit_has_the_published_values():
    assert coherence_limit([(45e-6, 38e-6)], 24e-9) == pytest.approx(2.993e-4, rel=1e-3)
    assert coherence_limit([(45e-6, 1.0)], 24e-9) == coherence_limit([(45e-6, 90e-6)], 24e-9)
    assert coherence_limit([(1e-6, 1e-6)], 0.0) == 0.0


def average_error(times_s: list[tuple[float, float]], duration_s: float) -> float:
    """Average infidelity of amplitude and phase damping, from the Pauli transfer matrix."""
    trace = 1.0
    for t1_s, t2_s in times_s:
        paulis = [np.eye(2), np.array([[0, 1], [1, 0]]), np.array([[0, -1j], [1j, 0]]), np.diag([1, -1])]
        decay, keep = 1 - math.exp(-duration_s / t1_s), math.exp(-duration_s / t2_s)
        flips = 0.0
        for pauli in paulis:
            out = np.array(
                [
                    [pauli[0, 0] + decay * pauli[1, 1], keep * pauli[0, 1]],
                    [keep * pauli[1, 0], (1 - decay) * pauli[1, 1]],
                ]
            )
            flips += float(np.trace(pauli @ out).real) / 2
        trace *= flips
    dimension = 2 ** len(times_s)
    process = trace / dimension**2
    return 1 - (dimension * process + 1) / (dimension + 1)


@pytest.mark.parametrize("duration_s", [24e-9, 60e-9, 1e-5])
@pytest.mark.parametrize("times_s", [[(45e-6, 38e-6)], [(45e-6, 38e-6), (20e-6, 26e-6)]])
def test_coherence_limit_is_the_average_error_of_the_damping_channel(times_s, duration_s):
    assert coherence_limit(times_s, duration_s) == pytest.approx(average_error(times_s, duration_s), rel=1e-9)


def test_unmeasured_error_is_the_coherence_limit():
    calibration = times()
    assert calibration.error("sx", (0,)) == pytest.approx(coherence_limit([(4.5e-5, 3.8e-5)], 2.4e-8))
    assert calibration.error_source("sx", (0,)) == "coherence-limit"
    assert calibration.error("rz", (0,)) == 0.0
    assert calibration.error_source("rz", (0,)) == "exact"
    assert calibration.error("cz", (0, 1)) is None, "the second qubit's times are unknown"


def test_measured_error_wins_and_names_its_method():
    calibration = changed((SX, SX + ", error: {value: 4.1e-4, method: rb}"))
    assert calibration.error("sx", (0,)) == 4.1e-4
    assert calibration.error_source("sx", (0,)) == "rb"


def test_readout_error_is_the_mean_of_both_flips():
    calibration = changed(("    reset:", "      assignment: [[0.988, 0.021], [0.012, 0.979]]\n    reset:"))
    assert calibration.error("measure", (0,)) == pytest.approx((0.012 + 0.021) / 2)
    assert calibration.error_source("measure", (0,)) == "assignment"
    assert calibration.error("measure", (1,)) is None
    assert calibration.error("reset", (0,)) is None


def test_error_below_its_coherence_limit_is_warned_about():
    (warning,) = times("4.5e-5", "3.8e-5", (SX, SX + ", error: {value: 1.0e-4, unc: 5.0e-5}")).warnings
    assert warning.startswith("sx[0]: error 0.0001 is below its coherence limit 0.00029")
    assert times("4.5e-5", "3.8e-5", (SX, SX + ", error: {value: 2.5e-4, unc: 5.0e-5}")).warnings == ()


def test_t2_slightly_above_its_bound_is_clamped():
    calibration = times("{value: 1.0e-5, unc: 1.0e-6}", "{value: 2.2e-5, unc: 1.0e-6}")
    assert calibration.coherence(0).t2_s == 2.0e-5
    assert calibration.notes == ("q0: T2 2.2e-05 s exceeds 2 T1 = 2e-05 s, within 2 sigma; clamped",)


def test_impossible_t2_is_ignored_with_a_warning():
    calibration = times("1.0e-5", "3.0e-5")
    assert calibration.coherence(0).t1_s == 1.0e-5
    assert calibration.coherence(0).t2_s is None
    assert calibration.warnings[0].startswith("q0: T2 3e-05 s exceeds 2 T1 = 2e-05 s by more than 2 sigma")
    assert calibration.error("sx", (0,)) is None


def test_hash_is_that_of_the_content_alone():
    base = changed()
    assert len(base.hash) == 32
    assert base.hash == changed(("id: nominal", "id: other\nparent: nominal\nauthor: me"), ("untuned", "x")).hash
    assert base.hash == changed(("4.82e9", "{value: 4.82 GHz}")).hash
    assert base.hash != changed(("4.82e9", "4.821e9")).hash
    stamped = '{value: 4.82e9, at: "2026-11-22T20:11:04Z", by: run-1}'
    assert base.hash == changed(("4.82e9", stamped)).hash
    assert base.hash != changed(("4.82e9", "{value: 4.82e9, unc: 1.0}")).hash


def test_discriminators_give_rows_for_argmax():
    linear = LinearDiscriminator(kind="linear", angle=math.pi / 2, threshold=0.25)
    zero, one = linear.coefficients
    assert zero == (0.0, 0.0, 0.0)
    assert one == pytest.approx((0.0, 1.0, -0.25))
    classes = ClassDiscriminator(kind="classes", coef=((0.0, 0.0, 0.0), (1.0, 0.0, 0.0), (0.0, 1.0, 0.0)))
    assert classes.coefficients == classes.coef


def test_waveform_parameters_come_in_the_shapes_order():
    gate = changed().gate("sx", (0,))
    assert gate.kind == "pulse"
    assert gate.waveform.parameters == (("sigma", 6e-9), ("beta", 0.0))
    readout = changed().live_qubit(0).readout
    assert readout is not None
    assert readout.waveform.parameters == (("rise", 0.0),)


def test_old_values_are_stale_by_class():
    entry = '{value: 4.82e9, at: "2026-11-22T00:00:00Z"}'
    policy = "validity: {on_stale: warn}\ntiming:"
    calibration = changed(
        ("4.82e9", entry),
        ("-3.1e8", '{value: -3.1e8, at: "2026-11-22T00:00:00Z", ttl: 1e8}'),
        ("frequency: 6.9e9\n", 'frequency: {value: 6.9e9, at: "2026-11-22T00:00:00Z"}\n'),
        ("amp: 0.18", 'amp: {value: 0.18, at: "2026-11-22T00:00:00Z"}'),
        ("timing:", policy),
    )
    now = datetime(2026, 11, 22, 13, tzinfo=UTC)
    assert calibration.stale(now) == ("qubits.q0.frequency", "qubits.q0.readout.frequency")
    later = datetime(2026, 11, 23, 1, tzinfo=UTC)
    assert "qubits.q0.gates.sx.waveform.amp" in calibration.stale(later)
    assert changed(("4.82e9", entry)).stale(later) == ()
