"""Metadata equal Qiskit's and hold more."""

import copy
import json
import pickle

import pytest

from qctrl.primitives.metadata import Metadata


@pytest.fixture
def ours():
    return Metadata(version=2, execution={"execution_spans": [1]}, qctrl={"total_shots": 3})


def test_additions_count_only_if_the_other_has_them(ours):
    for equal in ({"version": 2}, {"version": 2, "qctrl": {"total_shots": 3}}, Metadata(ours), dict(ours)):
        assert equal == ours
        assert ours == equal
    for other in ({"version": 2, "qctrl": {"total_shots": 4}}, {"version": 3}, {"version": 2, "shots": 1}, [2]):
        assert other != ours
        assert ours != other


def test_it_is_a_dict_in_all_else(ours):
    for each in (copy.copy(ours), copy.deepcopy(ours), ours.copy(), pickle.loads(pickle.dumps(ours))):
        assert isinstance(each, Metadata)
        assert dict(each) == dict(ours)
    assert json.loads(json.dumps(ours)) == dict(ours)
    assert list(ours) == ["version", "execution", "qctrl"]
