"""What can be made to go wrong, on request only."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class WireFaults:
    """Faults of one instrument's connection."""

    delay_s: float = 0.0
    """Every reply is so much late."""
    drop_at: int | None = None
    """The connection is reset after so many more bytes from the host."""
    stop_reading_at: int | None = None
    """Nothing is read after so many more bytes from the host."""
    extra_length: int = 0
    """Blocks say that they are so much longer than they are."""
    flips: bool = False
    """The last byte of every block that is sent is another."""
    refuses: bool = False
    """New connections are closed at once."""
