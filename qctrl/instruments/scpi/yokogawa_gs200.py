"""Yokogawa GS200 (GS210, GS211) as voltage source.

Commands and their forms: QCoDeS, ``yokogawa/Yokogawa_GS200.py`` (``:SOUR:FUNC``, ``:SOUR:RANG``, ``:SOUR:LEV``,
``:SOUR:PROT:CURR``, ``:OUTP``); it ramps in steps from the host too. Never tried on a real instrument: everything.
"""

from __future__ import annotations

import math
import time
from typing import Final

from qctrl.instruments.scpi.box import ScpiBox

_MAX_V: Final = 30.0
_STEP_S: Final = 0.02
_SLEW_V_S: Final = 0.1
"""Unless the rack file says otherwise."""
_CURRENT_A: Final = 0.1


class YokogawaGs200(ScpiBox):
    """A level that is never dropped; see ``DcSource``."""

    makers = ("YOKOGAWA",)
    models = ("GS2",)
    park = ()
    """It holds: a flux bias that falls to zero moves every qubit."""

    def ramp(self, port: str, level_v: float) -> None:  # noqa: ARG002 (it has one output)
        """Go to a level in small steps; see ``DcSource``.

        Raises:
            ResourceError: The level is beyond the limits.
        """
        limits = self.entry.limits
        self.limited("level", level_v, _MAX_V if limits.max_level is None else limits.max_level, "V", both_sides=True)
        on = self.are_outputs_on()
        now_v = float(self.session.ask(":SOURce:LEVel?")) if on else 0.0
        if on and now_v == level_v:
            return
        slew_v_s = limits.max_slew or _SLEW_V_S
        if not on:
            # Protection and range before any level.
            reach = max(abs(level_v), limits.max_level or 1e-3)
            lines = ("FUNCtion VOLTage", f"RANGe {reach!r}", f"PROTection:CURRent {_CURRENT_A!r}", "LEVel 0.0")
            self.command(*(f":SOURce:{line}" for line in lines), ":OUTPut 1")
        n_steps = max(1, math.ceil(abs(level_v - now_v) / (slew_v_s * _STEP_S)))
        for left in range(n_steps - 1, -1, -1):
            self.command(f":SOURce:LEVel {level_v - (level_v - now_v) * left / n_steps!r}")
            time.sleep(_STEP_S if n_steps > 1 else 0.0)

    def is_locked(self) -> bool:
        """It has no clock."""
        return True

    def are_outputs_on(self) -> bool:
        """Return whether the level is on the output."""
        return self.session.ask(":OUTPut?") != "0"

    def limits_text(self) -> str:
        """Return largest level and slew."""
        limits = self.entry.limits
        level_v = _MAX_V if limits.max_level is None else limits.max_level
        return f"{level_v:g} V, {limits.max_slew or _SLEW_V_S:g} V/s"
