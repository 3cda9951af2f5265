"""What is remembered, and for how long."""

from qctrl.compiler.identity_cache import IdentityCache


def test_a_result_is_made_once_for_the_same_objects():
    cache, made = IdentityCache(2), []
    key = ([1], [2])
    for _ in range(3):
        assert cache.get(key, lambda: made.append(1) or len(made)) == 1
    assert made == [1]


def test_equal_objects_are_not_the_same():
    cache = IdentityCache(2)
    one, two = [1], [1]
    assert cache.get((one,), lambda: "one") == "one"
    assert cache.get((two,), lambda: "two") == "two"


def test_the_oldest_results_are_dropped():
    cache, objects = IdentityCache(2), [[0], [1], [2]]
    for number, item in enumerate(objects):
        cache.get((item,), lambda number=number: number)
    assert cache.get((objects[2],), lambda: "new") == 2
    assert cache.get((objects[0],), lambda: "new") == "new"
