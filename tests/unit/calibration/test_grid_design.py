from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from qctrl.calibration import Calibration, FluxCz, find_device, grid_design, load
from qctrl.calibration.document import Document

LEAST_GAP_HZ = 4e7


def neighbours(document: Document) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {name: [] for name in document.qubits}
    for edge in document.edges:
        first, second = edge.split("-")
        found[first].append(second)
        found[second].append(first)
    return found


def frequency(document: Document, name: str) -> float:
    value = document.qubits[name].frequency
    assert value is not None
    return value.value


@given(rows=st.integers(1, 7), columns=st.integers(1, 7))
def test_a_qubit_never_meets_two_of_its_neighbours_at_once(rows, columns):
    document = grid_design("any", rows, columns)
    assert len(document.qubits) == rows * columns
    assert len(document.edges) == rows * (columns - 1) + columns * (rows - 1)
    for name, others in neighbours(document).items():
        mine = frequency(document, name)
        theirs = sorted(frequency(document, other) for other in others)
        assert all(f > mine for f in theirs) or all(f < mine for f in theirs)
        if theirs and theirs[0] < mine:
            assert all(b - a > LEAST_GAP_HZ for a, b in pairwise(theirs))


def test_the_higher_qubit_of_an_edge_comes_down():
    document = grid_design("any", 3, 3)
    for name, edge in document.edges.items():
        gate = edge.gates["cz"]
        assert isinstance(gate, FluxCz)
        high = max(name.split("-"), key=lambda end: frequency(document, end))
        assert gate.actuate == f"{high}.flux"
        assert 0.1 < gate.waveform.amp.value < 0.5


def test_one_row_is_a_chain_and_all_of_it_lives():
    calibration = Calibration.from_document(grid_design("row", 1, 7))
    assert calibration.live_edges == tuple((k, k + 1) for k in range(6))
    assert calibration.live_qubits == tuple(range(7))
    assert {qubit.ports.readout for qubit in calibration.document.qubits.values()} == {"f0.readout", "f1.readout"}


def test_the_shipped_design_of_grid20_is_a_grid_of_4_by_5():
    assert load(find_device("grid20", file="nominal.yaml")).document == grid_design("grid20", 4, 5)


@pytest.mark.parametrize("size", [(0, 5), (100, 100)])
def test_a_grid_of_no_or_too_many_qubits_is_refused(size):
    with pytest.raises(ValidationError, match="qubits"):
        grid_design("none", *size)
