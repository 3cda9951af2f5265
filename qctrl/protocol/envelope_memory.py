"""What the envelope memory plays: stored samples, one of which may be held."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

ENVELOPE: Final = np.dtype([("offset", "<u4"), ("length", "<u4"), ("hold_at", "<u4"), ("hold", "<u4")])
"""Place in ``envelope_samples`` and how many there are, in samples at the port's rate; then which of them, counted from
``offset``, is held, and for how many samples more than its own."""


def played_lengths(envelopes: NDArray[np.void]) -> NDArray[np.int64]:
    """Return how many samples each envelope plays, dtype of ``envelopes`` being ``ENVELOPE``."""
    return envelopes["length"].astype(np.int64) + envelopes["hold"]


def played(envelope: np.void, samples: NDArray[np.int16]) -> NDArray[np.int16]:
    """Return what one envelope plays, shape ``(length + hold, 2)``.

    Args:
        envelope: dtype ``ENVELOPE``.
        samples: The whole memory, shape ``(n_samples, 2)``.
    """
    offset, length = int(envelope["offset"]), int(envelope["length"])
    stored = samples[offset : offset + length]
    if envelope["hold"] == 0:
        return stored
    counts = np.ones(length, dtype=np.int64)
    counts[int(envelope["hold_at"])] += int(envelope["hold"])
    return np.repeat(stored, counts, axis=0)


def unfold(envelopes: NDArray[np.void], samples: NDArray[np.int16]) -> tuple[NDArray[np.void], NDArray[np.int16]]:
    """Return an envelope memory that plays the same and holds nothing.

    Args:
        envelopes: dtype ``ENVELOPE``.
        samples: Shape ``(n_samples, 2)``.
    """
    if not envelopes["hold"].any():
        return envelopes, samples
    plain = np.zeros(len(envelopes), dtype=ENVELOPE)
    plain["length"] = played_lengths(envelopes)
    plain["offset"] = np.cumsum(plain["length"]) - plain["length"]
    return plain, np.concatenate([played(envelope, samples) for envelope in envelopes])
