"""The process behind a QCoDeS instrument: QCoDeS calls may hang, so they happen where they can be ended.

Run as a file, like the process behind a VISA session.
"""

from __future__ import annotations

import contextlib
import importlib
import inspect
import runpy
from operator import attrgetter
from pathlib import Path
from typing import Any


class Worker:
    """Does what the parent asks of one QCoDeS instrument."""

    def __init__(self) -> None:
        self._instrument: Any = None
        self._park: list[tuple[str, Any]] = []

    def do(self, request: dict[str, Any], payload: memoryview) -> tuple[dict[str, Any], bytes]:  # noqa: ARG002
        verb = request["verb"]
        if verb == "open":
            module, _, kind = request["driver"].partition(":")
            driver = getattr(importlib.import_module(module), kind)
            settings = dict(request["settings"])
            if "address" in inspect.signature(driver.__init__).parameters:  # simulated instruments have none
                settings["address"] = request["address"]
            self._instrument = driver(request["name"], **settings)
            found = self._instrument.get_idn()
            return {"idn": [str(found.get(key) or "") for key in ("vendor", "model", "serial", "firmware")]}, b""
        if verb == "park":
            self._park = [(path, value) for path, value in request["settings"]]
            return {}, b""
        parameter = attrgetter(request["text"])(self._instrument)
        if verb == "set":
            parameter(request["value"])
            return {}, b""
        return {"value": parameter()}, b""

    def leave(self, *, abandoned: bool) -> None:
        with contextlib.suppress(Exception):
            if self._instrument is not None and abandoned:
                for path, value in self._park:
                    attrgetter(path)(self._instrument)(value)
            if self._instrument is not None:
                self._instrument.close()


if __name__ == "__main__":
    runpy.run_path(str(Path(__file__).parents[1] / "_child_loop.py"))["serve"](Worker())
