"""What a run has seen so far, and how far its results can be trusted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from qctrl.errors import InstrumentFault

if TYPE_CHECKING:
    from collections.abc import Iterable

    from firmware_sim.physics.evolution import Plan
    from firmware_sim.physics.segment_gates import SegmentGates

_MOST_NEGLECTED = 1e-2
"""Infidelity of a run, by its own estimate, from which on it is unsafe."""
_MOST_LOST = 0.1
"""Norm that one gate may lose to a level that is cut off."""


@dataclass(slots=True)
class Tally:
    """Counts and bounds of a run, for ``statistics``."""

    largest_cluster: int = 0
    neglected: float = 0.0
    """Infidelity that products of edge ratios leave open, summed over segments."""
    truncated: bool = False
    """Whether a cluster was cut because it had too many qubits."""
    lost: float = 0.0
    """Most norm that a gate took from a basis state by cutting levels off."""
    measured: int = 0
    """Qubits measured, or, with two levels, shots begun."""
    leaked: float = 0
    """Those of them that were found above level 1, or lost from a state of two levels; of a mixed one, expected."""
    most_branches: int = 0
    most_columns: int = 0
    most_qubits: int = 0
    single: bool = False
    """Whether columns were of single precision."""

    def add_plan(self, plan: Plan) -> None:
        """Count the operators of a segment of a dense state."""
        self.largest_cluster = max(self.largest_cluster, plan.largest)
        self.neglected += plan.neglected
        self.truncated |= plan.truncated

    def add_segments(self, segments: Iterable[SegmentGates]) -> None:
        """Count the gates of segments of columns."""
        for segment in segments:
            self.largest_cluster = max(self.largest_cluster, segment.largest)
            self.neglected += segment.neglected
            self.truncated |= segment.truncated
            self.lost = max(self.lost, segment.lost)

    @property
    def unsafe(self) -> bool:
        """Whether results may be wrong beyond what the statistics estimate."""
        return self.truncated or self.neglected > _MOST_NEGLECTED or self.lost > _MOST_LOST

    def refuse_unsafe(self) -> None:
        """Refuse what cannot be trusted.

        Raises:
            InstrumentFault: It is unsafe.
        """
        if self.unsafe:
            raise InstrumentFault(
                f"the emulator's approximation does not hold here: {self.why()}; "
                "allow_unsafe=True goes on all the same",
                fault_code="QC-UNSAFE",
            )

    def why(self) -> str:
        """Return why it is unsafe, and the way out."""
        if self.truncated:
            return "couplers that act at once join more qubits than it can hold; play fewer of them at a time"
        if self.lost > _MOST_LOST:
            return (
                f"a pulse that passes through level 2 is cut in two by another line, where {self.lost:.0%} of a state "
                "are in level 2; use levels=3"
            )
        return f"couplings at rest are too strong, it would leave out up to {self.neglected:.1e} of the state"

    def statistics(self) -> dict[str, Any]:
        """Return what was counted.

        ``neglected_infidelity`` estimates what the order of edge ratios leaves open; ``truncated_norm`` is
        the most that a gate lost to levels that the state does not hold; ``leaked_fraction`` is that of measured
        qubits found above level 1, or, with two levels, of shots that were lost from it.
        """
        return {
            "qubits": self.most_qubits,
            "largest_cluster": self.largest_cluster,
            "precision": "single" if self.single else "double",
            "branches": self.most_branches,
            "columns": self.most_columns,
            "approximation": "unsafe" if self.unsafe else "edge ratios",
            "neglected_infidelity": self.neglected,
            "truncated_norm": self.lost,
            "leaked_fraction": self.leaked / self.measured if self.measured else 0.0,
        }
