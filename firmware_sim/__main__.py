"""Start of the emulator's process: ``python -m firmware_sim --device NAME --bind ADDRESS``.

``python -m firmware_sim rack FILE`` starts a rack of ordinary instruments instead; see ``firmware_sim.scpi``.
"""

from __future__ import annotations

import argparse
import atexit
import contextlib
import logging
import os
import select
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from firmware_sim.board import Board
from firmware_sim.rig import EmulatedRig
from firmware_sim.search import find_truth
from firmware_sim.service import Service
from qctrl.errors import QctrlError
from qctrl.transport import Server

_IPC: Final = "ipc://"
_STDIN: Final = 0
_WATCH_S: Final = 0.5
_GRACE_S: Final = 3.0
_EXIT_BAD_START: Final = 2
_EXIT_HUNG: Final = 3
_EXIT_BAD_FILE: Final = 4
"""The truth cannot be used; the host raises this as a ``ConfigError`` of its own."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until told to stop; return the exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if given[:1] == ["rack"]:
        from firmware_sim.scpi.__main__ import main as serve_rack

        return serve_rack(given[1:])
    options = _parser().parse_args(given)
    logging.basicConfig(level=logging.WARNING, format="%(name)s: %(message)s")
    parent = os.getppid()
    code = _EXIT_BAD_FILE
    try:
        # Truth first: who reaches the address finds a board that can work.
        rig = EmulatedRig(options.truth or find_truth(options.device), options.device)
        code = _EXIT_BAD_START
        server = Server(options.bind)
    except QctrlError as error:
        sys.stderr.write(f"{error}\n")
        return code
    stop = threading.Event()

    def stop_now(*_signal: object) -> None:
        stop.set()
        server.wake()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop_now)
    if options.watch_stdin:
        arguments_of_watch = (parent, stop_now, lambda: _clean(options))
        threading.Thread(target=_watch, args=arguments_of_watch, name="watch", daemon=True).start()
    board = Board(rig, on_change=server.wake)
    board.warm_up()
    sys.stdout.write(f"ready {server.address}\n")
    sys.stdout.flush()
    try:
        server.serve(Service(board), stop.is_set)
    finally:
        board.close()
        server.close()
        _clean(options)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="firmware_sim", description="Emulated sequencer on the physics of a device")
    parser.add_argument("--device", metavar="NAME", required=True, help="device to emulate")
    parser.add_argument("--truth", metavar="FILE", type=Path, help="its hidden truth, instead of the one searched for")
    parser.add_argument("--bind", metavar="ADDRESS", required=True, help="ipc://PATH or tcp://127.0.0.1:PORT")
    parser.add_argument("--watch-stdin", action="store_true", help="end when standard input closes or the parent dies")
    parser.add_argument(
        "--own-folder", action="store_true", help="remove the folder of the socket in the end, unless it holds more"
    )
    return parser


def _watch(parent: int, stop: Callable[[], None], clean: Callable[[], None]) -> None:
    """Stop when standard input closes or the parent is gone; end a process that hangs after a grace time."""
    # Forked children of the parent may hold the other end of stdin open after its death, hence the second condition.
    while os.getppid() == parent and not _stdin_closed(_WATCH_S):
        pass
    stop()
    threading.Event().wait(_GRACE_S)
    clean()
    os._exit(_EXIT_HUNG)


def _stdin_closed(wait_s: float) -> bool:
    readable, _, _ = select.select([_STDIN], [], [], wait_s)
    return bool(readable) and not os.read(_STDIN, 4096)


def _clean(options: argparse.Namespace) -> None:
    if not options.bind.startswith(_IPC):
        return
    path = Path(options.bind.removeprefix(_IPC))
    # The parent may be removing the same things at the same time.
    with contextlib.suppress(OSError):
        path.unlink(missing_ok=True)
        if options.own_folder:
            path.parent.rmdir()


def _leave(code: int) -> None:
    # Tearing the interpreter down takes half a second with compiled kernels in it, and the host waits for it.
    atexit._run_exitfuncs()  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
    for stream in (sys.stdout, sys.stderr):
        # The host may have gone with the other end.
        with contextlib.suppress(OSError):
            stream.flush()
    os._exit(code)


if __name__ == "__main__":
    _leave(main())
