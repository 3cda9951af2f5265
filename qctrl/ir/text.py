"""Readable listings of both IRs, one line per instruction; golden tests compare them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qctrl.ir.gate_program import Opcode, SegmentKind
from qctrl.protocol import flow
from qctrl.units import phase_from_word

if TYPE_CHECKING:
    import numpy as np

    from qctrl.ir.expression import Expression
    from qctrl.ir.gate_program import GateProgram
    from qctrl.ir.interface import Interface
    from qctrl.ir.pulse_program import PulseProgram


def gate_text(program: GateProgram) -> str:
    """Return the listing of a gate program."""
    lines = [f"gates of {program.interface.calibration_id}, {program.n_qubits} qubits"]
    lines += _interface_lines(program.interface, program.expressions)
    for number, segment in enumerate(program.segments):
        lines.append(f"segment {number} {SegmentKind(int(segment['kind'])).name.lower()}")
        first = int(segment["first"])
        rows = program.instructions[first : first + int(segment["count"])]
        lines += [_instruction_line(program, row) for row in rows]
    return "\n".join(lines) + "\n"


def _interface_lines(interface: Interface, expressions: tuple[Expression, ...]) -> list[str]:
    lines = [f"clbits {interface.n_clbits}"]
    lines += [" ".join(("register", name, *(f"c{bit}" for bit in bits))) for name, bits in interface.cregs]
    lines += [f"parameter {number} {name}" for number, name in enumerate(interface.parameters)]
    lines += [
        f"expression x{number} = {expression.text(interface.parameters)}"
        for number, expression in enumerate(expressions)
    ]
    return lines


def _instruction_line(program: GateProgram, row: np.void) -> str:
    head = f"{int(row['source']):5d} "
    if row["opcode"] == Opcode.BARRIER:
        first = int(row["first"])
        qubits = program.barrier_qubits[first : first + int(row["count"])]
        return head + " ".join(("barrier", *(f"q{qubit}" for qubit in qubits)))
    if row["opcode"] == Opcode.DELAY:
        return head + f"delay q{int(row['qubit'])} {int(row['ticks'])} ticks"
    site = program.sites[int(row["site"])]
    line = head + " ".join((site.name, *(f"q{qubit}" for qubit in site.qubits)))
    if row["opcode"] == Opcode.RZ:
        angle = f"{float(row['angle_rad'])!r} rad" if row["expression"] < 0 else f"x{int(row['expression'])}"
        return f"{line} {angle}"
    return line if row["clbit"] < 0 else f"{line} -> c{int(row['clbit'])}"


def pulse_text(program: PulseProgram) -> str:
    """Return the listing of a pulse program."""
    lines = [f"pulses of {program.interface.calibration_id}, tick {program.tick_s} s"]
    lines += _interface_lines(program.interface, program.expressions)
    lines += [
        f"frame f{number} {program.ports[int(frame['port'])]} {float(frame['frequency_hz'])!r} Hz"
        + (f" group {int(frame['group'])}" if frame["group"] >= 0 else "")
        for number, frame in enumerate(program.frames)
    ]
    for number, envelope in enumerate(program.envelopes):
        params = "".join(f" {name} {value!r}" for name, value in envelope.params)
        lines.append(f"envelope e{number} {envelope.shape} {envelope.duration_s!r} s{params}")
    lines += [
        f"row {number} = row {int(row['previous'])} + x{int(row['expression'])}"
        for number, row in enumerate(program.rows)
        if number
    ]
    for block, ticks in enumerate(program.block_ticks):
        lines.append(f"block b{block} {int(ticks)} ticks")
        lines += _block_lines(program, block)
    lines += ["flow", flow.text(program.flow)]
    return "\n".join(lines) + "\n"


def _block_lines(program: PulseProgram, block: int) -> list[str]:
    plays = program.plays[program.plays["block"] == block]
    captures = program.captures[program.captures["block"] == block]
    shifts = program.shifts[program.shifts["block"] == block]
    timed = [(int(row["start_ticks"]), int(row["frame"]), _play_line(program, row)) for row in plays]
    timed += [(int(row["start_ticks"]), int(row["frame"]), _capture_line(program, row)) for row in captures]
    lines = [line for _, _, line in sorted(timed)]
    lines += [
        f"      end shift_phase {_port(program, row)} {_phase(row)}"
        for row in sorted(shifts, key=lambda row: int(row["frame"]))
    ]
    return lines


def _port(program: PulseProgram, row: np.void) -> str:
    frame = int(row["frame"])
    return f"{program.ports[int(program.frames[frame]['port'])]} f{frame}"


def _phase(row: np.void) -> str:
    text = f"phase {phase_from_word(int(row['phase'])):+.9f}"
    return f"{text} row {int(row['phase_row'])}" if row["phase_row"] else text


def _span(row: np.void) -> str:
    return f"  {int(row['start_ticks']):7d} +{int(row['length_ticks'])}"


def _play_line(program: PulseProgram, row: np.void) -> str:
    shape = f"e{int(row['envelope'])} amplitude {float(row['amplitude']):+.9f}"
    return f"{_span(row)} play {_port(program, row)} {shape} {_phase(row)} from {int(row['source'])}"


def _capture_line(program: PulseProgram, row: np.void) -> str:
    what = f"d{int(row['discriminator'])} -> c{int(row['clbit'])}"
    return f"{_span(row)} capture {_port(program, row)} {what} from {int(row['source'])}"
