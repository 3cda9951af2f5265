"""Local oscillators in the dialect of the Rohde & Schwarz SGS100A and SMB100A."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from firmware_sim.scpi.instrument import Instrument, boolean, choice, command, number


@dataclass(frozen=True, slots=True)
class Model:
    """What differs between the models."""

    name: str
    firmware: str
    frequency_hz: tuple[float, float]
    power_dbm: tuple[float, float]


SGS100A: Final = Model("SGS100A/1416.0505k02", "4.2.76.0-4.30.046.295", (1e6, 12.75e9), (-120, 25))
SMB100A: Final = Model("SMB100A", "3.1.19.15-3.50.124.73", (100e3, 20e9), (-120, 30))


class RohdeSchwarzLo(Instrument):
    """One of them; see ``Oscillator``."""

    maker = "Rohde&Schwarz"

    def __init__(self, serial: str, model: Model) -> None:
        self.model, self.firmware, self._limits = model.name, model.firmware, model
        super().__init__(serial)

    def reset(self) -> None:
        """Return to the state after power-on."""
        self.frequency_hz = 1e9
        self.power_dbm = -30.0
        self.on = False
        self.reference = "INT"

    def outputs_on(self) -> list[int]:
        """Return its output, if it is on."""
        return [1] if self.on else []

    @command("[SOURce[1]:]FREQuency[:CW]")
    def set_frequency(self, value: str) -> None:
        """Set the carrier, Hz."""
        self.frequency_hz = number(value, *self._limits.frequency_hz)

    @command("[SOURce[1]:]FREQuency[:CW]?")
    def frequency(self) -> str:
        """Return the carrier, Hz."""
        return f"{self.frequency_hz:.12g}"

    @command("[SOURce[1]:]POWer[:LEVel][:IMMediate][:AMPLitude]")
    def set_power(self, value: str) -> None:
        """Set the level, dBm."""
        self.power_dbm = number(value, *self._limits.power_dbm)

    @command("[SOURce[1]:]POWer[:LEVel][:IMMediate][:AMPLitude]?")
    def power(self) -> str:
        """Return the level, dBm."""
        return f"{self.power_dbm:.9g}"

    @command("[SOURce[1]:]ROSCillator:SOURce")
    def set_reference(self, value: str) -> None:
        """Choose the reference."""
        self.reference = choice(value, "INTernal", "EXTernal")

    @command("[SOURce[1]:]ROSCillator:SOURce?")
    def reference_source(self) -> str:
        """Return the reference."""
        return self.reference

    @command("OUTPut[1][:STATe]")
    def set_output(self, state: str) -> None:
        """Switch the output."""
        self.on = boolean(state)

    @command("OUTPut[1][:STATe]?")
    def output(self) -> str:
        """Say whether the output is on."""
        return str(int(self.on))
