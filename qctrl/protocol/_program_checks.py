"""What ``Program.verify`` checks: indices, ranges, order, limits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from qctrl.errors import ProtocolError
from qctrl.protocol import flow, limits
from qctrl.protocol.envelope_memory import played_lengths
from qctrl.units import GAIN_ONE, TUNING_TURN

if TYPE_CHECKING:
    from qctrl.protocol.program import Program

_HASH_BYTES: Final = 32
_PLAY, _CAPTURE, _SHIFT, _SET = range(4)
_NONE, _GAIN, _FREQUENCY = range(3)
_ROW_PHASE, _ROW_GAIN, _ROW_FREQUENCY = 1, 2, 3


def verify(program: Program) -> None:
    """Check a program; see ``Program.verify``."""
    _check_sizes(program)
    _check_tables(program)
    _check_blocks(program)
    _check_events(program)
    _check_order(program)
    flow.verify(program.flow, len(program.blocks), program.n_clbits)


def _require(holds: bool | np.bool_, text: str) -> None:
    if not holds:
        raise ProtocolError(f"program: {text}")


def _all(mask: NDArray[np.bool_], what: str) -> None:
    if not mask.all():
        raise ProtocolError(f"program: {what}, at index {int(np.argmin(mask))}")


def _check_sizes(program: Program) -> None:
    for have, most, what in (
        (len(program.frames), limits.MAX_FRAMES, "frames"),
        (len(program.events), limits.MAX_EVENTS, "events"),
        (len(program.envelopes), limits.MAX_ENVELOPES, "envelopes"),
        (len(program.envelope_samples), limits.MAX_ENVELOPE_SAMPLES, "envelope samples"),
        (len(program.blocks), limits.MAX_BLOCKS, "blocks"),
        (len(program.flow), limits.MAX_FLOW, "flow instructions"),
        (len(program.captures), limits.MAX_CAPTURES, "captures"),
        (len(program.discriminators), limits.MAX_DISCRIMINATORS, "discriminators"),
        (program.n_clbits, limits.MAX_CLBITS, "classical bits"),
        (program.n_slots, limits.MAX_SLOTS, "rows"),
    ):
        _require(have <= most, f"{have} {what}, the limit is {most}")
    hashes = (program.setup_hash, program.calibration_hash)
    _require(all(len(value) == _HASH_BYTES for value in hashes), "a hash is not 32 bytes")
    _require(program.tick_num > 0 and program.tick_den > 0, "tick is not positive")
    _require(len(program.blocks) > 0, "no blocks")


def _check_tables(program: Program) -> None:
    envelopes, captures, rows = program.envelopes, program.captures, program.rows
    ends = envelopes["offset"].astype(np.int64) + envelopes["length"]
    _all((ends <= len(program.envelope_samples)) & (envelopes["length"] > 0), "envelope outside its memory or empty")
    _all(envelopes["hold_at"] < envelopes["length"], "envelope holds a sample that it does not have")
    _all((envelopes["hold"] > 0) | (envelopes["hold_at"] == 0), "envelope names a sample to hold and does not hold it")
    _all(played_lengths(envelopes) <= limits.MAX_TICKS, "envelope longer than any block")
    _all(np.abs(program.frames["ftw"]) <= TUNING_TURN // 2, "tuning word beyond half a turn per tick")
    _all(program.frames["zero"] == 0, "reserved bits of a frame are set")
    _require(program.n_slots > 0 and rows[0]["kind"] == _ROW_PHASE, "row 0 must exist and be a phase row")
    _all((rows["kind"] >= _ROW_PHASE) & (rows["kind"] <= _ROW_FREQUENCY) & (rows["zero"] == 0), "unknown row kind")
    _all(captures["frame"] < len(program.frames), "capture on a frame that does not exist")
    _all((captures["weights"] >= -1) & (captures["weights"] < len(envelopes)), "integration weights do not exist")
    _all(captures["discriminator"] < len(program.discriminators), "discriminator does not exist")
    _all(captures["clbit"] < program.n_clbits, "capture writes a bit that does not exist")
    _all(captures["index"] < len(captures), "capture's place in the results is beyond their number")
    _all(captures["zero"] == 0, "reserved bits of a capture are set")
    classes = program.discriminators["n_classes"]
    _all((classes >= 2) & (classes <= limits.MAX_CLASSES), "a discriminator has two or three classes")
    finite = np.isfinite(program.discriminators["coef"]).reshape(-1, 9)
    _all(np.asarray(finite.all(axis=1)), "discriminator is not finite")


def _check_blocks(program: Program) -> None:
    first = program.blocks["first_event"].astype(np.int64)
    counts = program.blocks["n_events"].astype(np.int64)
    _require(np.array_equal(first, np.cumsum(counts) - counts), "blocks do not follow one another")
    _require(int(counts.sum()) == len(program.events), "events outside every block")
    _all(program.blocks["length_ticks"] <= limits.MAX_TICKS, "block longer than the 32-bit tick counter")
    ends = program.events["start_ticks"].astype(np.int64) + program.events["length_ticks"]
    _all(
        ends <= np.repeat(program.blocks["length_ticks"].astype(np.int64), counts), "event beyond the end of its block"
    )


def _check_events(program: Program) -> None:
    events = program.events
    op, target, field = events["op"], events["target"].astype(np.int64), events["row_field"]
    _all(op <= _SET, "unknown event; a newer compiler made it, upgrade this side")
    _all(events["frame"] < len(program.frames), "event on a frame that does not exist")
    bound = np.select([op == _PLAY, op == _CAPTURE], [len(program.envelopes), len(program.captures)], default=1)
    _all(target < bound, "event's envelope or capture does not exist")
    _all((op != _PLAY) | (np.abs(events["gain"].astype(np.int64)) <= GAIN_ONE), "gain beyond full scale")
    _all((op <= _CAPTURE) | (events["length_ticks"] == 0), "a shift or frequency change has no length")
    _all((events["phase_row"] < program.n_slots) & (events["value_row"] < program.n_slots), "row does not exist")
    _all(program.rows["kind"][events["phase_row"]] == _ROW_PHASE, "phase row of another kind")
    value_kind = program.rows["kind"][events["value_row"]]
    allowed = (
        ((field == _NONE) & (events["value_row"] == 0))
        | ((field == _GAIN) & (op == _PLAY) & (value_kind == _ROW_GAIN))
        | ((field == _FREQUENCY) & (op == _SET) & (value_kind == _ROW_FREQUENCY))
    )
    _all(allowed, "row field unknown, reserved or of another kind")


def _check_order(program: Program) -> None:
    """Events are sorted by (block, port, start, shifts first, frame); plays on one frame do not overlap."""
    events = program.events
    block = np.repeat(np.arange(len(program.blocks)), program.blocks["n_events"])
    port = program.frames["port"][events["frame"]] if len(events) else np.empty(0, np.uint32)
    order = np.lexsort((events["frame"], events["op"] <= _CAPTURE, events["start_ticks"], port, block))
    _require(np.array_equal(order, np.arange(len(events))), "events are not in order")
    for kind, name in ((_PLAY, "plays"), (_CAPTURE, "captures")):
        chosen = np.flatnonzero(events["op"] == kind)
        by_frame = chosen[np.lexsort((chosen, events["frame"][chosen], block[chosen]))]
        group = events["frame"][by_frame].astype(np.int64) + block[by_frame] * limits.MAX_FRAMES
        start = events["start_ticks"][by_frame].astype(np.int64)
        ends = start + events["length_ticks"][by_frame]
        clash = (group[1:] == group[:-1]) & (start[1:] < ends[:-1])
        _all(~clash, f"two {name} overlap on one frame")
