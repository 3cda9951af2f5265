"""What a cross-resonance gate plays: its tones, and the pulses that make a named gate of them."""

from __future__ import annotations

import cmath
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from qctrl.calibration.cross_resonance import FULL_RAD, Part
from qctrl.calibration.durations import cross_resonance_ticks
from qctrl.compiler.fractional import scaled, scaled_squared
from qctrl.compiler.site import SiteShift
from qctrl.compiler.site_parts import drive_frame, make_play
from qctrl.ir.expression import Expression
from qctrl.ir.gate_program import GateSite
from qctrl.units import TURN, phase_word

if TYPE_CHECKING:
    from collections.abc import Callable

    from qctrl.calibration import Calibration, CrossResonance
    from qctrl.compiler.site import Site, SiteAction, SitePlay

_QUARTER: Final = TURN // 4
_TONES: Final = (Part.TONE, Part.FLIPPED_TONE)


def cross_resonance(
    calibration: Calibration, gate: GateSite, model: CrossResonance, local: Callable[[str, int], Site]
) -> tuple[SiteAction, ...]:
    """Return what a cross-resonance gate plays.

    Args:
        calibration: Frequencies, ports and time grid.
        gate: The gate; with an angle, its tones are scaled.
        model: How it is calibrated.
        local: Builds a gate of one qubit.
    """
    known = calibration.document.qubits
    ends = known[model.control], known[model.target]
    control, target = ends[0].index, ends[1].index
    starts, _ = cross_resonance_ticks(model, gate.name, ends, calibration.timing)
    last_tone = max(start for start, part in starts if part in _TONES)
    actions: list[SiteAction] = []
    for start, part in starts:
        if part in _TONES:
            actions += _tone(calibration, gate, model, (control, target), start, is_flipped=part != Part.TONE)
            if start == last_tone:
                actions += _virtual_z(gate, model, {model.control: control, model.target: target})
        elif part == Part.FLIP:
            actions += local("x", control).after(start)
        elif part == Part.TURN:
            actions += (*local("sx", target).after(start), SiteShift(control, _QUARTER))
        else:
            quarter = SiteShift(target, _QUARTER)
            actions += (quarter, *local("sx", target).after(start), quarter)
    return tuple(actions)


def _tone(
    calibration: Calibration,
    gate: GateSite,
    model: CrossResonance,
    pair: tuple[int, int],
    start: int,
    *,
    is_flipped: bool,
) -> list[SitePlay]:
    """Return the tone on the control's port at the target's frequency, and what the target's own port plays with it.

    Both frames follow the target's phase. The sign is a phase of half a turn, so that both tones share a gain.
    """
    control, target = pair
    sign = TURN // 2 if is_flipped else 0
    through = drive_frame(calibration, gate, target, through=control)
    tone = make_play(calibration, gate, through, model.waveform, start)
    plays = [replace(tone, amplitude=_scaled(gate, model.waveform.amp.value), phase=(tone.phase + sign) % TURN)]
    beside = model.accompaniment
    if beside:
        phase = (phase_word(cmath.phase(beside)) + sign) % TURN
        own = drive_frame(calibration, gate, target)
        plays.append(replace(tone, frame=own, amplitude=_scaled(gate, abs(beside)), phase=phase))
    return plays


def _scaled(gate: GateSite, amp: float) -> float | Expression:
    return scaled(amp, gate.arguments[0], FULL_RAD) if gate.arguments else amp


def _virtual_z(gate: GateSite, model: CrossResonance, index: dict[str, int]) -> list[SiteShift]:
    shifts: list[SiteShift] = []
    for name, angle in sorted(model.virtual_z.items(), key=lambda item: index[item[0]]):
        value = scaled_squared(angle.value, gate.arguments[0], FULL_RAD) if gate.arguments else angle.value
        shifts.append(SiteShift(index[name], value if isinstance(value, Expression) else phase_word(value)))
    return shifts
