"""The emulated rig: the physics of one device behind the board."""

from __future__ import annotations

import importlib
import secrets
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec
import numpy as np

from firmware_sim.active_run import ActiveRun
from firmware_sim.board import Loaded
from firmware_sim.config import load_truth
from firmware_sim.result_blocks import Outcome, ResultBlocks
from firmware_sim.silence import silenced, unrelaxed
from qctrl.errors import ConfigError, InstrumentError, ProtocolError, ResourceError
from qctrl.protocol import EventOp, Program, Run, Setup, SimOptions

if TYPE_CHECKING:
    from firmware_sim.physics.branches import Branch
    from firmware_sim.physics.cache import OperatorCache
    from firmware_sim.physics.engine import Engine
    from firmware_sim.physics.slow_noise import Clock
    from firmware_sim.renderer import Renderer
    from firmware_sim.wires import Wires

_BATCH_BYTES: Final = 64 << 20
"""Results of the shots that are simulated together."""
_SAMPLE_COPIES: Final = 3
"""What the DACs put out, what reaches the chip, and what is computed from it."""
_MAX_BATCH_SHOTS: Final = 1 << 20
_ROUNDING: Final = 1e-9
_SEED_BITS: Final = 53
"""So that a seed survives every JSON reader."""


class EmulatedRig:
    """Plays runs on simulated physics; used from the board's thread.

    Args:
        path: Truth file of the device.
        device: Name that the truth must have.

    Raises:
        ConfigError: The file cannot be used, or is of another device.
    """

    def __init__(self, path: Path, device: str) -> None:
        self._truth = load_truth(path)
        if self._truth.device != device:
            raise ConfigError(f"{path}: this is the truth of device {self._truth.device!r}, not of {device!r}")
        self.device = self._truth.device
        self._cache: OperatorCache | None = None
        self._rendering: tuple[tuple[str, str], Renderer] | None = None

    def warm_up(self) -> None:
        """Load physics and kernels while the host is still compiling."""
        for module in ("firmware_sim.physics.engine", "firmware_sim.sequencer"):
            importlib.import_module(module)
        from firmware_sim.physics.random import Draws, stream_key

        # The first kernel of a process pays for Numba's own tables, far more than for itself.
        Draws(stream_key(0, 0, b""), 0, np.zeros(1, dtype=np.uint64)).outcomes(0, np.ones(1))

    def check(self, loaded: Loaded, run: Run) -> None:
        """Refuse what does not fit into memory; see ``Rig``.

        Raises:
            ResourceError: One shot's results, or the samples of a block, are too large.
            ConfigError: The Setup promises bits earlier than the board has them.
            ProtocolError: The run says of too many or too few bindings which pubs they are of.
        """
        promised_s = loaded.setup.bit_latency_ticks * float(loaded.setup.tick_s)
        if promised_s < self._truth.bit_latency * (1 - _ROUNDING) and len(loaded.program.captures):
            raise ConfigError(
                f"the setup of {self.device} promises a bit {promised_s:g} s after its window, this board needs "
                f"{self._truth.bit_latency:g} s; raise timing.bit_latency in the calibration"
            )
        n_bindings, pubs = loaded.n_bindings, (run.sim or SimOptions()).pubs
        if pubs and sum(count for _, count in pubs) != n_bindings:
            raise ProtocolError(f"run: pubs has {sum(count for _, count in pubs)} bindings, the patch {n_bindings}")
        need = _bytes_per_shot(loaded.program, loaded.setup, run)
        if need > _BATCH_BYTES:
            raise ResourceError(
                f"one shot's results in mode {run.capture_mode} need {need} bytes, the board has {_BATCH_BYTES}; "
                "capture less at once, or integrated values"
            )
        _check_blocks(loaded, (run.sim or SimOptions()).memory_mib)

    def play(self, loaded: Loaded, active: ActiveRun) -> None:
        """Play a run; see ``Rig``."""
        from firmware_sim.physics.forecast import forecast, refuse_slow
        from firmware_sim.physics.random import stream_key
        from firmware_sim.sequencer import Sequencer
        from firmware_sim.sweep import Origin, sweep_of

        run, began = active.run, time.perf_counter()
        sim = run.sim or SimOptions()
        if sim.seed is None:
            sim = msgspec.structs.replace(sim, seed=secrets.randbits(_SEED_BITS))
        engine = self._engine(loaded.setup, sim, _clock(loaded, run, sim))
        renderer = self._renderer(loaded)
        sequencer = Sequencer(loaded.program, loaded.setup, engine, run.iteration_limit, active.step, renderer)

        def statistics() -> dict[str, Any]:
            return {
                **engine.statistics(),
                "seed": sim.seed,
                "shot_ticks": sequencer.longest_shot_ticks,
                "unrelaxed": unrelaxed(self._truth, run.rep_delay_ticks * float(loaded.setup.tick_s)),
                "forecast_s": expected.seconds,
                "elapsed_s": time.perf_counter() - began,
            }

        blocks = ResultBlocks(active, statistics)
        samples = _trace_samples(loaded.program, loaded.setup) if "trace" in run.capture_mode else 0
        n_captures = len(loaded.program.captures)
        captures = (0 if run.capture_mode == "bits" else n_captures, samples)
        choice, job = engine.prepare(loaded.program, sim.pub_shots or run.n_shots)
        job = replace(job, shots=run.n_shots, branches=min(job.branches, run.n_shots))
        expected = forecast(job, choice, bindings=run.n_bindings, captures=n_captures)
        refuse_slow(expected, sim.time_limit_s)
        fit = _BATCH_BYTES // _bytes_per_shot(loaded.program, loaded.setup, run)
        batch = max(1, min(_MAX_BATCH_SHOTS, choice.batch_shots, fit))
        origins = [
            Origin(binding, number, stream_key(sim.seed or 0, pub_index, bytes.fromhex(loaded.program_hash)))
            for binding, pub_index, number in _origins(run, sim)
        ]
        shots = np.arange(run.first_shot, run.first_shot + run.n_shots, dtype=np.uint64)

        def play_alone(origin: Origin) -> None:
            sequencer.bind(None if loaded.patch is None else loaded.patch.words[origin.binding])
            for first in range(0, run.n_shots, batch):
                some = shots[first : first + batch]
                begun = engine.begin(some, origin.number, origin.key, loaded.program.n_clbits, captures)
                blocks.add(origin.binding, run.first_shot + first, _outcome(sequencer.run(begun), some, run))

        play_alone(origins[0])
        alike = run.capture_mode == "bits" and run.n_shots <= batch
        sweep = sweep_of(engine.tape, renderer.shapes, loaded) if alike else None
        if sweep is None:
            for origin in origins[1:]:
                play_alone(origin)
        else:
            for binding, outcome in sweep.play(origins[1:], shots, active.step):
                blocks.add(binding, run.first_shot, outcome)
        blocks.flush()

    def debug(
        self, setup: Setup | None, body: dict[str, Any], buffers: Sequence[bytes]
    ) -> tuple[dict[str, Any], list[bytes]]:
        """Answer a question about the physics; see ``Rig``.

        Raises:
            InstrumentError: Nothing is configured.
            ProtocolError: The question is malformed.
        """
        from firmware_sim.questions import answer, options_of

        if setup is None:
            raise InstrumentError("nothing is configured; send the Setup first")
        return answer(self._engine(setup, options_of(body)), self._wires(setup), setup, body, buffers)

    def _renderer(self, loaded: Loaded) -> Renderer:
        """Return what renders the loaded program; runs of the same program share it."""
        from firmware_sim.renderer import Renderer

        name = (loaded.setup_hash, loaded.program_hash)
        if self._rendering is None or self._rendering[0] != name:
            self._rendering = (name, Renderer(loaded.program, loaded.setup, self._wires(loaded.setup)))
        return self._rendering[1]

    def _wires(self, setup: Setup) -> Wires:
        from firmware_sim.wires import Wires

        return Wires(self._truth, setup)

    def _engine(self, setup: Setup, sim: SimOptions, clock: Clock | None = None) -> Engine:
        from firmware_sim.physics.cache import OperatorCache
        from firmware_sim.physics.engine import Engine

        # Operators are keyed by their content, so they serve every later run too.
        if self._cache is None:
            self._cache = OperatorCache()
        return Engine(silenced(self._truth, sim.without), setup, sim, self._cache, clock)


def _origins(run: Run, sim: SimOptions) -> Iterator[tuple[int, int, int]]:
    """Yield each binding of a run with the pub that it is of, and its number within that pub."""
    last = run.first_binding + run.n_bindings
    end = 0
    for pub_index, n_bindings in sim.pubs or ((sim.pub_index, last),):
        first, end = end, end + n_bindings
        for binding in range(max(first, run.first_binding), min(end, last)):
            yield binding, pub_index, binding - first


def _clock(loaded: Loaded, run: Run, sim: SimOptions) -> Clock:
    """Return the times of the shots; one that plays every block once stands for all."""
    from firmware_sim.physics.slow_noise import Clock

    tick_s = float(loaded.setup.tick_s)
    length_s = float(loaded.program.blocks["length_ticks"].sum()) * tick_s
    return Clock(sim.time_s, length_s + run.rep_delay_ticks * tick_s, length_s)


def _outcome(branches: list[Branch], shots: np.ndarray[Any, Any], run: Run) -> Outcome:
    rows = [(branch.shots - shots[0]).astype(np.intp) for branch in branches]

    def gather(name: str) -> np.ndarray[Any, Any]:
        first = getattr(branches[0], name)
        whole = np.zeros((len(shots), *first.shape[1:]), dtype=first.dtype)
        for where, branch in zip(rows, branches, strict=True):
            whole[where] = getattr(branch, name)
        return whole

    return Outcome(
        bits=gather("bits"),
        iq=gather("iq") if "iq" in run.capture_mode else None,
        traces=gather("traces") if "trace" in run.capture_mode else None,
    )


def _bytes_per_shot(program: Program, setup: Setup, run: Run) -> int:
    captures = len(program.captures)
    # Integrated values are computed for every mode; a trace needs its noise and correction beside it.
    traces = 64 * captures * _trace_samples(program, setup) if "trace" in run.capture_mode else 0
    return program.n_clbits + 8 * program.n_registers + 16 * captures + traces + 16


def _check_blocks(loaded: Loaded, limit_mib: int) -> None:
    ports, lengths = loaded.setup.ports, loaded.program.blocks["length_ticks"]
    block = int(np.argmax(lengths))
    widths = {"iq_drive": 16, "iq_readout": 16, "flux": 8}
    per_tick = _SAMPLE_COPIES * sum(widths.get(port.kind, 0) / port.sample_ticks for port in ports)
    need_mib = int(per_tick * int(lengths[block])) >> 20
    if need_mib > limit_mib:
        raise ResourceError(
            f"block {block} of {int(lengths[block])} ticks needs {need_mib} MiB for the samples of {len(ports)} ports, "
            f"the emulator may take {limit_mib} MiB; shorten its delays or raise memory_mib"
        )


def _trace_samples(program: Program, setup: Setup) -> int:
    events = program.events[program.events["op"] == EventOp.CAPTURE]
    return max(
        (
            int(event["length_ticks"]) // setup.ports[int(program.frames[int(event["frame"])]["port"])].sample_ticks
            for event in events
        ),
        default=0,
    )
