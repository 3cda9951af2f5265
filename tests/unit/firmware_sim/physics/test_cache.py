from __future__ import annotations

import numpy as np
import pytest

from firmware_sim.physics.cache import OperatorCache, content_key


def test_an_entry_is_built_once_and_read_only():
    cache = OperatorCache()
    made = [cache.get(b"a", lambda: (np.ones(3),))[0] for _ in range(3)]
    assert made[0] is made[2]
    assert (cache.hits, cache.misses) == (2, 1)
    with pytest.raises(ValueError, match="read-only"):
        made[0][0] = 2


def test_the_least_recently_used_entry_leaves_when_full():
    cache = OperatorCache(limit_bytes=2 * 1200)
    for key in (b"a", b"b", b"a", b"c"):
        cache.get(key, lambda: (np.zeros(10),))
    cache.get(b"a", lambda: (np.zeros(10),))
    assert (cache.hits, cache.misses) == (2, 3)
    cache.get(b"b", lambda: (np.zeros(10),))
    assert cache.misses == 4


def test_keys_tell_types_and_shapes_apart():
    parts = [
        (np.zeros(4),),
        (np.zeros((2, 2)),),
        (np.zeros(4, complex),),
        ("ab", "c"),
        ("a", "bc"),
        (1,),
        (True,),
        ((1,),),
    ]
    assert len({content_key(*part) for part in parts}) == len(parts)
    assert content_key(np.arange(8)[::2]) == content_key(np.arange(8)[::2].copy())
