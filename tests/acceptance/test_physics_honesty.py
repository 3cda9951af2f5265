"""A wrong pulse gives wrong counts: each imperfection against its analytic value, through the public names."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter
from scipy.special import erfc

from firmware_sim.config import load_truth
from qctrl import ProviderService, SamplerV2
from qctrl.provider import Backend
from tests.acceptance import variants
from tests.acceptance.variants import assert_counts_match

SEED = 7
SHOTS = 40_000
PERIOD = 2 * math.pi


def one_qubit(*, qubit: int = 0) -> QuantumCircuit:
    return QuantumCircuit(qubit + 1, 1)


def probability_of_one(backend: Backend, circuit: QuantumCircuit, values: Any = None, shots: int = SHOTS) -> np.ndarray:
    pub = (circuit,) if values is None else (circuit, values)
    bits = SamplerV2(backend).run([pub], shots=shots).result()[0].data.c
    return bits.bitcount().mean(axis=-1)


def assert_probability(found: float, expected: float, shots: int = SHOTS) -> None:
    ones = round(found * shots)
    assert_counts_match({"1": ones, "0": shots - ones}, np.array([1 - expected, expected]))


def two_level_pi_amplitude(service: ProviderService, folder: Path) -> float:
    """The amplitude whose area is a pi rotation of two levels, from the samples and the line's own gain."""
    path = variants.calibration(folder, "pair2", {"qubits/q0/gates/x/waveform/beta": 0.0})
    backend = service.backend("pair2", calibration=path, noise=False, levels=2, seed=SEED)
    circuit = one_qubit()
    circuit.x(0)
    waveform = backend.calibration.live_qubit(0).gates["x"].waveform
    samples = backend.compile(circuit).samples("q0.drive")
    line = load_truth(variants.ROOT / "configs/truth/pair2.yaml").lines["q0.drive"]
    # The samples carry the NCO: demodulate at the qubit's frequency, where a held sample turns on by sinc(IF dt).
    if_hz = backend.calibration.live_qubit(0).frequency.value - next(
        port.lo_hz for port in backend.setup.ports if port.name == "q0.drive"
    )
    t = np.arange(len(samples))
    area = abs(np.sum(samples * np.exp(-2j * np.pi * if_hz * 1e-9 * (t + 0.5)))) * np.sinc(if_hz * 1e-9)
    return waveform.amp.value / (2 * area * line.rabi_hz_per_fs * 1e-9)


def test_five_percent_too_much_amplitude_leaves_the_known_ground_population(
    service: ProviderService, tmp_path: Path
) -> None:
    """sin^2(0.025 pi) = 0.00616 with two levels, no DRAG and no decoherence; shots resolve it to 4e-4."""
    amplitude = two_level_pi_amplitude(service, tmp_path)
    changes = {"qubits/q0/gates/x/waveform/beta": 0.0, "qubits/q0/gates/x/waveform/amp": 1.05 * amplitude}
    path = variants.calibration(tmp_path, "pair2", changes)
    backend = service.backend("pair2", calibration=path, noise=False, levels=2, seed=SEED)
    circuit = one_qubit()
    circuit.x(0)
    circuit.measure(0, 0)
    found = probability_of_one(backend, circuit)
    assert_probability(float(found), 1 - math.sin(0.025 * math.pi) ** 2)


@pytest.mark.parametrize("between", ["nothing", "cz"])
def test_the_second_of_two_pulses_turns_about_the_axis_that_rz_chose(service: ProviderService, between: str) -> None:
    """sx, rz(angle), sx: P(1) = cos^2(angle / 2); a virtual Z of a CZ with the wrong sign would shift it by 2.1 rad.

    After rz(pi/2) the axis is -Y, where the first pulse left the state: P(1) = 1/2. Which side of X that is, and so
    the sign of rz, is fixed by the next test.
    """
    backend = service.backend("pair2", noise=False, seed=SEED)
    angle = Parameter("angle")
    circuit = QuantumCircuit(2, 1)
    circuit.sx(1)
    if between == "cz":
        circuit.cz(0, 1)
    circuit.rz(angle, 1)
    circuit.sx(1)
    circuit.measure(1, 0)
    angles = np.array([0.0, math.pi / 2, math.pi, -math.pi / 2])
    found = probability_of_one(backend, circuit, angles)
    for one, angle_rad in zip(found, angles, strict=True):
        assert abs(one - math.cos(angle_rad / 2) ** 2) < 0.015  # CZ error 2e-3, shots 2.5e-3 at one sigma


@pytest.mark.parametrize("sign", [1, -1])
def test_rz_undoes_idling_under_a_positive_detuning(service: ProviderService, tmp_path: Path, sign: int) -> None:
    """A qubit above its frame turns as exp(-i delta t): rz(+delta t) brings it back, rz(-delta t) goes on."""
    frequency = load_truth(variants.ROOT / "configs/truth/pair2.yaml").qubits["q0"].frequency
    detuning_hz, delay_ns = 1e6, 226  # with the 24 ns between pulse centres a quarter turn
    path = variants.calibration(tmp_path, "pair2", {"qubits/q0/frequency": frequency - detuning_hz})
    backend = service.backend("pair2", calibration=path, noise=False, seed=SEED)
    circuit = one_qubit()
    circuit.sx(0)
    circuit.delay(delay_ns, 0, unit="ns")
    circuit.rz(sign * PERIOD / 4, 0)
    circuit.sx(0)
    circuit.measure(0, 0)
    found = float(probability_of_one(backend, circuit))
    assert abs(found - (1.0 if sign > 0 else 0.0)) < 0.01  # 1 MHz off during 24 ns pulses costs 2e-3


def ramsey(delay_ns: int) -> QuantumCircuit:
    circuit = one_qubit()
    circuit.sx(0)
    circuit.delay(delay_ns, 0, unit="ns")
    circuit.sx(0)
    circuit.measure(0, 0)
    return circuit


@pytest.mark.parametrize("source", ["lo", "nco"])
def test_a_frequency_error_is_a_ramsey_fringe_at_that_frequency(
    service: ProviderService, tmp_path: Path, source: str
) -> None:
    """The fringe of 40 delays over 10 us is fitted; it must lie within 1 % of the 0.5 MHz error."""
    error_hz = 0.5e6
    if source == "lo":
        switches = {"truth": variants.truth(tmp_path, "pair2", {"lines/q0.drive/lo_error": error_hz})}
    else:
        tuned = load_truth(variants.ROOT / "configs/truth/pair2.yaml").qubits["q0"].frequency
        switches = {"calibration": variants.calibration(tmp_path, "pair2", {"qubits/q0/frequency": tuned + error_hz})}
    backend = service.backend("pair2", noise=False, seed=SEED, **switches)
    delays_ns = np.arange(40) * 250 + 50
    job = SamplerV2(backend).run([ramsey(int(delay)) for delay in delays_ns], shots=400)
    ones = np.array([result.data.c.bitcount().mean() for result in job.result()])
    grid_hz = np.linspace(0.3e6, 0.7e6, 4001)
    phases = np.exp(2j * np.pi * np.outer(grid_hz, delays_ns * 1e-9))
    found_hz = grid_hz[np.argmax(np.abs(phases @ (ones - ones.mean())))]
    assert found_hz == pytest.approx(error_hz, rel=0.01)


def test_t1_and_echo_decay_as_the_device_does(service: ProviderService, tmp_path: Path) -> None:
    """Noise only from the qubit: survival after t is exp(-t/T1), echo contrast exp(-t/T2). False alarm 1e-6."""
    path = variants.truth(
        tmp_path, "pair2", {"feedlines/f0/efficiency": 1.0, "qubits/q0/t1": 2e-5, "qubits/q0/t2_echo": 1.5e-5}
    )
    backend = service.backend("pair2", truth=path, seed=SEED)
    readout = backend.calibration.live_qubit(0).readout
    assert readout is not None
    reference = one_qubit()
    reference.measure(0, 0)
    excited = one_qubit()
    excited.x(0)
    excited.measure(0, 0)
    late, echo = one_qubit(), one_qubit()
    late.x(0)
    late.delay(10, 0, unit="us")
    late.measure(0, 0)
    echo.sx(0)
    echo.delay(5, 0, unit="us")
    echo.x(0)
    echo.delay(5, 0, unit="us")
    echo.sx(0)
    echo.measure(0, 0)
    job = SamplerV2(backend).run([reference, excited, late, echo], shots=SHOTS)
    low, high, decayed, contrast = (float(result.data.c.bitcount().mean()) for result in job.result())
    t1 = math.exp(-10e-6 / 2e-5)
    t2 = math.exp(-10e-6 / 1.5e-5)
    # Four sigma-limited means; 5.3 sigma of 2.5e-3 each, and 24 ns pulses that decay at 1e-3.
    slack = 5.3 * 2 * 2.5e-3
    assert (decayed - low) / (high - low) == pytest.approx(t1, abs=slack)
    assert abs(1 - 2 * (contrast - low) / (high - low)) == pytest.approx(t2, abs=2 * slack)


def test_drag_lowers_leakage(service: ProviderService, tmp_path: Path) -> None:
    """One 12 ns pulse: with the DRAG term less than half of the leaked population."""
    leaked: list[float] = []
    for beta in (0.0, -1.0):
        changes: dict[str, Any] = {
            "qubits/q0/gates/x/waveform/duration": 1.2e-8,
            "qubits/q0/gates/x/waveform/sigma": 3e-9,
            "qubits/q0/gates/x/waveform/amp": 0.75,
            "qubits/q0/gates/x/waveform/beta": beta * 2.6e-10,
        }
        path = variants.calibration(tmp_path, "pair2", changes)
        backend = service.backend("pair2", calibration=path, noise=False, seed=SEED)
        circuit = one_qubit()
        circuit.x(0)
        leaked.append(leaked_fraction(backend, circuit))
    print(f"leakage without DRAG {leaked[0]:.2e}, with {leaked[1]:.2e}")
    assert leaked[1] < 0.5 * leaked[0]


def leaked_fraction(backend: Backend, circuit: QuantumCircuit) -> float:
    """Exact population of level 2 of qubit 0 after a circuit, from the emulator's debug request."""
    program = backend.compile(circuit).to_bytes()
    body = {"op": "populations", "noise": False}
    answer, (data,) = backend.runner.debug(backend.setup, body, [program, b""])
    return float(np.frombuffer(data).reshape(answer["shape"])[0, 2])


def test_a_wrong_flux_amplitude_shows_the_wrong_conditional_phase(service: ProviderService, tmp_path: Path) -> None:
    """q0 in superposition, q1 in 1: the phase of q0 against the same with q1 in 0 is the conditional phase."""
    amplitude = service.backend("pair2").calibration.document.edges["q0-q1"].gates["cz"].waveform.amp.value
    phases: list[float] = []
    for scale in (1.0, 0.97):
        changes = {"edges/q0-q1/gates/cz/waveform/amp": amplitude * scale}
        path = variants.calibration(tmp_path, "pair2", changes)
        backend = service.backend("pair2", calibration=path, noise=False, seed=SEED)
        phases.append(conditional_phase(backend))
    assert abs(math.remainder(phases[0] - math.pi, PERIOD)) < 0.05
    assert abs(math.remainder(phases[1] - math.pi, PERIOD)) > 0.2


def conditional_phase(backend: Backend) -> float:
    angle = Parameter("angle")
    phases: list[float] = []
    for excited in (False, True):
        circuit = QuantumCircuit(2, 1)
        if excited:
            circuit.x(1)
        circuit.sx(0)
        circuit.barrier()
        circuit.cz(0, 1)
        circuit.rz(angle, 0)
        circuit.sx(0)
        circuit.measure(0, 0)
        angles = np.arange(8) * PERIOD / 8
        ones = probability_of_one(backend, circuit, angles, shots=10_000)
        phases.append(float(np.angle(np.sum(ones * np.exp(-1j * angles)))))
    return phases[1] - phases[0]


@pytest.mark.parametrize("fault", ["zeroed", "swapped"])
def test_a_zeroed_or_swapped_waveform_breaks_the_counts(service: ProviderService, tmp_path: Path, fault: str) -> None:
    healthy = service.backend("pair2").calibration.live_qubit(0).gates
    changes = {
        "zeroed": {"qubits/q0/gates/x/waveform/amp": 0.0},
        "swapped": {
            "qubits/q0/gates/x/waveform/amp": healthy["sx"].waveform.amp.value,
            "qubits/q0/gates/sx/waveform/amp": healthy["x"].waveform.amp.value,
        },
    }[fault]
    path = variants.calibration(tmp_path, "pair2", changes)
    backend = service.backend("pair2", calibration=path, noise=False, seed=SEED)
    circuit = one_qubit()
    circuit.x(0)
    circuit.measure(0, 0)
    assert float(probability_of_one(backend, circuit, shots=4000)) < {"zeroed": 0.001, "swapped": 0.6}[fault]


def test_half_the_readout_amplitude_has_half_the_snr(service: ProviderService, tmp_path: Path) -> None:
    """SNR = separation / (2 sigma) falls by two, and the misread ground states follow erfc(SNR / sqrt 2) / 2."""
    snr: list[float] = []
    for scale in (1.0, 0.5):
        healthy = service.backend("pair2").calibration.live_qubit(0).readout
        assert healthy is not None
        path = variants.calibration(
            tmp_path, "pair2", {"qubits/q0/readout/waveform/amp": healthy.waveform.amp.value * scale}
        )
        backend = service.backend("pair2", calibration=path, seed=SEED)
        ground, excited = one_qubit(), one_qubit()
        ground.measure(0, 0)
        excited.x(0)
        excited.measure(0, 0)
        options = {"execution": {"meas_type": "kerneled"}}
        job = SamplerV2(backend, options=options).run([ground, excited], shots=SHOTS)
        clouds = [result.data.c[:, 0] for result in job.result()]
        centres = [np.median(cloud.real) + 1j * np.median(cloud.imag) for cloud in clouds]
        axis = (centres[1] - centres[0]) / abs(centres[1] - centres[0])
        along = ((clouds[0] - centres[0]) * axis.conj()).real
        snr.append(abs(centres[1] - centres[0]) / (2 * along.std()))
        expected = 0.5 * erfc(snr[-1] / math.sqrt(2))
        misread = float(np.mean(along > abs(centres[1] - centres[0]) / 2))
        assert misread == pytest.approx(expected, abs=6 * math.sqrt(expected / SHOTS) + 2e-4)
    assert snr[0] / snr[1] == pytest.approx(2, rel=0.03)


def test_the_same_seed_gives_the_same_counts_in_any_chunking(service: ProviderService) -> None:
    backend = service.backend("pair2", seed=SEED)
    circuit = QuantumCircuit(2, 2)
    circuit.sx(0)
    circuit.measure(0, 0)
    circuit.reset(0)
    circuit.cz(0, 1)
    circuit.sx(1)
    circuit.measure(1, 1)
    arrays = []
    for chunk in (1000, 137, 1):
        sampler = SamplerV2(backend, options={"execution": {"chunk_shots": chunk}})
        arrays.append(sampler.run([circuit], shots=1000 if chunk > 1 else 40).result()[0].data.c.array)
    assert np.array_equal(arrays[0], arrays[1])
    assert np.array_equal(arrays[0][:40], arrays[2])
    assert backend.compile(circuit).to_bytes() == backend.compile(circuit).to_bytes()


def contrast_behind_a_readout(backend: Backend, gap_ns: int) -> float:
    """Contrast of a Ramsey experiment of 300 ns that begins some time after a readout of the same qubit."""
    angle = Parameter("angle")
    circuit = QuantumCircuit(1, 2)
    circuit.measure(0, 1)
    circuit.delay(gap_ns, 0, unit="ns")
    circuit.sx(0)
    circuit.delay(300, 0, unit="ns")
    circuit.rz(angle, 0)
    circuit.sx(0)
    circuit.measure(0, 0)
    angles = np.arange(8) * PERIOD / 8
    bits = SamplerV2(backend).run([(circuit, angles)], shots=5000).result()[0].data.c
    ones = (bits.array[..., 0] & 1).mean(axis=-1)
    return float(abs(np.sum(ones * np.exp(-1j * angles)))) / 2


def test_a_pulse_right_behind_a_readout_meets_its_photons(service: ProviderService, tmp_path: Path) -> None:
    """A fringe of contrast 1 gives 2; 8 means of 5000 shots know it to 0.004. The resonator forgets within 32 ns.

    The shipped calibration lets it ring down for 200 ns, which are part of the measurement.
    """
    hasty = variants.calibration(tmp_path, "pair2", {"qubits/q0/readout/ring_down": 0})
    with_photons = service.backend("pair2", calibration=hasty, seed=SEED)
    without = service.backend("pair2", calibration=hasty, seed=SEED, without=["photons"])
    shipped = service.backend("pair2", seed=SEED)
    at_once, later, dark, tuned = (
        contrast_behind_a_readout(backend, gap)
        for backend, gap in ((with_photons, 0), (with_photons, 400), (without, 0), (shipped, 0))
    )
    print(f"contrast at once {at_once:.3f}, after 400 ns {later:.3f}, without photons {dark:.3f}, shipped {tuned:.3f}")
    assert at_once < 0.5 * dark
    assert abs(later - dark) < 0.03
    assert abs(tuned - dark) < 0.03


def test_active_reset_waits_long_enough_for_the_photons_to_leave(service: ProviderService) -> None:
    """Bits come 400 ns after the window, 12 lifetimes of a photon: shot by shot the same as if there were none."""
    circuit = QuantumCircuit(2, 2)
    circuit.sx(0)
    circuit.reset(0)
    circuit.sx(0)
    circuit.measure([0, 1], [0, 1])
    arrays = [
        SamplerV2(service.backend("pair2", seed=SEED, without=without))
        .run([circuit], shots=2000)
        .result()[0]
        .data.c.array
        for without in ([], ["photons"])
    ]
    assert np.array_equal(*arrays)
