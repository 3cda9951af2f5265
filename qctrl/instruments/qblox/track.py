"""``Track``: what one sequencer plays, event by event, and where the phase of its NCO is meanwhile."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np

from qctrl.errors import ResourceError, TimingError, UnsupportedInstructionError
from qctrl.instruments.qblox import limits
from qctrl.instruments.qblox.acquisition import Acquisitions
from qctrl.instruments.qblox.code import Code, Instruction
from qctrl.instruments.qblox.waveforms import WaveformMemory, pieces
from qctrl.instruments.qblox.words import frequency_steps, gain_steps, phase_steps
from qctrl.protocol import EventOp
from qctrl.units import TUNING_TURN, TURN

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from qctrl.instruments.qblox.layout import Voice
    from qctrl.protocol import Program

LEAD_NS: Final = 8
"""Before a shot: the NCO is reset and the latches are cleared."""


@dataclass(slots=True)
class _Round:
    """State at the start of a loop's body, to be compared with that at its end."""

    register: int
    ftw: int
    at_ns: int
    first: int
    """Instruction with which the body begins."""
    before: int
    """What was added to the NCO's phase until then."""
    delta: Instruction | None = None
    """Reserved for the phase that a round adds; placed with the first event of the body."""
    first_capture_ns: int | None = None


@dataclass(slots=True)
class _Nco:
    """Frequency in quarter hertz; phase in quarters of a phase step since ``since_ns``."""

    steps: int = 0
    units: int = 0
    since_ns: int = -LEAD_NS
    delta: int = 0
    """Sum of all ``set_ph_delta``."""

    def phase(self, at_ns: int) -> int:
        return self.units + self.steps * (at_ns - self.since_ns) + 4 * self.delta

    def change(self, steps: int, at_ns: int) -> None:
        """Go on at another frequency; the phase has no jump."""
        self.units += self.steps * (at_ns - self.since_ns)
        self.since_ns, self.steps = at_ns, steps


@dataclass(slots=True)
class _Latched:
    """What the sequencer's parameters are known to be; ``None`` is not known."""

    gain: tuple[int, int] | None = None
    phase: int | None = None
    frequency: int | None = None


@dataclass(slots=True)
class Track:
    """One sequencer while its program is written."""

    voice: Voice
    program: Program
    ticks: int
    """Ticks of a nanosecond."""
    sample_ns: int
    code: Code = field(init=False)
    waveforms: WaveformMemory = field(init=False)
    acquisitions: Acquisitions = field(init=False)
    register: int = 0
    """Phase register of the frame, 2**-32 turn."""
    ftw: int = 0
    busy_until_ns: int = -LEAD_NS
    """End of the last waveform."""
    last_capture_ns: int | None = None
    initial_steps: int = 0
    _nco: _Nco = field(init=False)
    _latched: _Latched = field(init=False)
    _rounds: list[_Round] = field(default_factory=list[_Round])
    conditions: int = 0
    """Depth of conditions around what is written now."""

    def __post_init__(self) -> None:
        who = self.voice.who
        self.code = Code(who)
        self.waveforms = WaveformMemory(who, "waveforms", limits.WAVEFORM_SAMPLES, limits.WAVEFORMS)
        self.acquisitions = Acquisitions(self.program, self.voice, self.ticks, self.sample_ns)
        self.ftw = int(self.program.frames["ftw"][self.voice.frame])
        self.initial_steps = frequency_steps(self.ftw, self.ticks, who)
        self._nco = _Nco(steps=self.initial_steps)
        self._latched = _Latched(frequency=self.initial_steps)

    def play(self, at_ns: int, envelope: int, gain: int, phase: int) -> None:
        """Play an envelope.

        Args:
            at_ns: From the start of the shot.
            envelope: Index in the program.
            gain: Word of 2**-30.
            phase: Word of 2**-32 turn, without the register.

        Raises:
            TimingError: It does not fit the grid, or what is before it.
            ResourceError: A memory is full.
        """
        self._set_phase(at_ns, phase)
        for samples in pieces(self.program.envelopes[envelope], self.program.envelope_samples, self.sample_ns):
            lines, gains = self._lines(samples, gain)
            if self._latched.gain != gains:
                self.code.classical("set_awg_gain", *gains)
                self._latched.gain = gains
            self.code.realtime(at_ns, "play", *lines)
            at_ns += len(samples)
        self.busy_until_ns = at_ns

    def capture(self, at_ns: int, capture: int, length_ns: int, phase: int) -> None:
        """Integrate what comes back; arguments as those of ``play``.

        Raises:
            TimingError: It does not fit the grid, or what is before it.
            UnsupportedInstructionError: Its weights are complex.
            ResourceError: It comes too soon after another one.
        """
        self._check_spacing(at_ns, self.last_capture_ns)
        self._set_phase(at_ns, phase)
        self.acquisitions.write(self.code, at_ns, capture, length_ns)
        self.busy_until_ns = at_ns + length_ns
        self.last_capture_ns = at_ns
        for opened in self._rounds:
            if opened.first_capture_ns is None:
                opened.first_capture_ns = at_ns

    def shift(self, word: int) -> None:
        """Add a word to the frame's phase register."""
        self.register = (self.register + word) % TURN

    def set_frequency(self, ftw: int) -> None:
        """Change the tuning word; the next event plays with it.

        Raises:
            UnsupportedInstructionError: It happens in a loop or under a condition.
        """
        if ftw != self.ftw and (self._rounds or self.conditions):
            raise _changes(self.voice, "changes inside a loop or a condition")
        self.ftw = ftw

    def begin_round(self, at_ns: int) -> None:
        """Begin the body of a loop; its first event reserves room for the phase that a round adds."""
        self.settle()
        self._rounds.append(_Round(self.register, self.ftw, at_ns, len(self.code.instructions), self._nco.delta))

    def end_round(self, at_ns: int, count: int) -> None:
        """End the body of a loop: let its rounds add the phase that the NCO alone does not."""
        opened = self._rounds.pop()
        if opened.first_capture_ns is not None and self.last_capture_ns is not None:
            self._check_spacing(at_ns + opened.first_capture_ns - opened.at_ns, self.last_capture_ns)
        length_ns = at_ns - opened.at_ns
        shift = (self.register - opened.register) % TURN
        turns = self.ftw * length_ns * self.ticks + (shift << 16)
        inside = self._nco.delta - opened.before  # by loops in the body
        added = phase_steps(turns, self._nco.steps * length_ns + 4 * inside)
        if opened.delta is not None:
            opened.delta.args = (added,)
            # The first round adds it, too.
            for line in self.code.instructions[opened.first :]:
                if line.name == "set_ph":
                    line.args = ((int(line.args[0]) - added) % limits.PHASE_STEPS,)
            self._nco.delta = opened.before + count * (added + inside)
        self.register = (opened.register + count * shift) % TURN
        if not added and opened.delta is not None:
            self.code.take_back(opened.delta)
        self.forget()

    def latch_round(self, at_ns: int) -> None:
        """Add a round's phase by an instruction of its own, because the first event is under a condition."""
        if self._reserve():
            self.code.realtime(at_ns, "upd_param")

    def needs_latch(self) -> bool:
        """Return whether the innermost loop has no event yet that adds its phase."""
        return self.voice.modulated and bool(self._rounds) and self._rounds[-1].delta is None

    def late(self, more_ns: int) -> None:
        """Take what was written last for something that ended later."""
        self.busy_until_ns += more_ns
        if self.last_capture_ns is not None:
            self.last_capture_ns += more_ns

    def phases(self) -> tuple[int, int]:
        """Return the frame's register and what was added to the NCO's phase, for ``resume`` and ``lead_over``."""
        return self.register, self._nco.delta

    def resume(self, phases: tuple[int, int]) -> None:
        """Go back to earlier phases, where the other way of a branch begins."""
        self.register, self._nco.delta = phases

    def reserve_lead(self) -> Instruction:
        """Write down room for a step of the NCO's phase, right after what is complete."""
        reserved = self.code.classical("set_ph_delta", 0)
        self.code.realtime(self.code.now_ns, "upd_param")
        self.code.complete(self.code.now_ns + limits.MIN_NS)
        return reserved

    @staticmethod
    def lead(phases: tuple[int, int], others: tuple[int, int]) -> int:
        """Return the steps to add to an NCO that got to ``phases``, so that code written after ``others`` fits it."""
        return phase_steps((phases[0] - others[0]) << 16, 4 * (phases[1] - others[1]))

    def begin_shot(self, *, clear_latches: bool) -> None:
        """Write what comes before tick 0."""
        self.code.now_ns = -LEAD_NS
        if self.voice.modulated:
            self.code.classical("reset_ph")
        if self._changes_frequency():
            self.code.classical("set_freq", self.initial_steps)
        self.code.realtime(-LEAD_NS, "upd_param")
        if clear_latches:
            self.code.realtime(-LEAD_NS // 2, "latch_rst")

    def forget(self) -> None:
        """Take no parameter for set any more, since more than one way leads here."""
        self._latched = _Latched(frequency=self._latched.frequency)

    def settle(self) -> None:
        """Forget, and make sure that the NCO has its frequency already.

        Raises:
            UnsupportedInstructionError: A frequency was changed and nothing was played with it yet.
        """
        self.forget()
        if self.voice.modulated and frequency_steps(self.ftw, self.ticks, self.voice.who) != self._nco.steps:
            raise _changes(self.voice, "changes right before a loop or a condition")

    def _lines(self, samples: NDArray[np.int16], gain: int) -> tuple[tuple[int, int], tuple[int, int]]:
        """Return waveforms and gains of both paths."""
        steps = gain_steps(gain)
        first = self.waveforms.index(samples[:, 0].copy())
        if not self.voice.modulated or not samples[:, 1].any():
            return (first, first), (steps, 0)
        return (first, self.waveforms.index(samples[:, 1].copy())), (steps, steps)

    def _set_phase(self, at_ns: int, phase: int) -> None:
        """Let the NCO have the phase of the frame at a time, plus a word."""
        if not self.voice.modulated:
            return
        steps = frequency_steps(self.ftw, self.ticks, self.voice.who)
        turns = (self.ftw * at_ns * self.ticks + ((phase + self.register) % TURN << 16)) % TUNING_TURN
        reserved = self._reserve()
        early_ns = at_ns % limits.NCO_GRID_NS
        latch_ns = at_ns - early_ns - (limits.NCO_GRID_NS if early_ns else 0)
        if steps != self._nco.steps:
            self._nco.change(steps, latch_ns)
        wanted = phase_steps(turns, self._nco.phase(at_ns))
        if wanted == self._latched.phase and steps == self._latched.frequency and not reserved:
            return
        if early_ns:
            self._check_latch(latch_ns, at_ns)
            # The open instruction must end before what follows is set.
            self.code.complete(latch_ns)
        if steps != self._latched.frequency:
            self.code.classical("set_freq", steps)
        if wanted != self._latched.phase:
            self.code.classical("set_ph", wanted)
        self._latched.frequency, self._latched.phase = steps, wanted
        if early_ns:
            self.code.realtime(latch_ns, "upd_param")

    def _changes_frequency(self) -> bool:
        events = self.program.events
        return bool(((events["op"] == EventOp.SET_FREQUENCY) & (events["frame"] == self.voice.frame)).any())

    def _reserve(self) -> bool:
        """Write down room for what a round of the open loop adds; return whether there was a need."""
        if not self.needs_latch():
            return False
        self._rounds[-1].delta = self.code.classical("set_ph_delta", 0)
        return True

    def _check_latch(self, latch_ns: int, at_ns: int) -> None:
        if latch_ns < max(self.busy_until_ns, self.code.now_ns):
            raise TimingError(
                f"Qblox {self.voice.who}, capability NCO grid: a phase must change at {at_ns} ns, which is no multiple "
                f"of {limits.NCO_GRID_NS} ns, and there is no silence before it; let pulses last multiples of "
                f"{limits.NCO_GRID_NS} ns"
            )

    def _check_spacing(self, at_ns: int, last_ns: int | None) -> None:
        if last_ns is not None and at_ns - last_ns < limits.ACQUISITION_SPACING_NS:
            raise ResourceError(
                f"Qblox {self.voice.who}, capability acquisitions: they begin {at_ns - last_ns} ns apart, at least "
                f"{limits.ACQUISITION_SPACING_NS} ns are possible; measure less often"
            )


def _changes(voice: Voice, where: str) -> UnsupportedInstructionError:
    return UnsupportedInstructionError(
        f"Qblox {voice.who}, capability NCO: a frequency {where}, so the phase that belongs to it would differ from "
        "round to round; change it elsewhere and play with it first"
    )
