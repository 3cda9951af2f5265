"""A driver with the shape of a QCoDeS one, without QCoDeS: what it is told is kept in a file, as a box keeps it."""

from __future__ import annotations

import json
import time
from pathlib import Path


class Plain:
    """Parameters are called to be read, and called with a value to be set."""

    def __init__(self, name, file, serial="S1"):
        self._file, self._serial = Path(file), serial
        self.rf = self
        for parameter in ("frequency", "power", "status", "v1", "v2", "hangs"):
            setattr(self, parameter, lambda *value, key=parameter: self._call(key, *value))

    def get_idn(self):
        return {"vendor": "ACME", "model": "Plain", "serial": self._serial, "firmware": None}

    def close(self):
        self._call("closed", True)

    def _call(self, key, *value):
        if key == "hangs":
            time.sleep(60)
        held = json.loads(self._file.read_text()) if self._file.exists() else {}
        if not value:
            return held.get(key, "off" if key == "status" else 0.0)
        if key == "power" and value[0] > 20:
            raise ValueError("power is not in range")
        held[key] = value[0]
        held.setdefault("log", []).append([key, value[0]])
        self._file.write_text(json.dumps(held))
        return None
