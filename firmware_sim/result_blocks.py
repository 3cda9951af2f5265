"""Gathers the outcomes of shots into blocks of results of a handy size."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from firmware_sim.active_run import ActiveRun
from qctrl.protocol import Results, Run

_BLOCK_BYTES: Final = 1 << 20
_BLOCK_S: Final = 0.2
"""A slow run shows what it has at least this often."""


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """What some consecutive shots of one binding brought."""

    bits: NDArray[np.uint8]
    """0 or 1, shape ``(shots, n_clbits)``."""
    iq: NDArray[np.complex128] | None = None
    """Shape ``(shots, captures)``."""
    traces: NDArray[np.complex64] | None = None
    """Shape ``(shots, captures, samples)``."""


class ResultBlocks:
    """Turns outcomes, which come binding by binding and shot by shot, into blocks for ``ActiveRun.put``.

    A mean is over all shots of the run: each block carries the mean so far, so the last one of a binding stays.

    Args:
        active: The run.
        statistics: Asked once per block.
    """

    def __init__(self, active: ActiveRun, statistics: Callable[[], dict[str, Any]]) -> None:
        self._active = active
        self._run: Run = active.run
        self._statistics = statistics
        self._whole: list[tuple[NDArray[np.uint8], NDArray[Any] | None, NDArray[Any] | None]] = []
        self._first_binding = self._run.first_binding
        self._gathered_bytes = 0
        self._since = time.monotonic()
        self._iq_sum: NDArray[np.complex128] | None = None
        self._trace_sum: NDArray[np.complex128] | None = None

    def add(self, binding: int, first_shot: int, outcome: Outcome) -> None:
        """Take in the next shots of a binding; indices are absolute."""
        done = first_shot - self._run.first_shot
        n_shots = len(outcome.bits)
        packed = np.packbits(outcome.bits, axis=1, bitorder="little")
        iq, traces = outcome.iq, outcome.traces
        if self._run.capture_mode == "iq_mean" and iq is not None:
            self._iq_sum = _add(self._iq_sum if done else None, iq)
            iq = self._iq_sum / (done + n_shots)
        if self._run.capture_mode == "trace_mean" and traces is not None:
            self._trace_sum = _add(self._trace_sum if done else None, traces)
            traces = self._trace_sum / (done + n_shots)
        if n_shots == self._run.n_shots:
            if not self._whole:
                self._first_binding = binding
            self._whole.append((packed, iq, traces))
            self._gathered_bytes += sum(part.nbytes for part in (packed, iq, traces) if part is not None)
            if self._is_due():
                self.flush()
            return
        self._put(binding, first_shot, [(packed, iq, traces)])

    def flush(self) -> None:
        """Send what was gathered."""
        if self._whole:
            self._put(self._first_binding, self._run.first_shot, self._whole)
            self._whole, self._gathered_bytes = [], 0

    def _is_due(self) -> bool:
        return self._gathered_bytes >= _BLOCK_BYTES or time.monotonic() - self._since >= _BLOCK_S

    def _put(
        self,
        binding: int,
        first_shot: int,
        parts: list[tuple[NDArray[np.uint8], NDArray[Any] | None, NDArray[Any] | None]],
    ) -> None:
        bits, iq, traces = (list(column) for column in zip(*parts, strict=True))
        block = Results(
            run_id=self._run.run_id,
            epoch=self._run.epoch,
            chunk=self._run.chunk,
            first_binding=binding,
            first_shot=first_shot,
            setup_hash=self._run.setup_hash,
            program_hash=self._run.program_hash,
            status="ok",
            bits=np.stack(bits),
            iq=_stack(iq),
            traces=_stack(traces),
            statistics=self._statistics(),
        )
        self._active.put(block.to_bytes(), block.bits.shape[0] * block.bits.shape[1])
        self._since = time.monotonic()


def _add(total: NDArray[np.complex128] | None, values: NDArray[Any]) -> NDArray[np.complex128]:
    added = values.sum(axis=0, dtype=np.complex128)
    return added if total is None else total + added


def _stack(columns: list[NDArray[Any] | None]) -> NDArray[np.complex64] | None:
    present = [column for column in columns if column is not None]
    return np.stack(present).astype(np.complex64) if present else None
