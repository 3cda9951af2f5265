"""``Backend.with_gate``: another backend, whose Target, compiler and transpiler know one more gate."""

import copy
import io
import pickle

import numpy as np
import pytest
from qiskit import QuantumCircuit, generate_preset_pass_manager, qpy, transpile
from qiskit.circuit import Delay, Gate, Instruction, Parameter

from qctrl.compiler import schedule
from qctrl.compiler.lower import lower
from qctrl.errors import CalibrationError, CompileError, UnsupportedInstructionError
from qctrl.provider import Backend
from qctrl.pulse import capture, constant, delay, drag, play, set_frequency, square
from tests.reference.ideal_backend import ideal_backend
from tests.unit.provider import aligned

A, T = Parameter("a"), Parameter("t")


@pytest.fixture
def plain(tmp_path):
    return Backend(ideal_backend("chain5", tmp_path / "jobs.sqlite")._device)


def rabi(a):
    return [play("q1.drive", drag(24e-9, amp=a, sigma=6e-9, beta=-2e-10))]


def read(f):
    return [
        set_frequency("f0.readout", f),
        set_frequency("f0.acquire", f),
        play("f0.readout", square(1e-6, 0.1)),
        capture("f0.acquire", 1e-6),
    ]


@pytest.fixture
def lab(plain):
    return plain.with_gate("rabi", [1], [A], rabi)


def test_the_new_backend_has_the_gate_and_the_old_one_does_not(plain, lab):
    assert "rabi" not in plain.target.operation_names
    assert plain.custom_gates == {}
    assert lab.target["rabi"][1,].duration == pytest.approx(24e-9)
    assert lab.target["rabi"].keys() == {(1,)}
    assert lab.operation_names[-1] == "rabi"
    assert (lab.name, lab.runner, lab.jobs, lab.setup) == (plain.name, plain.runner, plain.jobs, plain.setup)
    lab.set_options(shots=7)
    assert plain.options.shots == 1024


def test_a_duration_that_depends_on_an_argument_is_unknown(plain):
    made = plain.with_gate("long", [1], [T], lambda t: [play("q1.drive", constant(t, 0.1))])
    assert made.target["long"][1,].duration is None
    circuit = QuantumCircuit(2)
    circuit.append(Instruction("long", 1, 0, [T]), [1])
    circuit.delay(A, 0, unit="dt")
    assert made.structural_parameters(circuit) == {
        A: "length of the delay on qubits (0,)",
        T: f"{T.name} of long on qubits (1,), in a length or an envelope",
    }
    assert plain.structural_parameters(QuantumCircuit(2)) == {}


def test_structural_parameters_are_found_in_bodies(plain):
    made = plain.with_gate("long", [1], [T, A], lambda t, a: [play("q1.drive", constant(2 * t, a))])
    body = QuantumCircuit(2)
    body.append(Instruction("long", 1, 0, [T, A]), [0])
    circuit = QuantumCircuit(3, 1)
    with circuit.if_test((0, 1)):
        circuit.x(0)
    circuit.if_test((circuit.clbits[0], 1), body, [1, 0], [])
    assert list(made.structural_parameters(circuit)) == [T]


def test_the_parameter_of_a_loop_is_nobodys_to_bind(plain):
    circuit = QuantumCircuit(1)
    with circuit.for_loop(range(3)) as k:
        circuit.delay(8 * k + A, 0, unit="dt")
    assert list(plain.structural_parameters(circuit)) == [A]


def test_copies_and_pickled_targets_keep_the_gate(lab):
    assert copy.deepcopy(lab).custom_gates == lab.custom_gates
    assert "rabi" in copy.deepcopy(lab).target.operation_names
    assert "rabi" in pickle.loads(pickle.dumps(lab.target)).operation_names
    again = pickle.loads(pickle.dumps(next(iter(lab.custom_gates.values()))))
    assert lab.custom_gates == {("rabi", (1,)): again}


def test_a_subclass_of_the_backend_stays_what_it_is(tmp_path):
    ideal = ideal_backend("chain5", tmp_path / "jobs.sqlite")
    assert type(ideal.with_gate("rabi", [1], [A], rabi)) is type(ideal)


@pytest.mark.parametrize("level", [0, 1, 2, 3])
def test_the_gate_survives_transpiling_and_qpy(lab, level):
    lab = lab.with_gate("read", [1], [T], read)
    circuit = QuantumCircuit(2, 2)
    circuit.h(0)
    circuit.append(Instruction("rabi", 1, 0, [2 * A]), [0])
    circuit.cx(0, 1)
    circuit.append(Instruction("rabi", 1, 0, [0.5]), [0])
    circuit.append(Instruction("read", 1, 1, [T]), [0], [1])
    circuit.measure(1, 0)
    isa = generate_preset_pass_manager(level, backend=lab, initial_layout=[1, 2]).run(circuit)
    assert (isa.count_ops()["rabi"], isa.count_ops()["read"]) == (2, 1)
    data = io.BytesIO()
    qpy.dump(isa, data)
    data.seek(0)
    again = qpy.load(data)[0]
    program = lab.compile(isa)
    assert program.parameters == ("a", "t")
    assert program.to_bytes() == lab.compile(again).to_bytes()
    assert program.bind([[0.1, 6.9e9]]).words.tolist() == lab.compile(again).bind([[0.1, 6.9e9]]).words.tolist()


def test_scheduling_methods_of_qiskit_take_the_gate(lab):
    circuit = QuantumCircuit(2)
    circuit.append(Instruction("rabi", 1, 0, [0.1]), [0])
    circuit.cx(0, 1)
    isa = transpile(circuit, lab, initial_layout=[1, 2], scheduling_method="alap", optimization_level=1)
    assert isa.count_ops()["rabi"] == 1
    lab.compile(isa)


def test_it_starts_on_the_grid_of_a_coarse_device():
    lab = aligned.backend().with_gate("mine", [0], [A], lambda a: [play("q0.drive", constant(20e-9, a))])
    assert lab.target["mine"][0,].duration == pytest.approx(20e-9)
    circuit = QuantumCircuit(1, 1)
    circuit.append(Instruction("mine", 1, 0, [0.1]), [0])
    circuit.append(Delay(3, "dt"), [0])
    circuit.append(Instruction("mine", 1, 0, [0.1]), [0])
    circuit.measure(0, 0)
    plays = schedule(lower(circuit, lab.calibration, lab.custom_gates), lab.calibration).plays
    assert not np.any(plays["start_ticks"] % 8)
    with pytest.raises(
        CompileError, match=r"a duration of 42 ticks on q0.drive is off the port's grid of 8 ticks; use 40"
    ):
        lab.with_gate("other", [0], [], lambda: [play("q0.drive", constant(21e-9, 0.1))])


def test_one_name_may_stand_on_several_qubits(lab):
    both = lab.with_gate("rabi", [2], [A], lambda a: [play("q2.drive", constant(24e-9, a))])
    assert both.target["rabi"].keys() == {(1,), (2,)}
    circuit = QuantumCircuit(3)
    circuit.append(Instruction("rabi", 1, 0, [0.1]), [1])
    circuit.append(Instruction("rabi", 1, 0, [0.1]), [2])
    assert len(both.compile(circuit).resources().ports) == 2


@pytest.mark.parametrize(
    ("name", "qubits", "params", "pulses", "match"),
    [
        ("rabi", [1], [A], rabi, r"already has a custom gate rabi on qubits \(1,\); choose another name"),
        (
            "rabi",
            [2],
            [],
            lambda: [delay("q2.drive", 8e-9)],
            "0 parameters and 0 captures, on qubits .* 1 and 0; choose",
        ),
        ("sx", [1], [A], rabi, "'sx' is an operation of the device or of Qiskit; choose another name, as 'my_sx'"),
        ("h", [1], [A], rabi, "'h' is an operation of the device or of Qiskit"),
        ("if_else", [1], [A], rabi, "'if_else' is an operation of the device"),
        ("barrier", [1], [A], rabi, "'barrier' is an operation of the device"),
    ],
)
def test_names_never_mean_two_things(lab, name, qubits, params, pulses, match):
    with pytest.raises(CompileError, match=match):
        lab.with_gate(name, qubits, params, pulses)


def test_a_gate_elsewhere_and_a_qubit_that_is_not_there_are_refused(lab):
    circuit = QuantumCircuit(1)
    circuit.append(Instruction("rabi", 1, 0, [0.1]), [0])
    with pytest.raises(
        UnsupportedInstructionError, match=r"instruction rabi on qubits \(0\) is not supported by chain5"
    ):
        lab.compile(circuit)
    with pytest.raises(CalibrationError, match=r"has no qubit 9"):
        lab.with_gate("far", [9], [], list)


def test_a_gate_object_of_the_same_name_plays_the_same(lab):
    one, other = QuantumCircuit(2), QuantumCircuit(2)
    one.append(Instruction("rabi", 1, 0, [0.1]), [1])
    other.append(Gate("rabi", 1, [0.1]), [1])
    assert lab.compile(one).to_bytes() == lab.compile(other).to_bytes()
