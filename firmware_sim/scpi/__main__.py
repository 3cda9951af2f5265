"""Start of an emulated rack: ``python -m firmware_sim rack FILE``."""

from __future__ import annotations

import argparse
import logging
import os
import select
import signal
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from firmware_sim.scpi.control import Control
from firmware_sim.scpi.rack import EmulatedRack
from qctrl.errors import QctrlError

_EXIT_BAD_START: Final = 2
_STDIN: Final = 0
_WATCH_S: Final = 0.5


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until told to stop; return the exit code."""
    options = _parser().parse_args(arguments)
    logging.basicConfig(level=logging.WARNING, format="%(name)s: %(message)s")
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    try:
        rack = EmulatedRack(options.file, options.truth, options.seed, any_port=options.any_port)
        control = None if options.control is None else Control(rack, options.control)
    except QctrlError as error:
        sys.stderr.write(f"{error}\n")
        return _EXIT_BAD_START
    sys.stdout.write(f"ready {rack.device} " + " ".join(f"{n}={w.port}" for n, w in rack.wires.items()))
    sys.stdout.write("\n" if control is None else f" control={control.port}\n")
    sys.stdout.flush()
    parent = os.getppid()
    while not stop.wait(_WATCH_S):
        if options.watch_stdin and (os.getppid() != parent or _stdin_closed()):
            break
    if control is not None:
        control.close()
    rack.close()
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="firmware_sim rack", description="Emulated instruments on one bench")
    parser.add_argument("file", metavar="FILE", type=Path, help="rack file of the host")
    parser.add_argument("--truth", metavar="FILE", type=Path, help="the chip's hidden truth, instead of its own")
    parser.add_argument("--seed", metavar="N", type=int, help="seed of all random numbers")
    parser.add_argument("--any-port", action="store_true", help="use free ports instead of those in the file")
    parser.add_argument("--control", metavar="PORT", type=int, help="port on which faults are asked for; 0 for any")
    parser.add_argument("--watch-stdin", action="store_true", help="end when standard input closes or the parent dies")
    return parser


def _stdin_closed() -> bool:
    readable, _, _ = select.select([_STDIN], [], [], 0)
    return bool(readable) and not os.read(_STDIN, 4096)
