"""A progress bar on standard error, only on a terminal, only for what takes more than a second."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    from rich.progress import Progress

Count: TypeAlias = Callable[[], tuple[int, int] | None]
"""How much is done, and of how much; ``None`` where it cannot be known."""

_PATIENCE_S: Final = 1.0
_REFRESH_S: Final = 0.1


class Bar:
    """Shows what goes on, how far it is, and for how long already.

    Args:
        label: What goes on.
    """

    def __init__(self, label: str) -> None:
        self._label = label
        self._count: Count | None = None
        self._over = threading.Event()
        self._thread: threading.Thread | None = None

    def say(self, label: str) -> None:
        """Change what is said to go on."""
        self._label = label

    def follow(self, count: Count) -> None:
        """Draw from now on how much is done of how much, as ``count`` says; ``None`` where it cannot be known."""
        self._count = count

    def __enter__(self) -> Bar:
        if sys.stderr.isatty():
            self._thread = threading.Thread(target=self._show, name="progress", daemon=True)
            self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        if self._thread is not None:
            self._thread.join()

    def _show(self) -> None:
        if self._over.wait(_PATIENCE_S):
            return
        with _drawn() as progress:
            task = progress.add_task(self._label, total=None)
            while not self._over.wait(_REFRESH_S):
                done, total = (self._count and self._count()) or (0, None)
                progress.update(task, description=self._label, completed=done, total=total)


@contextmanager
def _drawn() -> Generator[Progress]:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    with Progress(
        *columns, console=Console(stderr=True), transient=True, redirect_stdout=False, redirect_stderr=False
    ) as progress:
        yield progress
