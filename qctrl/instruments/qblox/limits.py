"""What a module of a Qblox cluster can hold and do; every number is the vendor's.

Sources: docs.qblox.com, "The Q1 Sequencer" (instructions), "Control Sequencers" (waveforms), "Feedback Trigger
Handling" (trigger network); what the Q1ASM assembler of qblox-instruments 1.0.0 refuses (ranges of arguments); the
limits that Quantify states for the NCO grid and for acquisitions in ``backends/qblox/constants.py``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

MIN_NS: Final = 4
"""Shortest real-time instruction."""
MAX_NS: Final = 65532
"""Longest one: 16 bits, in whole steps of the NCO's grid."""
NCO_GRID_NS: Final = 4
"""Phases and frequencies change on this grid."""
WAVEFORM_SAMPLES: Final = 16384
WAVEFORMS: Final = 1024
WEIGHT_SAMPLES: Final = 16384
WEIGHTS: Final = 32
BINS: Final = 131072
REGISTERS: Final = 64
MAX_NCO_HZ: Final = 500_000_000
NCO_STEPS_PER_HZ: Final = 4
PHASE_STEPS: Final = 1_000_000_000
"""Steps of a turn."""
GAIN_STEPS: Final = 32768
"""Gains and offsets are signed 16-bit numbers."""
MIN_INTEGRATION_NS: Final = 4
MAX_INTEGRATION_NS: Final = 16_777_212
ACQUISITION_SPACING_NS: Final = 300
"""Acquisitions of one sequencer begin at least so far apart."""
TRIGGERS: Final = 15
"""Addresses of the trigger network."""
TRIGGER_LATENCY_NS: Final = 240
"""From the end of an integration to the latch of every sequencer: 212 ns of travel on a grid of 28 ns."""
TRIGGER_SPACING_NS: Final = 252
"""One trigger at a time travels on the backplane."""
QUEUE: Final = 32
"""Real-time instructions that wait between the core and the real-time part."""
CORE_CLOCK_NS: Final = 4
LO_HZ: Final = (2.0e9, 18.0e9)
SAMPLE_NS: Final = 1


@dataclass(frozen=True, slots=True)
class ModuleKind:
    """A model of module."""

    name: str
    instructions: int
    """Instruction memory of a sequencer."""
    sequencers: int
    outputs: int
    """Physical outputs; an RF output carries I and Q."""
    is_rf: bool
    acquires: bool


MODULES: Final = {
    kind.name: kind
    for kind in (
        ModuleKind("QCM", 16384, 6, 4, is_rf=False, acquires=False),
        ModuleKind("QCM-RF", 16384, 6, 2, is_rf=True, acquires=False),
        ModuleKind("QRM", 12288, 6, 2, is_rf=False, acquires=True),
        ModuleKind("QRM-RF", 12288, 6, 1, is_rf=True, acquires=True),
    )
}
"""By the vendor's name."""
