"""The control port: asks for faults, and looks behind the instruments.

One JSON object per line, answered by one: ``{"instrument": "awg1", "fault": "delay_s", "value": 0.5}`` gives
``{"ok": true}``; ``{"instrument": "awg1", "ask": "state"}`` gives its settings.
"""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from collections.abc import Mapping
from dataclasses import fields
from typing import Any, Final

from firmware_sim.scpi.faults import WireFaults
from firmware_sim.scpi.instrument import Instrument
from firmware_sim.scpi.rack import EmulatedRack
from qctrl.errors import ConfigError

_WIRE: Final = tuple(field.name for field in fields(WireFaults))
_INSIDE: Final = ("identity", "reference_locked", "misses_triggers", "stuck_state", "frames_short", "corrupts")
"""Attributes of an instrument; the last four of generators and digitizers only."""


def inject(rack: EmulatedRack, name: str, fault: str, value: Any) -> None:
    """Let something go wrong with one instrument.

    Args:
        rack: The rack.
        name: The instrument.
        fault: A field of ``WireFaults``, an attribute that makes the instrument misbehave, ``push_error`` with
            (code, text) as value, or ``power_cycle``.
        value: Its value.

    Raises:
        ConfigError: There is no such instrument or fault.
    """
    if name not in rack.wires:
        raise ConfigError(f"there is no instrument {name!r}; known: {', '.join(rack.wires)}")
    instrument = rack.bench.instruments[name]
    if fault in _WIRE:
        setattr(rack.wires[name].faults, fault, value)
    elif fault in _INSIDE and hasattr(instrument, fault):
        setattr(instrument, fault, value)
    elif fault == "push_error":
        code, text = value
        instrument.push(int(code), str(text))
    elif fault == "power_cycle":
        rack.power_cycle(name)
    else:
        known = ", ".join((*_WIRE, *(one for one in _INSIDE if hasattr(instrument, one)), "push_error", "power_cycle"))
        raise ConfigError(f"{name} has no fault {fault!r}; known: {known}")


def state(instrument: Instrument) -> dict[str, Any]:
    """Return the plain settings of an instrument."""
    found: dict[str, Any] = {
        key: value for key, value in vars(instrument).items() if isinstance(value, str | int | float | bool)
    }
    found["outputs_on"] = instrument.outputs_on()
    return found


class Control:
    """Serves the control port.

    Args:
        rack: The rack.
        port: TCP port on this machine, 0 for any.
    """

    def __init__(self, rack: EmulatedRack, port: int) -> None:
        self._rack = rack
        self._listener = socket.create_server(("127.0.0.1", port))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._serve, name="control", daemon=True).start()

    def close(self) -> None:
        """End it."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with connection, connection.makefile("rw") as stream:
                for line in stream:
                    stream.write(json.dumps(self._answer(line)) + "\n")
                    stream.flush()

    def _answer(self, line: str) -> Mapping[str, Any]:
        try:
            asked = json.loads(line)
            if asked.get("ask") == "state":
                return state(self._rack.bench.instruments[asked["instrument"]])
            inject(self._rack, asked["instrument"], asked["fault"], asked.get("value", True))
        except (ConfigError, ValueError, KeyError, TypeError, AttributeError) as error:
            return {"ok": False, "error": f"{type(error).__name__}: {error}"}
        return {"ok": True}
