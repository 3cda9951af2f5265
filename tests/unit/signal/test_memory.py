"""Where fresh memory begins, and what kernels get to see of a column."""

import numpy as np
import pytest

from qctrl.signal.memory import aligned, read_only


@pytest.mark.parametrize(
    ("n_floats", "unit_bytes"), [(0, 64), (5, 64), (10_000, 64), (2**19, 2**21), (2**19 + 3, 2**21)]
)
def test_fresh_memory_begins_with_a_line_of_the_cache_and_much_of_it_with_a_huge_page(n_floats, unit_bytes):
    memory = aligned(n_floats)

    assert memory.shape == (n_floats,)
    assert memory.dtype == np.float64
    assert memory.flags.c_contiguous
    assert memory.ctypes.data % unit_bytes == 0 or n_floats == 0


def test_two_arrays_share_no_memory():
    assert not np.shares_memory(aligned(100), aligned(100))


def test_a_column_is_contiguous_and_protected_while_its_owner_may_write():
    column = np.arange(10)
    view, strided = read_only(column), read_only(column[::2])

    assert strided.flags.c_contiguous
    assert strided.tolist() == [0, 2, 4, 6, 8]
    with pytest.raises(ValueError, match="read-only"):
        view[0] = 1
    column[0] = 7
    assert view[0] == 7
