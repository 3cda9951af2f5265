"""Memory sizes and ranges of a sequencer that speaks this format."""

from __future__ import annotations

from typing import Final

MAX_FRAMES: Final = 2**14
MAX_EVENTS: Final = 2**24
MAX_ENVELOPES: Final = 2**20
MAX_ENVELOPE_SAMPLES: Final = 2**24
"""Samples of all envelopes of a program together."""
MAX_BLOCKS: Final = 2**16
MAX_FLOW: Final = 2**16
MAX_CAPTURES: Final = 2**20
MAX_DISCRIMINATORS: Final = 2**14
MAX_CLBITS: Final = 2**14
MAX_SLOTS: Final = 2**20
MAX_REGISTERS: Final = 2**12
"""Registers of the flow; they are numbered from 0."""
MAX_TICKS: Final = 2**32 - 1
"""Longest block; starts and lengths of events are 32-bit."""
MAX_SHOTS: Final = 10**9
MAX_REP_DELAY_TICKS: Final = 2**32 - 1
"""Longest idle time between shots; it is a 32-bit count."""
MAX_BINDINGS: Final = 2**24
MAX_CLASSES: Final = 3
MAX_SHOT_GRID_S: Final = 1e-5
"""A longer shot grid would cost more time than it saves; choose rounder LO frequencies."""
