"""How gates are played: waveforms and the kinds of gates."""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from qctrl.calibration.values import (
    Amplitude,
    Angle,
    AngleBounds,
    Beta,
    Identifier,
    PortName,
    Probability,
    Radians,
    Seconds,
    Value,
)
from qctrl.strict_yaml import StrictModel, number, problem, within

Shape = Literal["drag", "gaussian", "square", "flat_top_cosine", "flat_top_gaussian", "constant", "slepian"]

_PARAMETERS: dict[str, tuple[str, ...]] = {
    "drag": ("sigma", "beta"),
    "gaussian": ("sigma",),
    "square": ("rise",),
    "flat_top_cosine": ("rise",),
    "flat_top_gaussian": ("rise",),
    "constant": (),
    "slepian": ("theta_i", "theta_f", "lambda2"),
}
_OPTIONAL = frozenset({("square", "rise"), ("slepian", "lambda2")})

_OWN = tuple(dict.fromkeys(name for names in _PARAMETERS.values() for name in names))

_SlepianAngle = Annotated[float, number("rad"), within(1e-3, math.pi - 1e-3, "rad")]
WaveformSeconds = Annotated[float, number("s"), within(1e-11, 1e-3, "s")]


class Waveform(StrictModel):
    """Formula of a pulse at baseband.

    DRAG is ``amp * (g(t) + i * beta * dg/dt)`` with a Gaussian ``g`` of peak 1 lifted to zero at its ends
    (Motzoi et al., PRL 103, 110501 (2009), first order). Phase 0 rotates about X, ``pi/2`` about -Y. A Slepian pulse is
    that of Martinis and Geller, PRA 90, 022307 (2014), for a port whose level detunes in proportion.
    """

    shape: Shape
    duration: WaveformSeconds
    amp: Amplitude
    """Fraction of the port's full scale at the peak."""
    sigma: WaveformSeconds | None = None
    beta: Beta | None = None
    rise: Annotated[float, number("s"), within(0, 1e-3, "s")] | None = None
    """Duration of each edge, in s; 0 is a hard edge."""
    theta_i: _SlepianAngle | None = None
    """Control angle of a Slepian pulse at its ends: its cotangent is the detuning over the coupling."""
    theta_f: _SlepianAngle | None = None
    """The same in its middle."""
    lambda2: Annotated[float, number(), within(-0.25, 0.25)] | None = None
    """Second coefficient of a Slepian pulse over the first, 0 if absent."""
    phase: Radians = 0.0
    detuning: Annotated[float, number("Hz"), within(-5e9, 5e9, "Hz")] = 0.0
    """Offset of the carrier from the frame's frequency, in Hz; the frame's phase holds at the start of the pulse."""

    @model_validator(mode="after")
    def _check_parameters(self) -> Waveform:
        wanted = _PARAMETERS[self.shape]
        for name in _OWN:
            present = getattr(self, name) is not None
            if present and name not in wanted:
                raise problem(f"shape {self.shape} has no parameter {name}", "remove it", name)
            if not present and name in wanted and (self.shape, name) not in _OPTIONAL:
                raise problem(f"shape {self.shape} needs {name}", "add it")
        if self.rise is not None and 2 * self.rise > self.duration * (1 + 1e-9):
            limit = self.duration / 2
            raise problem(f"value {self.rise:g} s exceeds half the duration, {limit:g} s", "shorten it", "rise")
        if self.theta_i is not None and self.theta_f is not None and self.theta_i >= self.theta_f:
            raise problem(f"theta_f is not above theta_i, {self.theta_i:g} rad", "raise it", "theta_f")
        return self

    @property
    def parameters(self) -> tuple[tuple[str, float], ...]:
        """Parameters of the envelope in its own order, without the amplitude, and a detuning in Hz."""
        found = [(name, _plain(getattr(self, name))) for name in _PARAMETERS[self.shape]]
        return (*found, ("detuning", self.detuning)) if self.detuning else tuple(found)


def _plain(value: Value | float | None) -> float:
    if value is None:
        return 0.0
    return value.value if isinstance(value, Value) else value


class Padding(StrictModel):
    """Silence around a pulse, in s."""

    before: Seconds = 0.0
    after: Seconds = 0.0


class VirtualZ(StrictModel):
    """A shift of the qubit's frames: no time, no error."""

    kind: Literal["virtual_z"]


class PulseGate(StrictModel):
    """One pulse on the qubit's drive port."""

    kind: Literal["pulse"]
    waveform: Waveform
    padding: Padding = Padding()
    error: Probability | None = None


class ComposedGate(StrictModel):
    """Gates of the same qubit, one after the other."""

    kind: Literal["compose"]
    of: Annotated[tuple[Identifier, ...], Field(strict=False, min_length=1, max_length=16)]
    error: Probability | None = None


class FractionalGate(StrictModel):
    """A rotation about X by any angle in bounds: the pulse of half a turn, its amplitude scaled by ``angle / pi``."""

    kind: Literal["fractional"]
    waveform: Waveform
    """That of an angle of pi."""
    angle_bounds: AngleBounds
    padding: Padding = Padding()
    error: Probability | None = None

    @model_validator(mode="after")
    def _check_reach(self) -> FractionalGate:
        check_reach(self.waveform, self.angle_bounds, math.pi)
        return self


def check_reach(waveform: Waveform, bounds: tuple[float, float], full_rad: float) -> None:
    """Refuse bounds at which a scaled amplitude would exceed full scale.

    Args:
        waveform: Its amplitude is that of ``full_rad``.
        bounds: Lowest and highest angle, in rad.
        full_rad: Angle that the waveform gives unscaled.
    """
    largest = max(map(abs, bounds))
    amp = abs(waveform.amp.value) * largest / full_rad
    if amp > 1:
        limit = full_rad / abs(waveform.amp.value)
        raise problem(
            f"an angle of {largest:g} rad needs an amp of {amp:g}, the limit is 1",
            f"stay within {limit:g} rad",
            "angle_bounds",
        )


class FluxCz(StrictModel):
    """A flux pulse, then virtual Z on both qubits.

    ``flux_cz`` moves a qubit, and optionally the coupler at the same time; ``coupler_cz`` moves the coupler alone.
    """

    kind: Literal["flux_cz", "coupler_cz"]
    symmetric: bool = True
    """Also serves the reversed pair."""
    actuate: PortName
    """Flux port that carries ``waveform``."""
    waveform: Waveform
    coupler_waveform: Waveform | None = None
    """Played at the same time on the port of the edge's coupler."""
    virtual_z: Annotated[dict[Identifier, Angle], Field(default_factory=dict)]
    """By qubit name, in rad, applied after the pulse."""
    conditional_phase: Angle | None = None
    leakage: Probability | None = None
    padding: Padding = Padding()
    error: Probability | None = None

    @model_validator(mode="after")
    def _check_flux(self) -> FluxCz:
        if not self.actuate.endswith(".flux"):
            raise problem(f"port {self.actuate} is not a flux port", "name one like q0.flux", "actuate")
        for name in ("waveform", "coupler_waveform"):
            waveform: Waveform | None = getattr(self, name)
            if waveform is not None and (waveform.shape == "drag" or waveform.phase or waveform.detuning):
                raise problem("a flux port is real and carries no DRAG, phase or detuning", "use flat_top_cosine", name)
        return self


QubitGate = VirtualZ | PulseGate | ComposedGate | FractionalGate


def kinds(*supported: str) -> BeforeValidator:
    """Return the validator that refuses a gate of another kind before looking at its keys."""

    def check(data: Any) -> Any:
        kind: object = data.get("kind") if isinstance(data, dict) else supported[0]
        if kind is not None and kind not in supported:
            raise problem(f"kind {str(kind)[:40]!r} is not supported", f"supported: {', '.join(supported)}", "kind")
        return data

    return BeforeValidator(check)


AnyQubitGate = Annotated[QubitGate, Field(discriminator="kind"), kinds("virtual_z", "pulse", "compose", "fractional")]
