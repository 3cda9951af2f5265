from __future__ import annotations

import numpy as np
import pytest

from firmware_sim.physics.reading import Passage
from firmware_sim.physics.segments import Segment


def passage(known, driven=(0, 2)):
    angles = np.array([0.1, 0.0, 0.5, 0.0])
    shapes = {qubit: np.ones(4, dtype=complex) for qubit in known}
    tokens = tuple(b"tone" if qubit in driven else b"" for qubit in range(3))
    flags = [qubit in driven for qubit in range(3)]
    sources, leads = np.full(3, -1), np.zeros(3)
    return Passage(None, Segment(0, 4), tokens, angles, shapes, flags, b"", (), sources, leads)


def test_phases_of_known_shapes_are_open_while_each_drives_a_block_of_its_own():
    assert passage(known=(0, 2)).rigid_phases([(0,), (1,), (2,)]) == ()
    assert passage(known=(0, 2)).rigid_phases([(0, 1), (2,)]) == ()
    assert passage(known=(), driven=(0,)).rigid_phases([(0,), (1,), (2,)]) == ()


def test_phases_between_two_drives_count_in_one_block_and_for_shapes_that_nobody_knows():
    assert passage(known=(0, 2)).rigid_phases([(0, 2), (1,)]) == pytest.approx((0.4,))
    assert passage(known=(0,)).rigid_phases([(0,), (1,), (2,)]) == pytest.approx((0.4,))
