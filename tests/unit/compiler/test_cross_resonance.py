"""What cross-resonance gates play, and when."""

import cmath
import math
from dataclasses import replace

import pytest

from qctrl.compiler.site import SitePlay, SiteShift
from qctrl.compiler.sites import build_site
from qctrl.ir import GateSite
from qctrl.ir.expression import Expression
from qctrl.units import TURN, phase_word
from tests.unit.compiler import cross

CALIBRATION = cross.calibration()
OPEN = Expression((("parameter", 0),))


def site(name, *qubits, calibration=CALIBRATION, angle=None):
    return build_site(calibration, GateSite(name, qubits, None, () if angle is None else (angle,)))


def played(found):
    """Return when each play of a site starts, and on which port at the frequency of which qubit."""
    plays = [action for action in found.actions if isinstance(action, SitePlay)]
    return [(play.offset_ticks, play.frame.port, play.frame.group) for play in plays]


def test_an_echoed_gate_plays_two_tones_of_opposite_sign_around_a_flip_of_the_control():
    found = site("ecr", 1, 0)
    # x of q1 is composed of two sx of 28 ticks
    assert played(found) == [
        (0, "q1.drive", 0),
        (0, "q0.drive", 0),
        (80, "q1.drive", 1),
        (108, "q1.drive", 1),
        (136, "q1.drive", 0),
        (136, "q0.drive", 0),
    ]
    assert found.duration_ticks == 216 == CALIBRATION.duration_ticks("ecr", (1, 0))
    tone, beside, _, _, flipped, flipped_beside = found.actions[:6]
    assert tone.frame.frequency_hz == 4.9e9
    assert tone.phase == phase_word(1.871)
    assert flipped == tone_at(tone, 136)
    assert flipped_beside == tone_at(beside, 136)
    assert found.actions[6:] == (SiteShift(0, phase_word(-0.221)), SiteShift(1, phase_word(0.13)))


def tone_at(tone, ticks):
    return replace(tone, offset_ticks=ticks, phase=(tone.phase + TURN // 2) % TURN)


def test_cancel_and_rotary_are_one_play_on_the_targets_own_frame():
    beside = site("ecr", 1, 0).actions[1]
    expected = cmath.rect(0.031, -0.62) + 0.05
    assert (beside.frame.port, beside.frame.frequency_hz, beside.frame.group) == ("q0.drive", 4.9e9, 0)
    assert beside.amplitude == pytest.approx(abs(expected))
    assert beside.phase == phase_word(cmath.phase(expected))


def test_without_echo_the_control_is_flipped_behind_the_one_tone():
    found = site("ecr", 1, 2)
    assert played(found) == [(4, "q1.drive", 2), (124, "q1.drive", 1), (152, "q1.drive", 1)]
    assert found.duration_ticks == 188


def test_a_rotation_closes_with_the_flip_and_the_change_of_basis_together():
    found = site("rzz", 0, 1, angle=OPEN)
    assert played(found) == [
        (0, "q1.drive", 1),
        (28, "q0.drive", 1),
        (28, "q1.drive", 1),
        (100, "q0.drive", 0),
        (124, "q0.drive", 1),
        (124, "q1.drive", 1),
        (196, "q0.drive", 0),
        (196, "q1.drive", 1),
    ]
    assert found.duration_ticks == 196 + 28


def test_cx_begins_with_the_negative_tone_and_ends_with_quarter_turns():
    found = site("cx", 2, 1)
    tones = [action for action in found.actions if isinstance(action, SitePlay) and action.length_ticks == 104]
    assert [tone.phase for tone in tones] == [(phase_word(3.0) + TURN // 2) % TURN, phase_word(3.0)]
    assert found.actions[-1] == SiteShift(2, TURN // 4)


@pytest.mark.parametrize("angle", [0.3, -1.2, math.pi / 2])
def test_an_angle_scales_the_tones_and_the_square_of_it_the_virtual_z(angle):
    found = site("rzz", 0, 1, angle=angle)
    tones = [action for action in found.actions if isinstance(action, SitePlay) and action.length_ticks == 72]
    amplitudes = [0.35, 0.02, 0.35, 0.02]
    assert [tone.amplitude for tone in tones] == pytest.approx([amp * angle * 2 / math.pi for amp in amplitudes])
    shift = next(action for action in found.actions if isinstance(action, SiteShift) and action.group == 0)
    assert shift.phase == phase_word(0.31 * (angle * 2 / math.pi) ** 2)


def test_an_open_angle_opens_one_amplitude_per_tone_and_the_virtual_z():
    found = site("rzz", 0, 1, angle=OPEN)
    tones = [action for action in found.actions if isinstance(action, SitePlay) and action.length_ticks == 72]
    opened = {tone.amplitude for tone in tones}
    assert len(opened) == 2
    assert all(isinstance(amplitude, Expression) for amplitude in opened)
    shifts = [action for action in found.actions if isinstance(action, SiteShift)]
    assert [isinstance(shift.phase, Expression) for shift in shifts] == [False, False, True, False, False]


def test_frames_of_a_target_are_one_group_on_every_port():
    frames = {frame for frame in site("ecr", 1, 0).frames if frame.group == 0}
    assert {frame.port for frame in frames} == {"q0.drive", "q1.drive"}
    assert {frame.frequency_hz for frame in frames} == {4.9e9}
