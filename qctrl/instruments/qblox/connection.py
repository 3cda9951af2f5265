"""``Connection``: a Qblox cluster through the vendor's package, in a process of its own that can be ended.

A call that is late poisons the connection: its process is killed, and nothing is asked of the cluster before it was
opened anew. When this process dies without a word, the other one stops all sequencers and disconnects their outputs.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from qctrl.errors import InstrumentError, InstrumentTimeoutError, MissingExtraError
from qctrl.instruments.child import Child

DUMMY: Final = "dummy"
"""Address of the vendor's stand-in: it assembles programs and answers as a cluster does, and plays nothing."""
_CHILD: Final = Path(__file__).with_name("_child.py")


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
        self._child = Child(name, address, _CHILD, "qblox")
        self._lost = "it was never opened"

    @property
    def is_open(self) -> bool:
        """Whether it was opened, and answered in time ever since."""
        return self._child.is_alive

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
        self._child.start()
        address = "" if self.address == DUMMY else self.address
        self.call("open", address, self._modules, deadline_s=deadline_s)

    def call(self, verb: str, *args: Any, deadline_s: float) -> Any:
        """Ask the process for one of its verbs.

        Raises:
            InstrumentTimeoutError: It took too long; the connection is lost.
            InstrumentError: The cluster refused or failed, or the connection was lost before.
        """
        if not self.is_open:
            raise self._error(f"cannot {verb}: {self._lost}; connect anew")
        try:
            answer, _ = self._child.request({"verb": verb, "args": args}, None, deadline_s)
        except InstrumentTimeoutError as error:
            self._lost = f"{verb} took longer than {deadline_s:g} s"
            raise InstrumentTimeoutError(
                f"instrument {self.name} at {self.address} did not {verb} within {deadline_s:g} s; the connection is "
                "given up",
                name=self.name,
                address=self.address,
            ) from error
        except InstrumentError as error:
            self._lost = f"its process ended during {verb}"
            raise self._error(f"failed to {verb}: its process ended: {error}") from error
        if "error" in answer:
            raise self._error(f"failed to {verb}: {answer['error']}")
        return answer["value"]

    def close(self) -> None:
        """End the process; the cluster keeps its state."""
        self._child.close()
        self._lost = "it was closed"

    def _error(self, text: str) -> InstrumentError:
        return InstrumentError(f"instrument {self.name} at {self.address} {text}", name=self.name, address=self.address)
