"""What gates of each kind play."""

import math

import numpy as np
import pytest
from qiskit import QuantumCircuit

from qctrl.calibration.document import QubitPorts
from qctrl.compiler import compile_circuit
from qctrl.compiler.site import SiteCapture, SitePlay, SiteShift
from qctrl.compiler.sites import block_grid_ticks, build_site, reset_is_measured
from qctrl.errors import UnsupportedInstructionError
from qctrl.ir import GateSite
from qctrl.units import phase_word
from tests.unit.compiler import cross, trio

CALIBRATION = trio.calibration()


def site(name, *qubits, calibration=CALIBRATION):
    return build_site(calibration, GateSite(name, qubits))


def test_a_pulse_gate_plays_on_the_qubits_drive():
    found = site("x", 0)
    (play,) = found.actions
    assert isinstance(play, SitePlay)
    assert (play.frame.port, play.frame.frequency_hz, play.frame.group) == ("q0.drive", 4.9e9, 0)
    assert (play.offset_ticks, play.length_ticks, found.duration_ticks) == (0, 24, 24)
    assert play.envelope.params == (("sigma", 5e-9), ("beta", 4.1e-10))
    assert (play.amplitude, play.phase) == (0.22, phase_word(0.25))


def test_padding_moves_the_play_and_lengthens_the_gate():
    found = site("sx", 2)
    assert found.actions[0].offset_ticks == 4
    assert found.duration_ticks == 32


def test_a_composed_gate_plays_its_parts_in_a_row():
    found = site("x", 1)
    assert [play.offset_ticks for play in found.actions] == [0, 28]
    assert found.duration_ticks == 56
    assert len(found.frames) == 1


def test_virtual_z_inside_a_composed_gate_acts_between_its_plays():
    calibration = trio.edited(("of: [sx, sx]", "of: [sx, rz, sx]"))
    kinds = [type(action) for action in site("x", 1, calibration=calibration).actions]
    assert kinds == [SitePlay, SiteShift, SitePlay]


@pytest.mark.parametrize("pair", [(0, 1), (1, 0)])
def test_a_flux_cz_plays_on_both_lines_then_shifts_both_qubits(pair):
    flux, coupler, first, second = site("cz", *pair).actions
    assert (flux.frame.port, coupler.frame.port) == ("q0.flux", "c01.flux")
    assert (flux.frame.frequency_hz, flux.frame.group, flux.offset_ticks) == (0.0, -1, coupler.offset_ticks)
    assert (first, second) == (SiteShift(0, phase_word(1.3322)), SiteShift(1, phase_word(-0.4107)))


def test_a_cz_without_coupler_or_second_shift_plays_what_it_has():
    flux, shift = site("cz", 1, 2).actions
    assert flux.frame.port == "q1.flux"
    assert shift == SiteShift(1, phase_word(0.7))


def test_measure_plays_and_captures_at_one_frequency():
    found = site("measure", 0)
    play, capture = found.actions
    assert isinstance(capture, SiteCapture)
    assert play.frame.frequency_hz == capture.frame.frequency_hz == 7.01e9
    assert (capture.offset_ticks, capture.length_ticks, found.duration_ticks) == (160, 400, 560)
    assert capture.coefficients[1] == (math.cos(1.2), math.sin(1.2), -0.02)
    assert found.alignment_ticks == block_grid_ticks(CALIBRATION) == 8


def test_resets_are_measured_or_waited_for():
    assert [reset_is_measured(CALIBRATION, qubit) for qubit in range(3)] == [True, True, False]
    assert site("reset", 2).duration_ticks == 100_000
    assert site("reset", 2).actions == ()


@pytest.mark.parametrize("wait", [0, 40, 1004])
def test_a_detuned_waveform_turns_from_the_start_of_its_play(wait):
    calibration = trio.edited(("phase: 0.25", "phase: 0.25, detuning: 7.0e6"))
    circuit = QuantumCircuit(1)
    circuit.x(0)
    circuit.delay(wait, 0)
    circuit.x(0)
    detuned = compile_circuit(circuit, calibration, trio.setup(calibration)).samples("q0.drive")
    plain = compile_circuit(circuit, CALIBRATION, trio.setup()).samples("q0.drive")
    turned = np.exp(2j * np.pi * 7e6 * 1e-9 * np.arange(24))
    end = len(detuned)
    for start in (end - 48 - wait, end - 24):
        inside = slice(start, start + 24)
        assert np.abs(detuned[inside] - plain[inside] * turned).max() < 2 / 32767  # a step of the converter, twice
    assert np.abs(detuned - plain).max() > 0.01


def test_coupler_cz_plays_on_the_coupler_alone():
    flux, first, second = site("cz", 1, 0, calibration=cross.calibration()).actions
    assert (flux.frame.port, flux.amplitude, flux.length_ticks) == ("c01.flux", 0.19, 40)
    assert (first, second) == (SiteShift(0, phase_word(0.4)), SiteShift(1, phase_word(0.9)))


def test_rx_scales_the_amplitude_of_half_a_turn():
    (play,) = build_site(cross.calibration(), GateSite("rx", (0,), None, (-math.pi / 4,))).actions
    assert play.amplitude == pytest.approx(-0.05)
    assert play.phase == phase_word(0.5)


@pytest.mark.parametrize(
    ("name", "field", "value"),
    [("measure", "readout", None), ("sx", "frequency", None), ("sx", "ports", QubitPorts())],
)
def test_a_calibration_that_lacks_a_piece_is_refused(name, field, value):
    qubit = CALIBRATION.qubits[0].model_copy(update={field: value})

    class Partial:
        timing, dt_s = CALIBRATION.timing, CALIBRATION.dt_s

        def live_qubit(self, index):
            return qubit

        def gate(self, name, qubits):
            return CALIBRATION.gate(name, qubits)

        def duration_ticks(self, name, qubits):
            return CALIBRATION.duration_ticks(name, qubits)

    with pytest.raises(UnsupportedInstructionError, match=f"lacks its {field.rstrip('s')}; add it"):
        site(name, 0, calibration=Partial())


def test_a_flux_gate_may_be_a_slepian():
    wide = "shape: flat_top_cosine, duration: 5.6e-8, rise: 8.0e-9, amp: 0.28"
    adiabatic = "shape: slepian, duration: 5.6e-8, theta_i: 0.1, theta_f: 0.86, lambda2: -0.18, amp: 0.28"
    device = trio.edited((wide, adiabatic))
    circuit = QuantumCircuit(2)
    circuit.cz(0, 1)
    samples = compile_circuit(circuit, device, trio.setup(device)).samples("q0.flux")
    assert samples.max() == pytest.approx(0.28, abs=1e-3)
    assert np.allclose(samples[4:60], samples[59:3:-1], rtol=0, atol=1e-4)
