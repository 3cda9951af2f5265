"""``OutputLine``: the corrections of one output port, and the state of its filters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from qctrl.errors import ResourceError
from qctrl.signal import _kernels
from qctrl.signal.filters import decay_tables

if TYPE_CHECKING:
    from fractions import Fraction

    from numpy.typing import NDArray

    from qctrl.protocol import Port

_NO_RESPONSE: Final = -1
_OWED_STEP: Final = 4
_SILENT_STEP: Final = 4096
"""Samples after which silence is asked whether it is settled."""


@dataclass(frozen=True, slots=True, eq=False)
class State:
    """What the filters of a line remember, as deviation from silence; m sections, K + 1 taps."""

    sections: NDArray[np.complex128]
    """Shape ``(max(m, 2),)``; zeros where there is no section."""
    tail: NDArray[np.complex128]
    """Inputs that the FIR filter owes to the coming samples, shape ``(K,)``; zeros while a response owes them."""
    owing: NDArray[np.int64]
    """Slot of that response, or -1; shape ``(1,)``."""
    factor: NDArray[np.complex128]
    """What it was multiplied with, and how large its tail can be; shape ``(2,)``."""


class OutputLine:
    """Predistortion, mixer correction, offset, range check and quantisation of one port.

    The filters see deviations from silence: a settled line has a state of zeros, whatever its idle level.

    Args:
        port: An output port.
        tick_s: Length of a tick in seconds.
        level: What reaches the filters in silence, as a fraction of full scale; 0 for IQ ports.

    Attributes:
        numbers: What the kernels need.
        state: State of the filters.

    Raises:
        ProtocolError: A filter is unstable.
    """

    def __init__(self, port: Port, tick_s: Fraction, level: float) -> None:
        width = 1 if port.kind == "flux" else 2
        sections, modes, powers = decay_tables(port.iir, float(port.sample_ticks * tick_s))
        taps = _padded(port.fir)
        # Sections pass a constant unchanged.
        settled = level * (float(taps.sum()) if len(taps) else 1.0)
        codes = 2.0 ** (port.dac_bits - 1) - 1
        matrix = (1.0, 0.0, 0.0, 1.0) if width == 1 else port.mixer.matrix
        base = (settled, 0.0) if width == 1 else (port.mixer.offset_i, port.mixer.offset_q)
        self.port = port
        self.numbers = _kernels.Line(
            width=width,
            ticks=port.sample_ticks,
            numbers=np.array(
                [*(codes * x for x in (*matrix, *base, port.max_amplitude)), 1 / codes, _kernels.ROUNDING]
            ),
            sections=sections,
            taps=taps,
            modes=modes,
            reach=codes * max(map(abs, matrix)) * np.abs(modes).max(axis=1),
            powers=powers,
        )
        self.state = State(
            sections=np.zeros(len(modes), dtype=np.complex128),
            tail=np.zeros(max(len(taps) - 1, 0), dtype=np.complex128),
            owing=np.array([_NO_RESPONSE], dtype=np.int64),
            factor=np.zeros(2, dtype=np.complex128),
        )

    @property
    def width(self) -> int:
        """Floats per sample: 2 on an IQ port, 1 on a flux port."""
        return self.numbers.width

    @property
    def is_filtered(self) -> bool:
        """Whether samples depend on those before."""
        return bool(self.numbers.sections.size or self.state.tail.size)

    def settle(self) -> None:
        """Put the filters into the state of a line that has always been silent."""
        self.state.sections[:] = 0.0
        self.state.tail[:] = 0.0
        self.state.owing[:] = _NO_RESPONSE

    def load(self, sections: NDArray[Any], tail: NDArray[Any]) -> None:
        """Put back a state."""
        self.state.sections[:] = sections
        self.state.tail[:] = tail
        self.state.owing[:] = _NO_RESPONSE

    def apply(self, x: NDArray[Any], start_ticks: int) -> NDArray[Any]:
        """Return the codes of the DAC for the next samples, one correction after the other; may overwrite ``x``.

        Args:
            x: Deviation from silence.
            start_ticks: Tick of the first sample, for the error message.

        Raises:
            ResourceError: A sample is out of range or not a number.
        """
        x = np.ascontiguousarray(x, dtype=np.float64 if self.width == 1 else np.complex128)
        if len(self.numbers.taps):
            x = self._convolve(x)
        if len(self.numbers.sections):
            state = self.state.sections.astype(x.dtype) if self.width == 2 else self.state.sections.real.copy()
            _kernels.predistort_iir(self.numbers.sections, state, x)
            self.state.sections[:] = state
        flat = x.view(np.float64)
        _kernels.correct(self.numbers.numbers, self.width, flat)
        limit, lsb = self.numbers.numbers[[_kernels.LIMIT, _kernels.LSB]].tolist()
        bad = _kernels.finish(limit, lsb, flat)
        if bad >= 0:
            self.refuse(flat, bad // self.width, start_ticks)
        return x

    def idle(self, out: NDArray[Any], start_ticks: int) -> None:
        """Write what follows the past without plays; long silences, the most of many programs, are filled.

        Args:
            out: Samples, as of :meth:`apply`.
            start_ticks: Tick of the first.

        Raises:
            ResourceError: As :meth:`apply`.
        """
        for first in range(0, len(out), _SILENT_STEP):
            is_settled = not self.state.sections.any() and not self.state.tail.any()
            part = out[first:] if is_settled else out[first : first + _SILENT_STEP]
            part[:] = self.apply(
                np.zeros(1 if is_settled else len(part), out.dtype), start_ticks + first * self.port.sample_ticks
            )
            if is_settled:
                return

    def _convolve(self, x: NDArray[Any]) -> NDArray[Any]:
        tail = self.state.tail.astype(x.dtype) if self.width == 2 else self.state.tail.real.copy()
        out = np.empty(len(x) + len(tail), dtype=x.dtype)
        _kernels.predistort_fir(self.numbers.taps, tail, x, out)
        self.state.tail[:] = tail
        return out[: len(x)]

    def refuse(self, flat: NDArray[np.float64], sample: int, start_ticks: int) -> None:
        """Say which sample is out of range.

        Raises:
            ResourceError: Always.
        """
        level = flat[sample * self.width : (sample + 1) * self.width] * self.numbers.numbers[_kernels.LSB]
        shown = f"{level[0]:.6g}" if self.width == 1 else f"I = {level[0]:.6g}, Q = {level[1]:.6g}"
        raise ResourceError(
            f"port {self.port.name}, tick {start_ticks + sample * self.port.sample_ticks}: {shown} of full scale after "
            f"all corrections, the limit is {self.port.max_amplitude:g}; lower the amplitudes of the plays that "
            "overlap there"
        )


def _padded(fir: tuple[float, ...]) -> NDArray[np.float64]:
    """Return the taps with zeros behind them, so that what they owe after a play is whole vectors of the processor."""
    owed = -(-max(len(fir) - 1, 0) // _OWED_STEP) * _OWED_STEP
    return np.array([*fir, *[0.0] * (owed + 1 - len(fir))] if fir else [], dtype=np.float64)
