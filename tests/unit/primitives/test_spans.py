"""When shots were taken: spans of a sampler's result."""

from datetime import UTC, datetime

import numpy as np
import pytest

from qctrl.execution import SPAN, JobResult, WorkResult
from qctrl.primitives import ExecutionSpan, ExecutionSpans
from qctrl.primitives.spans import execution_spans
from qctrl.primitives.tasks import Placement

SECOND = 1_000_000


def work(*spans):
    return WorkResult(np.zeros((1, 1, 1), np.uint8), spans=np.array(list(spans), dtype=SPAN))


@pytest.fixture
def spans():
    """Pub 0 of shape (2, 3) in two works, cut along the shots and the bindings; pub 1 in one."""
    placements = [Placement(0, (4, 1), {}), Placement(0, (0, 2, 3, 5), {}), Placement(1, (0,), {})]
    works = (
        work((0, 2, 0, 6, 1 * SECOND, 2 * SECOND), (0, 2, 6, 4, 2 * SECOND, 3 * SECOND)),
        work((0, 3, 0, 10, 3 * SECOND, 4 * SECOND), (3, 1, 0, 10, 5 * SECOND, 6 * SECOND)),
        work((0, 1, 0, 7, 6 * SECOND, 9 * SECOND)),
    )
    return execution_spans([(2, 3, 10), (7,)], placements, JobResult(works))


def test_the_masks_of_a_pub_cover_every_shot_once(spans):
    assert sum(span.mask(0).astype(int) for span in spans.filter_by_pub(0)).tolist() == np.ones((2, 3, 10)).tolist()
    assert [span.size for span in spans] == [12, 8, 30, 10, 7]
    assert [int(span.mask(span.pub_idx).sum()) for span in spans] == [span.size for span in spans]
    assert np.argwhere(spans[0].mask(0)[..., 0]).tolist() == [[0, 1], [1, 1]]
    with pytest.raises(KeyError, match="holds shots of pub 0, none of pub 1"):
        spans[0].mask(1)


def test_times_are_those_of_the_host(spans):
    assert spans.start == datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC)
    assert spans.stop == datetime(1970, 1, 1, 0, 0, 9, tzinfo=UTC)
    assert (spans.duration, spans[-1].duration) == (8.0, 3.0)


def test_spans_are_a_sequence_that_filters_and_sorts(spans):
    assert spans.pub_idxs == [0, 1]
    assert spans[-1].pub_idxs == [1]
    assert spans.filter_by_pub([1]) == spans[4:] == spans[4].filter_by_pub(1)
    assert len(spans.filter_by_pub([0, 1])) == len(spans) == 5
    assert spans[0].filter_by_pub(1) == ExecutionSpans([])
    backwards = ExecutionSpans(reversed(list(spans)))
    assert backwards != spans
    assert backwards.sort() == spans
    assert hash(backwards.sort()) == hash(spans)
    assert isinstance(spans[0], ExecutionSpan)
    assert repr(ExecutionSpans([])) == "ExecutionSpans([])"


def test_shots_of_twirls_are_those_of_their_points():
    """Two points of 5 shots, three twirls of two shots each, cut into four chunks."""
    chunks = work((0, 4, 0, 1, 0, 1), (0, 4, 1, 1, 1, 2), (4, 2, 0, 2, 2, 3))
    chunks = WorkResult(np.zeros((6, 2, 1), np.uint8), spans=chunks.spans)
    spans = execution_spans([(2, 5)], [Placement(0, tuple(range(6)), {})], JobResult((chunks,)), [3])
    assert sum(span.mask(0).astype(int) for span in spans).tolist() == np.ones((2, 5)).tolist()
    assert (spans[-1].rows, spans[-1].shots) == ((1,), slice(2, 5))
