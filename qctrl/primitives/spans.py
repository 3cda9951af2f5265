"""When the shots of a sampler's pubs were taken."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import overload

import numpy as np
from numpy.typing import NDArray

from qctrl.execution import JobResult
from qctrl.primitives.tasks import Placement

_EPOCH = datetime.fromtimestamp(0, UTC)


@dataclass(frozen=True, slots=True)
class ExecutionSpan:
    """A stretch of time and the shots of one pub that were taken in it."""

    start: datetime
    """By the clock of the host, before the first shot."""
    stop: datetime
    """By the clock of the host, after the last shot came back."""
    pub_idx: int
    """Place of the pub in its job."""
    shape: tuple[int, ...]
    """Shape of the pub's values, and its shots."""
    rows: tuple[int, ...]
    """Flat indices of the pub's parameter sets that were executed."""
    shots: slice
    """Which shots of each of them."""

    @property
    def duration(self) -> float:
        """Length of the span in seconds."""
        return (self.stop - self.start).total_seconds()

    @property
    def pub_idxs(self) -> list[int]:
        """The pub of this span, as a list."""
        return [self.pub_idx]

    @property
    def size(self) -> int:
        """Number of shots in this span."""
        return len(self.rows) * (self.shots.stop - self.shots.start)

    def contains_pub(self, pub_idx: int | Iterable[int]) -> bool:
        """Return whether shots of this pub, or of one of these pubs, are in the span."""
        return self.pub_idx in ([pub_idx] if isinstance(pub_idx, int) else list(pub_idx))

    def mask(self, pub_idx: int) -> NDArray[np.bool_]:
        """Return which shots of a pub were taken in this span, as booleans ``(*pub.shape, shots)``.

        Raises:
            KeyError: The span holds no shots of this pub.
        """
        if pub_idx != self.pub_idx:
            raise KeyError(f"the span holds shots of pub {self.pub_idx}, none of pub {pub_idx}")
        taken = np.zeros((int(np.prod(self.shape[:-1], dtype=np.int64)), self.shape[-1]), dtype=np.bool_)
        taken[list(self.rows), self.shots] = True
        return taken.reshape(self.shape)

    def filter_by_pub(self, pub_idx: int | Iterable[int]) -> ExecutionSpans:
        """Return this span alone if it holds shots of the pub or pubs, else no span."""
        return ExecutionSpans([self] if self.contains_pub(pub_idx) else [])


class ExecutionSpans(Sequence[ExecutionSpan]):
    """The spans of a job, in the order of execution.

    Args:
        spans: The spans.
    """

    def __init__(self, spans: Iterable[ExecutionSpan]) -> None:
        self._spans = tuple(spans)

    def __repr__(self) -> str:
        return f"ExecutionSpans({list(self._spans)!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ExecutionSpans) and self._spans == other._spans

    def __hash__(self) -> int:
        return hash(self.start) if self._spans else 0

    def __len__(self) -> int:
        return len(self._spans)

    def __iter__(self) -> Iterator[ExecutionSpan]:
        return iter(self._spans)

    @overload
    def __getitem__(self, index: int) -> ExecutionSpan: ...

    @overload
    def __getitem__(self, index: slice) -> ExecutionSpans: ...

    def __getitem__(self, index: int | slice) -> ExecutionSpan | ExecutionSpans:
        return ExecutionSpans(self._spans[index]) if isinstance(index, slice) else self._spans[index]

    @property
    def pub_idxs(self) -> list[int]:
        """Pubs that have shots in these spans, ascending."""
        return sorted({span.pub_idx for span in self._spans})

    @property
    def start(self) -> datetime:
        """Start of the first span; a ``ValueError`` if there is none."""
        return min(span.start for span in self._spans)

    @property
    def stop(self) -> datetime:
        """End of the last span; a ``ValueError`` if there is none."""
        return max(span.stop for span in self._spans)

    @property
    def duration(self) -> float:
        """Time from the start of the first span to the end of the last, in seconds."""
        return (self.stop - self.start).total_seconds()

    def filter_by_pub(self, pub_idx: int | Iterable[int]) -> ExecutionSpans:
        """Return the spans that hold shots of a pub, or of one of several."""
        wanted = pub_idx if isinstance(pub_idx, int) else list(pub_idx)
        return ExecutionSpans(span for span in self._spans if span.contains_pub(wanted))

    def sort(self) -> ExecutionSpans:
        """Return the spans by their start."""
        return ExecutionSpans(sorted(self._spans, key=lambda span: span.start))


def execution_spans(
    shapes: Sequence[tuple[int, ...]],
    placements: Sequence[Placement],
    result: JobResult,
    draws: Sequence[int] | None = None,
) -> ExecutionSpans:
    """Return when the shots of each pub were taken.

    Args:
        shapes: Shape of each pub's values, and its shots.
        placements: The pub and the bindings of each work.
        result: The raw result of the job.
        draws: Into how many bindings the shots of each parameter set of each pub were spread; ``None`` is one.
    """
    return ExecutionSpans(
        ExecutionSpan(
            start=_EPOCH + timedelta(microseconds=start_us),
            stop=_EPOCH + timedelta(microseconds=stop_us),
            pub_idx=placement.task,
            shape=shapes[placement.task],
            rows=rows,
            shots=taken,
        )
        for placement, work in zip(placements, result.works, strict=True)
        for first, bindings, first_shot, shots, start_us, stop_us in work.spans.tolist()
        for rows, taken in _rectangles(
            placement.rows[first : first + bindings],
            slice(first_shot, first_shot + shots),
            (1 if draws is None else draws[placement.task], work.bits.shape[1], shapes[placement.task][-1]),
        )
    )


def _rectangles(
    bindings: tuple[int, ...], shots: slice, spread: tuple[int, int, int]
) -> list[tuple[tuple[int, ...], slice]]:
    """Return parameter sets with the shots that bindings took of them; ``spread`` is draws, shots of each, and all."""
    n_draws, each, total = spread
    if n_draws == 1:
        return [(bindings, shots)]
    pieces: dict[int, list[slice]] = {}
    for binding in bindings:
        row, draw = divmod(binding, n_draws)
        begin, end = draw * each + shots.start, min(draw * each + shots.stop, total)
        taken = pieces.setdefault(row, [])
        if taken and taken[-1].stop == begin:
            taken[-1] = slice(taken[-1].start, end)
        elif begin < end:
            taken.append(slice(begin, end))
    alike: dict[tuple[int, int], list[int]] = {}
    for row, taken in pieces.items():
        for part in taken:
            alike.setdefault((part.start, part.stop), []).append(row)
    return [(tuple(rows), slice(*ends)) for ends, rows in alike.items()]
