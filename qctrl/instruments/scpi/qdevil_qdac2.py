"""QDevil QDAC-II as voltage source: 24 outputs.

Commands and their forms: QCoDeS' contributed drivers, ``drivers/QDevil/QDAC2.py`` 0.24 (``sour{n}:rang``,
``sour{n}:rang:low:max?``, ``sour{n}:filt``, ``sour{n}:volt:slew``, ``sour{n}:volt:mode fix``, ``sour{n}:volt``,
``syst:err?``; slews from 0.01 to 2e7 V/s). The instrument ramps by itself. It has no switch per output and no public
command for a limit of the current: the range is what protects the line.

Never tried on a real instrument: everything. Doubtful above all: that a new range with the output at 0 V is free of a
step.
"""

from __future__ import annotations

import time
from typing import Final

from qctrl.errors import ResourceError
from qctrl.instruments.scpi.box import ScpiBox

_LOW_V: Final = 2.0
_MAX_V: Final = 10.0
_SLEW_V_S: Final = 0.1
"""Unless the rack file says otherwise."""
_LEAST_SLEW_V_S: Final = 0.01


class QdevilQdac2(ScpiBox):
    """Levels that are never dropped, in the smallest range that holds them; see ``DcSource``."""

    makers = ("QDEVIL",)
    models = ("QDAC-II",)
    park = ()
    """It holds: a flux bias that falls to zero moves every qubit."""

    def ramp(self, port: str, level_v: float) -> None:
        """Go to a level with the slew of the instrument; see ``DcSource``.

        Raises:
            ResourceError: The level or the slew is beyond the limits.
            InstrumentError: The output is in another range, and not at 0 V.
        """
        output, limits = self.entry.bias[port], self.entry.limits
        self.limited(f"level of output {output}", level_v, self._most_v(), "V", both_sides=True)
        slew_v_s = limits.max_slew or _SLEW_V_S
        if slew_v_s < _LEAST_SLEW_V_S:
            raise ResourceError(f"instrument {self.name}: it ramps with 0.01 V/s or more, max_slew is {slew_v_s:g} V/s")
        wanted = "low" if self._most_v() <= _LOW_V else "high"
        now_v = float(self.session.ask(f"sour{output}:volt?"))
        in_range = self.session.ask(f"sour{output}:rang?").strip().lower() == wanted
        if not in_range and now_v:
            raise self.error(
                f"output {output} holds {now_v:g} V in another range than {wanted}, and changing that may drop the "
                "level; bring it to 0 V by hand, or change max_level in the rack file"
            )
        # Slew and range before any level.
        self.command(
            f"sour{output}:volt:slew {slew_v_s!r}", f"sour{output}:rang {wanted}", f"sour{output}:volt:mode fix"
        )
        if now_v != level_v:
            self.command(f"sour{output}:volt {level_v!r}")
            time.sleep(abs(level_v - now_v) / slew_v_s)

    def is_locked(self) -> bool:
        """Its levels need no reference."""
        return True

    def are_outputs_on(self) -> bool:
        """Return whether an output in use is not at 0 V; it has no switches."""
        return any(float(self.session.ask(f"sour{output}:volt?")) for output in self.entry.bias.values())

    def limits_text(self) -> str:
        """Return largest level and slew."""
        return f"{self._most_v():g} V, {self.entry.limits.max_slew or _SLEW_V_S:g} V/s"

    def _most_v(self) -> float:
        limit = self.entry.limits.max_level
        return _MAX_V if limit is None else min(limit, _MAX_V)
