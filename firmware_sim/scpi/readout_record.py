"""``Recorder``: what a digitizer sees of the chip while every line repeats one shot.

Nobody tells the bench what is measured. A stretch of readout tone measures every qubit whose resonator it fills, from
the stretch's first sample on; tones that overlap in time are taken to begin together.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from scipy.signal import lfilter

from firmware_sim.physics.cache import OperatorCache
from firmware_sim.physics.engine import Engine
from firmware_sim.physics.random import stream_key
from firmware_sim.physics.readout import Capture
from firmware_sim.wires import Wires
from qctrl.errors import ConfigError
from qctrl.protocol import SimOptions
from qctrl.units import to_ticks, tuning_word

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from firmware_sim.config import FeedlineTruth, ResonatorTruth, Truth
    from qctrl.protocol import Setup

_TURN: Final = 2 * np.pi
_FILLED_PHOTONS: Final = 0.05
"""From this number on a resonator tells its qubit's state; a neighbour's tone leaves less than a thousandth."""
_SILENT: Final = 1e-9
_BATCH_BYTES: Final = 64 << 20
_CACHE: Final = OperatorCache()


class Recorder:
    """One shot of every line, ready to be simulated many times.

    Args:
        truth: The chip.
        setup: Ports as they are fed now, at one sample per tick.
        lines: One shot of every port, by name.
        seed: Seed of all random numbers.
        run: Counts runs, so that equal ones draw different numbers.
    """

    def __init__(self, truth: Truth, setup: Setup, lines: dict[str, NDArray[Any]], seed: int, run: int) -> None:
        self._truth = truth
        self._setup = setup
        self.n_samples = max(len(line) for line in lines.values())
        self._lines = Wires(truth, setup).apply([lines[port.name] for port in setup.ports], 0)
        self._seed = seed
        self._run = run

    def record(
        self, port: str, first: int, length: int, n_shots: int, wanted: Callable[[], bool]
    ) -> NDArray[np.complex64] | None:
        """Return what arrives at an acquire port, fractions of full scale, shape ``(n_shots, length)``.

        Args:
            port: The acquire port.
            first: First sample of a record, from the start of the shot.
            length: Samples of a record.
            n_shots: Number of shots.
            wanted: Asked now and then; once it says no, ``None`` is returned.
        """
        feedline = next((name for name, f in self._truth.feedlines.items() if f.acquire_port == port), None)
        if feedline is None:
            raise ConfigError(f"port {port} is not the acquire_port of any feedline of the truth; correct the wiring")
        truth = self._truth.feedlines[feedline]
        windows = self._windows(feedline, truth, port, first + length)
        captures = [capture for window in windows for capture in window]
        longest = max((capture.length_ticks for capture in captures), default=1)
        batch = max(1, _BATCH_BYTES // (64 * max(1, len(windows)) * longest))
        engine = Engine(self._truth, self._setup, SimOptions(seed=self._seed), _CACHE)
        key = stream_key(self._seed, self._run, port.encode())
        noise = np.random.default_rng([self._seed, self._run])
        deviation = truth.adc_scale / np.sqrt(2 * truth.efficiency * float(self._setup.tick_s))
        whole = np.empty((n_shots, length), dtype=np.complex64)
        for begin in range(0, n_shots, batch):
            if not wanted():
                return None
            rows = whole[begin : begin + batch]
            rows.real, rows.imag = (noise.normal(0, deviation, rows.shape) for _ in range(2))
            if not captures:
                continue
            shots = np.arange(begin, begin + len(rows), dtype=np.uint64)
            branches = engine.begin(shots, 0, key, 1, (len(windows), longest))
            for branch in engine.play(branches, self._lines, 0, captures, final=True):
                for window in windows:
                    _place(rows, (branch.shots - np.uint64(begin)).astype(np.intp), branch.traces, window[0], first)
        return whole

    def _windows(self, feedline: str, truth: FeedlineTruth, port: str, end: int) -> list[list[Capture]]:
        """Return the captures that the readout tones amount to, window by window."""
        sent = np.asarray(self._lines[self._setup.port_index(truth.readout_port)])
        acting = np.flatnonzero(np.abs(sent - sent[-1]) > _SILENT)
        if not len(acting):
            return []
        breaks = np.flatnonzero(np.diff(acting) > 1)
        starts = acting[np.concatenate([[0], breaks + 1])]
        ends = acting[np.concatenate([breaks, [len(acting) - 1]])] + 1
        late = to_ticks(truth.delay, self._setup.tick_s, what=f"delay of feedline {feedline}")
        resonators = {q: r for q, r in self._truth.resonators.items() if r.feedline == feedline}
        windows: list[list[Capture]] = []
        for k, (start, stop) in enumerate(zip(starts, ends, strict=True)):
            following = int(starts[k + 1]) if k + 1 < len(starts) else self.n_samples
            last = min(max(int(stop), end - late), following)
            measured = [r for r in resonators.values() if self._fills(r, truth, sent[start:stop])]
            if measured:
                span = (int(start) + late, last - int(start))
                window = [self._capture(r, port, span, len(windows)) for r in measured]
                windows.append(window)
        return windows

    def _fills(self, resonator: ResonatorTruth, truth: FeedlineTruth, tone: NDArray[Any]) -> bool:
        step_s = float(self._setup.tick_s)
        lo_hz = self._setup.ports[self._setup.port_index(truth.readout_port)].lo_hz
        kappa = _TURN * resonator.kappa
        pole = kappa / 2 - 1j * _TURN * (resonator.frequency - lo_hz)
        decay = np.exp(-pole * step_s)
        field = lfilter([(1 - decay) * np.sqrt(kappa) / pole], [1, -decay], truth.input_scale * tone)
        return bool((np.abs(field) ** 2).max() > _FILLED_PHOTONS)

    def _capture(self, resonator: ResonatorTruth, port: str, span: tuple[int, int], index: int) -> Capture:
        acquire = self._setup.port_index(port)
        return Capture(
            port=acquire,
            first_tick=span[0],
            length_ticks=span[1],
            ftw=tuning_word(resonator.frequency - self._setup.ports[acquire].lo_hz, self._setup.tick_s),
            phase_word=0,
            weights=None,
            coef=np.zeros((3, 3)),
            n_classes=1,
            clbit=0,
            index=index,
        )


def _place(
    rows: NDArray[np.complex64],
    shots: NDArray[np.intp],
    traces: NDArray[np.complex64] | None,
    window: Capture,
    first: int,
) -> None:
    """Put the part of a window that lies in the record into it."""
    begin, end = max(first, window.first_tick), min(first + rows.shape[1], window.first_tick + window.length_ticks)
    if traces is not None and begin < end:
        part = traces[:, window.index, begin - window.first_tick : end - window.first_tick]
        rows[shots, begin - first : end - first] = part
