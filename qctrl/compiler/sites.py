"""What gates of the calibration play: its models turned into timed actions."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

from qctrl.calibration import ComposedGate, CrossResonance, FractionalGate, PulseGate, VirtualZ
from qctrl.compiler.cross_resonance import cross_resonance
from qctrl.compiler.fractional import scaled
from qctrl.compiler.site import Site, SiteCapture, SiteFrame, SiteShift
from qctrl.compiler.site_parts import drive_frame, incomplete, make_play, wired
from qctrl.ir.gate_program import GateSite
from qctrl.units import phase_word, to_ticks

if TYPE_CHECKING:
    from qctrl.calibration import Calibration, FluxCz
    from qctrl.compiler.site import SiteAction, SitePlay


def require_gate(calibration: Calibration, name: str, qubits: tuple[int, ...]) -> None:
    """Check that the device can play a gate, ``measure`` or ``reset`` on these qubits.

    Raises:
        CalibrationError: It cannot; the message says why.
    """
    calibration.duration_ticks(name, qubits)


def reset_is_measured(calibration: Calibration, qubit: int) -> bool:
    """Return whether resetting this qubit needs a measurement and a branch, instead of waiting."""
    model = calibration.qubits[qubit]
    return model is not None and model.reset is not None and model.reset.kind == "active"


def block_grid_ticks(calibration: Calibration) -> int:
    """Return the grid of block lengths and measurements: every alignment of the calibration divides it."""
    timing = calibration.timing
    return math.lcm(timing.granularity, timing.pulse_alignment, timing.acquire_alignment)


def build_site(calibration: Calibration, gate: GateSite) -> Site:
    """Return what a gate plays.

    Args:
        calibration: Has this gate on these qubits.
        gate: Name and qubits.

    Raises:
        UnsupportedInstructionError: The calibration lacks a piece of it.
        TimingError: A duration is not a whole number of ticks.
    """
    timing = calibration.timing
    alignment = math.lcm(timing.granularity, timing.pulse_alignment)
    if gate.name == "measure":
        actions, alignment = _measure(calibration, gate), block_grid_ticks(calibration)
    elif gate.name == "reset":
        actions = ()
    else:
        actions = _gate_actions(calibration, gate)
    return Site(calibration.duration_ticks(gate.name, gate.qubits), alignment, actions)


def _gate_actions(calibration: Calibration, gate: GateSite) -> tuple[SiteAction, ...]:
    model = calibration.gate(gate.name, gate.qubits)
    match model:
        case VirtualZ():
            return (SiteShift(gate.qubits[0], 0),)
        case PulseGate():
            return (_drive(calibration, gate, model),)
        case FractionalGate():
            play = _drive(calibration, gate, model)
            return (replace(play, amplitude=scaled(model.waveform.amp.value, gate.arguments[0], math.pi)),)
        case ComposedGate():
            return _compose(calibration, gate, model.of)
        case CrossResonance():
            return cross_resonance(
                calibration, gate, model, lambda name, qubit: build_site(calibration, GateSite(name, (qubit,)))
            )
        case _:
            return _flux_cz(calibration, gate, model)


def _drive(calibration: Calibration, gate: GateSite, model: PulseGate | FractionalGate) -> SitePlay:
    frame = drive_frame(calibration, gate, gate.qubits[0])
    offset_ticks = to_ticks(model.padding.before, calibration.dt_s, what="padding")
    return make_play(calibration, gate, frame, model.waveform, offset_ticks)


def _compose(calibration: Calibration, gate: GateSite, parts: tuple[str, ...]) -> tuple[SiteAction, ...]:
    actions: list[SiteAction] = []
    offset_ticks = 0
    for name in parts:
        part = build_site(calibration, gate._replace(name=name))
        actions += part.after(offset_ticks)
        offset_ticks += part.duration_ticks
    return tuple(actions)


def _flux_cz(calibration: Calibration, gate: GateSite, model: FluxCz) -> tuple[SiteAction, ...]:
    offset_ticks = to_ticks(model.padding.before, calibration.dt_s, what="padding")
    actions: list[SiteAction] = [
        make_play(calibration, gate, SiteFrame(model.actuate, 0.0, -1), model.waveform, offset_ticks)
    ]
    edge = calibration.edge(gate.qubits[0], gate.qubits[1])
    if model.coupler_waveform is not None and edge is not None and edge.coupler is not None:
        frame = SiteFrame(edge.coupler.port, 0.0, -1)
        actions.append(make_play(calibration, gate, frame, model.coupler_waveform, offset_ticks))
    for qubit in sorted(gate.qubits):
        angle = model.virtual_z.get(calibration.qubit_names[qubit] or "")
        if angle is not None:
            actions.append(SiteShift(qubit, phase_word(angle.value)))
    return tuple(actions)


def _measure(calibration: Calibration, gate: GateSite) -> tuple[SiteAction, ...]:
    model = calibration.live_qubit(gate.qubits[0])
    readout = model.readout
    if readout is None:
        raise incomplete(gate, "readout")
    window, frequency_hz = readout.acquisition, readout.frequency.value
    out_port, in_port = (wired(gate, name) for name in (model.ports.readout, model.ports.acquire))
    play = make_play(calibration, gate, SiteFrame(out_port, frequency_hz, -1), readout.waveform, 0)
    capture = SiteCapture(
        frame=SiteFrame(in_port, frequency_hz, -1),
        offset_ticks=to_ticks(window.delay, calibration.dt_s, what="acquisition delay"),
        length_ticks=to_ticks(window.duration, calibration.dt_s, what="acquisition duration"),
        coefficients=readout.discriminator.coefficients,
    )
    return (play, capture)
