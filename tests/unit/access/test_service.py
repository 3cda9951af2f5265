"""``ProviderService``: devices, switches and jobs by name."""

import copy
import pickle
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from qiskit import QuantumCircuit
from qiskit.providers import JobStatus
from qiskit.providers.exceptions import QiskitBackendNotFoundError
from qiskit.transpiler import Target

from qctrl import EstimatorV2, ProviderService, Session
from qctrl.calibration import dump, loads
from qctrl.errors import (
    CalibrationError,
    ConfigError,
    JobError,
    JobNotFoundError,
    QctrlError,
    UnsupportedInstructionError,
)
from qctrl.execution import Execution
from qctrl.primitives import Job, SamplerV2
from qctrl.provider import Backend, Emulation, RunJob
from tests.reference.ideal_backend import ideal_backend

RX = """\
      rx:
        kind: fractional
        angle_bounds: [-3.141592653589793, 3.141592653589793]
        waveform: {shape: drag, duration: 3.2e-8, sigma: 7.0e-9, amp: 0.2, beta: 3.0e-10}
"""


@pytest.fixture
def devices(tmp_path, monkeypatch):
    """A folder of calibrated devices: the shipped ones, as if they were tuned."""
    for name in ("pair2", "chain5", "heavyhex7", "grid20"):
        (tmp_path / "devices" / name).mkdir(parents=True)
        shutil.copy(f"calibrations/{name}/nominal.yaml", tmp_path / "devices" / name / "working.yaml")
    monkeypatch.setenv("QCTRL_CALIBRATIONS", str(tmp_path / "devices"))
    monkeypatch.setenv("QCTRL_JOBS", str(tmp_path / "jobs.sqlite"))
    monkeypatch.delenv("QCTRL_CONFIG", raising=False)
    return tmp_path / "devices"


@pytest.fixture
def service(devices):
    with ProviderService() as service:
        yield service


def test_devices_are_listed_and_filtered(service):
    assert [backend.name for backend in service.backends()] == ["chain5", "grid20", "heavyhex7", "pair2"]
    assert [backend.name for backend in service.backends("pair2")] == ["pair2"]
    assert [backend.name for backend in service.backends(min_num_qubits=3)] == ["chain5", "grid20", "heavyhex7"]
    assert [backend.name for backend in service.backends(filters=lambda each: each.num_qubits == 2)] == ["pair2"]


def test_a_device_that_cannot_be_read_is_left_out_with_a_warning(service, devices):
    (devices / "pair2" / "working.yaml").write_text("device: [")
    with pytest.warns(UserWarning, match="device pair2 is left out"):
        assert [backend.name for backend in service.backends()] == ["chain5", "grid20", "heavyhex7"]


def test_fractional_gates_are_left_out_of_target_and_compiler_alike(service):
    backend = service.backend("pair2")
    with_rx = dump(backend.calibration.document).replace("      sx:", RX + "      sx:")
    assert service.backend("pair2", use_fractional_gates=True).target.operation_names == backend.target.operation_names
    path = backend.calibration.source
    Path(path).write_text(with_rx)
    circuit = QuantumCircuit(1)
    circuit.rx(0.3, 0)
    assert service.backend("pair2").compile(circuit).program.n_slots == 1
    plain = service.backend("pair2", use_fractional_gates=False)
    assert "rx" not in plain.target.operation_names
    with pytest.raises(UnsupportedInstructionError, match=r"instruction rx on qubits \(0\) is not supported by pair2"):
        plain.compile(circuit)
    with pytest.raises(ConfigError, match="use_fractional_gates is 'no'; it must be True, False or None"):
        service.backend("pair2", use_fractional_gates="no")


def test_the_names_of_the_guide_and_of_the_service_agree(service):
    backend = service.backend("pair2")
    assert isinstance(backend, Backend)
    assert backend.provider is service
    assert service.return_backend("pair2").name == "pair2"
    assert isinstance(service.target("pair2"), Target)
    assert service.return_target("pair2").num_qubits == 2
    assert backend.runner is service.backend("pair2").runner, "one emulator per device"


def test_switches_are_kept(service, devices):
    truth = Path("configs/truth/pair2.yaml")
    backend = service.backend("pair2", noise=False, levels=2, seed=7, truth=str(truth))
    assert backend.emulation == Emulation(noise=False, levels=2, seed=7)
    quiet = service.backend("pair2", without=["drift", "thermal"], seed=1)
    assert quiet.emulation.sim_options(None).without == ("thermal", "drift")
    assert backend.runner is not service.backend("pair2").runner, "another truth is another emulator"
    for given in (devices, devices / "pair2", devices / "pair2" / "working.yaml"):
        assert service.backend("pair2", calibration=str(given)).calibration.id == backend.calibration.id


@pytest.mark.parametrize(
    ("switches", "message"),
    [
        ({"nois": False}, "backend has no switch 'nois'; did you mean 'noise'"),
        (
            {"zzz": 1},
            "it has noise, without, levels, seed, mode, memory_mib, allow_unsafe, time_limit_s, calibration, truth",
        ),
        ({"noise": "no"}, "noise is 'no'; it must be True or False"),
        ({"without": ["heat"]}, "without names 'heat'; the kinds of noise are relaxation, dephasing"),
        ({"levels": 5}, "levels is 5; it must be 2, 3 or 4"),
        ({"seed": -1}, "seed is -1; it must be"),
        ({"time_limit_s": 0}, "time_limit_s is 0; it must be a positive number"),
        ({"time_limit_s": float("nan")}, "time_limit_s is nan; it must be a positive number"),
        ({"time_limit_s": "1 h"}, "time_limit_s is '1 h'; it must be a positive number"),
        ({"seed": True}, "seed is True; it must be"),
        ({"seed": "abc"}, "seed is 'abc'; it must be"),
        ({"levels": 2.0}, "levels is 2.0; it must be 2, 3 or 4"),
        ({"emulator": "yes"}, "emulator is 'yes'; it must be True, False or None"),
        ({"emulator": False}, "emulator=False, but .* has nothing but the emulator"),
        ({"truth": "nowhere.yaml"}, "truth='nowhere.yaml': no such file"),
        ({"calibration": "nowhere"}, "calibration='nowhere': no such file"),
        ({"calibration": "configs"}, r"the folder holds no working.yaml nor pair2/working.yaml"),
    ],
)
def test_wrong_switches_are_refused(service, switches, message):
    with pytest.raises(ConfigError, match=message):
        service.backend("pair2", **switches)


def test_an_unknown_device_names_the_known(service):
    with pytest.raises(
        ConfigError, match=r"^device 'pair3' is unknown; did you mean 'pair2'\? .* has pair2, chain5, heavyhex7, grid20"
    ):
        service.backend("pair3")
    with pytest.raises(QiskitBackendNotFoundError):
        service.target_history("pair3")
    with pytest.raises(QctrlError, match="device 'zzz' is unknown"):
        service.target("zzz")
    assert service.backends("zzz") == []


def test_a_calibration_of_another_device_is_refused(service, devices):
    with pytest.raises(CalibrationError, match=r"device\.name: value 'chain5' is not 'pair2'"):
        service.backend("pair2", calibration=devices / "chain5")


def test_a_server_is_refused_with_what_to_use(devices):
    with pytest.raises(ConfigError, match=r"lab servers are not supported yet; use ProviderService\(\)"):
        ProviderService(url="tcp://host:5570", account="lab")
    with pytest.raises(ConfigError, match="account='lab'"):
        ProviderService(account="lab")


def test_another_rack_may_be_named(devices, tmp_path):
    rack = tmp_path / "rack.yaml"
    wiring = Path("configs/wiring_pair2.yaml").resolve()
    rack.write_text(
        f"schema: qctrl.rack/1\ndriver: sequencer\naddress: ipc://{tmp_path}/board\n"
        f"devices:\n  pair2: {{wiring: {wiring}}}\n"
    )
    service = ProviderService(config=rack)
    assert [backend.name for backend in service.backends()] == ["pair2"]
    assert service.backend("pair2").emulation is None, "it may be hardware"
    assert service.backend("pair2", seed=3).emulation == Emulation(seed=3)
    twin = service.backend("pair2", emulator=True)
    assert twin.emulation == Emulation(), "certainly none"
    assert twin.runner is not service.backend("pair2", emulator=False).runner
    assert twin.target.instruction_supported("cz", (0, 1))
    assert pickle.loads(pickle.dumps(twin)).runner is twin.runner
    with pytest.raises(ConfigError, match=r"nowhere\.yaml does not exist"):
        ProviderService(config="nowhere.yaml")


def test_jobs_are_found_by_id_and_listed(service, tmp_path):
    backend = ideal_backend("pair2", tmp_path / "jobs.sqlite")
    circuit = QuantumCircuit(1, 1)
    circuit.x(0)
    circuit.measure(0, 0)
    start = datetime.now(UTC)
    job = SamplerV2(backend, {"environment": {"job_tags": ["bell"]}}).run([circuit])
    run = backend.run(circuit, memory=True)
    job.result()
    run.result()
    found = service.job(job.job_id())
    assert isinstance(found, Job)
    assert found.result()[0].data.c == job.result()[0].data.c
    assert found.backend().name == "pair2"
    assert isinstance(service.job(run.job_id()), RunJob)
    assert [each.job_id() for each in service.jobs()] == [run.job_id(), job.job_id()]
    assert [each.job_id() for each in service.jobs(tags=["bell"])] == [job.job_id()]
    assert [each.job_id() for each in service.jobs(limit=1)] == [run.job_id()]
    assert len(service.jobs(status="done", backend_name="pair2", created_after=start)) == 2
    assert service.jobs(backend_name="chain5") == []
    with pytest.raises(JobNotFoundError, match="no job nothing"):
        service.job("nothing")
    with pytest.raises(ValueError, match="status is 'late'; it must be one of QUEUED, RUNNING, DONE"):
        service.jobs(status="late")


def test_jobs_are_found_page_by_page_and_by_every_filter(service, tmp_path):
    backend = ideal_backend("pair2", tmp_path / "jobs.sqlite")
    circuit = QuantumCircuit(1, 1)
    circuit.measure(0, 0)
    jobs = [SamplerV2(backend, {"environment": {"job_tags": [f"t{n}"]}}).run([circuit]) for n in range(4)]
    with Session(backend) as session:
        jobs.append(EstimatorV2().run([(QuantumCircuit(1), "Z")], precision=0.5))
    jobs.append(backend.run(circuit))
    ids = [job.job_id() for job in jobs]
    for job in jobs:
        job.result()

    def found(*args, **wishes):
        return [ids.index(job.job_id()) for job in service.jobs(*args, **wishes)]

    assert found(2, 1) == [4, 3]
    assert found(descending=False, limit=2) == [0, 1]
    assert found(pending=True) == []
    assert found(pending=False, status=["done", "error"]) == [5, 4, 3, 2, 1, 0]
    assert found(pending=True, status="done") == []
    assert found(status=JobStatus.DONE) == found(status=[JobStatus.DONE, JobStatus.ERROR]) == [5, 4, 3, 2, 1, 0]
    assert found(program_id="estimator") == found(session_id=session.session_id) == [4]
    assert found(job_tags=["t2"]) == [2]
    local = jobs[2].creation_date.astimezone().replace(tzinfo=None)
    assert found(created_before=local, created_after=jobs[0].creation_date) == [1]
    assert service.usage()["usage_consumed_seconds"] == sum(job.usage() for job in jobs)
    assert service.usage(days=0)["usage_consumed_seconds"] == 0
    service.delete_job(ids[0])
    assert len(service.jobs(limit=None)) == 5
    with pytest.raises(JobNotFoundError):
        service.job(ids[0])
    for wishes, error, message in (
        ({"program_id": "sample"}, ValueError, "it must be one of sampler, estimator, run"),
        ({"skip": -1}, ValueError, "neither can be negative"),
        ({"backend": "pair2"}, TypeError, "jobs has no filter 'backend'; did you mean 'backend_name'"),
        ({"tags": "walk"}, TypeError, "tags is 'walk'; give a list of strings"),
        ({"created_after": "yesterday"}, TypeError, "created_after is 'yesterday'; give a datetime"),
    ):
        with pytest.raises(error, match=message):
            service.jobs(**wishes)


def test_a_backend_travels_and_finds_its_service_again(service):
    backend = service.backend("pair2", seed=5)
    backend.set_options(shots=77)
    for other in (pickle.loads(pickle.dumps(backend)), copy.deepcopy(backend), copy.copy(backend)):
        assert other is not backend
        assert other.runner is backend.runner, "one emulator per device, whatever travels"
        assert (other.emulation, other.options.shots) == (backend.emulation, 77)
        assert other.calibration.hash == backend.calibration.hash
        assert other.setup.hash == backend.setup.hash
        assert other.target.operation_names == backend.target.operation_names
    assert pickle.loads(pickle.dumps(service)) is service, "data of experiments hold the service of their backend"


def test_a_backend_travels_to_another_process(service, tmp_path):
    """There it has an emulator of its own, and plays the same bits."""
    circuit = QuantumCircuit(1, 1)
    circuit.sx(0)
    circuit.measure(0, 0)
    path = tmp_path / "parcel"
    path.write_bytes(pickle.dumps((service.backend("pair2", seed=5), circuit)))
    code = (
        "import pickle, sys; from pathlib import Path; from qctrl import SamplerV2;"
        "backend, circuit = pickle.loads(Path(sys.argv[1]).read_bytes());"
        "print(SamplerV2(backend).run([circuit], shots=64).result()[0].data.c.array.tobytes().hex())"
    )
    found = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True)
    ours = SamplerV2(service.backend("pair2", seed=5)).run([circuit], shots=64).result()[0].data.c.array
    assert found.stdout.strip() == ours.tobytes().hex()


def test_a_new_calibration_is_read_on_request_and_the_old_one_is_kept_with_its_jobs(service, devices, monkeypatch):
    backend, still = service.backend("pair2"), service.backend("pair2")
    monkeypatch.setattr(backend.runner, "submit", lambda spec: Execution(spec.job_id, spec.total_shots))
    circuit = QuantumCircuit(1, 1)
    circuit.measure(0, 0)
    first = SamplerV2(backend).run([circuit])
    between = datetime.now(UTC)
    old = backend.target
    path = devices / "pair2" / "working.yaml"
    text = path.read_text()
    document = loads(text).document
    slow = document.qubits["q0"].readout.acquisition.model_copy(update={"duration": 1.2e-6})
    readout = document.qubits["q0"].readout.model_copy(update={"acquisition": slow})
    qubits = {**document.qubits, "q0": document.qubits["q0"].model_copy(update={"readout": readout})}
    path.write_text(dump(document.model_copy(update={"qubits": qubits})))
    coupling = backend.coupling_map
    backend.refresh()
    assert backend.target is not old
    assert backend.target["measure"][0,].duration > old["measure"][0,].duration == still.target["measure"][0,].duration
    assert backend.coupling_map is not coupling
    second = SamplerV2(backend).run([circuit])
    durations = [backend.target_history(time)["measure"][0,].duration for time in (between, datetime.now(UTC))]
    assert durations == [old["measure"][0,].duration, backend.target["measure"][0,].duration]
    assert first.properties().readout_length(0) == durations[0]
    assert second.properties().readout_length(0) == durations[1]
    with pytest.raises(JobError, match="no job had run on pair2 by"):
        backend.target_history(datetime(2020, 1, 1, tzinfo=UTC))
    local = between.astimezone().replace(tzinfo=None)
    for target in (backend.target_history(datetime=local), service.target_history("pair2", local)):
        assert target["measure"][0,].duration == durations[0]
    assert backend.properties(datetime=local).readout_length(0) == durations[0]
    assert backend.target_history() is backend.target
    assert still.properties(refresh=True).readout_length(0) == durations[1]
    path.write_text("device: [")
    with pytest.raises(CalibrationError):
        backend.refresh()
    assert backend.target["measure"][0,].duration == durations[1], "it stays as it is"


def test_a_backend_without_a_service_cannot_be_opened_again(tmp_path):
    backend = ideal_backend("pair2", tmp_path / "jobs.sqlite")
    for question in (backend.refresh, lambda: pickle.dumps(backend)):
        with pytest.raises(ConfigError, match="was not made by ProviderService"):
            question()


def test_devices_are_chosen_by_what_they_can_and_by_how_busy_they_are(service, monkeypatch):
    assert [each.name for each in service.backends(operational=True, simulator=False)] == [
        "chain5",
        "grid20",
        "heavyhex7",
        "pair2",
    ]
    assert service.backends(simulator=True) == service.backends(operational=False) == []
    assert len(service.backends(dynamic_circuits=True)) == 4
    assert service.least_busy().name == "grid20", "of equals the larger"
    assert service.least_busy(filters=lambda each: each.num_qubits < 5).name == "pair2"
    monkeypatch.setattr(service.backend("chain5").runner, "pending", lambda: 3)
    for name in ("heavyhex7", "grid20"):
        monkeypatch.setattr(service.backend(name).runner, "pending", lambda: 4)
    assert service.backend("chain5").status().pending_jobs == 3
    assert service.least_busy(operational=True).name == "pair2"
    assert service.least_busy(min_num_qubits=3).name == "chain5"
    with pytest.raises(QiskitBackendNotFoundError, match="no device matches"):
        service.least_busy(min_num_qubits=21)
    with pytest.raises(TypeError, match="backends has no filter 'operationl'; did you mean 'operational'"):
        service.backends(operationl=True)
    with pytest.raises(TypeError, match="backends has no filter 'min_qubits'; did you mean 'min_num_qubits'"):
        service.backends(min_qubits=5)


def test_a_live_job_is_found_alive(service, tmp_path, monkeypatch):
    ideal = ideal_backend("pair2", tmp_path / "unused.sqlite")
    live = Backend(service.backend("pair2")._device)
    monkeypatch.setattr(live.runner, "submit", ideal.runner.submit)
    ideal.runner.gate.clear()
    circuit = QuantumCircuit(1, 1)
    circuit.measure(0, 0)
    ideal.runner.circuits[live.compile(circuit).program.hash] = circuit
    job = SamplerV2(live).run([circuit], shots=3)
    found = service.job(job.job_id())
    assert not found.done()
    assert service.jobs()[0].cancel(), "the job of this process can be cancelled through any handle"
    ideal.runner.gate.set()
    assert found.wait_for_final_state(10) is None
