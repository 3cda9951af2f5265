"""How long operations occupy their qubits, in ticks.

A pulse shorter than its slot is followed by silence, never stretched.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from fractions import Fraction

from qctrl.calibration.cross_resonance import CrossResonance, Part
from qctrl.calibration.document import Qubit, Timing
from qctrl.calibration.gates import ComposedGate, FluxCz, QubitGate, VirtualZ
from qctrl.calibration.grid import on_grid, ticks
from qctrl.calibration.readout import PassiveReset, Readout
from qctrl.units import clock_period


def pulse_step(timing: Timing) -> int:
    """Return the grid of gates, in ticks."""
    return math.lcm(timing.granularity, timing.pulse_alignment)


def capture_step(timing: Timing) -> int:
    """Return the grid of measurements, in ticks; pulses follow them, so it is a multiple of theirs."""
    return math.lcm(pulse_step(timing), timing.acquire_alignment)


def gate_ticks(gate: QubitGate | FluxCz, parts: Mapping[str, QubitGate], timing: Timing) -> int:
    """Return the duration of a gate, in ticks.

    Args:
        gate: The gate.
        parts: Gates of the same qubit, which a composed gate is made of.
        timing: The device's time grid.
    """
    if isinstance(gate, VirtualZ):
        return 0
    if isinstance(gate, ComposedGate):
        return sum(gate_ticks(parts[name], parts, timing) for name in gate.of)
    durations_s = [gate.waveform.duration]
    if isinstance(gate, FluxCz) and gate.coupler_waveform is not None:
        durations_s.append(gate.coupler_waveform.duration)
    dt_s = clock_period(timing.dt)
    silence = ticks(gate.padding.before, dt_s) + ticks(gate.padding.after, dt_s)
    return on_grid(max(ticks(duration_s, dt_s) for duration_s in durations_s) + silence, pulse_step(timing))


def cross_resonance_ticks(
    gate: CrossResonance, name: str, ends: tuple[Qubit, Qubit], timing: Timing
) -> tuple[tuple[tuple[int, Part], ...], int]:
    """Return when each part of a cross-resonance gate starts, and how long the gate lasts, in ticks.

    Args:
        gate: The gate.
        name: Its key, which says what is made of the tones.
        ends: Control and target.
        timing: The device's time grid.
    """
    dt_s, step = clock_period(timing.dt), pulse_step(timing)
    tone = on_grid(ticks(gate.waveform.duration, dt_s), step)
    control: dict[str, QubitGate] = {**ends[0].gates}
    target: dict[str, QubitGate] = {**ends[1].gates}
    starts: list[tuple[int, Part]] = []
    at = round(ticks(gate.padding.before, dt_s))
    for moment in gate.moments(name):
        starts += [(at, part) for part in moment]
        lasts = {Part.TONE: tone, Part.FLIPPED_TONE: tone}
        for part in set(moment) - set(lasts):
            lasts[part] = gate_ticks(
                *((control["x"], control) if part == Part.FLIP else (target["sx"], target)), timing
            )
        at += max(lasts[part] for part in moment)
    return tuple(starts), on_grid(at + ticks(gate.padding.after, dt_s), step)


def measure_ticks(qubit: Qubit, timing: Timing) -> int | None:
    """Return the duration of a measurement, pulse and capture window and what rings down behind them, in ticks."""
    readout = qubit.readout
    if readout is None:
        return None
    dt_s = clock_period(timing.dt)
    sounds = max(ticks(readout.waveform.duration, dt_s), _window_ticks(readout, dt_s))
    return on_grid(sounds + ticks(readout.ring_down, dt_s), capture_step(timing))


def reset_ticks(qubit: Qubit, timing: Timing) -> int | None:
    """Return the duration of a reset, in ticks; ``None`` if the qubit has none, or lacks the x it plays."""
    reset, dt_s = qubit.reset, clock_period(timing.dt)
    if reset is None:
        return None
    if isinstance(reset, PassiveReset):
        return on_grid(ticks(reset.duration, dt_s), capture_step(timing))
    gates: dict[str, QubitGate] = {**qubit.gates}
    readout, measure, flip = qubit.readout, measure_ticks(qubit, timing), gates.get("x")
    if readout is None or measure is None or flip is None:
        return None
    # The bit is on its way while the resonator rings down.
    readable = on_grid(_window_ticks(readout, dt_s) + ticks(timing.bit_latency, dt_s), capture_step(timing))
    return on_grid(Fraction(max(measure, readable) + gate_ticks(flip, gates, timing)), capture_step(timing))


def _window_ticks(readout: Readout, dt_s: Fraction) -> Fraction:
    """Return the end of the capture window, from the start of the pulse."""
    return ticks(readout.acquisition.delay, dt_s) + ticks(readout.acquisition.duration, dt_s)
