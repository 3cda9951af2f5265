"""Cuts what the lines play into segments, and remembers how: bindings that turn phases alone are cut alike."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from firmware_sim.physics.blocks import Block, read_block
from firmware_sim.physics.segments import shorten

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping

    from firmware_sim.physics.blocks import Played
    from firmware_sim.physics.cache import OperatorCache
    from firmware_sim.physics.device import Chip
    from firmware_sim.physics.tree_player import TreePlayer
    from firmware_sim.signal_chain import SignalChain


@dataclass(frozen=True, slots=True)
class Cutter:
    """Cuts the blocks of one device for one way to hold its state."""

    chip: Chip
    chain: SignalChain
    cache: OperatorCache
    tree: TreePlayer | None
    longest: int
    """Samples beyond which a segment is cut, 0 for none."""
    holds: bool
    """Whether a pulse may not be left in its middle: one that passes through level 2, in a state of two levels."""

    def block(self, played: Played, starts: Mapping[int, int], ends: frozenset[int]) -> Block:
        """Return a block; arguments as of ``read_block``."""
        lines, _, captures, plays = played
        if plays is None:
            return self._cut(played, starts, ends)
        key = ("block", self.chain.identity, self.longest, self.holds, ends)
        bare = plays.memory.get(key)
        if bare is None:
            # Without what brought it: plays that remembered themselves would outlive their rendering.
            bare = plays.memory[key] = self._bare(key, played, starts, ends)
        return replace(bare, lines=lines, captures=captures, plays=plays)

    def _bare(
        self, key: tuple[Hashable, ...], played: Played, starts: Mapping[int, int], ends: frozenset[int]
    ) -> Block:
        """Return a block that fits all with the same content."""

        def build() -> Block:
            return replace(self._cut(played, starts, ends), lines=(), captures=(), plays=None)

        if self.tree is None:
            return build()
        lines, start_ticks, captures, plays = played
        content = self.tree.read(lines, start_ticks, plays).content
        windows = tuple(capture.first_tick for capture in captures)
        return self.cache.get((*key, content, tuple(starts.items()), windows), build)

    def _cut(self, played: Played, starts: Mapping[int, int], ends: frozenset[int]) -> Block:
        block = read_block(self.chain, played, starts, ends)
        block = replace(block, segments=shorten(block.segments, self.longest)) if self.longest else block
        return block.holding(self.chip.tuned, self.longest) if self.holds else block
