"""``Subject``: a driver on trial, and what a rule says when it is broken."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from qctrl.config import InstrumentLimits, RackInstrument
from qctrl.errors import QctrlError
from qctrl.instruments.boxes.base import Box


class BrokenRuleError(AssertionError):
    """A driver does not keep its contract."""


@dataclass(frozen=True, slots=True, eq=False)
class Subject:
    """A driver, and a box that answers it: an emulated one, or a real one whose outputs are on a load.

    Attributes:
        make: Makes a driver of a name and an entry, as the entry point does.
        entry: What a rack file says of the box.
        sample_rate_hz: A rate that a generator or digitizer can take.
        full_scale_v: Volts that its channels may be asked for.
        carrier_hz: Frequency that an oscillator may be asked for; its level is -20 dBm.
        level_v: Level that a DC source may be brought to.
    """

    make: Callable[[str, RackInstrument], Box]
    entry: RackInstrument
    sample_rate_hz: float = 1e9
    full_scale_v: float = 0.25
    carrier_hz: float = 5e9
    level_v: float = 0.02

    @contextmanager
    def driver(self, **changes: Any) -> Generator[Any]:
        """Yield a driver that is not connected; its box is left in the safe state.

        Args:
            changes: Other values for some fields of the entry; ``max_...`` are limits.
        """
        limits = {key: changes.pop(key) for key in list(changes) if key.startswith("max_")}
        if limits:
            changes["limits"] = InstrumentLimits(**{**self.entry.limits.model_dump(), **limits})
        found = self.make("subject", self.entry.model_copy(update=changes))
        try:
            yield found
            found.safe_state()
        finally:
            found.close()


def require(holds: bool, text: str) -> None:
    """Refuse a driver for which something does not hold.

    Args:
        holds: The condition.
        text: What should hold.

    Raises:
        BrokenRuleError: It does not.
    """
    if not holds:
        raise BrokenRuleError(text)


def require_refusal(kind: type[QctrlError], action: Callable[[], object], text: str) -> None:
    """Require that something is refused.

    Args:
        kind: What has to be raised.
        action: What has to be refused.
        text: What should be refused, for the message.

    Raises:
        BrokenRuleError: It was done, or refused otherwise.
    """
    try:
        action()
    except kind:
        return
    except Exception as error:
        raise BrokenRuleError(f"{text} raises {type(error).__name__}, not {kind.__name__}: {error}") from error
    raise BrokenRuleError(f"{text} is not refused")
