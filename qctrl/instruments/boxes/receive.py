"""The firmware's part on the receiving side: records in, integrated values and classical bits out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qctrl.protocol import Program, Results, Run, Setup
from qctrl.signal import CaptureWindow, carrier, demodulation_weights, dequantise, discriminate


@dataclass(frozen=True, slots=True)
class Record:
    """What is digitised of each shot on one acquire port."""

    port: int
    """Index in the Setup."""
    first_tick: int
    length_ticks: int


@dataclass(frozen=True, slots=True, eq=False)
class Received:
    """What some shots brought."""

    bits: NDArray[np.uint8]
    """Packed classical registers, shape ``(shots, nbytes)``."""
    iq: NDArray[np.complex64]
    """Shape ``(shots, captures)``."""
    traces: NDArray[np.complex64] | None
    """Shape ``(shots, captures, samples)``, if asked for."""


def records(program: Program, windows: Sequence[CaptureWindow]) -> dict[int, Record]:
    """Return, by acquire port, one record that holds all of its captures."""
    spans: dict[int, tuple[int, int]] = {}
    for window in windows:
        port = port_of(program, window)
        first, end = spans.get(port, (window.first_tick, 0))
        spans[port] = (min(first, window.first_tick), max(end, window.first_tick + window.length_ticks))
    return {port: Record(port, first, end - first) for port, (first, end) in spans.items()}


def port_of(program: Program, window: CaptureWindow) -> int:
    """Return the acquire port of a capture, as an index in the Setup."""
    return int(program.frames[int(program.captures[window.capture]["frame"])]["port"])


def receive(
    program: Program,
    setup: Setup,
    windows: Sequence[CaptureWindow],
    digitised: Mapping[int, tuple[Record, NDArray[np.complex64]]],
    *,
    with_traces: bool,
) -> Received:
    """Demodulate, integrate and discriminate every capture of some shots.

    Args:
        program: What was played.
        setup: Its setup.
        windows: Its captures, in the order in which they were played: the last to write a bit stays.
        digitised: By acquire port, the record and its samples, ``(shots, samples)``, fractions of full scale.
        with_traces: Whether the windows' samples are wanted too.
    """
    n_shots = len(next(iter(digitised.values()))[1]) if digitised else 0
    bits = np.zeros((n_shots, program.n_clbits), dtype=np.uint8)
    iq = np.zeros((n_shots, len(program.captures)), dtype=np.complex64)
    longest = max((_n_samples(program, setup, window) for window in windows), default=0)
    shape = (n_shots, len(program.captures), longest)
    traces = np.zeros(shape, dtype=np.complex64) if with_traces else None
    for window in windows:
        port = port_of(program, window)
        record, samples = digitised[port]
        step, n_samples = setup.ports[port].sample_ticks, _n_samples(program, setup, window)
        first = (window.first_tick - record.first_tick) // step
        part = samples[:, first : first + n_samples]
        row = program.captures[window.capture]
        envelope = int(row["weights"])
        weights = None if envelope < 0 else dequantise(program.envelope(envelope))
        reference = carrier(window.ftw, window.phase_word, window.first_tick, step, n_samples)
        values = part @ demodulation_weights(reference, weights)
        discriminator = program.discriminators[int(row["discriminator"])]
        classes = discriminate(values, discriminator["coef"], int(discriminator["n_classes"]))
        # Class 2, a leaked qubit, writes bit 1.
        bits[:, int(row["clbit"])] = classes > 0
        iq[:, int(row["index"])] = values
        if traces is not None:
            traces[:, int(row["index"]), :n_samples] = part
    return Received(np.packbits(bits, axis=1, bitorder="little"), iq, traces)


class Means:
    """Means over all shots of a binding so far, where the run asks for them."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._mode = run.capture_mode
        self._shots = 0
        self._iq: NDArray[np.complex128] | None = None
        self._traces: NDArray[np.complex128] | None = None

    def block(self, place: tuple[int, int], received: Received, statistics: dict[str, Any]) -> Results:
        """Return a block of results.

        Args:
            place: Binding and first shot.
            received: What its shots brought.
            statistics: What there is to say of how they were taken.
        """
        run = self._run
        iq, traces = self.columns(received)
        return Results(
            run_id=run.run_id,
            epoch=run.epoch,
            chunk=run.chunk,
            first_binding=place[0],
            first_shot=place[1],
            setup_hash=run.setup_hash,
            program_hash=run.program_hash,
            status="ok",
            bits=received.bits[None],
            iq=iq,
            traces=traces,
            statistics=statistics,
        )

    def columns(self, received: Received) -> tuple[NDArray[np.complex64] | None, NDArray[np.complex64] | None]:
        """Return integrated values and traces for a block of results, with the binding in front."""
        self._shots += len(received.bits)
        iq = received.iq if "iq" in self._mode else None
        traces = received.traces
        if self._mode == "iq_mean":
            self._iq = _added(self._iq, received.iq)
            iq = (self._iq / self._shots).astype(np.complex64)
        if self._mode == "trace_mean" and traces is not None:
            self._traces = _added(self._traces, traces)
            traces = (self._traces / self._shots).astype(np.complex64)
        return None if iq is None else iq[None], None if traces is None else traces[None]


def _added(total: NDArray[np.complex128] | None, values: NDArray[np.complex64]) -> NDArray[np.complex128]:
    added = values.sum(axis=0, dtype=np.complex128)
    return added if total is None else total + added


def _n_samples(program: Program, setup: Setup, window: CaptureWindow) -> int:
    return window.length_ticks // setup.ports[port_of(program, window)].sample_ticks
