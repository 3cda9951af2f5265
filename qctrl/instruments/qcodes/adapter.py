"""Any QCoDeS instrument as an oscillator or a DC source; which of its parameters are which is said in the rack file.

Commands are those of the QCoDeS driver that is named; what was tried on a real instrument is its authors' to say. Tried
here: QCoDeS' own SGS100A and GS200 drivers before the emulated boxes. QCoDeS has no common words for an error queue and
for the lock of a reference, so neither is checked: an oscillator has to be set to the external reference by hand.
"""

from __future__ import annotations

import math
import time
from pathlib import Path
from typing import Any, Final

from qctrl.config import QcodesDriver, RackInstrument
from qctrl.errors import ConfigError, InstrumentError, ResourceError
from qctrl.instruments.boxes.base import BoxHealth, BoxIdentity
from qctrl.instruments.child import Child

_CHILD: Final = Path(__file__).with_name("_qcodes_child.py")
_START_S: Final = 60.0
"""Start of the process, of QCoDeS in it, and of the instrument's driver."""
_CALL_S: Final = 10.0
_STEP_S: Final = 0.02
_SLEW_V_S: Final = 0.1
"""Unless the rack file says otherwise."""


class QcodesBox:
    """An instrument in a process of its own, its identity and its output; see ``Box``.

    Args:
        name: Name of the instrument in the rack.
        entry: What the rack file says of it.

    Raises:
        ConfigError: It does not say which QCoDeS driver.
    """

    holds = False
    """Whether the output stays on in the safe state."""

    def __init__(self, name: str, entry: RackInstrument) -> None:
        if entry.qcodes is None:
            raise ConfigError(f"instruments.{name}: a {entry.kind} needs qcodes: {{driver: 'package.module:Class'}}")
        self.name = name
        self.entry = entry
        self.words: QcodesDriver = entry.qcodes
        self._child = Child(name, entry.address, _CHILD, "qcodes")
        self._identity: BoxIdentity | None = None

    def connect(self) -> BoxIdentity:
        """Start the process anew, and check who answers; see ``Box``.

        Raises:
            InstrumentError: Nobody answers, or another instrument does.
        """
        self._child.start()
        words = self.words
        body = {"verb": "open", "driver": words.driver, "name": self.name, "address": self.entry.address}
        answer, _ = self._child.request({**body, "settings": dict(words.settings)}, None, _START_S)
        identity = BoxIdentity(*answer["idn"])
        if self.entry.serial and identity.serial != self.entry.serial:
            self._child.close()
            raise self._child.lost(f"serial number {identity.serial} answers, not {self.entry.serial}; nothing was set")
        park = [] if self.holds or words.output is None else [(words.output, words.switched_off)]
        self._child.request({"verb": "park", "settings": park}, None, _CALL_S)
        self._identity = identity
        return identity

    def is_connected(self) -> bool:
        """Return whether it answers on this connection."""
        if not self._child.is_alive:
            return False
        try:
            self.get(self.words.output or self.probe())
        except InstrumentError:
            return False
        return True

    def health(self) -> BoxHealth:
        """Ask for what QCoDeS has a word for; see ``Box``."""
        if not self._child.is_alive:
            self.connect()
        identity = self._identity or BoxIdentity("", "", "", "")
        return BoxHealth(identity, reference_locked=True, outputs_on=self.is_on(), errors=(), limits=self.limits_text())

    def safe_state(self) -> None:
        """Switch the output off, unless it holds a level; see ``Box``."""
        if not self._child.is_alive:
            self.connect()
        if not self.holds:
            self.switch(on=False)

    def close(self) -> None:
        """End the process; the instrument keeps its state."""
        self._child.close()

    def is_on(self) -> bool:
        """Return whether the output is on; without a switch it always is."""
        if self.words.output is None:
            return True
        found = self.get(self.words.output)
        return found == self.words.switched_on or str(found).lower() in ("on", "1", "true")

    def switch(self, *, on: bool) -> None:
        """Switch the output, if something does, and make sure of it.

        Raises:
            InstrumentError: It did not follow.
        """
        if self.words.output is None:
            return
        self.set(self.words.output, self.words.switched_on if on else self.words.switched_off)
        # The driver returns when it has sent the command; a reply says that it was carried out.
        if self.is_on() != on:
            raise self._child.lost(f"its output does not follow {self.words.output}")

    def get(self, path: str) -> Any:
        """Return what a parameter has."""
        answer, _ = self._child.request({"verb": "get", "text": path}, None, _CALL_S)
        return answer["value"]

    def set(self, path: str, value: Any) -> None:
        """Set a parameter."""
        self._child.request({"verb": "set", "text": path, "value": value}, None, _CALL_S)

    def probe(self) -> str:
        """Return a parameter that can be read at any time."""
        return self.words.frequency

    def limits_text(self) -> str:
        """Return the limits that are kept here; the QCoDeS driver has its own."""
        return ""


class QcodesOscillator(QcodesBox):
    """A carrier; see ``Oscillator``, and the module for what was never tried."""

    def configure(self, frequency_hz: float, power_dbm: float) -> None:
        """Set carrier and level; see ``Oscillator``.

        Raises:
            ResourceError: The level is beyond the limit.
            InstrumentError: The carrier is not where it was set.
        """
        limit = self.entry.limits.max_power
        if limit is not None and not power_dbm <= limit:
            raise ResourceError(
                f"instrument {self.name}: power of {power_dbm:g} dBm is beyond its limit of {limit:g} dBm; "
                "nothing was sent"
            )
        self.set(self.words.frequency, frequency_hz)
        self.set(self.words.power, power_dbm)
        took_hz = float(self.get(self.words.frequency))
        if abs(took_hz - frequency_hz) > 1e-3:
            raise self._child.lost(f"its carrier is at {took_hz:.12g} Hz, {frequency_hz:.12g} Hz was set")

    def switch_on(self) -> None:
        """Switch the output on; see ``Oscillator``."""
        self.switch(on=True)

    def limits_text(self) -> str:
        """Return the largest level."""
        limit = self.entry.limits.max_power
        return "limits of the QCoDeS driver" if limit is None else f"{limit:g} dBm"


class QcodesSource(QcodesBox):
    """Levels that are never dropped; see ``DcSource``, and the module for what was never tried."""

    holds = True

    def ramp(self, port: str, level_v: float) -> None:
        """Go to a level in small steps; see ``DcSource``.

        Raises:
            ResourceError: The level is beyond the limit.
        """
        limits = self.entry.limits
        if limits.max_level is not None and not abs(level_v) <= limits.max_level:
            raise ResourceError(
                f"instrument {self.name}: level of {level_v:g} V is beyond its limit of {limits.max_level:g} V; "
                "nothing was sent"
            )
        path = self._level(port)
        if not self.is_on() and self.words.output is not None:
            self.set(path, 0.0)
            self.switch(on=True)
        now_v = float(self.get(path))
        slew_v_s = limits.max_slew or _SLEW_V_S
        n_steps = math.ceil(abs(level_v - now_v) / (slew_v_s * _STEP_S))
        for left in range(n_steps - 1, -1, -1):
            self.set(path, level_v - (level_v - now_v) * left / n_steps)
            time.sleep(_STEP_S if n_steps > 1 else 0.0)

    def probe(self) -> str:
        """Return the level of the first port."""
        return self._level(self.entry.held_ports[0])

    def limits_text(self) -> str:
        """Return largest level and slew."""
        limits = self.entry.limits
        level = "level of the QCoDeS driver" if limits.max_level is None else f"{limits.max_level:g} V"
        return f"{level}, {limits.max_slew or _SLEW_V_S:g} V/s"

    def _level(self, port: str) -> str:
        return self.words.level.format(output=self.entry.bias.get(port, 1))
