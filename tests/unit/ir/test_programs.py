"""What ``verify`` of both IRs refuses."""

from dataclasses import replace

import numpy as np
import pytest
from msgspec import structs
from qiskit import QuantumCircuit
from qiskit.circuit import Instruction, Parameter

from qctrl import pulse
from qctrl.compiler import lower, make_gate, schedule
from qctrl.errors import CompileError
from tests.unit.compiler import trio


def gates():
    circuit = QuantumCircuit(2, 2)
    circuit.rz(Parameter("a"), 0)
    circuit.sx(0)
    circuit.barrier()
    circuit.delay(8, 0)
    circuit.sx(0)
    circuit.measure([0, 1], [0, 1])
    return lower(circuit, trio.calibration())


def changed(column, name, index, value):
    copy = column.copy()
    copy[name][index] = value
    return copy


def test_columns_are_read_only():
    program = gates()
    pulses = schedule(program, trio.calibration())
    for column in (program.instructions, program.segments, program.barrier_qubits, pulses.plays, pulses.captures):
        assert not column.flags.writeable
    for column in (pulses.shifts, pulses.block_ticks, pulses.flow, pulses.rows):
        assert not column.flags.writeable


@pytest.mark.parametrize(
    ("name", "index", "value", "message"),
    [
        ("site", 0, 99, "sites exist"),
        ("expression", 0, 1, "expressions exist"),
        ("qubit", 0, 3, "qubits exist"),
        ("count", 2, 9, "barrier qubits exist"),
        ("clbit", 5, 2, "clbits exist"),
        ("ticks", 3, -1, "delays are not negative"),
        ("angle_rad", 0, float("nan"), "angles are finite"),
    ],
)
def test_an_inconsistent_gate_program_is_refused(name, index, value, message):
    program = gates()
    broken = structs.replace(program, instructions=changed(program.instructions, name, index, value))
    with pytest.raises(CompileError, match=message):
        broken.verify()


def test_segments_must_cover_the_instructions():
    program = gates()
    with pytest.raises(CompileError, match="segments cover"):
        structs.replace(program, segments=changed(program.segments, "count", 0, 3)).verify()


@pytest.mark.parametrize(
    ("table", "name", "index", "value", "message"),
    [
        ("plays", "envelope", 0, 9, "envelopes exist"),
        ("plays", "block", 0, 1, "plays have blocks"),
        ("plays", "frame", 0, 9, "plays have frames"),
        ("plays", "phase_row", 0, 2, "plays have rows"),
        ("plays", "start_ticks", 0, -4, "plays lie inside their block"),
        ("plays", "length_ticks", 0, 40, "plays on one frame do not overlap"),
        ("captures", "discriminator", 0, 9, "discriminators exist"),
        ("captures", "clbit", 0, 2, "clbits exist"),
        ("captures", "start_ticks", 0, 10_000, "captures lie inside their block"),
        ("rows", "expression", 0, 0, "row 0 is the zero row"),
        ("rows", "expression", 1, 1, "rows have expressions"),
        ("rows", "previous", 1, 1, "rows follow their predecessors"),
        ("plays", "frame", 0, 1, "the voices know every pair"),
    ],
)
def test_an_inconsistent_pulse_program_is_refused(table, name, index, value, message):
    pulses = schedule(gates(), trio.calibration())
    broken = structs.replace(pulses, **{table: changed(getattr(pulses, table), name, index, value)})
    with pytest.raises(CompileError, match=message):
        broken.verify()


def test_frames_on_ports_that_do_not_exist_are_refused():
    pulses = schedule(gates(), trio.calibration())
    voices = replace(pulses.voices, frames=changed(pulses.frames, "port", 0, 9))
    with pytest.raises(CompileError, match="frames have ports"):
        structs.replace(pulses, voices=voices).verify()


def test_blocks_off_their_grid_are_refused():
    pulses = schedule(gates(), trio.calibration())
    with pytest.raises(CompileError, match="blocks are on their grid"):
        structs.replace(pulses, block_ticks=pulses.block_ticks + 1).verify()


def opened():
    a = Parameter("a")
    steps = [pulse.set_frequency("q0.drive", 4.9e9 + a), pulse.play("q0.drive", pulse.constant(24e-9, amp=a))]
    gate = make_gate("mine", [0], [a], lambda _: steps)
    circuit = QuantumCircuit(1)
    circuit.append(Instruction("mine", 1, 0, [a]), [0])
    return schedule(lower(circuit, trio.calibration(), {("mine", (0,)): gate}), trio.calibration())


def test_open_values_and_tunes_are_read_only_and_consistent():
    pulses = opened()
    pulses.verify()
    assert not pulses.play_values.flags.writeable
    assert not pulses.tunes.flags.writeable


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda p: {"expressions": p.expressions[:1]}, "values have expressions"),
        (lambda p: {"values": p.values[:1]}, "values exist"),
        (lambda p: {"play_values": np.zeros(2, np.int32)}, "every play has a value or none"),
        (lambda p: {"tunes": changed(p.tunes, "frame", 0, 9)}, "tunes have frames"),
        (lambda p: {"tunes": changed(p.tunes, "start_ticks", 1, 99)}, "tunes lie inside their block"),
    ],
)
def test_inconsistent_open_values_are_refused(change, message):
    pulses = opened()
    with pytest.raises(CompileError, match=message):
        structs.replace(pulses, **change(pulses)).verify()
