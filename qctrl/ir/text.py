"""Readable listings of both IRs, one line per instruction; golden tests compare them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from qctrl.ir.expression import Expression
from qctrl.ir.gate_program import Opcode, SegmentKind
from qctrl.protocol import flow
from qctrl.units import phase_from_word

if TYPE_CHECKING:
    import numpy as np

    from qctrl.ir.gate_program import GateProgram, GateSite
    from qctrl.ir.interface import Interface
    from qctrl.ir.pulse_program import PulseProgram


def gate_text(program: GateProgram) -> str:
    """Return the listing of a gate program."""
    lines = [f"gates of {program.interface.calibration_id}, {program.n_qubits} qubits"]
    lines += _interface_lines(program.interface, program.expressions)
    waits = {row: f" or as a box of {box.ticks} ticks needs" for box in program.boxes for row in (box.front, box.back)}
    for number, segment in enumerate(program.segments):
        lines.append(f"segment {number} {SegmentKind(int(segment['kind'])).name.lower()}")
        first = int(segment["first"])
        rows = program.instructions[first : first + int(segment["count"])]
        lines += [_instruction_line(program, row) + waits.get(first + k, "") for k, row in enumerate(rows)]
    if len(program.flow):
        lines += ["flow of segments", flow.text(program.flow)]
    return "\n".join(lines) + "\n"


def _interface_lines(interface: Interface, expressions: tuple[Expression, ...]) -> list[str]:
    lines = [f"clbits {interface.n_clbits}"]
    lines += [" ".join(("register", name, *(f"c{bit}" for bit in bits))) for name, bits in interface.cregs]
    lines += [f"parameter {number} {name}" for number, name in enumerate(interface.parameters)]
    lines += [
        f"expression x{number} = {expression.text(interface.parameters)}"
        for number, expression in enumerate(expressions)
    ]
    return lines + [f"note {note}" for note in interface.notes]


def _instruction_line(program: GateProgram, row: np.void) -> str:
    head = f"{int(row['source']):5d} "
    if row["opcode"] == Opcode.BARRIER:
        first = int(row["first"])
        qubits = program.barrier_qubits[first : first + int(row["count"])]
        return head + " ".join(("barrier", *(f"q{qubit}" for qubit in qubits)))
    if row["opcode"] == Opcode.DELAY:
        return head + f"delay q{int(row['qubit'])} {int(row['ticks'])} ticks"
    site = program.sites[int(row["site"])]
    arguments = _arguments(site, program.interface.parameters)
    line = head + " ".join((site.name + arguments, *(f"q{qubit}" for qubit in site.qubits)))
    if row["opcode"] == Opcode.RZ:
        angle = f"{float(row['angle_rad'])!r} rad" if row["expression"] < 0 else f"x{int(row['expression'])}"
        return f"{line} {angle}"
    return line if row["clbit"] < 0 else f"{line} -> c{int(row['clbit'])}"


def _arguments(site: GateSite, parameters: tuple[str, ...]) -> str:
    if not site.arguments:
        return ""
    return f"({', '.join(_number(each, parameters) for each in site.arguments)})"


def _number(value: float | Expression, parameters: tuple[str, ...]) -> str:
    return value.text(parameters) if isinstance(value, Expression) else repr(value)


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
    lines += [f"value {number} = x{value.expression}: {value.what}" for number, value in enumerate(program.values)]
    for block, ticks in enumerate(program.block_ticks):
        lines.append(f"block b{block} {int(ticks)} ticks")
        lines += _block_lines(program, block)
    lines += ["flow", flow.text(program.flow)]
    return "\n".join(lines) + "\n"


def _block_lines(program: PulseProgram, block: int) -> list[str]:
    chosen = program.plays["block"] == block
    plays = program.plays[chosen]
    values = program.play_values[chosen] if len(program.play_values) else [-1] * len(plays)
    tunes = program.tunes[program.tunes["block"] == block]
    captures = program.captures[program.captures["block"] == block]
    shifts = program.shifts[program.shifts["block"] == block]
    # Changes of frequency first, as on the wire.
    timed = [(*_place(row), 0, _tune_line(program, row)) for row in tunes]
    timed += [(*_place(row), 1, _play_line(program, row, value)) for row, value in zip(plays, values, strict=True)]
    timed += [(*_place(row), 1, _capture_line(program, row)) for row in captures]
    lines = [line for *_, line in sorted(timed)]
    lines += [
        f"      end shift_phase {_port(program, row)} {_phase(row)}"
        for row in sorted(shifts, key=lambda row: int(row["frame"]))
    ]
    return lines


def _place(row: np.void) -> tuple[int, int]:
    return int(row["start_ticks"]), int(row["frame"])


def _port(program: PulseProgram, row: np.void) -> str:
    frame = int(row["frame"])
    return f"{program.ports[int(program.frames[frame]['port'])]} f{frame}"


def _phase(row: np.void) -> str:
    text = f"phase {phase_from_word(int(row['phase'])):+.9f}"
    return f"{text} row {int(row['phase_row'])}" if row["phase_row"] else text


def _span(row: np.void) -> str:
    return f"  {int(row['start_ticks']):7d} +{int(row['length_ticks'])}"


def _play_line(program: PulseProgram, row: np.void, value: int) -> str:
    amplitude = f"{float(row['amplitude']):+.9f}" if value < 0 else f"value {value}"
    shape = f"e{int(row['envelope'])} amplitude {amplitude}"
    return f"{_span(row)} play {_port(program, row)} {shape} {_phase(row)} from {int(row['source'])}"


def _tune_line(program: PulseProgram, row: np.void) -> str:
    value, frequency_hz = int(row["value"]), float(row["frequency_hz"])
    frequency = "back" if math.isnan(frequency_hz) else f"{frequency_hz!r} Hz"
    shown = frequency if value < 0 else f"value {value}"
    return f"  {int(row['start_ticks']):7d} set_frequency {_port(program, row)} {shown} from {int(row['source'])}"


def _capture_line(program: PulseProgram, row: np.void) -> str:
    what = f"d{int(row['discriminator'])} -> c{int(row['clbit'])}"
    return f"{_span(row)} capture {_port(program, row)} {what} from {int(row['source'])}"
