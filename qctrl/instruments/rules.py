"""What holds for every driver: which programs belong to its Setup, and that failures end in the safe state."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager

from qctrl.errors import ProtocolError, QctrlError
from qctrl.protocol import Patch, Program


def check_pair(program: Program, patch: Patch | None, setup_hash: bytes) -> None:
    """Refuse a program and words that do not belong together, or not to a Setup.

    Raises:
        ProtocolError: So it is.
    """
    if program.setup_hash != setup_hash:
        raise ProtocolError("program was assembled for another Setup than the configured one; compile it again")
    if patch is not None:
        patch.verify_for(program)
    elif program.n_slots > 1:
        raise ProtocolError(f"program has {program.n_slots - 1} open slots and no patch; bind its parameters")


@contextmanager
def safe_on_failure(safe_state: Callable[[], None], failed: Callable[[], None] | None = None) -> Generator[None]:
    """Go to the safe state if what is inside fails, and say so if that fails too.

    Args:
        safe_state: Goes there.
        failed: Notes the failure afterwards.
    """
    try:
        yield
    except (QctrlError, ExceptionGroup) as error:
        try:
            safe_state()
        except (QctrlError, ExceptionGroup) as second:
            error.add_note(f"the safe state could not be confirmed either: {second}")
        if failed is not None:
            failed()
        raise
