"""Control flow as segments and flow; what cannot be done is refused with place and remedy."""

from types import SimpleNamespace

import numpy as np
import pytest
from qiskit import ClassicalRegister, QuantumCircuit, QuantumRegister
from qiskit.circuit import Clbit, ForLoopOp, Parameter
from qiskit.circuit.classical import expr, types

from qctrl.compiler import compile_circuit, lower
from qctrl.compiler.classical import Classical
from qctrl.compiler.control_flow import _MOST_COPIES
from qctrl.compiler.flow_writer import FlowWriter
from qctrl.compiler.waits import awaited_bits
from qctrl.errors import CompileError, ResourceError, TimingError, UnsupportedInstructionError
from qctrl.ir import Opcode, SegmentKind
from qctrl.protocol import FlowOp, flow, limits
from tests.unit.compiler import trio


def lowered(circuit):
    return lower(circuit, trio.calibration())


def lines(circuit):
    """Return the flow over segments, without numbers."""
    return [line.strip().partition(" ")[2] for line in flow.text(lowered(circuit).flow).splitlines()]


def refused(circuit, match, error=UnsupportedInstructionError):
    with pytest.raises(error, match=match) as caught:
        lowered(circuit)
    assert caught.value.instruction is not None
    return caught.value


def test_a_bit_decides_without_arithmetic():
    circuit = QuantumCircuit(2, 2)
    circuit.measure(0, 1)
    with circuit.if_test((1, 1)) as else_:
        circuit.x(0)
    with else_:
        circuit.x(1)
    circuit.sx(0)
    assert lines(circuit) == [
        "play_block b0",
        "branch_bit c1 == 0 -> 4",
        "play_block b1",
        "jump -> 5",
        "play_block b2",
        "play_block b3",
        "end",
    ]


def test_a_negated_bit_swaps_the_branches():
    circuit = QuantumCircuit(1, 1)
    with circuit.if_test(expr.logic_not(circuit.clbits[0])):
        circuit.x(0)
    assert lines(circuit) == ["branch_bit c0 == 1 -> 2", "play_block b0", "end"]


def test_a_register_of_scattered_bits_is_read_in_runs():
    circuit = QuantumCircuit(1, 5)
    bits = circuit.clbits
    scattered = ClassicalRegister(bits=[bits[1], bits[2], bits[4], bits[0]], name="scattered")
    circuit.add_register(scattered)
    with circuit.if_test((scattered, 9)):
        circuit.x(0)
    reads = [line for line in lines(circuit) if line.startswith("read_bits")]
    assert [line.partition(" = ")[2] for line in reads] == ["c1..c2", "c4", "c0"]


def test_variables_keep_their_registers_and_results_share():
    circuit = QuantumCircuit(1, 1)
    a = circuit.add_var("a", expr.lift(3, types.Uint(8)))
    with circuit.while_loop(expr.less(a, 5)):
        circuit.store(a, expr.add(a, 1))
        circuit.x(0)
    assert lines(circuit) == [
        "load r0 = 3",
        "move r1 = r0 mod 2**8",
        "load r0 = 5",
        "less r0 = r1, r0 mod 2**1",
        "branch_if r0 == 0 -> 10",
        "load r0 = 1",
        "add r0 = r1, r0 mod 2**8",
        "move r1 = r0 mod 2**8",
        "play_block b0",
        "jump -> 2",
        "end",
    ]


def test_few_values_unroll_into_one_segment():
    circuit = QuantumCircuit(1)
    circuit.sx(0)
    with circuit.for_loop((0, 1, 2)) as value:
        circuit.rz(0.5 * value, 0)
        circuit.sx(0)
    gates = lowered(circuit)
    assert len(gates.flow) == 0
    assert len(gates.segments) == 1
    angles = gates.instructions["angle_rad"][gates.instructions["opcode"] == Opcode.RZ]
    assert angles.tolist() == [0.0, 0.5, 1.0]
    assert set(gates.instructions["source"].tolist()) == {0, 1}


def test_many_values_loop_with_a_register():
    circuit = QuantumCircuit(1)
    with circuit.for_loop(range(100)):
        circuit.sx(0)
    assert lines(circuit) == [
        "load r0 = 100",
        "load r1 = 1",
        "play_block b0",
        "sub r0 = r0, r1 mod 2**64",
        "branch_if r0 != 0 -> 2",
        "end",
    ]


def test_a_loop_without_values_plays_nothing():
    circuit = QuantumCircuit(1)
    with circuit.for_loop(range(0)):
        circuit.sx(0)
    assert len(lowered(circuit).instructions) == 0


def test_nested_loops_do_not_unroll_without_bound():
    circuit = QuantumCircuit(1)
    with circuit.for_loop(range(16)), circuit.for_loop(range(16)):
        circuit.sx(0)
    assert np.count_nonzero(lowered(circuit).instructions["opcode"] == Opcode.GATE) == 16


def test_a_box_is_its_body_between_barriers():
    circuit = QuantumCircuit(2)
    with circuit.box():
        circuit.sx(0)
        circuit.sx(1)
    gates = lowered(circuit)
    assert len(gates.flow) == 0
    opcodes = [Opcode.BARRIER, Opcode.GATE, Opcode.GATE, Opcode.BARRIER]
    assert gates.instructions["opcode"].tolist() == opcodes
    assert gates.barrier_qubits.tolist() == [0, 1, 0, 1]


def test_bodies_may_name_their_bits_as_they_like():
    circuit = QuantumCircuit(3, 3)
    body = QuantumCircuit(QuantumRegister(1, "other"), [Clbit()])
    body.measure(0, 0)
    inner = QuantumCircuit(1)
    inner.x(0)
    body.if_test((body.clbits[0], True), inner, [0], [])
    circuit.for_loop((0,), None, body, [1], [2])
    gates = lowered(circuit)
    assert gates.instructions["qubit"].tolist() == [1, 1]
    assert gates.instructions["clbit"].tolist() == [2, -1]
    assert gates.flow["operand"][gates.flow["op"] == FlowOp.BRANCH_BIT].tolist() == [2]


def test_resets_in_branches_keep_their_own_decisions():
    circuit = QuantumCircuit(2, 1)
    with circuit.if_test((0, 1)) as else_:
        circuit.reset([0, 1])
    with else_:
        circuit.x(0)
    circuit.sx(1)
    gates = lowered(circuit)
    assert gates.segments["kind"].tolist() == [SegmentKind.RESET, SegmentKind.BODY, SegmentKind.BODY]
    program = compile_circuit(circuit, trio.calibration(), trio.setup()).program
    program.verify()
    first = program.flow[0]
    assert int(first["op"]) == FlowOp.BRANCH_BIT
    assert int(program.flow[int(first["target"]) - 1]["op"]) == FlowOp.JUMP


def test_stores_alone_make_a_program():
    circuit = QuantumCircuit(1, 2)
    circuit.store(circuit.clbits[1], True)
    program = compile_circuit(circuit, trio.calibration(), trio.setup()).program
    assert program.flow["op"].tolist() == [FlowOp.LOAD, FlowOp.WRITE_BITS, FlowOp.PLAY_BLOCK, FlowOp.END]
    assert not program.has_branches
    assert program.is_straight
    assert program.n_registers == 1


def test_a_store_between_blocks_has_no_one_set_of_samples():
    circuit = QuantumCircuit(1, 2)
    circuit.measure(0, 0)
    circuit.store(circuit.clbits[1], circuit.clbits[0])
    circuit.x(0)
    compiled = compile_circuit(circuit, trio.calibration(), trio.setup())
    assert not compiled.program.has_branches
    assert not compiled.program.is_straight
    with pytest.raises(CompileError, match="waits for bits"):
        compiled.samples("q0.drive")


def test_wide_registers_are_refused_by_name():
    circuit = QuantumCircuit(QuantumRegister(1), ClassicalRegister(65, "wide"))
    with circuit.if_test((circuit.cregs[0], 3)):
        circuit.x(0)
    error = refused(
        circuit, r"instruction 0: if_else: expression Var\(.*wide.* has 65 bits, a register has 64; use bits"
    )
    assert error.instruction == 0


def test_floats_and_durations_are_refused():
    circuit = QuantumCircuit(1, 1)
    with circuit.if_test(expr.less(expr.lift(1.5), expr.lift(2.5))):
        circuit.x(0)
    refused(circuit, "instruction 0: if_else: expression .* is of type Float.*use bits and unsigned integers")
    circuit = QuantumCircuit(1, 1)
    circuit.add_var("f", expr.lift(1.5))
    refused(circuit, "instruction 0: store: expression .* is of type Float")


def test_input_variables_are_refused():
    a = expr.Var.new("a", types.Bool())
    circuit = QuantumCircuit(1, inputs=[a])
    with circuit.if_test(a):
        circuit.x(0)
    with pytest.raises(UnsupportedInstructionError, match=r"input variables \(a\) have no value here; use parameters"):
        lowered(circuit)


def test_an_error_in_a_body_says_the_way_to_it():
    circuit = QuantumCircuit(2, 1)
    with circuit.while_loop((0, 1)):
        circuit.sx(0)
        with circuit.if_test((0, 1)):
            circuit.x(0)
            circuit.h(0)
    error = refused(circuit, r"instruction 0: while_loop: instruction 1: if_else: instruction 1: h on qubits \(0,\)")
    assert (error.instruction, error.gate, error.qubits) == (0, "h", (0,))
    circuit = QuantumCircuit(1, 1)
    with circuit.if_test((0, 1)):
        circuit.delay(1.5, 0, "ns")
    refused(circuit, "instruction 0: if_else: instruction 0: delay", TimingError)


@pytest.mark.parametrize("what", ["if_test", "reset"])
def test_a_box_with_a_duration_holds_nothing_of_unknown_length(what):
    circuit = QuantumCircuit(1, 1)
    with circuit.box(duration=100, unit="us"):
        if what == "reset":
            circuit.reset(0)
        else:
            with circuit.if_test((0, True)):
                circuit.sx(0)
    refused(circuit, "instruction 0: box: how long .* is known only when they are played; leave out the duration")


def test_too_many_copies_for_a_loop_parameter_are_refused():
    circuit = QuantumCircuit(1)
    with circuit.for_loop(range(_MOST_COPIES[True] + 1)) as value:
        circuit.rz(value * 0.1, 0)
    refused(
        circuit, "instruction 0: for_loop: the loop parameter .* takes 4097 values.*the limit is 4096", ResourceError
    )


def test_a_loop_variable_has_only_values_that_fit():
    value = expr.Var.new("value", types.Uint(3))
    for values in ((0, 8), range(-1, 30)):
        circuit = QuantumCircuit(1)
        body = QuantumCircuit(1, inputs=[value])
        circuit.append(ForLoopOp(values, value, body), [0])
        refused(circuit, r"the loop variable value has no value (8|-1|29); it goes from 0 to 7", CompileError)


def test_a_loop_parameter_that_the_body_does_not_use_is_no_reason_to_unroll():
    circuit = QuantumCircuit(1)
    body = QuantumCircuit(1)
    body.sx(0)
    circuit.for_loop(range(5000), Parameter("unused"), body, [0], [])
    assert len(lowered(circuit).instructions) == 1


def test_parameters_may_be_open_inside_loops():
    circuit = QuantumCircuit(1)
    angle = Parameter("angle")
    with circuit.for_loop(range(50)):
        circuit.rz(angle, 0)
        circuit.sx(0)
    compiled = compile_circuit(circuit, trio.calibration(), trio.setup())
    assert compiled.parameters == ("angle",)
    assert compiled.bind([0.5]).words.shape == (1, 2)


def test_registers_run_out_with_a_clear_error():
    writer = FlowWriter()
    for _ in range(limits.MAX_REGISTERS):
        writer.take_register()
    with pytest.raises(ResourceError, match="more than 4096 registers; use fewer classical variables"):
        writer.take_register()


def test_a_block_lasts_until_a_bit_that_is_read_behind_it_can_be_read():
    circuit = QuantumCircuit(2, 2)
    with circuit.while_loop((0, 0)):
        circuit.sx(0)
        circuit.measure(0, 0)
    circuit.measure(0, 0)
    circuit.measure(1, 1)
    program = compile_circuit(circuit, trio.calibration(), trio.setup(latency_ticks=200)).program
    assert program.blocks["length_ticks"].tolist() == [24 + 160 + 400 + 200, 560]
    assert awaited_bits(program.flow) == {(0, 0)}


def test_a_register_is_awaited_bit_by_bit_on_every_way():
    rows = [
        flow.instruction(FlowOp.PLAY_BLOCK, 3),
        flow.instruction(FlowOp.LOAD, 1, 0),
        flow.instruction(FlowOp.BRANCH_IF, 0, 5, 1),
        flow.instruction(FlowOp.READ_BITS, 2, 0, 3),
        flow.instruction(FlowOp.JUMP, 0, 7),
        flow.instruction(FlowOp.BRANCH_BIT, 9, 0, 1),
        flow.instruction(FlowOp.JUMP, 0, 1),
        flow.instruction(FlowOp.PLAY_BLOCK, 4),
        flow.instruction(FlowOp.BRANCH_BIT, 0, 0, 1),
        flow.instruction(FlowOp.END),
    ]
    assert awaited_bits(np.array(rows, flow.FLOW)) == {(3, 2), (3, 3), (3, 4), (3, 9), (4, 0)}


def test_a_kind_of_expression_that_is_new_is_refused():
    unknown = SimpleNamespace(type=types.Bool())
    with pytest.raises(UnsupportedInstructionError, match=r"expression .* is not supported; use bits and unsigned"):
        Classical(FlowWriter(), {}).evaluate(unknown)
