"""The packed program: round trips, refusals, text."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

from qctrl.errors import ProtocolError
from qctrl.protocol import (
    BLOCK,
    CAPTURE,
    DISCRIMINATOR,
    ENVELOPE,
    EVENT,
    FLOW,
    FRAME,
    ROW,
    FlowOp,
    Program,
    RowKind,
    flow,
)
from qctrl.units import GAIN_ONE


def program(**changes: object) -> Program:
    events = np.zeros(4, EVENT)
    events["op"] = [0, 1, 2, 3]
    events["start_ticks"] = [0, 4, 20, 20]
    events["length_ticks"] = [4, 10, 0, 0]
    events["frame"] = [0, 1, 1, 1]
    events["gain"] = [GAIN_ONE // 2, 0, 0, -5]
    events["phase"] = [1, 0, 2**31, 2**32 - 1]
    events["phase_row"] = [1, 0, 1, 0]
    events["value_row"] = [2, 0, 0, 3]
    events["row_field"] = [1, 0, 0, 2]
    instructions = [
        flow.instruction(FlowOp.PLAY_BLOCK),
        flow.instruction(FlowOp.BRANCH_BIT, 0, 3, 1),
        flow.instruction(FlowOp.JUMP, 0, 3),
        flow.instruction(FlowOp.END),
    ]
    columns: dict[str, object] = {
        "setup_hash": bytes(32),
        "calibration_hash": bytes(range(32)),
        "tick_num": 1,
        "tick_den": 10**9,
        "n_clbits": 1,
        "frames": np.array([(0, 0, 5), (1, 0, -7)], FRAME),
        "envelopes": np.array([(0, 4, 0, 0)], ENVELOPE),
        "envelope_samples": np.full((4, 2), 32767, "<i2"),
        "events": events,
        "blocks": np.array([(0, 4, 20)], BLOCK),
        "flow": np.array(instructions, FLOW),
        "captures": np.array([(1, -1, 0, 0, 0, 0)], CAPTURE),
        "discriminators": np.array([(2, 0, np.eye(3))], DISCRIMINATOR),
        "rows": np.array([(1, 0), (1, 0), (2, 0), (3, 0)], ROW),
    }
    return Program(**(columns | changes))  # type: ignore[arg-type]


def edited(column: str, index: int, field: str, value: object) -> Program:
    base = program()
    copy = getattr(base, column).copy()
    copy[index][field] = value
    return msgspec.structs.replace(base, **{column: copy})


def test_a_program_survives_the_wire() -> None:
    sent = program()
    got = Program.from_bytes(sent.to_bytes())
    assert got.to_bytes() == sent.to_bytes()
    assert got.hash == sent.hash
    assert not got.events.flags.writeable
    assert got.has_branches
    assert got.envelope(0).shape == (4, 2)
    assert len(got.block_events(0)) == 4


def test_the_listing_names_every_event_and_instruction() -> None:
    text = program().text()
    for word in (
        "frame f1",
        "play e0 gain +0.5",
        "row 1",
        "value row 2",
        "capture -> c0",
        "shift_phase 0x80000000",
        "set_frequency 0xfffffffffffffffb",
        "branch_bit c0 == 1 -> 3",
        "jump -> 3",
        "end",
    ):
        assert word in text


BAD = [
    ("events", 0, "op", 9, "unknown event"),
    ("events", 0, "frame", 9, "frame that does not exist"),
    ("events", 0, "target", 9, "envelope or capture does not exist"),
    ("events", 0, "gain", -(2**31), "gain beyond full scale"),
    ("events", 0, "row_field", 3, "row field unknown, reserved"),
    ("events", 0, "row_field", 2, "row field unknown, reserved"),
    ("events", 0, "phase_row", 2, "phase row of another kind"),
    ("events", 0, "phase_row", 9, "row does not exist"),
    ("events", 0, "start_ticks", 18, "beyond the end of its block"),
    ("events", 2, "length_ticks", 1, "beyond the end|has no length"),
    ("events", 2, "start_ticks", 1, "not in order"),
    ("envelopes", 0, "length", 5, "outside its memory"),
    ("envelopes", 0, "hold_at", 4, "holds a sample that it does not have"),
    ("envelopes", 0, "hold_at", 2, "does not hold it"),
    ("envelopes", 0, "hold", 2**32 - 1, "longer than any block"),
    ("frames", 0, "ftw", 2**62, "half a turn per tick"),
    ("frames", 0, "zero", 1, "reserved bits"),
    ("rows", 0, "kind", 2, "row 0"),
    ("rows", 1, "kind", 7, "unknown row kind"),
    ("captures", 0, "frame", 9, "capture on a frame"),
    ("captures", 0, "weights", 4, "integration weights"),
    ("captures", 0, "discriminator", 3, "discriminator does not exist"),
    ("captures", 0, "clbit", 3, "bit that does not exist"),
    ("captures", 0, "index", 1, "place in the results is beyond their number"),
    ("captures", 0, "zero", 3, "reserved bits"),
    ("discriminators", 0, "n_classes", 4, "two or three classes"),
    ("discriminators", 0, "coef", np.nan, "not finite"),
    ("blocks", 0, "n_events", 3, "outside every block"),
    ("blocks", 0, "first_event", 1, "follow one another"),
    ("blocks", 0, "length_ticks", 2**40, "32-bit tick counter"),
    ("flow", 0, "op", 77, "unknown instruction"),
    ("flow", 0, "operand", 7, "block 7 of 1"),
    ("flow", 1, "operand", 7, "bit 7 of 1"),
    ("flow", 1, "target", 7, "target 7 of 4"),
    ("flow", 1, "flags", 2, "reserved bits"),
    ("flow", 3, "op", 1, "must end with"),
]


@pytest.mark.parametrize(("column", "index", "field", "value", "message"), BAD)
def test_an_inconsistent_program_is_refused(column: str, index: int, field: str, value: object, message: str) -> None:
    bad = edited(column, index, field, value)
    with pytest.raises(ProtocolError, match=message):
        bad.verify()
    with pytest.raises(ProtocolError, match=message):
        Program.from_bytes(bad.to_bytes())


ROWS = [
    flow.instruction(FlowOp.LOAD, 5, 1, 0, 7),
    flow.instruction(FlowOp.READ_BITS, 0, 0, 2),
    flow.instruction(FlowOp.WRITE_BITS, 1, 0, 1),
    flow.instruction(FlowOp.NOT, 0, 1, 64),
    flow.instruction(FlowOp.ADD, 0, 1, 8, 1),
    flow.instruction(FlowOp.BRANCH_IF, 1, 0, 1),
    flow.instruction(FlowOp.END),
]


def classical(**changes: object) -> Program:
    return program(flow=np.array(ROWS, FLOW), n_clbits=2, **changes)


def test_classical_instructions_survive_the_wire_and_are_listed() -> None:
    sent = classical()
    got = Program.from_bytes(sent.to_bytes())
    assert got.to_bytes() == sent.to_bytes()
    assert got.n_registers == 2
    assert got.text().splitlines()[0].endswith("2 bits, 4 rows, 2 registers")
    assert got.text().splitlines()[-7:] == [
        "   0 load r1 = 30064771077",
        "   1 read_bits r0 = c0..c1",
        "   2 write_bits c1 = r0",
        "   3 not r1 = r0 mod 2**64",
        "   4 add r1 = r0, r1 mod 2**8",
        "   5 branch_if r1 != 0 -> 0",
        "   6 end",
    ]


BAD_CLASSICAL = [
    (0, "target", 4096, "flow 0: register 4096 of 4096"),
    (0, "flags", 1, "reserved bits"),
    (1, "flags", 3, "flow 1: 3 bits from bit 0 of 2"),
    (1, "flags", 0, "width is not 1 to 64"),
    (1, "second", 1, "reserved bits"),
    (2, "operand", 2, "1 bits from bit 2 of 2"),
    (3, "operand", 5000, "register 5000 of 4096"),
    (3, "flags", 65, "width is not 1 to 64"),
    (4, "second", 4096, "register 4096 of 4096"),
    (5, "operand", 4096, "register 4096 of 4096"),
    (5, "target", 9, "target 9 of 7"),
    (5, "flags", 2, "reserved bits"),
    (6, "operand", 1, "reserved bits"),
]


@pytest.mark.parametrize(("index", "field", "value", "message"), BAD_CLASSICAL)
def test_an_inconsistent_calculation_is_refused(index: int, field: str, value: int, message: str) -> None:
    rows = np.array(ROWS, FLOW)
    rows[index][field] = value
    with pytest.raises(ProtocolError, match=message):
        program(flow=rows, n_clbits=2).verify()


def test_plays_may_not_overlap_on_a_frame() -> None:
    events = np.zeros(2, EVENT)
    events["length_ticks"] = 4
    events["start_ticks"] = [0, 3]
    bad = program(events=events, blocks=np.array([(0, 2, 20)], BLOCK))
    with pytest.raises(ProtocolError, match="two plays overlap on one frame"):
        bad.verify()
    same_frame_other_block = np.array([(0, 1, 20), (1, 1, 20)], BLOCK)
    program(events=events, blocks=same_frame_other_block).verify()


def test_short_hashes_and_missing_blocks_are_refused() -> None:
    with pytest.raises(ProtocolError, match="32 bytes"):
        program(setup_hash=b"x").verify()
    with pytest.raises(ProtocolError, match="no blocks"):
        program(blocks=np.zeros(0, BLOCK), events=np.zeros(0, EVENT)).verify()
    with pytest.raises(ProtocolError, match="tick"):
        program(tick_num=0).verify()
    with pytest.raises(ProtocolError, match="limit"):
        program(n_clbits=2**20).verify()


def test_row_kinds_have_the_documented_numbers() -> None:
    assert [int(kind) for kind in RowKind] == [1, 2, 3]
