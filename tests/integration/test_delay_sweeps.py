"""Sweeps of delays as one pub each, through both primitives and ``backend.run``, on the emulator."""

import math

import numpy as np
import pytest
from qiskit import QuantumCircuit, transpile
from qiskit.circuit import Parameter
from qiskit.quantum_info import SparsePauliOp

from qctrl import EstimatorV2, ProviderService, SamplerV2
from qctrl.errors import TimingError

SHOTS, SEED = 400, 11
NOISE = 6 * math.sqrt(0.25 / SHOTS)
"""Six standard deviations: 41 points all stay within with a false-alarm probability below 1e-6."""
T, PERIOD_S = Parameter("t"), 2e-6


@pytest.fixture(scope="module")
def service():
    with ProviderService() as made:
        yield made


def test_a_t1_curve_is_one_pub(service):
    backend = service.backend("pair2", seed=SEED)
    circuit = QuantumCircuit(1, 1)
    circuit.x(0)
    circuit.delay(T, 0, "s")
    circuit.measure(0, 0)
    isa = transpile(circuit, backend, initial_layout=[0])
    delays = np.linspace(0, 100e-6, 41)
    job = SamplerV2(backend).run([(isa, delays)], shots=SHOTS)
    counts = [job.result()[0].data.c.get_counts(k).get("1", 0) / SHOTS for k in range(41)]
    t1_s = backend.calibration.coherence(0).t1_s
    assert np.abs(counts - np.exp(-delays / t1_s)).max() < NOISE + 0.06  # readout errors
    assert len(set(job.metrics()["qctrl"]["program_hashes"])) == 41
    misses = backend.compile_cache.stats().misses
    SamplerV2(backend).run([(isa, delays)], shots=1).result()
    assert backend.compile_cache.stats().misses == misses


def ramsey(backend):
    """Return a circuit in which one parameter is a delay and, through a virtual detuning, an angle."""
    circuit = QuantumCircuit(1, 1)
    circuit.sx(0)
    circuit.delay(T, 0, "s")
    circuit.rz(2 * math.pi / PERIOD_S * T, 0)
    circuit.sx(0)
    return transpile(circuit, backend, initial_layout=[0])


def test_a_parameter_may_be_a_delay_and_an_angle(service):
    backend = service.backend("pair2", noise=False, seed=SEED)
    isa, delays = ramsey(backend), np.linspace(0, 2 * PERIOD_S, 9)
    observable = SparsePauliOp("Z").apply_layout(isa.layout)
    values = EstimatorV2(backend).run([(isa, observable, delays)], precision=0.05).result()[0].data.evs
    # A stray ZZ and imperfect pulses add a few hundredths; a delay that stays at one value would add up to 2.
    assert np.abs(values + np.cos(2 * np.pi * delays / PERIOD_S)).max() < 6 * 0.05 + 0.1


def test_a_bound_delay_runs_and_one_off_the_tick_is_refused(service):
    backend = service.backend("pair2", noise=False, seed=SEED)
    isa = ramsey(backend)
    isa.measure(0, 0)
    counts = backend.run(isa.assign_parameters([PERIOD_S / 2]), shots=100).result().get_counts()
    assert counts.get("0", 0) > 90
    message = r"duration of 1.5e-09 s is 1.500000 ticks .*give 1e-09 s or 2e-09 s, or let transpile round it"
    with pytest.raises(TimingError, match=message):
        SamplerV2(backend).run([(isa, [1.5e-9])])
    with pytest.raises(TimingError, match=message):
        backend.run(isa.assign_parameters([1.5e-9]))
