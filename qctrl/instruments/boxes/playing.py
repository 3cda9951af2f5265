"""``Playing``: one run on a rack of boxes, step by step."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from qctrl.errors import ConfigError, InstrumentError, InstrumentTimeoutError
from qctrl.instruments.boxes.base import Acquisition, Finishing, GeneratorLimits, ShotSequence
from qctrl.instruments.boxes.receive import Means, Received, Record, receive, records
from qctrl.instruments.boxes.settings import sample_rate_hz
from qctrl.instruments.boxes.shot import Pieces, Shot, cut, period_ticks, render, rest_levels, trigger_marks
from qctrl.instruments.boxes.wired import Wired
from qctrl.protocol import Patch, Program, Results, Run, Setup
from qctrl.signal import Player

_FINISH_S: Final = 5.0
"""A generator has this long to say that it played, after all records are there."""
_MAX_SHOTS: Final = 1 << 14
"""Of one arming, so that a run shows progress and can be cancelled."""
_TRACE_BYTES: Final = 64 << 20
"""Records that are fetched together."""


class Playing:
    """Renders, uploads, arms, triggers, fetches; binding by binding.

    Args:
        wired: The boxes.
        setup: What they are configured with.
        limits: Memory of every generator.
        program: A program without branches.
        patch: Words for its open slots.
        slack_s: How much longer than its shots a run may take.
    """

    def __init__(
        self,
        wired: Wired,
        setup: Setup,
        limits: Mapping[str, GeneratorLimits],
        program: Program,
        patch: Patch | None,
        slack_s: float,
    ) -> None:
        self._wired = wired
        self._setup = setup
        self._limits = limits
        self._program = program
        self._patch = patch
        self._slack_s = slack_s
        self._player = Player(program, setup) if patch is None else Player(program, setup, patch.words[0])
        self._rest = rest_levels(setup)
        self._uploads = {"segments": 0, "bytes": 0, "held": 0}

    def play(self, run: Run) -> Iterator[Results | None]:
        """Yield blocks of results as they come, and ``None`` between two steps.

        Raises:
            InstrumentError: A box failed, or did not play or record all shots.
            QctrlError: The program does not fit the boxes.
        """
        began = time.perf_counter()
        period = period_ticks(self._program, self._setup, run.rep_delay_ticks, list(self._limits.values()))
        for binding in range(run.first_binding, run.first_binding + run.n_bindings):
            if self._patch is not None:
                self._player.bind(self._patch.words[binding])
            shot = render(self._player, self._program, self._setup, period)
            pieces: dict[str, Pieces] = {}
            for name in self._wired.generators:
                pieces[name] = self._pieces(name, shot)
                yield None
            for name, piece in pieces.items():
                self._upload(name, piece)
                yield None
            taken = records(self._program, shot.windows)
            most = self._prepare(taken)
            means = Means(run)
            end = run.first_shot + run.n_shots
            for first in range(run.first_shot, end, most):
                n_shots = min(most, end - first)
                yield from self._shoot(pieces, n_shots, period)
                received = self._receive(shot, taken, n_shots, run)
                yield means.block((binding, first), received, self._statistics(period, began))

    def _pieces(self, name: str, shot: Shot) -> Pieces:
        lines, marks = [line for _, line in self._lines(name, shot)], dict[int, NDArray[np.uint8]]()
        if self._wired.entries[name].trigger_channel is not None:
            marks[len(lines)] = trigger_marks(self._n_samples(shot))
            lines.append(np.zeros(self._n_samples(shot), dtype=np.float32))
        return cut(lines, marks, self._limits[name])

    def _lines(self, name: str, shot: Shot) -> Iterator[tuple[int, NDArray[np.float32]]]:
        """Yield channel and samples of every port that a generator feeds."""
        for port, channels in self._wired.entries[name].channels.items():
            line = shot.samples.get(port)
            if line is None:
                continue
            if self._wired.biased(port) is not None:
                # The level at rest is the DC source's.
                line = line - self._rest[port].real
            parts = (line,) if len(channels) == 1 else (np.real(line), np.imag(line))
            for channel, part in zip(channels, parts, strict=True):
                yield channel, part.astype(np.float32)

    def _channels(self, name: str) -> tuple[int, ...]:
        entry, ports = self._wired.entries[name], {port.name for port in self._setup.ports}
        wired = [channel for port, channels in entry.channels.items() if port in ports for channel in channels]
        return tuple(wired) if entry.trigger_channel is None else (*wired, entry.trigger_channel)

    def _n_samples(self, shot: Shot) -> int:
        return shot.period_ticks // self._setup.ports[0].sample_ticks

    def _upload(self, name: str, pieces: Pieces) -> None:
        for segment in pieces.segments:
            if self._wired.generators[name].upload(segment):
                self._uploads["segments"] += 1
                self._uploads["bytes"] += segment.samples.nbytes
            else:
                self._uploads["held"] += 1

    def _prepare(self, taken: Mapping[int, Record]) -> int:
        """Set the digitizers up; return how many shots can be taken at once."""
        most = _MAX_SHOTS
        for record in taken.values():
            port = self._setup.ports[record.port]
            name, channels = self._digitizer(port.name)
            tick_s = float(self._setup.tick_s)
            acquisition = Acquisition(
                channels=channels,
                full_scale_v=port.full_scale_v,
                sample_rate_hz=sample_rate_hz(self._setup),
                delay_s=(record.first_tick + port.delay_ticks) * tick_s,
                n_samples=record.length_ticks // port.sample_ticks,
            )
            fit = self._wired.digitizers[name].configure(acquisition)
            most = min(most, fit, max(1, _TRACE_BYTES // (8 * len(channels) * acquisition.n_samples)))
        return max(1, min(most, *(limit.max_repeats for limit in self._limits.values())))

    def _digitizer(self, port: str) -> tuple[str, tuple[int, ...]]:
        for name in self._wired.digitizers:
            if port in self._wired.entries[name].channels:
                return name, self._wired.entries[name].channels[port]
        raise ConfigError(f"port {port} is on no digitizer; add it to the channels of one in the rack file")

    def _shoot(self, pieces: Mapping[str, Pieces], n_shots: int, period: int) -> Iterator[None]:
        """Arm everything, give the trigger, wait for the records."""
        for name, piece in pieces.items():
            sequence = ShotSequence(self._channels(name), piece.steps, piece.rest, n_shots)
            self._wired.generators[name].load(sequence)
        self._refuse_unlocked()
        for digitizer in self._wired.digitizers.values():
            digitizer.arm(n_shots)
        source = self._wired.generators[self._wired.trigger]
        for name, generator in self._wired.generators.items():
            if name != self._wired.trigger:
                generator.arm()
        # Last, so that nobody misses the trigger.
        source.arm()
        source.trigger()
        duration_s = n_shots * period * float(self._setup.tick_s)
        yield from self._wait(n_shots, duration_s)

    def _wait(self, n_shots: int, duration_s: float) -> Iterator[None]:
        until = time.monotonic() + 1.5 * duration_s + self._slack_s
        for name, digitizer in self._wired.digitizers.items():
            while (acquired := digitizer.acquired()) < n_shots:
                self._refuse_faults()
                if time.monotonic() > until:
                    raise InstrumentTimeoutError(
                        f"instrument {name} has {acquired} of {n_shots} records, {self._slack_s:g} s after the "
                        f"{duration_s:.3g} s that they should take; check the trigger cable",
                        name=name,
                    )
                yield None
        until = time.monotonic() + min(_FINISH_S, self._slack_s)
        for name, generator in self._wired.generators.items():
            while isinstance(generator, Finishing) and not generator.has_played():
                if time.monotonic() > until:
                    raise InstrumentError(
                        f"instrument {name} has not played its {n_shots} shots although all were recorded: it missed "
                        "the trigger, or hangs; check the trigger cable",
                        name=name,
                    )
                yield None

    def _refuse_unlocked(self) -> None:
        for name in (*self._wired.generators, *self._wired.oscillators):
            box = self._wired.generators.get(name) or self._wired.oscillators[name]
            if not getattr(box, "is_locked", lambda: True)():
                raise InstrumentError(
                    f"instrument {name} is not locked to its reference clock; nothing was armed, check the cable",
                    name=name,
                )

    def _refuse_faults(self) -> None:
        source: Any = self._wired.generators[self._wired.trigger]
        finish = getattr(source, "finish", None)
        if finish is not None:
            finish(("the trigger",))

    def _receive(self, shot: Shot, taken: Mapping[int, Record], n_shots: int, run: Run) -> Received:
        digitised: dict[int, tuple[Record, NDArray[np.complex64]]] = {}
        for index, record in taken.items():
            port = self._setup.ports[index]
            name, _ = self._digitizer(port.name)
            in_phase, quadrature = self._wired.digitizers[name].fetch(n_shots)
            digitised[index] = record, ((in_phase + 1j * quadrature) / port.full_scale_v).astype(np.complex64)
        return receive(self._program, self._setup, shot.windows, digitised, with_traces="trace" in run.capture_mode)

    def _statistics(self, period_ticks: int, began: float) -> dict[str, Any]:
        return {
            "shot_ticks": period_ticks,
            "uploaded_segments": self._uploads["segments"],
            "uploaded_bytes": self._uploads["bytes"],
            "segments_held": self._uploads["held"],
            "elapsed_s": time.perf_counter() - began,
        }
