"""Rules of digitizers."""

from __future__ import annotations

from typing import Final

from qctrl.errors import InstrumentError
from qctrl.instruments.boxes.base import Acquisition
from qctrl.instruments.driver_suite.subject import Subject, require, require_refusal

_RECORDS: Final = 3


def _acquisition(subject: Subject) -> Acquisition:
    channels = next(iter(subject.entry.channels.values()))
    return Acquisition(channels, subject.full_scale_v, subject.sample_rate_hz, delay_s=1e-7, n_samples=240)


def records_are_never_made_up(subject: Subject) -> None:
    """Without a trigger nothing is acquired, and what is not there cannot be fetched."""
    with subject.driver() as box:
        box.connect()
        require(box.configure(_acquisition(subject)) >= _RECORDS, "configure returns how many records fit")
        box.arm(_RECORDS)
        require(box.acquired() == 0, "nothing is acquired before the trigger")
        box.abort()
        require_refusal(InstrumentError, lambda: box.fetch(_RECORDS), "fetching records that were never taken")


def unconfigured_digitizer_gives_nothing(subject: Subject) -> None:
    """Nothing can be fetched before anything is configured."""
    with subject.driver() as box:
        box.connect()
        require_refusal(InstrumentError, lambda: box.fetch(1), "fetching before configure")


DIGITIZER: Final = (records_are_never_made_up, unconfigured_digitizer_gives_nothing)
