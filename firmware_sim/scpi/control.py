"""The control port: asks for faults, and looks behind the instruments.

One JSON object per line, answered by one: ``{"instrument": "awg1", "fault": "delay_s", "value": 0.5}`` gives
``{"ok": true}``; ``{"instrument": "awg1", "ask": "state"}`` gives its settings, ``"ask": "faults"`` what can go wrong.
"""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from collections.abc import Mapping
from typing import Any, Final

from firmware_sim.scpi.instrument import Instrument
from firmware_sim.scpi.rack import EmulatedRack
from qctrl.errors import ConfigError

_WIRE: Final = {
    "delay_s": float,
    "drop_at": int,
    "stop_reading_at": int,
    "extra_length": int,
    "flips": bool,
    "refuses": bool,
}
"""Fields of ``WireFaults``, and what they are."""
_INSIDE: Final = {
    "identity": str,
    "reference_locked": bool,
    "misses_triggers": bool,
    "stuck_state": int,
    "frames_short": int,
    "corrupts": bool,
}
"""Attributes of an instrument, and what they are; the last four of generators and digitizers only."""
_OPTIONAL: Final = ("drop_at", "stop_reading_at", "identity", "stuck_state")
"""``null`` takes them back."""
_USAGE: Final = (
    'say {"instrument": NAME, "fault": NAME, "value": VALUE}, or {"instrument": NAME, "ask": "state" or "faults"}'
)
_ACTS: Final = ("push_error", "power_cycle")


def faults_of(instrument: Instrument) -> tuple[str, ...]:
    """Return the names of what can go wrong with an instrument."""
    return (*_WIRE, *(name for name in _INSIDE if hasattr(instrument, name)), *_ACTS)


def inject(rack: EmulatedRack, name: str, fault: str, value: Any) -> None:
    """Let something go wrong with one instrument.

    Args:
        rack: The rack.
        name: The instrument.
        fault: A field of ``WireFaults``, an attribute that makes the instrument misbehave, ``push_error`` with
            (code, text) as value, or ``power_cycle``.
        value: Its value.

    Raises:
        ConfigError: There is no such instrument or fault, or it has no such value.
    """
    instrument = found(rack, name)
    if fault not in faults_of(instrument):
        raise ConfigError(f"{name} has no fault {fault!r}; known: {', '.join(faults_of(instrument))}")
    if fault == "power_cycle":
        rack.power_cycle(name)
    elif fault == "push_error":
        if not (isinstance(value, list | tuple) and len(value) == 2 and isinstance(value[0], int)):
            raise ConfigError(f"push_error takes a code and a text, not {value!r}")
        instrument.push(value[0], str(value[1]))
    else:
        _check(fault, value)
        setattr(rack.wires[name].faults if fault in _WIRE else instrument, fault, value)


def found(rack: EmulatedRack, name: str) -> Instrument:
    """Return an instrument of a rack.

    Raises:
        ConfigError: There is none of this name.
    """
    if name not in rack.wires:
        raise ConfigError(f"there is no instrument {name!r}; known: {', '.join(rack.wires)}")
    return rack.bench.instruments[name]


def state(instrument: Instrument) -> dict[str, Any]:
    """Return the plain settings of an instrument."""
    settings = {key: value for key, value in vars(instrument).items() if not key.startswith("_")}
    plain: dict[str, Any] = {key: value for key, value in settings.items() if isinstance(value, str | int | float)}
    plain["outputs_on"] = instrument.outputs_on()
    return plain


def _check(fault: str, value: Any) -> None:
    kind = (_WIRE | _INSIDE)[fault]
    fits = isinstance(value, int | float) and not isinstance(value, bool) if kind is float else type(value) is kind
    if not fits and not (value is None and fault in _OPTIONAL):
        raise ConfigError(f"{fault} takes a value of type {kind.__name__}, not {value!r}")


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
            return self._act(json.loads(line))
        except (ConfigError, ValueError) as error:
            return {"ok": False, "error": str(error)}

    def _act(self, asked: Any) -> Mapping[str, Any]:
        if not isinstance(asked, dict) or "instrument" not in asked or not ("fault" in asked or "ask" in asked):
            raise ConfigError(_USAGE)
        name = str(asked["instrument"])
        if "fault" in asked:
            inject(self._rack, name, str(asked["fault"]), asked.get("value", True))
            return {"ok": True}
        instrument = found(self._rack, name)
        if asked["ask"] not in ("state", "faults"):
            raise ConfigError(_USAGE)
        return state(instrument) if asked["ask"] == "state" else {"faults": faults_of(instrument)}
