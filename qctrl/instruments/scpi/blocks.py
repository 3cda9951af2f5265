"""What all generators do with samples before they send them."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from qctrl.errors import ResourceError
from qctrl.instruments.boxes.base import OutputSetting

MAX_BLOCK_BYTES: Final = 32 << 20
"""Blocks are split here: below every limit on the wire, and short enough to stop between two."""


def check_samples(name: str, samples: NDArray[np.float32]) -> None:
    """Refuse samples that are not fractions of full scale.

    Args:
        name: Name of the instrument.
        samples: The samples, shape ``(n_samples,)``.

    Raises:
        ResourceError: One is not within -1 and 1; NaN is not.
    """
    if not float(np.abs(samples).max(initial=0.0)) <= 1:
        bad = int(np.argmax(~(np.abs(samples) <= 1)))
        raise ResourceError(
            f"instrument {name}: sample {bad} of a waveform is {samples[bad]}; "
            "it must be within -1 and 1 of full scale; nothing was sent"
        )


def check_resolution(name: str, output: OutputSetting, bits: int) -> None:
    """Refuse an output whose port was told more bits than the converter has.

    Args:
        name: Name of the instrument.
        output: What the output is asked for.
        bits: Of the converter.

    Raises:
        ResourceError: The samples would be rounded once more than the compiler knows.
    """
    if not output.marked and output.dac_bits > bits:
        raise ResourceError(
            f"instrument {name}: channel {output.channel} converts {bits} bits, its port has {output.dac_bits}; "
            f"write dac_bits: {bits} in the wiring file; nothing was sent"
        )


def parts(data: memoryview, item: int) -> list[tuple[int, memoryview]]:
    """Return (first item, bytes) of the blocks that some data is sent in.

    Args:
        data: The data.
        item: Bytes of an item.
    """
    return [(at // item, data[at : at + MAX_BLOCK_BYTES]) for at in range(0, len(data), MAX_BLOCK_BYTES)]
