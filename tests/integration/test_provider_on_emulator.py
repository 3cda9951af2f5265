"""What users of the provider see, on the real emulator."""

import contextlib
import gc
import math
import threading

import numpy as np
import pytest
from qiskit import ClassicalRegister, QuantumCircuit
from qiskit.circuit import Parameter

from qctrl import EstimatorV2, ProviderService, SamplerV2
from qctrl.errors import InstrumentFault, JobCancelledError, QctrlError

SEED = 9


@pytest.fixture(scope="module")
def backend(tmp_path_factory):
    with ProviderService() as service:
        yield service.backend("pair2", seed=SEED)


def rotated():
    circuit = QuantumCircuit(2)
    circuit.add_register(ClassicalRegister(1, "a"), ClassicalRegister(1, "b"))
    circuit.sx(0)
    circuit.rz(Parameter("t"), 0)
    circuit.sx(0)
    circuit.x(1)
    circuit.measure([0, 1], [0, 1])
    return circuit


def test_bits_and_points_come_from_the_same_shots(backend):
    """The device decides, so its own discriminator on the points must give its bits, shot by shot."""
    pub = (rotated(), {"t": [0.0, 1.0, math.pi]})
    both = SamplerV2(backend, {"execution": {"meas_type": "classified+kerneled"}})
    data = both.run([pub], shots=300).result()[0].data
    assert list(data.keys()) == ["a", "b", "a_iq", "b_iq"]
    assert data.a_iq.shape == (3, 300, 1)
    for qubit, name in enumerate("ab"):
        points = data[f"{name}_iq"][..., 0]
        rows = np.array(backend.calibration.live_qubit(qubit).readout.discriminator.coefficients)
        scores = rows @ np.stack([points.real, points.imag, np.ones(points.shape)]).reshape(3, -1)
        bits = (np.argmax(scores, axis=0) > 0).reshape(points.shape)
        assert np.array_equal(bits, data[name].to_bool_array()[..., 0])
    bits_alone = SamplerV2(backend).run([pub], shots=300).result()[0].data
    points_alone = SamplerV2(backend, {"execution": {"meas_type": "kerneled"}}).run([pub], shots=300).result()[0].data
    assert bits_alone.a == data.a
    assert np.array_equal(points_alone.a, data.a_iq)


def test_a_job_plays_again_bit_for_bit(backend):
    """Noise and all, from the store, through a service of its own."""
    pub = (rotated(), {"t": np.linspace(0, 3, 7)})
    job = SamplerV2(backend, {"simulator": {"seed_simulator": None}}).run([pub], shots=150)
    first = job.result()[0].data
    with ProviderService() as service:
        again = service.job(job.job_id()).replay().result()[0].data
    assert (again.a, again.b) == (first.a, first.b)


def test_results_can_be_looked_at_while_the_job_runs(backend):
    """A cancelled job keeps what it had; shots that are there do not change any more."""
    job = SamplerV2(backend, {"execution": {"chunk_shots": 20}}).run(
        [(rotated(), np.zeros(1), 60), (rotated(), np.ones(1), 2_000_000)]
    )
    moved = threading.Event()
    job.on_progress(lambda event: event.done_shots > 200 and moved.set())
    assert moved.wait(60)
    early = job.interim_results()
    assert early[0].data.a.num_shots == early[0].metadata["shots"] == 60
    assert 0 < early[1].metadata["shots"] == early[1].data.a.num_shots < 2_000_000
    late = job.interim_results()
    shots = early[1].data.a.num_shots
    assert late[1].data.a.num_shots >= shots
    assert np.array_equal(late[1].data.a.array[..., :shots, :], early[1].data.a.array)
    assert job.cancel()
    with pytest.raises(JobCancelledError):
        job.result()


def test_spans_say_when_shots_were_taken(backend):
    sampler = SamplerV2(backend, {"execution": {"chunk_shots": 40}})
    job = sampler.run([(rotated(), np.zeros((2, 1)), 100), (rotated(), np.zeros(1), 10)])
    result = job.result()
    spans = result.metadata["execution"]["execution_spans"]
    assert sum(span.mask(0).astype(int) for span in spans.filter_by_pub(0)).tolist() == np.ones((2, 100)).tolist()
    assert spans.filter_by_pub(1)[0].mask(1).all()
    assert [span.start for span in spans] == sorted(span.start for span in spans)
    assert job.creation_date <= spans.start <= spans.stop


def test_results_say_what_they_were_computed_with_and_the_forecast_foretold_it(backend):
    forecast = backend.forecast(rotated(), 300)
    job = SamplerV2(backend).run([(rotated(), {"t": 1.0})], shots=300)
    told = job.result().metadata["qctrl"]["statistics"]
    assert job.metrics()["qctrl"]["statistics"][0]["chunks"] == [told]
    assert (told["mode"], told["levels"], told["largest_cluster"]) == ("density matrix", 3, 2)
    assert told["approximation"] == "edge ratios"
    assert 0 <= told["neglected_infidelity"] < 1e-5
    assert 0 <= told["leaked_fraction"] < 0.05
    assert told["cache_hits"] + told["cache_misses"] > 0
    assert (told["mode"], told["levels"], told["forecast_s"]) == (forecast.mode, forecast.levels, forecast.seconds)
    assert forecast.histories == 1
    assert backend.forecast(rotated(), 300, bindings=5).seconds == pytest.approx(5 * forecast.seconds)


def test_what_would_take_too_long_is_refused_and_the_next_job_runs(backend):
    service = backend.provider
    hasty = service.backend("pair2", seed=SEED, time_limit_s=1e-6)
    with pytest.raises(InstrumentFault, match=r"the run will take about .* raise time_limit_s"):
        SamplerV2(hasty).run([(rotated(), {"t": 1.0})], shots=300).result()
    patient = service.backend("pair2", seed=SEED, time_limit_s=60)
    assert SamplerV2(patient).run([(rotated(), {"t": 1.0})], shots=300).result()[0].data.a.num_shots == 300


def sampled(backend):
    return SamplerV2(backend).run([(rotated(), {"t": [0.0, 1.0]})], shots=20)


def estimated(backend):
    return EstimatorV2(backend).run([(rotated().remove_final_measurements(inplace=False), ["ZZ", "XI"], [0.5])])


def counted(backend):
    return backend.run(rotated().assign_parameters([0.5]), shots=20, memory=True)


def cancelled(backend):
    moved = threading.Event()
    job = SamplerV2(backend).run([(rotated(), {"t": np.linspace(0, 3, 2000)})], shots=1000)
    job.on_progress(lambda event: event.status == "RUNNING" and moved.set())
    assert moved.wait(60)
    job.cancel()
    return job


def refused(backend):
    hasty = backend.provider.backend("pair2", seed=SEED, time_limit_s=1e-6)
    return SamplerV2(hasty).run([(rotated(), {"t": 1.0})], shots=300)


@pytest.mark.parametrize("submitted", [sampled, estimated, counted, cancelled, refused])
def test_nothing_of_a_job_waits_for_the_garbage_collector(backend, submitted):
    """A program that runs jobs for days would grow between two collections, which are rare where much is loaded."""

    def run():
        with contextlib.suppress(QctrlError):
            submitted(backend).result(60)

    run()
    gc.collect()
    gc.disable()
    try:
        run()
        sampled(backend).result(60)  # the runner has let go of the job before
        gc.set_debug(gc.DEBUG_SAVEALL)
        gc.collect()
        left = [type(each).__name__ for each in gc.garbage if type(each).__module__.startswith("qctrl")]
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()
    assert left == []
