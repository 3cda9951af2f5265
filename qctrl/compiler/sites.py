"""What a gate on certain qubits plays: the calibration's models turned into timed actions."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeAlias

from qctrl.calibration import ComposedGate, PulseGate, VirtualZ
from qctrl.errors import UnsupportedInstructionError
from qctrl.signal.envelopes import Envelope
from qctrl.units import phase_word, to_ticks

if TYPE_CHECKING:
    from qctrl.calibration import Calibration, FluxCz, Waveform
    from qctrl.ir.expression import Expression
    from qctrl.ir.gate_program import GateSite


@dataclass(frozen=True, slots=True)
class SiteFrame:
    """A carrier on a port; frames of equal group share every phase shift."""

    port: str
    frequency_hz: float
    group: int
    """Index of the qubit whose virtual Z it follows, -1 for none."""


@dataclass(frozen=True, slots=True)
class SitePlay:
    """One envelope on one frame."""

    frame: SiteFrame
    offset_ticks: int
    length_ticks: int
    envelope: Envelope
    amplitude: float | Expression
    phase: int
    """Own phase, in 2**-32 turn."""
    own_group: int = -1
    """Phases of the gate's own that it follows, numbered from 0 within the gate; -1 for none."""


@dataclass(frozen=True, slots=True)
class SiteCapture:
    """One window on one frame, and how its bit is decided."""

    frame: SiteFrame
    offset_ticks: int
    length_ticks: int
    coefficients: tuple[tuple[float, ...], ...]


@dataclass(frozen=True, slots=True)
class SiteShift:
    """A virtual Z on one qubit, after what comes before it."""

    group: int
    phase: int | Expression
    """In 2**-32 turn; an expression is in rad."""
    is_own: bool = False
    """Whether ``group`` is one of the gate's own phases, which begin at 0 with the gate, and no qubit."""


@dataclass(frozen=True, slots=True)
class SiteTune:
    """A change of a frame's frequency."""

    frame: SiteFrame
    offset_ticks: int
    frequency: float | Expression | None
    """In Hz; ``None`` goes back to that of the frame."""


SiteAction: TypeAlias = SitePlay | SiteCapture | SiteShift | SiteTune


@dataclass(frozen=True, slots=True)
class Site:
    """A gate on certain qubits."""

    duration_ticks: int
    alignment_ticks: int
    """It starts on a multiple of this."""
    actions: tuple[SiteAction, ...]
    """In the order in which phases act on them."""

    @property
    def n_own_groups(self) -> int:
        """Phases that begin at 0 with the gate."""
        own = [action.own_group for action in self.actions if isinstance(action, SitePlay)]
        own += [action.group for action in self.actions if isinstance(action, SiteShift) and action.is_own]
        return max(own, default=-1) + 1

    @property
    def frames(self) -> tuple[SiteFrame, ...]:
        """Distinct frames that it keeps busy."""
        busy = (action.frame for action in self.actions if not isinstance(action, SiteShift))
        return tuple(dict.fromkeys(busy))


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
        UnsupportedInstructionError: The gate's model cannot be played yet.
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
            frame = _drive_frame(calibration, gate)
            offset_ticks = to_ticks(model.padding.before, calibration.dt_s, what="padding")
            return (_play(calibration, gate, frame, model.waveform, offset_ticks),)
        case ComposedGate():
            return _compose(calibration, gate, model.of)
        case _:
            return _flux_cz(calibration, gate, model)


def _compose(calibration: Calibration, gate: GateSite, parts: tuple[str, ...]) -> tuple[SiteAction, ...]:
    actions: list[SiteAction] = []
    offset_ticks = 0
    for name in parts:
        part = build_site(calibration, gate._replace(name=name))
        for action in part.actions:
            if not isinstance(action, SiteShift):
                action = replace(action, offset_ticks=action.offset_ticks + offset_ticks)  # noqa: PLW2901
            actions.append(action)
        offset_ticks += part.duration_ticks
    return tuple(actions)


def _flux_cz(calibration: Calibration, gate: GateSite, model: FluxCz) -> tuple[SiteAction, ...]:
    offset_ticks = to_ticks(model.padding.before, calibration.dt_s, what="padding")
    actions: list[SiteAction] = [
        _play(calibration, gate, SiteFrame(model.actuate, 0.0, -1), model.waveform, offset_ticks)
    ]
    edge = calibration.edge(gate.qubits[0], gate.qubits[1])
    if model.coupler_waveform is not None and edge is not None and edge.coupler is not None:
        frame = SiteFrame(edge.coupler.port, 0.0, -1)
        actions.append(_play(calibration, gate, frame, model.coupler_waveform, offset_ticks))
    for qubit in sorted(gate.qubits):
        angle = model.virtual_z.get(calibration.qubit_names[qubit] or "")
        if angle is not None:
            actions.append(SiteShift(qubit, phase_word(angle.value)))
    return tuple(actions)


def _measure(calibration: Calibration, gate: GateSite) -> tuple[SiteAction, ...]:
    model = calibration.live_qubit(gate.qubits[0])
    readout = model.readout
    if readout is None:
        raise _incomplete(gate, "readout")
    window, frequency_hz = readout.acquisition, readout.frequency.value
    out_port, in_port = (_wired(gate, name) for name in (model.ports.readout, model.ports.acquire))
    play = _play(calibration, gate, SiteFrame(out_port, frequency_hz, -1), readout.waveform, 0)
    capture = SiteCapture(
        frame=SiteFrame(in_port, frequency_hz, -1),
        offset_ticks=to_ticks(window.delay, calibration.dt_s, what="acquisition delay"),
        length_ticks=to_ticks(window.duration, calibration.dt_s, what="acquisition duration"),
        coefficients=readout.discriminator.coefficients,
    )
    return (play, capture)


def _drive_frame(calibration: Calibration, gate: GateSite) -> SiteFrame:
    model = calibration.live_qubit(gate.qubits[0])
    if model.frequency is None:
        raise _incomplete(gate, "frequency")
    return SiteFrame(_wired(gate, model.ports.drive), model.frequency.value, gate.qubits[0])


def _wired(gate: GateSite, port: str | None) -> str:
    if port is None:
        raise _incomplete(gate, "port")
    return port


def _incomplete(gate: GateSite, what: str) -> UnsupportedInstructionError:
    return UnsupportedInstructionError(
        f"{gate.name} on qubits {gate.qubits}: the calibration lacks its {what}; add it or use another qubit",
        gate=gate.name,
        qubits=gate.qubits,
    )


def _play(
    calibration: Calibration, gate: GateSite, frame: SiteFrame, waveform: Waveform, offset_ticks: int
) -> SitePlay:
    if waveform.detuning:
        raise UnsupportedInstructionError(
            f"{gate.name} on qubits {gate.qubits}: a waveform detuning of {waveform.detuning:g} Hz cannot be "
            "played yet; set it to 0 and calibrate the frequency",
            gate=gate.name,
            qubits=gate.qubits,
        )
    return SitePlay(
        frame=frame,
        offset_ticks=offset_ticks,
        length_ticks=to_ticks(
            waveform.duration, calibration.dt_s, what=f"waveform of {gate.name} on qubits {gate.qubits}: duration"
        ),
        envelope=Envelope(waveform.shape, waveform.duration, waveform.parameters),
        amplitude=waveform.amp.value,
        phase=phase_word(waveform.phase),
    )
