"""Rendering dense plays: the shipped ``Player.render``, with its range check, against what the memory allows.

100 thousand plays of 48 complex samples, 16 bytes each. Rounds of fill and render alternate; the least of each counts.
"""

import numpy as np
import pytest

from benchmarks import dense
from qctrl.signal import Player

MEMORY_BYTES = 2**28


def test_dense_drag_as_a_share_of_the_memory_write_rate(benchmark):
    player = Player(dense.program(), dense.setup())
    kept, memory = player.render("q0.drive"), np.empty(MEMORY_BYTES // 8)
    filling, keeping, fresh, fresh_filling = dense.least_s(
        lambda: dense.fill(memory),
        lambda: player.render("q0.drive", kept),
        lambda: player.render("q0.drive"),
        lambda: dense.fill(np.empty(2 * len(kept))),
    )
    limit = memory.nbytes / filling
    print(
        f"\nmemory write {limit / 1e9:.1f} GB/s; dense DRAG {kept.nbytes / keeping / limit:.0%} of it into a kept "
        f"array ({len(kept) / keeping / 1e9:.2f} G complex samples/s), {kept.nbytes / fresh / limit:.0%} into a "
        f"fresh one, where filling reaches {kept.nbytes / fresh_filling / limit:.0%}"
    )
    benchmark(player.render, "q0.drive", kept)


@pytest.mark.parametrize("name", list(dense.CORRECTED))
def test_one_correction(benchmark, name):
    player = Player(dense.program(), dense.setup(**{name: dense.CORRECTED[name]}))
    benchmark(player.render, "q0.drive", player.render("q0.drive"))


def test_all_corrections(benchmark):
    player = Player(dense.program(), dense.setup(**dense.CORRECTED))
    kept = player.render("q0.drive")
    benchmark(player.render, "q0.drive", kept)
    print(f"\n{2 * len(kept) / benchmark.stats.stats.min / 1e9:.2f} G real samples/s")


def test_prepare_a_player(benchmark):
    benchmark(Player, dense.program(), dense.setup(**dense.CORRECTED))
