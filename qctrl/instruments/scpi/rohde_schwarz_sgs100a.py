"""Rohde & Schwarz SGS100A as local oscillator.

Commands and their forms: QCoDeS, ``rohde_schwarz/SGS100A.py`` (``SOUR:FREQ``, ``SOUR:POW``, ``:OUTP:STAT``,
``SOUR:ROSC:SOUR``). Never tried on a real instrument: everything. Doubtful above all: bit 5 of
``STATus:QUEStionable:CONDition?`` for an unlocked reference (SCPI-99 volume 1, 9.4).
"""

from __future__ import annotations

from qctrl.instruments.scpi.box import ScpiBox

_MAX_DBM = 25.0


class RohdeSchwarzSgs100a(ScpiBox):
    """A carrier; see ``Oscillator``."""

    maker = "Rohde"
    models = ("SGS100A",)
    park = ("OUTPut:STATe 0",)

    def after_connect(self) -> None:
        """Choose the reference."""
        self.command(f"SOURce:ROSCillator:SOURce {'EXTernal' if self.entry.reference == 'external' else 'INTernal'}")

    def configure(self, frequency_hz: float, power_dbm: float) -> None:
        """Set carrier and level; see ``Oscillator``.

        Raises:
            ResourceError: The level is beyond the limits.
        """
        if power_dbm > 0:
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
        return _MAX_DBM if limit is None else min(limit, _MAX_DBM)
