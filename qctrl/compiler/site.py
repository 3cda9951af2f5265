"""What a gate on certain qubits plays: timed actions on frames."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from qctrl.ir.expression import Expression
    from qctrl.signal.envelopes import Envelope


@dataclass(frozen=True, slots=True)
class SiteFrame:
    """A carrier on a port; frames of equal group share every phase shift."""

    port: str
    frequency_hz: float
    group: int
    """Index of the qubit whose virtual Z it follows, -1 for none."""


@dataclass(frozen=True, slots=True)
class SitePlay:
    """One envelope on one frame."""

    frame: SiteFrame
    offset_ticks: int
    length_ticks: int
    envelope: Envelope
    amplitude: float | Expression
    phase: int
    """Own phase, in 2**-32 turn."""
    own_group: int = -1
    """Phases of the gate's own that it follows, numbered from 0 within the gate; -1 for none."""


@dataclass(frozen=True, slots=True)
class SiteCapture:
    """One window on one frame, and how its bit is decided."""

    frame: SiteFrame
    offset_ticks: int
    length_ticks: int
    coefficients: tuple[tuple[float, ...], ...]


@dataclass(frozen=True, slots=True)
class SiteShift:
    """A virtual Z on one qubit, after what comes before it."""

    group: int
    phase: int | Expression
    """In 2**-32 turn; an expression is in rad."""
    is_own: bool = False
    """Whether ``group`` is one of the gate's own phases, which begin at 0 with the gate, and no qubit."""


@dataclass(frozen=True, slots=True)
class SiteTune:
    """A change of a frame's frequency."""

    frame: SiteFrame
    offset_ticks: int
    frequency: float | Expression | None
    """In Hz; ``None`` goes back to that of the frame."""


SiteAction: TypeAlias = SitePlay | SiteCapture | SiteShift | SiteTune


@dataclass(frozen=True, slots=True)
class Site:
    """A gate on certain qubits."""

    duration_ticks: int
    alignment_ticks: int
    """It starts on a multiple of this."""
    actions: tuple[SiteAction, ...]
    """In the order in which phases act on them."""

    @property
    def n_own_groups(self) -> int:
        """Phases that begin at 0 with the gate."""
        own = [action.own_group for action in self.actions if isinstance(action, SitePlay)]
        own += [action.group for action in self.actions if isinstance(action, SiteShift) and action.is_own]
        return max(own, default=-1) + 1

    @property
    def frames(self) -> tuple[SiteFrame, ...]:
        """Distinct frames that it keeps busy."""
        busy = (action.frame for action in self.actions if not isinstance(action, SiteShift))
        return tuple(dict.fromkeys(busy))

    def after(self, ticks: int) -> tuple[SiteAction, ...]:
        """Return the actions, as many ticks later; for sites that are made of others."""
        return tuple(
            action if isinstance(action, SiteShift) else replace(action, offset_ticks=action.offset_ticks + ticks)
            for action in self.actions
        )
