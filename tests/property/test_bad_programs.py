"""Programs with any field changed are played or refused, and the board plays the next one as if nothing had been."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterator
from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware_sim.board import Board
from firmware_sim.rig import EmulatedRig
from qctrl.errors import QctrlError
from qctrl.protocol import Program, Results, Run, SimOptions
from tests.unit.firmware_sim import toys

TRUTH = Path(__file__).parents[2] / "configs" / "truth" / "pair2.yaml"
GOOD = toys.reset()
COLUMNS = [
    (column, field)
    for column in ("frames", "envelopes", "events", "blocks", "flow", "captures", "discriminators", "rows")
    for field in getattr(GOOD, column).dtype.names
]
WORDS = st.sampled_from([0, 1, 2, 3, 5, 23, 24, 25, 100, 400, 401, 2**15, 2**16, 2**30, 2**31, 2**32 - 1, 2**47, 2**63])


@pytest.fixture(scope="module")
def board() -> Iterator[Board]:
    changed.clear()
    found = Board(EmulatedRig(TRUTH, "pair2"), changed.set)
    found.configure(toys.setup().to_bytes())
    yield found
    found.close()


changed = threading.Event()


def with_field(place: tuple[str, str], row: int, value: int) -> Program:
    column, field = place
    table = getattr(GOOD, column).copy()
    kind = table.dtype[field]
    if kind.subdtype is not None or kind.kind == "f":
        table[field][row % len(table)] = value * np.nan if value % 2 else value
    else:
        table[field][row % len(table)] = np.array(value, dtype=np.uint64).astype(kind)
    return msgspec.structs.replace(GOOD, **{column: table})


def play(board: Board, program: Program) -> bytes:
    """Return the bits of 20 shots."""
    board.load([program.to_bytes()])
    run = Run(
        uuid.uuid4().hex, 1, toys.setup().hash.hex(), program.hash.hex(), "", 0, 1, 0, 20, 0,
        iteration_limit=200, sim=SimOptions(seed=1),
    )  # fmt: skip
    board.start(run.to_bytes())
    found = b""
    for block in (0, 1):
        while (answer := board.fetch(run.run_id, block)) is None:
            changed.clear()
            assert changed.wait(20)
        found = found or Results.from_bytes(answer[1]).bits.tobytes()
    return found


def refusal(board: Board, program: Program) -> str:
    """Return why a program was refused, or that it was not."""
    try:
        play(board, program)
    except QctrlError as error:
        return str(error)
    return "played"


@settings(max_examples=40)
@given(st.sampled_from(COLUMNS), st.integers(0, 9), WORDS)
def test_a_program_with_a_changed_field_is_played_or_refused(
    board: Board, place: tuple[str, str], row: int, value: int
) -> None:
    before = play(board, GOOD)
    assert "defect" not in refusal(board, with_field(place, row, value))
    board.abort()
    assert play(board, GOOD) == before
