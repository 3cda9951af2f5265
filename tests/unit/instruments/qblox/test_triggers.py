"""Conditions as gates of latches, against a slow sequencer's idea of them."""

from itertools import product

import pytest

from qctrl.errors import ResourceError, UnsupportedInstructionError
from qctrl.instruments.qblox.symbols import Value
from qctrl.instruments.qblox.triggers import Triggers, give_addresses
from tests.reference.q1asm import GATES


def heard(n):
    """Latches that speak of acquisitions 0 to n - 1, one per address, in turned order."""
    found = Triggers(give_addresses(list(range(n))))
    for k in range(n):
        found.note(k, n - 1 - k, 1000 * k, decides=True)
    return found


@pytest.mark.parametrize("n", [1, 2, 3])
def test_a_gate_is_found_for_every_table_that_has_one(n):
    triggers, n_found = heard(n), 0
    gates = [[gate(index.bit_count(), n) for index in range(2**n)] for gate in GATES]
    for table in product((0, 1), repeat=2**n):
        condition = Value(tuple(range(n)), table)
        if [bool(value) for value in table] not in gates:
            with pytest.raises(UnsupportedInstructionError, match=f"a condition on {n} bits is none of OR, NOR"):
                triggers.gate(condition)
            continue
        mask, operator = triggers.gate(condition)
        assert mask == 2**n - 1
        assert [bool(GATES[operator](index.bit_count(), n)) for index in range(2**n)] == [bool(v) for v in table]
        n_found += 1
    assert n_found == (2 if n == 1 else 6)


def test_the_mask_names_the_addresses_of_the_bits():
    assert heard(4).gate(Value((0, 3), (0, 1, 1, 1))) == (0b1001, 0)
    assert heard(4).gate(Value((1,), (1, 0))) == (0b0100, 1)


def test_a_latch_speaks_of_the_last_capture_only():
    triggers = heard(2)
    triggers.note(2, 0, 5000, decides=False)
    for stale in (0, 1):
        condition = Value((stale,), (0, 1))
        if stale == 0:
            assert triggers.gate(condition) == (0b10, 0)
        else:
            with pytest.raises(UnsupportedInstructionError, match="capability trigger latches"):
                triggers.gate(condition)
    triggers.reset()
    with pytest.raises(UnsupportedInstructionError, match="capability trigger latches"):
        triggers.gate(Value((0,), (0, 1)))


def test_there_are_15_addresses():
    assert give_addresses(list(range(15)))[14] == 15
    with pytest.raises(ResourceError, match="memory trigger addresses: needs 16, has 15"):
        give_addresses(list(range(16)))
