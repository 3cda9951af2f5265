import threading

import pytest

from firmware_sim.physics import cores


@pytest.mark.parametrize("n_cores", [1, 2, 5, 8])
@pytest.mark.parametrize("n", [0, 1, 2, 7, 16])
def test_slices_are_all_of_it_once(monkeypatch, n, n_cores):
    monkeypatch.setattr(cores, "_cores", lambda: n_cores)
    seen, names = [], set()

    def work(part):
        seen.extend(range(n)[part])
        names.add(threading.current_thread().name)

    cores.share(n, work)
    assert sorted(seen) == list(range(n))
    assert len(names) <= max(n_cores, 1)


def test_an_error_of_any_slice_is_raised(monkeypatch):
    monkeypatch.setattr(cores, "_cores", lambda: 4)

    def work(part):
        if part.start == 12:
            raise ValueError("the last slice")

    with pytest.raises(ValueError, match="the last slice"):
        cores.share(16, work)


def test_slices_are_worked_on_at_once(monkeypatch):
    """Each waits for all others, which never ends one after the other."""
    monkeypatch.setattr(cores, "_cores", lambda: 3)
    together = threading.Barrier(3)
    cores.share(3, lambda _: together.wait(30))
    assert not together.broken
