"""A progress bar on standard error, only on a terminal, only for what takes more than a second."""

from __future__ import annotations

import sys
import threading
from collections.abc import Generator
from contextlib import contextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from rich.progress import Progress

_PATIENCE_S: Final = 1.0
_REFRESH_S: Final = 0.1


class Bar:
    """Shows what goes on, and for how long already.

    Args:
        label: What goes on.
    """

    def __init__(self, label: str) -> None:
        self._label = label
        self._over = threading.Event()
        self._thread: threading.Thread | None = None

    def say(self, label: str) -> None:
        """Change what is said to go on."""
        self._label = label

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
                progress.update(task, description=self._label)


@contextmanager
def _drawn() -> Generator[Progress]:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(
        *columns, console=Console(stderr=True), transient=True, redirect_stdout=False, redirect_stderr=False
    ) as progress:
        yield progress
