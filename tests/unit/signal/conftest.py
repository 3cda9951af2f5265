"""The two ways to play a port."""

import pytest

from qctrl.signal import one_port, responses


@pytest.fixture(params=["cached", "stages"])
def way(request, monkeypatch):
    """Cached responses for every port, wherever they serve, or one stage after the other for every port."""
    monkeypatch.setattr(responses, "MANY_PLAYS", 0 if request.param == "cached" else 10**6)
    monkeypatch.setattr(one_port, "CROWD", 3)
