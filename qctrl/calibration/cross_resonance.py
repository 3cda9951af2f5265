"""Cross-resonance gates: what is stored of them, and the order of what they play."""

from __future__ import annotations

import cmath
import math
from enum import Enum
from typing import Annotated, Final, Literal, TypeAlias

from pydantic import Field, model_validator

from qctrl.calibration.gates import Padding, Waveform, check_reach
from qctrl.calibration.values import Amplitude, Angle, AngleBounds, Identifier, Probability, Radians
from qctrl.strict_yaml import StrictModel, problem

FULL_RAD: Final = math.pi / 2
"""ZX angle that the tones give together at the amplitude of the file."""


class Part(Enum):
    """One thing that a cross-resonance gate plays."""

    TONE = "tone"
    """The cross-resonance tone, with what accompanies it on the target."""
    FLIPPED_TONE = "flipped tone"
    """The same with opposite sign."""
    FLIP = "flip"
    """``x`` on the control."""
    TURN = "turn"
    """``sx`` on the target."""
    BASIS = "basis"
    """Hadamard on the target: ``sx`` between two virtual Z of a quarter turn."""


Moment: TypeAlias = tuple[Part, ...]
"""Parts that start together."""


class Tone(StrictModel):
    """A tone on the target's drive, with the envelope of the cross-resonance tone."""

    amp: Amplitude
    phase: Radians = 0.0


class CrossResonance(StrictModel):
    """A tone at the target's frequency on the control's drive, which turns the target about X by the control's Z.

    With echo, two tones of opposite sign, the control flipped between them (Sheldon et al., PRA 93, 060302 (2016)).
    The tones together give a ZX angle of pi/2; the key of the gate says what is made of that: ``ecr`` as Qiskit's
    ``ECRGate``, ``cx``, and with the amplitudes scaled ``rzx`` and ``rzz``.
    """

    kind: Literal["cr"]
    symmetric: bool = False
    """Also serves the reversed pair, with the same control."""
    control: Identifier
    target: Identifier
    waveform: Waveform
    """One tone: half of the angle with echo, all of it without."""
    cancel: Tone | None = None
    """Undoes what the tone does to the target whatever the control's state is; changes sign with it."""
    rotary: Tone | None = None
    """Turns the target back and forth with the sign of the tone (Sundaresan et al., PRX Quantum 1, 020318 (2020))."""
    echo: bool = True
    angle_bounds: AngleBounds | None = None
    """Of ``rzx`` and ``rzz``, in rad."""
    virtual_z: Annotated[dict[Identifier, Angle], Field(default_factory=dict)]
    """By qubit name, in rad, applied after the last tone; of a scaled gate it goes with the square of the angle."""
    padding: Padding = Padding()
    error: Probability | None = None

    @model_validator(mode="after")
    def _check_tones(self) -> CrossResonance:
        if self.control == self.target:
            raise problem(f"control and target are both {self.control}", "name two qubits", "target")
        reach = max(1.0, max(map(abs, self.angle_bounds or (0.0,))) / FULL_RAD)
        if (amp := abs(self.accompaniment) * reach) > 1:
            raise problem(f"cancel and rotary together reach an amp of {amp:g}, the limit is 1", "lower one", "cancel")
        if self.angle_bounds is not None:
            check_reach(self.waveform, self.angle_bounds, FULL_RAD)
        return self

    @property
    def accompaniment(self) -> complex:
        """Amplitude and phase of what the target's drive plays during a tone: cancel and rotary, one play."""
        tones = (self.cancel, self.rotary)
        return sum((cmath.rect(tone.amp.value, tone.phase) for tone in tones if tone is not None), 0j)

    def moments(self, name: str) -> tuple[Moment, ...]:
        """Return what the gate of this name plays, one moment after the other.

        With ``RZX(a) = exp(-i a/2 ZX)``: ``ECR = X RZX(pi/2)``, ``CX = RZ(pi/2) RX(pi/2) RZX(-pi/2)`` with RZ on the
        control and RX on the target, ``RZZ(a) = H RZX(a) H`` with H on the target; equalities up to a global phase.

        Args:
            name: ``ecr``, ``cx``, ``rzx`` or ``rzz``.
        """
        first, second = (Part.FLIPPED_TONE, Part.TONE) if name == "cx" else (Part.TONE, Part.FLIPPED_TONE)
        tones: tuple[Moment, ...] = ((first,), (Part.FLIP,), (second,)) if self.echo else ((first,),)
        # An echo leaves the control flipped, which ecr is to do, and the others are not.
        closing = [Part.FLIP] if self.echo != (name == "ecr") else []
        closing += {"cx": [Part.TURN], "rzz": [Part.BASIS]}.get(name, [])
        opening: tuple[Moment, ...] = ((Part.BASIS,),) if name == "rzz" else ()
        return (*opening, *tones, *((tuple(closing),) if closing else ()))
