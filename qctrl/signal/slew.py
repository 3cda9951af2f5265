"""Check how fast the outputs of ports with such a limit change; other ports cost nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from msgspec import UNSET

from qctrl.errors import ResourceError
from qctrl.signal import _kernels

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from qctrl.protocol import Port, Setup
    from qctrl.signal.line import OutputLine
    from qctrl.signal.setup_chain import Samples

_ROUNDING = 1e-9


class SlewWatch:
    """Compares each sample that a DAC gets with the one before, from silence on.

    Args:
        setup: A verified Setup.
        lines: Output line of each port; ``None`` for an acquire port.

    Attributes:
        last: Last sample of every port with a limit, by port.
    """

    def __init__(self, setup: Setup, lines: Sequence[OutputLine | None]) -> None:
        self._ports: dict[int, Port] = {}
        self._silence: dict[int, NDArray[np.float64]] = {}
        self._most: dict[int, float] = {}
        for index, (port, line) in enumerate(zip(setup.ports, lines, strict=True)):
            if line is not None and port.max_step is not UNSET:
                numbers = line.numbers.numbers
                rest = numbers[[_kernels.BASE_I, _kernels.BASE_Q][: line.width]]
                self._ports[index] = port
                self._silence[index] = np.rint(rest) * numbers[_kernels.LSB]
                # Each of two samples is rounded by up to half a code.
                self._most[index] = port.max_step + float(numbers[_kernels.LSB]) + _ROUNDING
        self.last = {index: silence.copy() for index, silence in self._silence.items()}

    def reset(self) -> None:
        """Begin a shot in silence."""
        self.load([self._silence[index] for index in self.last])

    def load(self, last: Sequence[NDArray[np.float64]]) -> None:
        """Go back to the last samples of another moment, in the order of ``last``."""
        for held, sample in zip(self.last.values(), last, strict=True):
            held[:] = sample

    def check(self, port: int, samples: Samples, start_ticks: int) -> None:
        """Compare the samples of one port with each other and with the one before.

        Args:
            port: Index of the port.
            samples: What its DAC gets next.
            start_ticks: Tick of the first sample, for the error message.

        Raises:
            ResourceError: The output changes too fast.
        """
        if port not in self.last or len(samples) == 0:
            return
        held, flat = self.last[port], np.ascontiguousarray(samples).view(np.float64)
        levels = flat.reshape(-1, len(held))
        steps = np.abs(np.diff(levels, axis=0, prepend=held[None, :])).max(axis=1)
        worst = int(np.argmax(steps))
        if steps[worst] > self._most[port]:
            known = self._ports[port]
            raise ResourceError(
                f"port {known.name}, tick {start_ticks + worst * known.sample_ticks}: the output changes by "
                f"{steps[worst]:.6g} of full scale from one sample to the next, the limit is {known.max_step:g}; "
                "lower the amplitude, or lengthen the edges of the plays there"
            )
        held[:] = levels[-1]
