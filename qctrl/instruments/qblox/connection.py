"""``Connection``: a Qblox cluster through the vendor's package, in a process of its own that can be ended.

A call that is late poisons the connection: its process is killed, and nothing is asked of the cluster before it was
opened anew. When this process dies without a word, the other one stops all sequencers and disconnects their outputs.
"""

from __future__ import annotations

import contextlib
import importlib.util
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from qctrl.errors import InstrumentError, InstrumentTimeoutError, MissingExtraError
from qctrl.instruments.qblox import _child

DUMMY: Final = "dummy"
"""Address of the vendor's stand-in: it assembles programs and answers as a cluster does, and plays nothing."""
_END_S: Final = 5.0


class Connection:
    """One cluster.

    Args:
        name: Its name in the rack file.
        address: Its address, or ``dummy``.
        modules: Model of module by slot.
    """

    def __init__(self, name: str, address: str, modules: Mapping[int, str]) -> None:
        self.name = name
        self.address = address
        self._modules = {str(slot): kind for slot, kind in modules.items()}
        self._process: subprocess.Popen[bytes] | None = None
        self._link: socket.socket | None = None
        self._lost = "it was never opened"

    @property
    def is_open(self) -> bool:
        """Whether it was opened, and answered in time ever since."""
        return self._link is not None

    def open(self, deadline_s: float) -> None:
        """Connect anew.

        Raises:
            MissingExtraError: The vendor's package is not installed.
            InstrumentError: Nobody answers.
        """
        if importlib.util.find_spec("qblox_instruments") is None:
            raise MissingExtraError(
                f"instrument {self.name} is a Qblox cluster; install its driver with: pip install 'qctrl-stack[qblox]'"
            )
        self.close()
        mine, theirs = socket.socketpair()
        with theirs:
            # As a file, without the rest of the stack, and without this folder among its modules.
            command = [sys.executable, "-P", str(_child.__file__), str(theirs.fileno())]
            self._process = subprocess.Popen(  # noqa: S603 (this interpreter, with our own module)
                command,
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
        self._link = mine
        address = "" if self.address == DUMMY else self.address
        self.call("open", address, self._modules, deadline_s=deadline_s)

    def call(self, verb: str, *args: Any, deadline_s: float) -> Any:
        """Ask the process for one of its verbs.

        Raises:
            InstrumentTimeoutError: It took too long; the connection is lost.
            InstrumentError: The cluster refused or failed, or the connection was lost before.
        """
        if self._link is None:
            raise self._error(f"cannot {verb}: {self._lost}; connect anew")
        until = time.monotonic() + deadline_s
        try:
            self._link.settimeout(deadline_s)
            _child.send(self._link, [verb, args])
            self._link.settimeout(max(0.001, until - time.monotonic()))
            data = _child.receive(self._link)
        except TimeoutError as error:
            self._give_up(f"{verb} took longer than {deadline_s:g} s")
            raise InstrumentTimeoutError(
                f"instrument {self.name} at {self.address} did not {verb} within {deadline_s:g} s; the connection is "
                "given up",
                name=self.name,
                address=self.address,
            ) from error
        except OSError as error:
            self._give_up(f"its process ended during {verb}")
            raise self._error(f"failed to {verb}: its process ended: {error}") from error
        if data is None:
            self._give_up(f"its process ended during {verb}")
            raise self._error(f"failed to {verb}: its process ended")
        answer = msgspec.msgpack.decode(data)
        if "error" in answer:
            raise self._error(f"failed to {verb}: {answer['error']}")
        return answer["value"]

    def close(self) -> None:
        """End the process; the cluster keeps its state."""
        if self._link is not None:
            # A process that does not listen any more is ended below.
            with contextlib.suppress(OSError):
                self._link.settimeout(_END_S)
                _child.send(self._link, [_child.LEAVE, ()])
        self._give_up("it was closed")

    def _give_up(self, why: str) -> None:
        self._lost = why
        if self._link is not None:
            self._link.close()
            self._link = None
        if self._process is not None:
            try:
                self._process.wait(0.0 if "longer" in why else _END_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait(_END_S)
            self._process = None

    def _error(self, text: str) -> InstrumentError:
        return InstrumentError(f"instrument {self.name} at {self.address} {text}", name=self.name, address=self.address)
