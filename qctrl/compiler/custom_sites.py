"""What a custom gate plays: its steps, timed frame by frame, turned into the actions of a site."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final, NoReturn

import numpy as np

from qctrl.compiler.port_roles import resolve_frame, role_of
from qctrl.compiler.site import Site, SiteCapture, SiteFrame, SitePlay, SiteShift, SiteTune
from qctrl.compiler.sites import block_grid_ticks
from qctrl.errors import CompileError, ResourceError, TimingError
from qctrl.ir.expression import Expression
from qctrl.ir.gate_program import GateSite
from qctrl.protocol import limits
from qctrl.pulse import Barrier, Capture, Delay, Play, SetFrequency, ShiftPhase
from qctrl.pulse.gate import map_quantities, shown
from qctrl.signal.envelopes import Envelope
from qctrl.units import phase_word, to_ticks

if TYPE_CHECKING:
    from collections.abc import Callable

    from qctrl.calibration import Calibration
    from qctrl.compiler.site import SiteAction
    from qctrl.pulse import CustomGate, Frame, Step, Waveform

_NO_VALUES: Final = np.empty((1, 0))


def build_custom_site(calibration: Calibration, site: GateSite) -> Site:
    """Return what a custom gate plays.

    Args:
        calibration: Frequencies, discriminators and time grid.
        site: A custom gate with its arguments; those in durations and envelopes must be numbers.

    Raises:
        CompileError: A step cannot be played, or what changes the structure is not bound.
        TimingError: A time is off the grid or too long.
        ResourceError: An amplitude is beyond full scale.
    """
    return _Builder(calibration, site).build()


def build_template(calibration: Calibration, gate: CustomGate) -> tuple[GateSite, Site]:
    """Return a gate with its own parameters for arguments, and what it plays; open lengths count as 0.

    Raises:
        CompileError: It cannot be played, whatever its arguments.
    """
    arguments = tuple(Expression((("parameter", k),)) for k in range(len(gate.parameters)))
    site = GateSite(gate.name, gate.qubits, gate, arguments)
    return site, _Builder(calibration, site, is_template=True).build()


def named(site: GateSite) -> str:
    """Return how messages name a custom gate."""
    return f"custom gate {site.name} on qubits {site.qubits}"


class _Builder:
    """Walks the steps with a clock per frame."""

    def __init__(self, calibration: Calibration, site: GateSite, *, is_template: bool = False) -> None:
        self._is_template = is_template
        self._calibration = calibration
        self._site = site
        self._gate: CustomGate = _custom(site)
        self._clock: dict[SiteFrame, int] = {}
        self._own_groups: dict[SiteFrame, int] = {}
        self._tuned: dict[SiteFrame, None] = {}
        self._actions: list[SiteAction] = []
        self._grid = math.lcm(calibration.timing.granularity, calibration.timing.pulse_alignment)

    def build(self) -> Site:
        frames = [step.frame for step in self._gate.steps if not isinstance(step, Barrier)]
        self._clock = dict.fromkeys(map(self._frame, frames), 0)
        # Only frames that are shifted have phases of their own: the others stay those of the calibration's gates.
        shifted = [self._frame(frame) for frame in map(_shifted, self._gate.steps) if frame is not None]
        own = dict.fromkeys(frame for frame in shifted if frame.group < 0)
        self._own_groups = {frame: number for number, frame in enumerate(own)}
        for step in self._gate.steps:
            self._add(map_quantities(step, self._value))
        longest = max(self._clock.values(), default=0)
        if longest > limits.MAX_TICKS:
            raise TimingError(f"{self._where()} lasts {longest} ticks, the limit is {limits.MAX_TICKS}; shorten it")
        duration_ticks = -(-longest // self._grid) * self._grid
        for frame in self._tuned:
            self._actions.append(SiteTune(frame, duration_ticks, None))
        alignment = block_grid_ticks(self._calibration) if self._gate.n_captures else self._grid
        return Site(duration_ticks, alignment, tuple(self._actions))

    def _add(self, step: Any) -> None:
        if isinstance(step, Barrier):
            frames = [self._frame(frame) for frame in step.frames] or list(self._clock)
            latest = max((self._clock.get(frame, 0) for frame in frames), default=0)
            self._clock |= dict.fromkeys(frames, latest)
            return
        verbs: dict[type, Callable[[Any, SiteFrame], None]] = {
            Play: self._play,
            Capture: self._capture,
            Delay: self._delay,
            ShiftPhase: self._shift_phase,
            SetFrequency: self._set_frequency,
        }
        verbs[type(step)](step, self._frame(step.frame))

    def _play(self, step: Play, frame: SiteFrame) -> None:
        shape, role = step.waveform, role_of(self._calibration, self._site, step.frame.port)
        if role.kind == "acquire":
            self._refuse(f"play on {frame.port}: an acquire port plays nothing; use capture")
        if role.kind == "flux" and (shape.shape == "drag" or shape.phase != 0.0):
            self._refuse(f"play on {frame.port}: a flux port is real; use a shape other than drag, without phase")
        length_ticks = self._advance(step.frame, frame, shape.duration, "play", self._calibration.timing.min_length)
        if isinstance(shape.amp, float) and not abs(shape.amp) <= 1:
            raise ResourceError(
                f"{self._where()}: amp {shape.amp!r} of play on {shown(step.frame)} is beyond full scale [-1, 1]; "
                "lower it",
                gate=self._site.name,
                qubits=self._site.qubits,
            )
        play = SitePlay(
            frame=frame,
            offset_ticks=self._clock[frame] - length_ticks,
            length_ticks=length_ticks,
            envelope=self._envelope(shape),
            amplitude=shape.amp,
            phase=0 if isinstance(shape.phase, Expression) else phase_word(shape.phase),
            own_group=self._own_groups.get(frame, -1),
        )
        if not isinstance(shape.phase, Expression):
            self._actions.append(play)
            return
        # There and back again: words are rounded symmetrically, so nothing remains.
        back = Expression((*shape.phase.steps, ("constant", -1.0), ("mul", 0)))
        self._actions += [self._shift(frame, shape.phase), play, self._shift(frame, back)]

    def _capture(self, step: Capture, frame: SiteFrame) -> None:
        role = role_of(self._calibration, self._site, step.frame.port)
        if role.kind != "acquire":
            self._refuse(f"capture on {frame.port}: it is no acquire port; capture on one, such as 'f0.acquire'")
        if self._gate.n_captures > 1:
            self._refuse(f"{self._gate.n_captures} captures; a gate captures once, make it several gates")
        length_ticks = self._advance(step.frame, frame, step.duration, "capture", 1)
        readout = self._calibration.live_qubit(role.reads(step.frame)).readout
        if readout is None:
            self._refuse(f"capture on {frame.port}: the calibration lacks the readout that decides the bit")
        coefficients = readout.discriminator.coefficients
        self._actions.append(SiteCapture(frame, self._clock[frame] - length_ticks, length_ticks, coefficients))

    def _delay(self, step: Delay, frame: SiteFrame) -> None:
        self._advance(step.frame, frame, step.duration, "delay", 0)

    def _shift_phase(self, step: ShiftPhase, frame: SiteFrame) -> None:
        kind = role_of(self._calibration, self._site, step.frame.port).kind
        if kind in ("flux", "acquire"):
            self._refuse(f"shift_phase on {frame.port}: {_HAS_NO_PHASE[kind]}")
        self._actions.append(self._shift(frame, step.phase))

    def _set_frequency(self, step: SetFrequency, frame: SiteFrame) -> None:
        if role_of(self._calibration, self._site, step.frame.port).kind == "flux":
            self._refuse(f"set_frequency on {frame.port}: {_HAS_NO_PHASE['flux']}")
        self._tuned[frame] = None
        self._actions.append(SiteTune(frame, self._clock[frame], step.frequency))

    def _shift(self, frame: SiteFrame, phase: float | Expression) -> SiteShift:
        own = self._own_groups.get(frame)
        word = phase if isinstance(phase, Expression) else phase_word(phase)
        return SiteShift(frame.group if own is None else own, word, is_own=own is not None)

    def _advance(self, where: Frame, frame: SiteFrame, duration: float | Expression, verb: str, least: int) -> int:
        what = f"duration of {verb} on {shown(where)}"
        if isinstance(duration, Expression):
            self._open(what)
            return 0
        ticks = to_ticks(duration, self._calibration.dt_s, what=f"{self._where()}: {what}")
        if ticks < least:
            raise TimingError(f"{self._where()}: {what} is {ticks} ticks, the least is {least}; lengthen it")
        if verb == "play" and ticks > limits.MAX_ENVELOPE_SAMPLES:
            raise TimingError(
                f"{self._where()}: {what} is {ticks} ticks, the limit is {limits.MAX_ENVELOPE_SAMPLES}; shorten it"
            )
        self._clock[frame] += ticks
        return ticks

    def _envelope(self, shape: Waveform) -> Envelope:
        for name, value in shape.parameters:
            if isinstance(value, Expression):
                self._open(f"{name} of {shape.shape}")
        return Envelope(shape.shape, shape.duration, shape.parameters)

    def _frame(self, frame: Frame) -> SiteFrame:
        return resolve_frame(self._calibration, self._site, frame)

    def _value(self, value: float | Expression) -> float | Expression:
        """Return a quantity of the gate in terms of the circuit's parameters, as a number if there are none."""
        if not isinstance(value, Expression):
            return value
        put = value.substitute(self._site.arguments)
        if put.parameters:
            return put
        number = float(put.evaluate(_NO_VALUES)[0])
        if not math.isfinite(number):
            given = ", ".join(f"{name} = {each!r}" for name, each in self._arguments())
            self._refuse(f"{value.text(self._gate.parameters)} (postfix) is {number} with {given}; bind other values")
        return number

    def _arguments(self) -> list[tuple[str, Any]]:
        return list(zip(self._gate.parameters, self._site.arguments, strict=True))

    def _open(self, what: str) -> None:
        if self._is_template:
            return
        self._refuse(
            f"{what} depends on a parameter, which changes the structure of the program; bind it: SamplerV2 and "
            "EstimatorV2 compile one program per distinct value"
        )

    def _where(self) -> str:
        return named(self._site)

    def _refuse(self, why: str) -> NoReturn:
        raise CompileError(f"{self._where()}: {why}", gate=self._site.name, qubits=self._site.qubits)


_HAS_NO_PHASE: Final = {
    "flux": "a flux port has no carrier; its level is the amplitude of its plays",
    "acquire": "an acquire port takes the phase of its readout tone; shift that",
}


def _custom(site: GateSite) -> CustomGate:
    if site.custom is None:
        raise CompileError(f"{named(site)}: not a custom gate")
    return site.custom


def _shifted(step: Step) -> Frame | None:
    """Return the frame whose phase a step shifts, if only for a while."""
    if isinstance(step, ShiftPhase) or (isinstance(step, Play) and isinstance(step.waveform.phase, Expression)):
        return step.frame
    return None
