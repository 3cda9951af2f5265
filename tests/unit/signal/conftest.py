"""The two ways to play a port."""

import pytest

from qctrl.signal import player


@pytest.fixture(params=["cached", "stages"])
def way(request, monkeypatch):
    """Cached responses for every port, or one stage after the other for every port."""
    monkeypatch.setattr(player, "MANY_EVENTS", 0 if request.param == "cached" else 10**6)
