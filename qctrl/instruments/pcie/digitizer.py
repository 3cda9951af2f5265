"""Digitizers on PCIe, as AlazarTech and Spectrum make them: no SCPI, but a library of the vendor.

**No card is supported.** This is the interface that a wrapper of a vendor's library has to offer (``Card``) and the
driver on top of it, which does what does not depend on the vendor: limits, counts, overflow, volts. Both have met a
fake only, and were never tried on a real instrument; there are no commands to name. A package that wraps a library
makes a driver known with an entry point in the group ``qctrl.instruments``::

    def open_card(name, entry):
        return PcieDigitizer(name, entry, MyCard(entry.address))

Calls of a library cannot be ended from outside of it, so a card has to keep its own deadlines.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from qctrl.config import RackInstrument
from qctrl.errors import InstrumentError
from qctrl.instruments.boxes.base import Acquisition, BoxHealth, BoxIdentity


@dataclass(frozen=True, slots=True)
class CardIdentity:
    """What a card is, and can do."""

    identity: BoxIdentity
    memory_samples: int
    """Of all records of all channels in use."""
    granularity: int
    """Samples that the length of a record is a multiple of."""
    bits: int


class Card(Protocol):
    """A wrapper of a vendor's library; every call ends within its own deadline or raises ``InstrumentError``."""

    def open(self) -> CardIdentity:
        """Open the card anew and stop what it does."""
        ...

    def configure(self, acquisition: Acquisition) -> float:
        """Set channels, clock on the external reference, trigger on the external input, delay and length.

        Returns:
            Volts of the largest code; ``full_scale_v`` or the next larger range of the card.
        """
        ...

    def start(self, n_records: int) -> None:
        """Wait for so many triggers; none stops."""
        ...

    def completed(self) -> int:
        """Return how many records are complete."""
        ...

    def read(self, n_records: int) -> NDArray[np.int16]:
        """Return signed codes, left-aligned to 16 bits, shape ``(channels, n_records, n_samples)``."""
        ...


class PcieDigitizer:
    """Records of a card as volts; see ``Digitizer``. Never tried on a real instrument; it has no commands of its own.

    Args:
        name: Name of the instrument in the rack.
        entry: What the rack file says of it.
        card: The card.
    """

    def __init__(self, name: str, entry: RackInstrument, card: Card) -> None:
        self.name = name
        self.entry = entry
        self._card = card
        self._opened: CardIdentity | None = None
        self._acquisition: Acquisition | None = None
        self._top_v = 0.0

    def connect(self) -> BoxIdentity:
        """Open the card and check which it is; see ``Box``.

        Raises:
            InstrumentError: It is another card.
        """
        self._opened = self._acquisition = None
        found = self._card.open()
        if self.entry.serial and found.identity.serial != self.entry.serial:
            raise self._error(
                f"serial number {found.identity.serial} answers, not {self.entry.serial}; nothing was set"
            )
        self._opened = found
        return found.identity

    def is_connected(self) -> bool:
        """Return whether the card is open."""
        return self._opened is not None

    def health(self) -> BoxHealth:
        """Return what is known of the card; see ``Box``."""
        opened = self._opened
        identity = self.connect() if opened is None else opened.identity
        return BoxHealth(identity, reference_locked=True, outputs_on=False, errors=(), limits="input only")

    def safe_state(self) -> None:
        """Stop acquiring; see ``Box``."""
        if self._opened is None:
            self.connect()
        self._card.start(0)

    def close(self) -> None:
        """Forget the card."""
        self._opened = self._acquisition = None

    def configure(self, acquisition: Acquisition) -> int:
        """Set the card up; return how many records fit; see ``Digitizer``.

        Raises:
            InstrumentError: A record is no multiple of the granularity, or the range is too small.
        """
        opened = self._open()
        if acquisition.n_samples % opened.granularity:
            raise self._error(
                f"a record of {acquisition.n_samples} samples is no multiple of {opened.granularity}; "
                "change the readout's length in the calibration"
            )
        top_v = self._card.configure(acquisition)
        if top_v < acquisition.full_scale_v:
            raise self._error(f"its range ends at {top_v:g} V, {acquisition.full_scale_v:g} V is wanted")
        self._acquisition, self._top_v = acquisition, top_v
        return opened.memory_samples // (len(acquisition.channels) * acquisition.n_samples)

    def arm(self, n_records: int) -> None:
        """Wait for triggers; see ``Digitizer``."""
        self._card.start(n_records)

    def acquired(self) -> int:
        """Return the number of records; see ``Digitizer``."""
        return self._card.completed()

    def fetch(self, n_records: int) -> NDArray[np.float32]:
        """Return the records of all channels; see ``Digitizer``.

        Raises:
            InstrumentError: There are fewer, or the card gave another number, or it was overdriven.
        """
        opened, acquisition = self._open(), self._acquisition
        if acquisition is None:
            raise self._error("nothing is configured")
        acquired = self._card.completed()
        if acquired < n_records:
            raise self._error(f"it has {acquired} of {n_records} records; they are never padded")
        codes = self._card.read(n_records)
        wanted = (len(acquisition.channels), n_records, acquisition.n_samples)
        if codes.shape != wanted:
            raise self._error(f"it gave codes of shape {codes.shape}, {wanted} were expected")
        top = (1 << 15) - (1 << (16 - opened.bits))
        over = (codes >= top) | (codes < -top)
        if over.any():
            channel, record, sample = (int(k) for k in np.unravel_index(int(np.argmax(over)), codes.shape))
            raise self._error(
                f"channel {acquisition.channels[channel]} is overdriven in record {record + 1}, sample {sample}; "
                "attenuate the signal, or raise full_scale_v of its port in the wiring file"
            )
        return codes.astype(np.float32) * np.float32(self._top_v / (1 << 15))

    def abort(self) -> None:
        """Stop waiting; see ``Digitizer``."""
        self._card.start(0)

    def _open(self) -> CardIdentity:
        if self._opened is None:
            raise self._error("the card is not open; connect first")
        return self._opened

    def _error(self, text: str) -> InstrumentError:
        return InstrumentError(
            f"instrument {self.name} at {self.entry.address}: {text}", name=self.name, address=self.entry.address
        )
