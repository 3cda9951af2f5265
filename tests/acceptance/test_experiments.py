"""qiskit-experiments recovers the truth of the emulator, through ``SamplerV2`` and through ``backend.run``.

Seeds are fixed, so nothing here can fail by chance. A value is the truth's if it is within three standard errors of it,
as the experiment's own fit states them.
"""

import warnings

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit.library import CZGate, XGate

from qctrl import ProviderService, SamplerV2

pytest.importorskip("qiskit_experiments")

from qiskit_experiments.library import (
    T1,
    CorrelatedReadoutError,
    FineFrequency,
    FineSXAmplitude,
    FineXAmplitude,
    FineXDrag,
    HalfAngle,
    InterleavedRB,
    LocalReadoutError,
    ProcessTomography,
    QuantumVolume,
    ReadoutAngle,
    StandardRB,
    StateTomography,
    T2Hahn,
    T2Ramsey,
)

T1_S, T2_S = 7.4e-5, 6.3e-5
"""Of qubit 0 in ``configs/truth/pair2.yaml``."""


@pytest.fixture(scope="module")
def backend(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("QCTRL_JOBS", str(tmp_path_factory.mktemp("jobs") / "jobs.sqlite"))
        with ProviderService() as service:
            yield service.backend("pair2", seed=3)


@pytest.fixture(params=["sampler", "run"])
def measure(backend, request):
    """Run an experiment and return its values by name."""

    def values(experiment, shots=1000):
        way = {"sampler": SamplerV2(backend)} if request.param == "sampler" else {"backend_run": True}
        with warnings.catch_warnings():
            # Of qiskit-experiments and what it imports, about releases to come.
            warnings.simplefilter("ignore")
            data = experiment.run(backend=backend, shots=shots, **way).block_for_results(timeout=120)
            assert not data.errors()
            return dict(data.analysis_results(dataframe=True)[["name", "value"]].itertuples(index=False))

    return values


def within_three_sigma(value, truth):
    return abs(value.nominal_value - truth) < 3 * value.std_dev


def test_relaxation_time_is_the_truths(measure):
    assert within_three_sigma(measure(T1([0], np.linspace(1e-6, 2e-4, 14)), 2000)["T1"], T1_S)


def test_ramsey_finds_the_oscillation_and_its_decay(measure):
    found = measure(T2Ramsey([0], np.linspace(0, 6e-5, 60), osc_freq=1e5), 1000)
    assert found["Frequency"].nominal_value == pytest.approx(1e5, rel=0.05)
    assert found["T2star"].nominal_value == pytest.approx(T2_S, rel=0.25)


def test_echo_time_is_the_truths(measure):
    assert within_three_sigma(measure(T2Hahn([0], np.linspace(0, 1.6e-4, 14), num_echoes=1), 2000)["T2"], T2_S)


def test_randomized_benchmarking_finds_the_errors_that_coherence_allows(backend, measure):
    single = measure(StandardRB([0], [1, 60, 150, 300, 500], num_samples=4, seed=1))["EPC"]
    pulse = backend.target["sx"][0,].error
    # A Clifford of one qubit is none to two pulses.
    assert -3 * single.std_dev < single.nominal_value < 2 * pulse + 3 * single.std_dev
    pair = measure(StandardRB([0, 1], [1, 8, 16, 32, 60], num_samples=4, seed=1))
    assert 2e-3 < pair["EPC"].nominal_value < 3e-2
    gate = measure(InterleavedRB(CZGate(), [0, 1], [1, 8, 16, 32], num_samples=4, seed=1))
    assert gate["EPC"].nominal_value < pair["EPC"].nominal_value, "a CZ is a part of a Clifford"


def test_readout_error_is_the_calibrations(backend, measure):
    local = measure(LocalReadoutError([0, 1]), 20_000)["Local Readout Mitigator"]
    for qubit in (0, 1):
        known = np.array(backend.calibration.live_qubit(qubit).readout.assignment.value)
        assert np.allclose(local.assignment_matrix(qubit), known, atol=0.01)
    whole = measure(CorrelatedReadoutError([0, 1]), 20_000)["Correlated Readout Mitigator"]
    assert np.allclose(whole.assignment_matrix(), local.assignment_matrix(), atol=0.015)


def test_tomography_finds_the_bell_state(measure):
    circuit = QuantumCircuit(2)
    circuit.h(0)
    circuit.cx(0, 1)
    assert measure(StateTomography(circuit), 2000)["state_fidelity"] > 0.94


def test_heavy_outputs_are_heavy(measure):
    assert measure(QuantumVolume([0, 1], seed=5, trials=20))["mean_HOP"].nominal_value > 2 / 3


@pytest.mark.parametrize("experiment", [FineXAmplitude, FineSXAmplitude, FineXDrag, HalfAngle])
def test_calibrated_pulses_have_small_errors(measure, experiment):
    """Angles in rad; the pulses of the device are tuned to less."""
    (found,) = (value for name, value in measure(experiment([0]), 2000).items() if name.startswith("d_"))
    assert abs(found.nominal_value) < 5e-3 + 3 * found.std_dev


def test_the_frequency_is_the_calibrations(measure):
    found = measure(FineFrequency([0], delay_duration=80), 2000)["d_theta"]
    assert abs(found.nominal_value) < 5e-3 + 3 * found.std_dev


def test_tomography_finds_the_process(measure):
    circuit = QuantumCircuit(1)
    circuit.append(XGate(), [0])
    assert measure(ProcessTomography(circuit), 2000)["process_fidelity"] > 0.95


def test_the_readout_angle_is_the_same_both_ways(backend):
    """A sampler has the kind of its points in its options, ``backend.run`` is told it by the experiment."""
    found = []
    points = SamplerV2(backend, {"execution": {"meas_type": "avg_kerneled"}})
    for way in ({"sampler": points}, {"backend_run": True}):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            data = ReadoutAngle([0]).run(backend=backend, shots=1000, **way).block_for_results(timeout=120)
            found.append(data.analysis_results("readout_angle").value)
    assert found[0] == pytest.approx(found[1], abs=0.02)
    assert found[0] != 0
