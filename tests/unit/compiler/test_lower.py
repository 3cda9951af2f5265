"""What the reader makes of circuits, and what it refuses."""

import math
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from qiskit import ClassicalRegister, QuantumCircuit, QuantumRegister
from qiskit.circuit import Clbit, Gate, Instruction, Parameter
from qiskit.circuit.library import GlobalPhaseGate

from qctrl.compiler import lower
from qctrl.errors import CompileError, TimingError, UnsupportedInstructionError
from qctrl.ir import GateSite, Opcode, SegmentKind
from tests.unit.compiler import trio

CALIBRATION = trio.calibration()


def test_columns_hold_the_circuit_in_order():
    circuit = QuantumCircuit(2, 1)
    circuit.rz(0.5, 1)
    circuit.sx(1)
    circuit.cz(1, 0)
    circuit.barrier(1)
    circuit.measure(1, 0)
    program = lower(circuit, CALIBRATION)
    assert program.instructions["opcode"].tolist() == [
        Opcode.RZ,
        Opcode.GATE,
        Opcode.GATE,
        Opcode.BARRIER,
        Opcode.MEASURE,
    ]
    assert program.sites == (
        GateSite("rz", (1,)),
        GateSite("sx", (1,)),
        GateSite("cz", (1, 0)),
        GateSite("measure", (1,)),
    )
    assert program.instructions["angle_rad"][0] == 0.5
    assert program.instructions["clbit"].tolist() == [-1, -1, -1, -1, 0]
    assert program.barrier_qubits.tolist() == [1]


@pytest.mark.parametrize(
    ("duration", "unit", "ticks"),
    [
        (100, "dt", 100),
        (100, "ns", 100),
        (0.1, "us", 100),
        (1e-3, "ms", 1000),
        (1e-6, "s", 1000),
        (5000, "ps", 5),
        (0, "dt", 0),
    ],
)
def test_delays_in_every_unit_become_ticks(duration, unit, ticks):
    circuit = QuantumCircuit(1)
    circuit.delay(duration, 0, unit)
    assert lower(circuit, CALIBRATION).instructions["ticks"].tolist() == [ticks]


def test_bound_expressions_are_numbers():
    a = Parameter("a")
    circuit = QuantumCircuit(1)
    circuit.rz((a * 2).bind({a: 0.25}), 0)
    circuit.rz(np.float32(0.5), 0)
    circuit.delay(Parameter("t"), 0)
    program = lower(circuit.assign_parameters({"t": 12}), CALIBRATION)
    assert program.expressions == ()
    assert program.instructions["angle_rad"].tolist() == [0.5, 0.5, 0.0]
    assert program.instructions["ticks"].tolist() == [0, 0, 12]


def test_equal_expressions_are_stored_once():
    a = Parameter("a")
    circuit = QuantumCircuit(2)
    for qubit in (0, 1):
        circuit.rz(2 * a, qubit)
        circuit.rz(a, qubit)
    program = lower(circuit, CALIBRATION)
    assert program.instructions["expression"].tolist() == [0, 1, 0, 1]
    assert len(program.expressions) == 2


def test_parameters_keep_the_circuits_order():
    circuit = QuantumCircuit(1)
    for name in ("beta", "alpha"):
        circuit.rz(Parameter(name), 0)
    assert lower(circuit, CALIBRATION).interface.parameters == ("alpha", "beta")


def test_registers_may_be_aliased_empty_or_missing():
    bits = [Clbit() for _ in range(3)]
    circuit = QuantumCircuit(QuantumRegister(1), bits)
    circuit.add_register(ClassicalRegister(name="low", bits=bits[:2]))
    circuit.add_register(ClassicalRegister(name="high", bits=bits[1:]))
    circuit.add_register(ClassicalRegister(0, "none"))
    circuit.measure(0, bits[1])
    interface = lower(circuit, CALIBRATION).interface
    assert interface.cregs == (("low", (0, 1)), ("high", (1, 2)), ("none", ()))
    assert interface.n_clbits == 3


def test_global_phase_is_ignored():
    circuit = QuantumCircuit(1, global_phase=0.3)
    circuit.append(GlobalPhaseGate(0.2), [])
    circuit.sx(0)
    program = lower(circuit, CALIBRATION)
    assert program.instructions["source"].tolist() == [1]


def test_an_empty_circuit_has_one_empty_segment():
    program = lower(QuantumCircuit(1), CALIBRATION)
    assert program.segments.tolist() == [(0, 0, SegmentKind.BODY)]


def test_measured_resets_of_distinct_qubits_share_a_segment():
    circuit = QuantumCircuit(3)
    circuit.reset([0, 1])
    circuit.reset(0)
    circuit.reset(2)
    kinds = lower(circuit, CALIBRATION).segments.tolist()
    assert kinds == [(0, 2, SegmentKind.RESET), (2, 1, SegmentKind.RESET), (3, 1, SegmentKind.BODY)]


def refused(match, build, n_qubits=2, error=UnsupportedInstructionError):
    circuit = QuantumCircuit(n_qubits, 2)
    build(circuit)
    with pytest.raises(error, match=match) as caught:
        lower(circuit, CALIBRATION)
    return caught.value


def test_a_gate_outside_the_calibration_names_place_and_remedy():
    def build(circuit):
        circuit.sx(0)
        circuit.h(1)

    error = refused(r"instruction 1: h on qubits \(1,\): .*has no h .*transpile the circuit for its target", build)
    assert (error.instruction, error.gate, error.qubits) == (1, "h", (1,))


@pytest.mark.parametrize(
    ("match", "build"),
    [
        (r"cz on qubits \(2, 1\)", lambda c: c.cz(2, 1)),
        (r"cz on qubits \(0, 2\)", lambda c: c.cz(0, 2)),
        (r"x on qubits \(2,\)", lambda c: c.x(2)),
        (r"ccx on qubits \(0, 1, 2\)", lambda c: c.ccx(0, 1, 2)),
    ],
)
def test_a_missing_site_is_refused(match, build):
    refused(match, build, n_qubits=3)


def test_too_many_qubits_are_refused():
    refused("has 4 qubits, trio has 3; use fewer qubits", lambda c: None, n_qubits=4, error=CompileError)


def test_an_unbound_delay_is_refused_with_a_remedy():
    refused("delay on qubits .*bind it before running", lambda c: c.delay(Parameter("t"), 0))


def test_a_delay_off_the_tick_is_refused_with_its_neighbours():
    remedy = "it must be a whole number: give 1 ns or 2 ns, or let transpile round it"
    refused(f"instruction 0: delay on qubits .*{remedy}", lambda c: c.delay(1.5, 0, "ns"), error=TimingError)


def fake_delay(duration):
    """Return a circuit with a delay that Qiskit itself would not build."""
    circuit = QuantumCircuit(1)
    operation = SimpleNamespace(unit="dt")
    row = SimpleNamespace(name="delay", qubits=circuit.qubits, clbits=(), params=[duration], operation=operation)
    fields = {
        name: getattr(circuit, name)
        for name in ("num_qubits", "qubits", "clbits", "parameters", "cregs", "num_input_vars")
    }
    return SimpleNamespace(data=[row], **fields)


@pytest.mark.parametrize(
    ("duration", "message"), [(1.5, "give 1 dt or 2 dt"), (-4, "must be 0 or more"), (math.nan, "must be finite")]
)
def test_a_fractional_or_negative_number_of_dt_is_refused(duration, message):
    with pytest.raises(TimingError, match=message):
        lower(fake_delay(duration), CALIBRATION)


@pytest.mark.parametrize("angle", [math.nan, math.inf, 1e9])
def test_an_angle_that_is_no_phase_is_refused(angle):
    error = refused("instruction 0: rz on qubits .*must be finite", lambda c: c.rz(angle, 0), error=CompileError)
    assert error.gate == "rz"


def test_a_complex_angle_is_refused():
    refused("must be finite", lambda c: c.append(Instruction("rz", 1, 0, [1j]), [0]), error=CompileError)


def test_a_parameter_on_another_gate_is_refused():
    refused("it takes no parameter, not 1", lambda c: c.append(Gate("sx", 1, [0.5]), [0]))


def test_an_unknown_operation_in_an_angle_is_refused(monkeypatch):
    monkeypatch.setattr(sys.modules["qctrl.compiler.parameters"], "UNARY", {})
    refused("operation sin in angle .*bind it first", lambda c: c.rz(Parameter("a").sin(), 0))
