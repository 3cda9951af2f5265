"""A DC source in the dialect of the QDevil QDAC-II: 24 outputs that are never off.

Command forms follow the QCoDeS driver and its simulation file (``qcodes_contrib_drivers``, ``QDevil/QDAC2.py`` and
``sims/QDAC2.yaml``).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Final

from firmware_sim.scpi.instrument import Instrument, ScpiError, choice, command, number

OUTPUTS: Final = 24
_REACH_V: Final = {"LOW": 2.0, "HIGH": 10.0}


@dataclass(slots=True)
class Output:
    """One output; ``levels`` are all its levels since power-on, each with range and slew of that moment."""

    level_v: float = 0.0
    range: str = "HIGH"
    slew_v_s: float = 2e7
    filter: str = "HIGH"
    mode: str = "FIX"
    levels: list[tuple[float, str, float]] = field(default_factory=list[tuple[float, str, float]])


class Qdac2(Instrument):
    """The source; see ``Source``."""

    maker = "QDevil"
    model = "QDAC-II"
    firmware = "11-1.14"

    def reset(self) -> None:
        """Return to the state after power-on."""
        self.outputs = {index: Output() for index in range(1, OUTPUTS + 1)}

    def held_v(self, output: int) -> float:
        """Return what an output gives; see ``Source``."""
        return self.outputs[output].level_v

    def outputs_on(self) -> list[int]:
        """Return the outputs that are not at 0 V."""
        return [index for index, output in self.outputs.items() if output.level_v]

    def _output(self, index: int) -> Output:
        if index not in self.outputs:
            raise ScpiError(-114, f"Header suffix out of range;{index}")
        return self.outputs[index]

    @command("SOURce<n>:RANGe")
    def set_range(self, output: int, name: str) -> None:
        """Choose the low or the high range; a level beyond it is not possible."""
        chosen = choice(name, "LOW", "HIGH")
        if abs(self._output(output).level_v) > _REACH_V[chosen]:
            raise ScpiError(-221, "Settings conflict;the level is beyond the range")
        self._output(output).range = chosen

    @command("SOURce<n>:RANGe?")
    def range(self, output: int) -> str:
        """Return the range."""
        return self._output(output).range

    @command("SOURce<n>:RANGe:LOW:MAXimum?")
    def low_reach(self, output: int) -> str:
        """Return the largest level of the low range."""
        self._output(output)
        return f"{_REACH_V['LOW']:g}"

    @command("SOURce<n>:RANGe:HIGH:MAXimum?")
    def high_reach(self, output: int) -> str:
        """Return the largest level of the high range."""
        self._output(output)
        return f"{_REACH_V['HIGH']:g}"

    @command("SOURce<n>:FILTer")
    def set_filter(self, output: int, name: str) -> None:
        """Choose the low-pass filter."""
        self._output(output).filter = choice(name, "DC", "MEDium", "HIGH")

    @command("SOURce<n>:FILTer?")
    def low_pass(self, output: int) -> str:
        """Return the low-pass filter."""
        return self._output(output).filter

    @command("SOURce<n>:VOLTage:SLEW")
    def set_slew(self, output: int, value: str) -> None:
        """Set the slew, V/s."""
        self._output(output).slew_v_s = number(value, 0.01, 2e7)

    @command("SOURce<n>:VOLTage:SLEW?")
    def slew(self, output: int) -> str:
        """Return the slew, V/s."""
        return f"{self._output(output).slew_v_s:.9g}"

    @command("SOURce<n>:VOLTage:MODE")
    def set_mode(self, output: int, name: str) -> None:
        """Hold one level."""
        self._output(output).mode = choice(name, "FIXed")

    @command("SOURce<n>:VOLTage:MODE?")
    def mode(self, output: int) -> str:
        """Return the mode."""
        return self._output(output).mode

    @command("SOURce<n>:VOLTage")
    def set_level(self, output: int, value: str) -> None:
        """Go to a level with the slew."""
        chosen = self._output(output)
        reach = _REACH_V[chosen.range]
        level_v = number(value, -reach, reach)
        if not math.isclose(level_v, chosen.level_v, abs_tol=1e-12):
            chosen.levels.append((level_v, chosen.range, chosen.slew_v_s))
        chosen.level_v = level_v

    @command("SOURce<n>:VOLTage?")
    def level(self, output: int) -> str:
        """Return the level."""
        return f"{self._output(output).level_v:.9g}"
