"""Starts the emulator as a child process and always takes it down again."""

from __future__ import annotations

import atexit
import contextlib
import os
import select
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import threading
import time
from pathlib import Path
from typing import IO, Final

from qctrl.errors import ConfigError, InstrumentError, InstrumentTimeoutError

READY: Final = "ready "
"""Start of the line on which the child says its address."""
_START_DEADLINE_S: Final = 60.0
_STOP_DEADLINE_S: Final = 5.0
_TAIL_BYTES: Final = 4_000
_SOCKET_NAME: Final = "board"
BAD_FILE: Final = 4
"""Exit code of a child that cannot use the device's truth; what it said begins with the place."""


class Emulator:
    """One ``python -m firmware_sim``, reached over ipc in a folder that only this user may enter.

    It ends with ``close``, with this process, however that ends, and when its standard input closes; the folder
    goes with it.

    Args:
        device: Name of the device whose hidden truth it plays.
        truth: File with that truth; ``None`` lets the emulator look for the device's own.
        rack: Rack file of ordinary instruments to emulate, each on a free TCP port; ``None`` for a sequencer.

    Attributes:
        ready: What the child said when it was ready, word by word.

    Raises:
        ConfigError: The truth cannot be used; the message carries file, line and reason.
        InstrumentError: It ended before it was ready; the message carries what it said.
        InstrumentTimeoutError: It was not ready in time.
    """

    def __init__(self, device: str, truth: Path | None = None, rack: Path | None = None) -> None:
        self.device = device
        self._owner = os.getpid()
        self._closing = threading.RLock()
        self._last_words = ""
        self._folder = Path(tempfile.mkdtemp(prefix="qctrl-"))
        self.address = f"ipc://{self._folder / _SOCKET_NAME}"
        # Without a name on the disk there is nothing to leave behind.
        self._stderr: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 (lives as long as the child)
        self.ready: tuple[str, ...] = ()
        hidden = [] if truth is None else ["--truth", str(truth)]
        served = ["--device", device, "--bind", self.address, "--own-folder"]
        if rack is not None:
            served = ["rack", str(rack), "--any-port"]
        self._child = subprocess.Popen(  # noqa: S603 (our own module, no shell)
            [sys.executable, "-P", "-m", "firmware_sim", *served, *hidden, "--watch-stdin"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._stderr,
            env=_environment(),
            # A Ctrl-C or a kill of the whole group is for this process, which then ends the child in order.
            start_new_session=True,
        )
        atexit.register(self.close)
        try:
            self._wait_until_ready()
        except BaseException:
            self.close()
            raise

    @property
    def pid(self) -> int:
        """Process id of the child."""
        return self._child.pid

    @property
    def folder(self) -> Path:
        """Private folder of the socket; it is gone after ``close``."""
        return self._folder

    def failure(self) -> str | None:
        """Return why the child is gone: exit code and what it said last; ``None`` while it lives."""
        code = self._child.poll()
        if code is None:
            return None
        how = f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}"
        said = self._tail()
        return f"the emulator's process {how}" + (f" and said:\n{said}" if said else " and said nothing")

    def close(self) -> None:
        """End the child and remove its folder; idempotent, from any thread."""
        if os.getpid() != self._owner:
            return  # a fork of the owner ends, and runs its exit handlers
        with self._closing:
            atexit.unregister(self.close)
            if self._child.stdin is not None:
                with contextlib.suppress(OSError):
                    self._child.stdin.close()
            try:
                self._child.wait(_STOP_DEADLINE_S)
            except subprocess.TimeoutExpired:
                self._child.kill()
                self._child.wait()
            self._last_words = self._tail()
            self._stderr.close()
            shutil.rmtree(self._folder, ignore_errors=True)

    def _wait_until_ready(self) -> None:
        stdout = self._child.stdout
        if stdout is None:
            raise InstrumentError("the emulator has no standard output", name=self.device, address=self.address)
        # Closed where it is read: another thread may close the emulator meanwhile, and the child's end is seen here.
        with stdout:
            self.ready = self._ready_words(stdout)

    def _ready_words(self, stdout: IO[bytes]) -> tuple[str, ...]:
        until = time.monotonic() + _START_DEADLINE_S
        said = b""
        while not said.endswith(b"\n"):
            readable, _, _ = select.select([stdout], [], [], max(0.0, until - time.monotonic()))
            piece = os.read(stdout.fileno(), 4096) if readable else b""
            if readable and not piece:
                if self._child.wait(_STOP_DEADLINE_S) == BAD_FILE:
                    raise ConfigError(f"the emulator of {self.device} did not start: {self._tail()}")
                raise InstrumentError(
                    f"the emulator of {self.device} did not start: {self.failure()}",
                    name=self.device,
                    address=self.address,
                )
            if not readable:
                raise InstrumentTimeoutError(
                    f"the emulator of {self.device} was not ready within {_START_DEADLINE_S:g} s: {self._tail()}",
                    name=self.device,
                    address=self.address,
                )
            said += piece
        return tuple(said.decode().split()[1:])

    def _tail(self) -> str:
        with self._closing:
            if self._stderr.closed:
                return self._last_words
            descriptor = self._stderr.fileno()
            size = os.fstat(descriptor).st_size
            # pread leaves the offset alone, which the child shares and writes at.
            tail = os.pread(descriptor, _TAIL_BYTES, max(0, size - _TAIL_BYTES))
            return tail.decode(errors="replace").strip()


def _environment() -> dict[str, str]:
    beside = str(Path(__file__).resolve().parents[2])
    if beside in (sysconfig.get_path("purelib"), sysconfig.get_path("platlib")):
        return dict(os.environ)
    # A checkout: firmware_sim lies beside qctrl, which may be on sys.path by other means than the child's.
    paths = [path for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path]
    return {**os.environ, "PYTHONPATH": os.pathsep.join([beside, *paths])}
