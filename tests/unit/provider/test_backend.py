"""``Backend``: Target, compiler and the older interface."""

import copy
import dataclasses
from datetime import UTC, datetime, timedelta

import pytest
from qiskit import QuantumCircuit, transpile
from qiskit.providers import BackendV2

from qctrl.calibration import load
from qctrl.compiler import CompiledProgram
from qctrl.errors import JobError, ResourceError, UnsupportedInstructionError
from qctrl.provider import Backend, Device, Emulation
from tests.reference.ideal_backend import ideal_backend


@pytest.fixture
def backend(tmp_path):
    return ideal_backend("chain5", tmp_path / "jobs.sqlite")


@pytest.fixture
def plain(backend):
    """The product's own class, without the recording compiler."""
    return Backend(backend._device)


def test_a_backend_is_qiskits(plain):
    assert isinstance(plain, BackendV2)
    assert (plain.name, plain.num_qubits, plain.max_circuits) == ("chain5", 5, None)
    assert plain.target is plain.target
    assert plain.coupling_map.is_connected()
    assert plain.dt == plain.target.dt
    assert [each.frequency for each in plain.qubit_properties([0, 4])] == [
        plain.calibration.qubits[index].frequency.value for index in (0, 4)
    ]
    assert plain.instruction_durations.get("sx", 0, "s") > 0
    assert {option: plain.options.get(option) for option in ("shots", "memory", "init_qubits")} == {
        "shots": 1024,
        "memory": False,
        "init_qubits": True,
    }
    with pytest.raises(AttributeError):
        plain.set_options(nonsense=1)
    with pytest.raises(ValueError, match="shots"):
        plain.set_options(shots=0)


def test_the_older_interface_answers(plain):
    configuration = plain.configuration()
    assert configuration.num_qubits == configuration.n_qubits == 5
    assert configuration.simulator is False
    assert configuration.max_experiments == configuration.max_circuits == 10_000, "mthree divides by it"
    assert configuration.max_shots > 1_000_000
    assert configuration.backend_name == "chain5"
    assert [0, 1] in configuration.coupling_map
    assert configuration.to_dict()["num_qubits"] == 5
    assert set(configuration.supported_instructions) == set(plain.operation_names)
    found = transpile(QuantumCircuit(1), basis_gates=configuration.basis_gates, coupling_map=configuration.coupling_map)
    assert found.num_qubits == 5
    assert plain.dtm == pytest.approx(1e-9)
    assert sorted(qubit for group in plain.meas_map for qubit in group) == [0, 1, 2, 3, 4]


def test_before_the_first_job_the_calibration_is_the_backends_own(plain):
    device = dataclasses.replace(plain.device, calibration=load("calibrations/chain5/working.yaml"))
    backend = Backend(device)
    made = datetime.fromisoformat(device.calibration.document.created)
    assert backend.target_history(made)["sx"][0,].error == backend.target["sx"][0,].error
    assert backend.properties(datetime=datetime.now(UTC)).backend_version == device.calibration.id
    with pytest.raises(JobError, match="no job had run on chain5 by"):
        backend.target_history(made - timedelta(seconds=1))


def test_a_copy_shares_the_device_and_not_the_options(plain):
    copied = copy.deepcopy({"backend": plain, "again": plain})
    assert copied["backend"] is copied["again"]
    assert copied["backend"].runner is plain.runner
    assert copied["backend"].jobs is plain.jobs
    assert copied["backend"].setup is plain.setup
    copied["backend"].set_options(shots=7)
    assert plain.options.shots == 1024


@pytest.mark.parametrize("level", [0, 1, 2, 3])
def test_circuits_transpiled_for_the_backend_compile(plain, level):
    circuit = QuantumCircuit(4)
    circuit.h(0)
    circuit.cx(0, 3)
    circuit.ccx(0, 1, 2)
    circuit.measure_all()
    program = plain.compile(transpile(circuit, plain, optimization_level=level, seed_transpiler=1))
    assert isinstance(program, CompiledProgram)
    assert program.cregs[0][0] == "meas"


def test_a_list_of_circuits_gives_a_list_of_programs(plain):
    circuit = QuantumCircuit(1, 1)
    circuit.measure(0, 0)
    programs = plain.compile([circuit, circuit])
    assert programs[0].to_bytes() == programs[1].to_bytes() == plain.compile(circuit).to_bytes()


def test_an_equal_circuit_is_compiled_once_for_all_views_of_a_device(plain):
    circuit = QuantumCircuit(1, 1)
    circuit.measure(0, 0)
    programs = plain.compile([circuit, circuit.copy()])
    assert programs[0] is programs[1] is copy.deepcopy(plain).compile(circuit)
    stats = plain.compile_cache.stats()
    assert (stats.hits, stats.misses, stats.entries) == (2, 1, 1)
    circuit.x(0)
    assert plain.compile(circuit).hash != programs[0].hash


def test_circuits_that_the_target_lacks_are_not_compiled(plain):
    circuit = QuantumCircuit(3)
    circuit.cz(0, 2)
    with pytest.raises(
        UnsupportedInstructionError, match=r"instruction cz on qubits \(0, 2\) is not supported by chain5"
    ):
        plain.compile(circuit)
    with pytest.raises(ResourceError, match="the circuit has 6 qubits, chain5 has 5"):
        plain.compile(QuantumCircuit(6))


def test_hardware_gets_no_emulator_switches(backend):
    device = backend._device
    hardware = Backend(Device(device.calibration, device.setup, device.runner, device.jobs, None))
    circuit = QuantumCircuit(1, 1)
    circuit.measure(0, 0)
    device.runner.circuits[hardware.compile(circuit).program.hash] = circuit
    device.runner.gate.clear()
    hardware.run(circuit, shots=1)
    hardware.run(circuit, shots=1, seed_simulator=4)
    assert device.runner.specs[0].sim is None
    assert device.runner.specs[1].sim.seed == 4, "who asks for a seed means an emulator"


def test_switches_become_options_of_each_job():
    assert Emulation(noise=False, levels=2, seed=7).sim_options(None).seed == 7
    assert Emulation(noise=False, levels=2, seed=7).sim_options(0).seed == 0
    drawn = Emulation(noise=False, levels=2).sim_options(None)
    assert (drawn.noise, drawn.levels) == (False, 2)
    assert drawn.seed is not None
