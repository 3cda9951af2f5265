"""Rules of what puts something out: generators, oscillators, DC sources."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Final

import numpy as np

from qctrl.errors import ResourceError
from qctrl.instruments.boxes.base import GeneratorLimits, OutputSetting, Segment, ShotSequence, Step
from qctrl.instruments.driver_suite.subject import Subject, require, require_refusal

_BITS: Final = 8
_POWER_DBM: Final = -20.0


def _outputs(subject: Subject) -> list[OutputSetting]:
    channels = sorted(channel for channels in subject.entry.channels.values() for channel in channels)
    return [OutputSetting(channel, subject.full_scale_v, _BITS) for channel in channels]


def _shot(limits: GeneratorLimits, outputs: Sequence[OutputSetting]) -> tuple[Segment, ShotSequence]:
    """Return a segment that begins and ends at rest, and a sequence of it."""
    n_samples = -(-max(limits.min_samples, 256) // limits.granularity) * limits.granularity
    samples = 0.5 * np.sin(np.linspace(0, 2 * np.pi, n_samples)).astype(np.float32)
    step = Step(("trial",) * len(outputs))
    return Segment("trial", samples), ShotSequence(tuple(o.channel for o in outputs), (step,), step, n_shots=3)


def outputs_are_on_only_while_armed(subject: Subject) -> None:
    """Configuring, uploading and loading leave the outputs off; ``arm`` switches them on, ``safe_state`` off."""
    outputs = _outputs(subject)
    with subject.driver() as box:
        box.connect()
        limits = box.configure(subject.sample_rate_hz, outputs)
        segment, sequence = _shot(limits, outputs)
        box.upload(segment)
        box.load(sequence)
        require(not box.health().outputs_on, "outputs are off until arm")
        box.arm()
        require(box.health().outputs_on, "outputs are on after arm")
        played = getattr(box, "has_played", None)
        require(played is None or not played(), "nothing was played before the trigger")
        box.safe_state()
        require(not box.health().outputs_on, "outputs are off after safe_state")


def segments_are_sent_once(subject: Subject) -> None:
    """What is in memory is not sent again, unless the connection is new."""
    outputs = _outputs(subject)
    with subject.driver() as box:
        box.connect()
        segment, _ = _shot(box.configure(subject.sample_rate_hz, outputs), outputs)
        require(box.upload(segment), "a new segment is sent")
        require(not box.upload(segment), "a segment that is there is not sent")
        box.connect()
        require(box.upload(segment), "a new connection forgets what was in memory")


def samples_beyond_full_scale_are_refused(subject: Subject) -> None:
    """A sample that is no fraction of full scale is refused, never clipped."""
    outputs = _outputs(subject)
    with subject.driver() as box:
        box.connect()
        segment, _ = _shot(box.configure(subject.sample_rate_hz, outputs), outputs)
        for value in (1.001, -1.5, np.nan, np.inf):
            samples = segment.samples.copy()
            samples[7] = value
            bad = Segment(f"bad {value}", samples)
            require_refusal(ResourceError, partial(box.upload, bad), f"a sample of {value}")


def amplitude_keeps_its_limit(subject: Subject) -> None:
    """An amplitude beyond ``max_vpp`` is refused."""
    with subject.driver(max_vpp=1.9 * subject.full_scale_v) as box:
        box.connect()
        text = "an amplitude beyond max_vpp"
        require_refusal(ResourceError, lambda: box.configure(subject.sample_rate_hz, _outputs(subject)), text)


def carrier_is_on_only_when_told(subject: Subject) -> None:
    """``configure`` leaves the carrier off, ``switch_on`` switches it on, ``safe_state`` off."""
    with subject.driver() as box:
        box.connect()
        box.configure(subject.carrier_hz, _POWER_DBM)
        require(not box.health().outputs_on, "the carrier is off until switch_on")
        box.switch_on()
        require(box.health().outputs_on, "the carrier is on after switch_on")
        box.safe_state()
        require(not box.health().outputs_on, "the carrier is off after safe_state")


def power_keeps_its_limit(subject: Subject) -> None:
    """A power beyond ``max_power`` is refused."""
    with subject.driver(max_power=0.0) as box:
        box.connect()
        require_refusal(ResourceError, lambda: box.configure(subject.carrier_hz, 1.0), "a power beyond max_power")


def level_is_held(subject: Subject) -> None:
    """A level survives ``safe_state`` and the end of the connection."""
    port = subject.entry.held_ports[0]
    with subject.driver() as box:
        box.connect()
        box.ramp(port, subject.level_v)
        require(box.health().outputs_on, "the level is on the output after ramp")
        box.safe_state()
        require(box.health().outputs_on, "safe_state holds the level")
        box.close()
        box.connect()
        require(box.health().outputs_on, "the level is held while nobody is connected")
        box.ramp(port, 0.0)


def level_keeps_its_limit(subject: Subject) -> None:
    """A level beyond ``max_level`` is refused, on either side."""
    port = subject.entry.held_ports[0]
    with subject.driver(max_level=abs(subject.level_v)) as box:
        box.connect()
        for level_v in (1.01 * subject.level_v, -1.01 * subject.level_v):
            text = f"a level of {level_v:g} V, beyond max_level"
            require_refusal(ResourceError, partial(box.ramp, port, level_v), text)


GENERATOR: Final = (
    outputs_are_on_only_while_armed,
    segments_are_sent_once,
    samples_beyond_full_scale_are_refused,
    amplitude_keeps_its_limit,
)
OSCILLATOR: Final = (carrier_is_on_only_when_told, power_keeps_its_limit)
SOURCE: Final = (level_is_held, level_keeps_its_limit)
