"""``Playing``: one run on a cluster, binding by binding: write, upload, start, wait, read the bins."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any, Final

from qctrl.errors import InstrumentError, InstrumentTimeoutError
from qctrl.instruments.boxes.receive import Means
from qctrl.instruments.qblox import limits
from qctrl.instruments.qblox.connection import DUMMY, Connection
from qctrl.instruments.qblox.layout import ClusterWiring
from qctrl.instruments.qblox.receive import receive
from qctrl.instruments.qblox.sequences import ClusterProgram, to_q1asm
from qctrl.instruments.qblox.settings import sequencer_values
from qctrl.protocol import Patch, Program, Results, Run, Setup

_UPLOAD_S: Final = 30.0
_ASK_S: Final = 10.0
_MAX_SHOTS: Final = 1 << 14
"""Of one arming, so that a run shows progress and can be cancelled."""


class Playing:
    """Plays a program.

    Args:
        connection: The cluster, open.
        wiring: Modules, and which port is on which.
        setup: What it is configured with.
        program: What to play.
        patch: Words for its open slots.
        slack_s: How much longer than its shots a run may take.
    """

    def __init__(
        self,
        connection: Connection,
        wiring: ClusterWiring,
        setup: Setup,
        program: Program,
        patch: Patch | None,
        slack_s: float,
    ) -> None:
        self._connection = connection
        self._wiring = wiring
        self._setup = setup
        self._program = program
        self._patch = patch
        self._slack_s = slack_s
        self._synchronised: set[tuple[int, int]] = set()

    def play(self, run: Run) -> Iterator[Results | None]:
        """Yield blocks of results as they come, and ``None`` between two steps.

        Raises:
            InstrumentError: The cluster failed, or did not record all shots.
            CompileError: The program does not fit it.
        """
        began = time.perf_counter()
        most = self._most_shots(run)
        for binding in range(run.first_binding, run.first_binding + run.n_bindings):
            means = Means(run)
            end = run.first_shot + run.n_shots
            for first in range(run.first_shot, end, most):
                cluster = self._write(binding, min(most, end - first), run)
                for _ in self._upload(cluster):
                    yield None
                yield from self._shoot(cluster)
                received = receive(self._program, cluster, self._bins(cluster))
                yield means.block((binding, first), received, self._statistics(cluster, began))

    def _most_shots(self, run: Run) -> int:
        """Return how many shots fit into the bins."""
        acquisitions = max(self._write(run.first_binding, 1, run).per_shot.values(), default=1)
        return max(1, min(_MAX_SHOTS, limits.BINS // acquisitions))

    def _write(self, binding: int, n_shots: int, run: Run) -> ClusterProgram:
        words = None if self._patch is None else self._patch.words[binding]
        return to_q1asm(
            self._program, self._setup, self._wiring, words, n_shots=n_shots, rep_delay_ticks=run.rep_delay_ticks
        )

    def _upload(self, cluster: ClusterProgram) -> Iterator[None]:
        places = {(each.voice.slot, each.voice.sequencer) for each in cluster.sequences}
        for slot, sequencer in sorted(self._synchronised - places):
            # A sequencer that is to be in step and never starts would let all others wait for ever.
            self._connection.call("set_values", slot, sequencer, {"sync_en": False}, deadline_s=_ASK_S)
        self._synchronised = places
        triggers = sorted({each.trigger_address for each in cluster.sequences} - {0})
        for each in cluster.sequences:
            place = (each.voice.slot, each.voice.sequencer)
            sequence = {
                "program": each.program,
                "waveforms": each.waveforms,
                "weights": each.weights,
                "acquisitions": each.acquisitions,
            }
            self._connection.call("upload", *place, sequence, deadline_s=_UPLOAD_S)
            self._connection.call("set_values", *place, sequencer_values(each, triggers), deadline_s=_ASK_S)
            if self._connection.address == DUMMY and each.acquisitions:
                silence = [[0.0, 0.0, 0.0, 1.0]] * each.acquisitions["shots"]["num_bins"]
                self._connection.call("feed", *place, silence, deadline_s=_UPLOAD_S)
            yield

    def _shoot(self, cluster: ClusterProgram) -> Iterator[None]:
        """Start everything and wait until all have stopped."""
        places = [[each.voice.slot, each.voice.sequencer] for each in cluster.sequences]
        duration_s = cluster.n_shots * cluster.period_ns * 1e-9
        until = time.monotonic() + 1.5 * duration_s + self._slack_s
        self._connection.call("start", places, deadline_s=_ASK_S)
        while True:
            states = self._connection.call("states", places, deadline_s=_ASK_S)
            for (slot, sequencer), state in zip(places, states, strict=True):
                if state["errors"] or state["status"] == "ERROR":
                    raise self._failed(f"slot {slot} sequencer {sequencer} failed: {', '.join(state['errors'])}")
            running = [place for place, state in zip(places, states, strict=True) if state["state"] != "STOPPED"]
            if not running:
                return
            if time.monotonic() > until:
                raise InstrumentTimeoutError(
                    f"instrument {self._connection.name}: {len(running)} sequencers still run {self._slack_s:g} s "
                    f"after the {duration_s:.3g} s that their shots should take, slot {running[0][0]} sequencer "
                    f"{running[0][1]} first; check that all modules are in step",
                    name=self._connection.name,
                    address=self._connection.address,
                )
            yield None

    def _bins(self, cluster: ClusterProgram) -> dict[int, Any]:
        return {
            each.voice.frame: self._connection.call(
                "bins", each.voice.slot, each.voice.sequencer, deadline_s=_UPLOAD_S + self._slack_s
            )
            for each in cluster.sequences
            if each.acquisitions
        }

    def _statistics(self, cluster: ClusterProgram, began: float) -> dict[str, Any]:
        found: dict[str, Any] = {
            "shot_ns": cluster.period_ns,
            "sequencers": len(cluster.sequences),
            "instructions": max((each.n_instructions for each in cluster.sequences), default=0),
            "elapsed_s": time.perf_counter() - began,
        }
        return found | {"dummy": True} if self._connection.address == DUMMY else found

    def _failed(self, text: str) -> InstrumentError:
        name, address = self._connection.name, self._connection.address
        return InstrumentError(f"instrument {name} at {address}: {text}", name=name, address=address)
