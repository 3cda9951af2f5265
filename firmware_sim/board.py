"""The board: what is configured and loaded, what may run, and the one thread that plays."""

from __future__ import annotations

import logging
import queue
import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Final, Protocol

from firmware_sim.active_run import ActiveRun, RunAbortedError
from qctrl.errors import InstrumentError, InstrumentFault, ProtocolError, QctrlError
from qctrl.protocol import RUNS_AHEAD, Patch, Program, Run, Setup
from qctrl.signal.duty import check_duty

_log = logging.getLogger(__name__)
_STOP_DEADLINE_S: Final = 2.0
_ARTEFACTS_PER_LOAD: Final = 2
PATCH_KIND: Final = b"PTCH"
"""Bytes 4 to 8 of a Patch."""


@dataclass(frozen=True, slots=True, eq=False)
class Loaded:
    """What a run plays, with the identities it must name."""

    setup: Setup
    setup_hash: str
    program: Program
    program_hash: str
    patch: Patch | None
    patch_hash: str

    @property
    def n_bindings(self) -> int:
        """Number of parameter sets that were loaded."""
        return 1 if self.patch is None else self.patch.n_bindings


class Rig(Protocol):
    """What the board's outputs are connected to; used from the board's thread only."""

    device: str
    """Name of the device."""

    def play(self, loaded: Loaded, active: ActiveRun) -> None:
        """Play a run, putting its results into ``active``."""
        ...

    def debug(
        self, setup: Setup | None, body: dict[str, Any], buffers: Sequence[bytes]
    ) -> tuple[dict[str, Any], list[bytes]]:
        """Answer a question about the physics."""
        ...

    def warm_up(self) -> None:
        """Load what the first run will need."""
        ...

    def check(self, loaded: Loaded, run: Run) -> None:
        """Refuse a run that asks for more than the rig has; called before the run is acknowledged."""
        ...


class Board:
    """State machine behind the verbs; refusals are errors, never silence.

    Args:
        rig: What it plays on.
        on_change: Called from the board's thread whenever an answer may have become available.
    """

    def __init__(self, rig: Rig, on_change: Callable[[], None]) -> None:
        self.device = rig.device
        self.epoch = 0
        self._rig = rig
        self._on_change = on_change
        self._setup: Setup | None = None
        self._setup_hash = ""
        self._program: Program | None = None
        self._program_hash = ""
        self._patch: Patch | None = None
        self._runs: deque[ActiveRun] = deque(maxlen=RUNS_AHEAD)
        """The last runs, in the order in which they are played."""
        self._tasks: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="board", daemon=True)
        self._thread.start()

    def status(self, run_id: str = "") -> dict[str, Any]:
        """Return state and progress, of a run or else of the one that plays, or played last."""
        asked = [active for active in self._runs if active.run.run_id == run_id]
        playing = [active for active in self._runs if active.state == "running"]
        for active in (*asked, *playing, *reversed(self._runs)):
            return active.status()
        state = "ready" if self._setup is not None else "safe"
        return {"state": state, "run_id": "", "done_shots": 0, "total_shots": 0, "steps": 0}

    def configure(self, data: bytes) -> str:
        """Take a Setup; return its hash.

        Raises:
            InstrumentError: It is for another device, or a run is going on.
        """
        self._refuse_while_running("configure")
        setup = Setup.from_bytes(data)
        if setup.device != self.device:
            raise InstrumentError(f"setup is for device {setup.device!r}, this board is wired to {self.device!r}")
        self._runs.clear()
        self._program = self._patch = None
        self._setup, self._setup_hash = setup, setup.hash.hex()
        return self._setup_hash

    def load(self, buffers: Sequence[bytes]) -> str:
        """Take a Program, a Patch for the loaded Program, or both in this order; return the Program's hash.

        Raises:
            InstrumentError: Nothing is configured, or a run is going on.
            ProtocolError: The Program is for another Setup, or the Patch for another Program.
        """
        self._refuse_while_running("load")
        self._runs.clear()
        return self._take(buffers)

    def _take(self, buffers: Sequence[bytes]) -> str:
        if not 1 <= len(buffers) <= _ARTEFACTS_PER_LOAD:
            raise ProtocolError(f"load takes a Program, a Patch or both, got {len(buffers)} buffers")
        if self._setup is None:
            raise InstrumentError("nothing is configured; send the Setup first")
        rest = list(buffers)
        program, program_hash = self._program, self._program_hash
        if rest[0][4:8] != PATCH_KIND:
            program = Program.from_bytes(rest.pop(0))
            program_hash = program.hash.hex()
            if program.setup_hash.hex() != self._setup_hash:
                raise ProtocolError(
                    f"program needs Setup {program.setup_hash.hex()[:12]}, configured is {self._setup_hash[:12]}; "
                    "compile it for this setup or configure the other"
                )
        if program is None:
            raise InstrumentError("patch came without a program; load the program first")
        patch = Patch.from_bytes(rest[0]) if rest else None
        if patch is not None:
            patch.verify_for(program)
        self._program, self._program_hash, self._patch = program, program_hash, patch
        return program_hash

    def start(self, data: bytes) -> str:
        """Check a Run, start it and return its id.

        Raises:
            InstrumentError: The Run does not fit what is loaded, its epoch is stale, or the board is busy.
        """
        self._refuse_while_running("start")
        return self._begin(data)

    def play(self, artefacts: Sequence[bytes], data: bytes) -> str:
        """Take what a Run plays, if it is not loaded, and start it behind those that go on; return its id.

        Raises:
            InstrumentError: The Run does not fit, its epoch is stale, or too many runs go on.
            ProtocolError: What it plays does not belong together.
        """
        if len(self._runs) == RUNS_AHEAD and self._runs[0].state == "running":
            self._refuse_while_running("play")
        if artefacts:
            self._take(artefacts)
        return self._begin(data)

    def _begin(self, data: bytes) -> str:
        run = Run.from_bytes(data)
        if run.epoch < self.epoch:
            raise InstrumentFault(
                f"run has epoch {run.epoch}, this board has served {self.epoch}: another controller took over",
                fault_code="QC-STALE-EPOCH",
            )
        loaded = self._loaded()
        _check_run(run, loaded)
        self._rig.check(loaded, run)
        self.epoch = run.epoch
        active = ActiveRun(run, self._on_change)
        self._runs.append(active)
        self._tasks.put(lambda: self._play(loaded, active))
        return run.run_id

    def fetch(self, run_id: str, block: int) -> tuple[dict[str, Any], bytes | None] | None:
        """Return progress and a block, without block when the run has no more, ``None`` while it is not there.

        Raises:
            InstrumentError: There is no such run.
            QctrlError: What made the run fail.
        """
        active = next((each for each in self._runs if each.run.run_id == run_id), None)
        if active is None:
            raise InstrumentError(f"there is no run {run_id!r} on this board; it was aborted or the board restarted")
        data = active.take(block)
        if data is None and not active.is_exhausted(block):
            return None
        if data is None and active.error is not None:
            raise active.error
        return active.status(), data

    def abort(self) -> bool:
        """Stop the runs, if any; return whether the board is at rest."""
        going_on = [active for active in self._runs if active.state == "running"]
        for active in going_on:
            active.abort()
        if not going_on:
            self._runs.clear()
        return not going_on

    def debug(self, body: dict[str, Any], buffers: Sequence[bytes]) -> Future[tuple[dict[str, Any], list[bytes]]]:
        """Ask the rig in the board's own thread, after the run."""
        future: Future[tuple[dict[str, Any], list[bytes]]] = Future()
        setup = self._setup

        def task() -> None:
            try:
                future.set_result(self._rig.debug(setup, body, buffers))
            except Exception as error:  # noqa: BLE001 (the asker gets it, whatever it is)
                future.set_exception(error)
            self._on_change()

        self._tasks.put(task)
        return future

    def warm_up(self) -> None:
        """Let the rig load what it will need, in the board's own thread."""
        self._tasks.put(self._rig.warm_up)

    def close(self) -> None:
        """Reach the safe state and end the thread."""
        self.abort()
        self._tasks.put(None)
        self._thread.join(_STOP_DEADLINE_S)

    def _loaded(self) -> Loaded:
        if self._setup is None or self._program is None:
            raise InstrumentError("nothing is loaded; send Setup and Program first")
        patch_hash = "" if self._patch is None else self._patch.hash.hex()
        return Loaded(self._setup, self._setup_hash, self._program, self._program_hash, self._patch, patch_hash)

    def _refuse_while_running(self, verb: str) -> None:
        for active in self._runs:
            if active.state == "running":
                raise InstrumentFault(
                    f"{verb} refused: run {active.run.run_id} is going on; fetch or abort it", fault_code="QC-BUSY"
                )

    def _work(self) -> None:
        while (task := self._tasks.get()) is not None:
            task()

    def _play(self, loaded: Loaded, active: ActiveRun) -> None:
        try:
            active.step()  # it may have been aborted while others played
            self._rig.play(loaded, active)
        except RunAbortedError:
            active.finish(InstrumentFault("the run was aborted", fault_code="QC-ABORTED"))
        except QctrlError as error:
            active.finish(error)
        except Exception as error:  # noqa: BLE001 (the board outlives any one run)
            _log.exception("run %s failed", active.run.run_id)
            active.finish(InstrumentError(f"defect of the emulator, see its log: {type(error).__name__}: {error}"))
        else:
            active.finish()


def _check_run(run: Run, loaded: Loaded) -> None:
    check_duty(loaded.program, loaded.setup, run.rep_delay_ticks)
    expected = (loaded.setup_hash, loaded.program_hash, loaded.patch_hash)
    for what, asked, have in zip(
        ("Setup", "Program", "Patch"), (run.setup_hash, run.program_hash, run.patch_hash), expected, strict=True
    ):
        if asked != have:
            raise ProtocolError(f"run names {what} {asked[:12] or '(none)'}, loaded is {have[:12] or '(none)'}")
    if run.first_binding + run.n_bindings > loaded.n_bindings:
        raise ProtocolError(
            f"run asks for bindings {run.first_binding}..{run.first_binding + run.n_bindings}, "
            f"the patch has {loaded.n_bindings}"
        )
    if loaded.patch is None and loaded.program.n_slots > 1:
        raise ProtocolError(f"program has {loaded.program.n_slots - 1} open slots and no patch is loaded")
