"""Cross-resonance on the emulated heavyhex7: conventions of its tones, and what tuning makes of them."""

from __future__ import annotations

import cmath
import math
from collections.abc import Iterator

import numpy as np
import pytest

from firmware_sim.config import load_truth
from qctrl.calibration import find_device, load
from qctrl.config import find_rack, load_rack
from qctrl.errors import CalibrationError
from qctrl.execution import LocalRunner
from qctrl.routines import fidelity, tune_cr
from qctrl.routines.bench import Bench

EDGE = "q1-q2"
"""Its control, q2, has the higher index."""
GATE = ("edges", EDGE, "gates", "ecr")


@pytest.fixture(scope="module")
def bench() -> Iterator[Bench]:
    rack = load_rack(find_rack())
    runner = LocalRunner(rack, "heavyhex7")
    yield Bench(load(find_device("heavyhex7")).document, rack.wiring("heavyhex7"), runner, 1, "2026-01-01T00:00:00Z")
    runner.close()


def test_a_rotation_is_read_back() -> None:
    for angle, axis in ((0.3, 1.2), (1.5, -2.8), (2.9, 0.0)):
        across = np.array([[0, cmath.exp(-1j * axis)], [cmath.exp(1j * axis), 0]])
        turned = np.cos(angle / 2) * np.eye(2) - 1j * np.sin(angle / 2) * across
        assert tune_cr._rotation(cmath.exp(0.7j) * turned) == pytest.approx((angle, axis))


def test_ecr_is_the_flip_of_the_control_after_half_of_a_turn_about_zx() -> None:
    x, z = fidelity.X, np.diag([1, -1])
    turn = np.cos(math.pi / 4) * np.eye(4) - 1j * np.sin(math.pi / 4) * np.kron(z, x)
    assert pytest.approx(np.kron(x, np.eye(2)) @ turn) == fidelity.ECR


def test_the_shipped_gate_is_ecr_about_the_axes_of_both_qubits_own_pulses(bench: Bench) -> None:
    channel = tune_cr._channel(bench, EDGE, noise=False)
    virtual_z = bench.document.edges[EDGE].gates["ecr"].virtual_z
    left, right = (-virtual_z[name].value for name in ("q1", "q2"))
    ideal = tune_cr._turned(tune_cr._ideal(bench, EDGE), left, right)
    assert 1 - fidelity.average_fidelity(channel, ideal) < 2e-3
    # The mirror image, with control and target exchanged, is another gate.
    swapped = ideal.reshape(2, 2, 2, 2).transpose(1, 0, 3, 2).reshape(4, 4)
    assert 1 - fidelity.average_fidelity(channel, np.ascontiguousarray(swapped)) > 0.3


def test_a_tone_of_phase_p_turns_the_target_about_cos_p_x_minus_sin_p_y(bench: Bench) -> None:
    """Of the conditional rotation, for a shift of the tone's phase; the control's states turn opposite ways."""
    gate = bench.document.edges[EDGE].gates["ecr"]
    shift, axes = 0.5, []
    for phase in (0.0, shift):
        tone = cmath.rect(gate.waveform.amp.value / 2, gate.waveform.phase + phase)
        unitary = fidelity.unitary_of(
            tune_cr._channel(bench.changed(tune_cr._tones(EDGE, tone, 0j)), EDGE, noise=False)
        )
        blocks = unitary.reshape(2, 2, 2, 2).transpose(1, 0, 3, 2)
        axes.append(tune_cr._rotation(blocks[0, :, 1, :].conj().T @ blocks[1, :, 0, :])[1])
    assert math.remainder(axes[1] - axes[0] + shift, 2 * math.pi) == pytest.approx(0, abs=0.03)


@pytest.mark.parametrize("phase", [0.0, 1.1])
def test_the_cancellation_tone_turns_the_target_alone_like_a_pulse_of_its_own(bench: Bench, phase: float) -> None:
    """Without echo and without the cross-resonance tone: angle by area, axis by phase."""
    amplitude = 0.02
    changed = bench.changed(tune_cr._tones(EDGE, 1e-6, cmath.rect(amplitude, phase)) | {(*GATE, "echo"): False})
    unitary = fidelity.unitary_of(tune_cr._channel(changed, EDGE, noise=False))
    target = unitary.reshape(2, 2, 2, 2).transpose(1, 0, 3, 2)[1, :, 0, :]
    angle, axis = tune_cr._rotation(target)
    waveform = bench.document.edges[EDGE].gates["ecr"].waveform
    truth = load_truth(find_device("heavyhex7").parents[2] / "configs/truth/heavyhex7.yaml")
    area_s = waveform.duration - waveform.rise
    assert angle == pytest.approx(2 * math.pi * truth.lines["q1.drive"].rabi_hz_per_fs * amplitude * area_s, rel=0.05)
    own = tune_cr._axis(bench, 1)
    assert math.remainder(axis - (own - phase), 2 * math.pi) == pytest.approx(0, abs=0.05)


def test_tuning_a_spoiled_gate_finds_it_again(bench: Bench) -> None:
    gate = bench.document.edges[EDGE].gates["ecr"]
    spoiled = tune_cr._tones(EDGE, 0.8 * cmath.rect(gate.waveform.amp.value, gate.waveform.phase + 1.0), 0.02j)
    again = tune_cr.characterise_cr(tune_cr.tune_cr(bench.changed(spoiled), EDGE), EDGE)
    found, shipped = (b.document.edges[EDGE].gates["ecr"] for b in (again, bench))
    assert found.error.value == pytest.approx(shipped.error.value, rel=0.02)
    assert found.waveform.amp.value == pytest.approx(shipped.waveform.amp.value, rel=0.01)


def test_an_edge_without_the_gate_is_refused(bench: Bench) -> None:
    data = bench.document.model_dump(by_alias=True, exclude_unset=True)["edges"][EDGE]["gates"]["ecr"]
    del data["cancel"]
    with pytest.raises(CalibrationError, match=r"edges\.q1-q2\.gates\.ecr is no cr gate with a cancel tone"):
        tune_cr.tune_cr(bench.changed({GATE: data}), EDGE)
