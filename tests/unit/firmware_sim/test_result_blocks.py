import numpy as np
import pytest

from firmware_sim.active_run import ActiveRun, RunAbortedError
from firmware_sim.result_blocks import Outcome, ResultBlocks
from qctrl.protocol import Results, Run


def active_of(mode="bits", n_bindings=3, n_shots=4, first_shot=0):
    run = Run("r" * 32, 1, "aa", "bb", "", 2, n_bindings, first_shot, n_shots, 0, capture_mode=mode, chunk=5)
    return ActiveRun(run, lambda: None)


def blocks_of(active):
    found = []
    while (data := active.take(len(found))) is not None:
        found.append(Results.from_bytes(data))
    return found


def bits_of(n_shots, value=1, n_clbits=9):
    bits = np.zeros((n_shots, n_clbits), dtype=np.uint8)
    bits[:, -1] = value
    return bits


def test_quick_bindings_share_a_block():
    active = active_of()
    blocks = ResultBlocks(active, lambda: {"n": 1})
    for binding in range(2, 5):
        blocks.add(binding, 0, Outcome(bits_of(4)))
    blocks.flush()
    (block,) = blocks_of(active)
    assert (block.first_binding, block.first_shot, block.chunk, block.statistics) == (2, 0, 5, {"n": 1})
    assert block.bits.shape == (3, 4, 2)
    assert block.bits[0, 0].tolist() == [0, 1]


def test_block_is_sent_when_it_is_large_or_late(monkeypatch):
    monkeypatch.setattr("firmware_sim.result_blocks._BLOCK_BYTES", 9)
    active = active_of()
    blocks = ResultBlocks(active, dict)
    for binding in range(2, 5):
        blocks.add(binding, 0, Outcome(bits_of(4)))
    blocks.flush()
    assert [(b.first_binding, b.bits.shape[0]) for b in blocks_of(active)] == [(2, 2), (4, 1)]
    assert active.status()["done_shots"] == 12


def test_part_of_a_binding_is_a_block_of_its_own():
    active = active_of(n_bindings=1, n_shots=10, first_shot=20)
    blocks = ResultBlocks(active, dict)
    blocks.add(2, 20, Outcome(bits_of(6)))
    blocks.add(2, 26, Outcome(bits_of(4)))
    blocks.flush()
    assert [(b.first_shot, b.bits.shape) for b in blocks_of(active)] == [(20, (1, 6, 2)), (26, (1, 4, 2))]


@pytest.mark.parametrize("mode", ["iq_mean", "trace_mean"])
def test_last_block_of_a_binding_carries_the_mean_over_all_its_shots(mode, rng):
    active = active_of(mode, n_bindings=2, n_shots=10)
    values = rng.normal(size=(2, 10, 3, 7)) + 1j
    blocks = ResultBlocks(active, dict)
    for binding in range(2):
        for first, last in ((0, 6), (6, 10)):
            part = values[binding, first:last]
            iq = part[:, :, 0] if mode == "iq_mean" else None
            traces = part.astype(np.complex64) if mode == "trace_mean" else None
            blocks.add(2 + binding, first, Outcome(bits_of(last - first), iq, traces))
    found = blocks_of(active)
    for binding in range(2):
        last = found[2 * binding + 1]
        mean = values[binding].mean(axis=0)
        got, expected = (last.iq, mean[:, 0]) if mode == "iq_mean" else (last.traces, mean)
        assert got.shape[0] == 1
        assert np.allclose(got[0], expected, atol=1e-6)


def test_single_shots_keep_their_values():
    active = active_of("bits+iq", n_bindings=1)
    blocks = ResultBlocks(active, dict)
    blocks.add(2, 0, Outcome(bits_of(4), np.arange(8).reshape(4, 2) * 1j))
    blocks.flush()
    (block,) = blocks_of(active)
    assert block.iq.shape == (1, 4, 2)
    assert block.iq.dtype == np.complex64


def test_aborted_run_takes_no_more_steps_and_blocks():
    active = active_of()
    active.step()
    assert active.status()["steps"] == 1
    active.abort()
    for action in (active.step, lambda: active.put(b"", 0)):
        with pytest.raises(RunAbortedError):
            action()
