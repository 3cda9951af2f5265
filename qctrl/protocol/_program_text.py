"""The readable listing of a program."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from qctrl.protocol import flow
from qctrl.units import gain_from_word, tuning_word_to_hz

if TYPE_CHECKING:
    from qctrl.protocol.program import Program


def program_text(program: Program) -> str:
    """Return one line per frame, event and flow instruction."""
    sizes = f"{program.n_clbits} bits, {program.n_slots} rows"
    if program.n_registers:
        sizes += f", {program.n_registers} registers"
    lines = [f"program tick {program.tick_num}/{program.tick_den} s, {sizes}"]
    for k, frame in enumerate(program.frames):
        hz = tuning_word_to_hz(int(frame["ftw"]), program.tick_s)
        lines.append(f"frame f{k} port {int(frame['port'])} {hz:+.3f} Hz")
    lines += [f"envelope e{k} {_envelope_text(envelope)}" for k, envelope in enumerate(program.envelopes)]
    for k, block in enumerate(program.blocks):
        lines.append(f"block b{k} {int(block['length_ticks'])} ticks")
        lines += [_event_text(program, event) for event in program.block_events(k)]
    lines.append("flow")
    lines.append(flow.text(program.flow))
    return "\n".join(lines)


def _envelope_text(envelope: np.void) -> str:
    stored = f"{int(envelope['length'])} samples"
    if envelope["hold"] == 0:
        return stored
    return f"{stored}, number {int(envelope['hold_at'])} held for {int(envelope['hold'])} more"


def _event_text(program: Program, event: np.void) -> str:
    head = f"  t={int(event['start_ticks'])} +{int(event['length_ticks'])} f{int(event['frame'])}"
    rows = f" row {int(event['phase_row'])}" if event["phase_row"] else ""
    value = f" value row {int(event['value_row'])}" if event["value_row"] else ""
    match int(event["op"]):
        case 0:
            gain = gain_from_word(int(event["gain"]))
            return (
                f"{head} play e{int(event['target'])} gain {gain:+.6f} phase 0x{int(event['phase']):08x}{rows}{value}"
            )
        case 1:
            capture = program.captures[int(event["target"])]
            return f"{head} capture -> c{int(capture['clbit'])} index {int(capture['index'])}"
        case 2:
            return f"{head} shift_phase 0x{int(event['phase']):08x}{rows}"
        case _:
            return f"{head} set_frequency 0x{frequency_word(event) & (2**64 - 1):016x}{value}"


def frequency_word(event: np.void) -> int:
    """Return the tuning word that a ``SET_FREQUENCY`` event carries."""
    high = int(event["phase"])
    signed_high = high - 2**32 if high >= 2**31 else high
    return (signed_high << 32) | (int(event["gain"]) & 0xFFFFFFFF)
