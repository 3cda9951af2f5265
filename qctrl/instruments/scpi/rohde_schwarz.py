"""Rohde & Schwarz SGS100A and SMB100A as local oscillators.

Commands and their forms: QCoDeS, ``rohde_schwarz/SGS100A.py`` (``SOUR:FREQ``, ``SOUR:POW``, ``:OUTP:STAT``,
``SOUR:ROSC:SOUR``), and for the SMB100A its contributed drivers, ``drivers/RohdeSchwarz/SMB100A.py`` (the same but for
the reference, which is taken from the SGS100A). Never tried on a real instrument: everything. Doubtful above all: bit 5
of ``STATus:QUEStionable:CONDition?`` for an unlocked reference (SCPI-99 volume 1, 9.4).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from qctrl.config import RackInstrument
from qctrl.instruments.scpi.box import ScpiBox


@dataclass(frozen=True, slots=True)
class _Model:
    """What differs between the models."""

    prefix: str
    max_dbm: float


_MODELS: Final = {
    "rohde_schwarz_sgs100a": _Model("SGS100A", 25.0),
    "rohde_schwarz_smb100a": _Model("SMB100A", 30.0),
}


class RohdeSchwarzLo(ScpiBox):
    """A carrier; see ``Oscillator``."""

    makers = ("ROHDE",)
    park = ("OUTPut:STATe 0",)

    def __init__(self, name: str, entry: RackInstrument) -> None:
        super().__init__(name, entry)
        self._max_dbm = _MODELS[entry.kind].max_dbm
        self.models = (_MODELS[entry.kind].prefix,)

    def after_connect(self) -> None:
        """Choose the reference."""
        self.command(f"SOURce:ROSCillator:SOURce {'EXTernal' if self.entry.reference == 'external' else 'INTernal'}")

    def configure(self, frequency_hz: float, power_dbm: float) -> None:
        """Set carrier and level; see ``Oscillator``.

        Raises:
            ResourceError: The level is beyond the limits.
        """
        self.limited("power", power_dbm, self._limit_dbm(), "dBm")
        self.command(f"SOURce:FREQuency {frequency_hz!r}", f"SOURce:POWer {power_dbm!r}")
        took_hz = float(self.session.ask("SOURce:FREQuency?"))
        if abs(took_hz - frequency_hz) > 1e-3:
            raise self.error(f"its carrier is at {took_hz:.12g} Hz, {frequency_hz:.12g} Hz was set")

    def switch_on(self) -> None:
        """Switch the output on; see ``Oscillator``."""
        self.command("OUTPut:STATe 1")

    def are_outputs_on(self) -> bool:
        """Return whether the carrier is on."""
        return self.session.ask("OUTPut:STATe?") != "0"

    def limits_text(self) -> str:
        """Return the largest level."""
        return f"{self._limit_dbm():g} dBm"

    def _limit_dbm(self) -> float:
        limit = self.entry.limits.max_power
        return self._max_dbm if limit is None else min(limit, self._max_dbm)
