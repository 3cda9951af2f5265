"""What a cache of programs keeps, and what it says of itself."""

import threading

import numpy as np
import pytest
from qiskit import QuantumCircuit

from qctrl.compiler import CompileCache, compile_circuit
from qctrl.errors import CompileError
from tests.unit.compiler import trio

CALIBRATION, SETUP = trio.calibration(), trio.setup()


def turned(*angles):
    circuit = QuantumCircuit(3, 1)
    for angle in angles:
        circuit.rz(angle, 0)
        circuit.sx(0)
    return circuit


def compiled(cache, *angles):
    return compile_circuit(turned(*angles), CALIBRATION, SETUP, cache=cache)


def test_an_equal_circuit_is_compiled_once():
    cache = CompileCache()
    first = compiled(cache, 0.5)
    assert compiled(cache, 0.5) is first
    assert compiled(cache, 0.25) is not first
    stats = cache.stats()
    assert (stats.hits, stats.misses, stats.entries, stats.evictions) == (1, 2, 2, 0)


def test_the_program_used_longest_ago_is_dropped():
    cache = CompileCache(max_entries=2)
    first = compiled(cache, 0.1)
    compiled(cache, 0.2)
    assert compiled(cache, 0.1) is first
    compiled(cache, 0.3)
    assert compiled(cache, 0.1) is first
    compiled(cache, 0.2)
    stats = cache.stats()
    assert (stats.hits, stats.misses, stats.entries, stats.evictions) == (2, 4, 2, 2)


def test_the_size_is_bounded():
    cache = CompileCache(max_bytes=100_000)
    for angle in np.linspace(0, 1, 40):
        compiled(cache, angle)
        assert 0 < cache.stats().size_bytes <= 100_000
    stats = cache.stats()
    assert stats.evictions == 40 - stats.entries > 0
    cache.clear()
    assert (cache.stats().size_bytes, cache.stats().entries, cache.stats().misses) == (0, 0, 40)


def test_a_program_larger_than_its_share_is_not_kept():
    cache = CompileCache(max_bytes=100_000)
    compiled(cache, 0.5)
    compiled(cache, *np.linspace(0, 1, 1000))
    assert (cache.stats().entries, cache.stats().misses) == (1, 2)


def test_long_columns_tell_programs_apart():
    cache, angles = CompileCache(), np.linspace(0, 1, 2000)
    first = compiled(cache, *angles)
    assert compiled(cache, *angles) is first
    assert compiled(cache, *angles[:-1], 0.999).hash != first.hash


def test_what_cannot_be_compiled_is_refused_every_time():
    cache, circuit = CompileCache(), QuantumCircuit(3)
    circuit.h(0)
    for _ in range(2):
        with pytest.raises(CompileError, match="h on qubits"):
            compile_circuit(circuit, CALIBRATION, SETUP, cache=cache)
    assert cache.stats().entries == 0


def test_threads_share_a_cache():
    cache, angles = CompileCache(max_entries=4), np.linspace(0, 1, 8)
    expected = [compiled(None, angle).to_bytes() for angle in angles]
    failures = []

    def work(seed):
        for chosen in np.random.default_rng(seed).integers(8, size=200).tolist():
            right = compiled(cache, angles[chosen]).to_bytes() == expected[chosen]
            failures.extend([] if right else [chosen])

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    stats = cache.stats()
    assert not failures
    assert stats.hits + stats.misses == 800
    assert stats.entries == 4
    assert stats.size_bytes == sum(entry.size_bytes for entry in cache._entries.values())
