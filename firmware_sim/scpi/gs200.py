"""A DC source in the dialect of the Yokogawa GS200."""

from __future__ import annotations

from typing import Final

from firmware_sim.scpi.instrument import Instrument, boolean, choice, command, number

_RANGES_V: Final = (10e-3, 100e-3, 1.0, 10.0, 30.0)
_OVER: Final = 1.2
"""A range reaches to 120 % of its name, but for the largest."""


class Gs200(Instrument):
    """The source; ``levels_v`` are all levels since power-on."""

    maker = "YOKOGAWA"
    model = "GS210"
    firmware = "2.02"

    def reset(self) -> None:
        """Return to the state after power-on."""
        self.range_v = 1.0
        self.level_v = 0.0
        self.levels_v = [0.0]
        self.limit_a = 0.2
        self.on = False

    def outputs_on(self) -> list[int]:
        """Return its output, if it is on."""
        return [1] if self.on else []

    def held_v(self, output: int) -> float:  # noqa: ARG002 (it has one)
        """Return what it gives; see ``Source``."""
        return self.level_v if self.on else 0.0

    @command("[SOURce:]FUNCtion")
    def set_function(self, kind: str) -> None:
        """Be a voltage source."""
        choice(kind, "VOLTage")

    @command("[SOURce:]FUNCtion?")
    def function(self) -> str:
        """Say that it is a voltage source."""
        return "VOLT"

    @command("[SOURce:]RANGe")
    def set_range(self, volts: str) -> None:
        """Choose the smallest range that holds a voltage."""
        value = abs(number(volts, -30, 30))
        self.range_v = next(limit for limit in _RANGES_V if value <= limit)

    @command("[SOURce:]RANGe?")
    def range(self) -> str:
        """Return the range."""
        return f"{self.range_v:.9g}"

    @command("[SOURce:]LEVel[:FIXed]")
    def set_level(self, volts: str) -> None:
        """Set the level at once."""
        reach = self.range_v * (_OVER if self.range_v < _RANGES_V[-1] else 32 / 30)
        self.level_v = number(volts, -reach, reach)
        self.levels_v.append(self.level_v)

    @command("[SOURce:]LEVel[:FIXed]?")
    def level(self) -> str:
        """Return the level."""
        return f"{self.level_v:.9g}"

    @command("[SOURce:]PROTection:CURRent")
    def set_limit(self, amperes: str) -> None:
        """Set the current limit."""
        self.limit_a = number(amperes, 1e-3, 0.2)

    @command("[SOURce:]PROTection:CURRent?")
    def limit(self) -> str:
        """Return the current limit."""
        return f"{self.limit_a:.9g}"

    @command("OUTPut[:STATe]")
    def set_output(self, state: str) -> None:
        """Switch the output."""
        self.on = boolean(state)

    @command("OUTPut[:STATe]?")
    def output(self) -> str:
        """Say whether the output is on."""
        return str(int(self.on))
