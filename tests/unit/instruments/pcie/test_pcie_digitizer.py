"""The driver of PCIe digitizers before a fake card, which is all that it has met."""

import numpy as np
import pytest

from qctrl.config import RackInstrument
from qctrl.errors import InstrumentError
from qctrl.instruments.boxes import Acquisition, BoxIdentity, Digitizer
from qctrl.instruments.driver_suite import Subject, rules_for
from qctrl.instruments.pcie import CardIdentity, PcieDigitizer

ENTRY = RackInstrument(kind="fake_card", address="PCIE::1", serial="7", channels={"f0.acquire": (1, 2)})
ACQUISITION = Acquisition((1, 2), full_scale_v=0.4, sample_rate_hz=1e9, delay_s=1e-7, n_samples=64)


class FakeCard:
    """Twelve bits, left-aligned; ranges of 0.1, 0.2, 0.4 and 1 V."""

    def __init__(self):
        self.volts = None
        self.armed = 0
        self.drops = 0
        self.top_v = 0.0

    def open(self):
        self.armed = 0
        return CardIdentity(BoxIdentity("FAKE", "CARD", "7", "0"), 1 << 20, 16, 12)

    def configure(self, acquisition):
        self.top_v = next(top for top in (0.1, 0.2, 0.4, 1.0) if top >= min(acquisition.full_scale_v, 1.0))
        return self.top_v

    def start(self, n_records):
        self.armed, self.volts = n_records, None

    def trigger(self, volts):
        self.volts = volts

    def completed(self):
        return 0 if self.volts is None else self.volts.shape[1] - self.drops

    def read(self, n_records):
        codes = np.clip(np.rint(self.volts[:, :n_records] / self.top_v * 2048), -2048, 2047)
        return (codes.astype(np.int16) << 4).astype(np.int16)


@pytest.fixture
def card():
    return FakeCard()


@pytest.fixture
def driver(card):
    found = PcieDigitizer("card", ENTRY, card)
    found.connect()
    return found


def test_driver_keeps_the_contract(card):
    subject = Subject(lambda name, entry: PcieDigitizer(name, entry, card), ENTRY)
    assert isinstance(PcieDigitizer("card", ENTRY, card), Digitizer)
    for rule in rules_for(PcieDigitizer("card", ENTRY, card)):
        rule(subject)


def test_records_come_as_volts(driver, card, rng):
    assert driver.configure(ACQUISITION) == (1 << 20) // 128
    driver.arm(5)
    assert (card.armed, driver.acquired()) == (5, 0)
    volts = rng.uniform(-0.39, 0.39, (2, 5, 64))
    card.trigger(volts)
    assert driver.acquired() == 5
    assert np.abs(driver.fetch(5) - volts).max() <= 0.4 / 2048
    driver.abort()
    assert card.armed == 0


def test_fewer_records_other_shapes_and_overdrive_are_errors(driver, card):
    driver.configure(ACQUISITION)
    volts = np.zeros((2, 4, 64))
    card.trigger(volts)
    card.drops = 1
    with pytest.raises(InstrumentError, match="it has 3 of 4 records; they are never padded"):
        driver.fetch(4)
    card.drops = 0
    card.trigger(volts[:, :, :60])
    with pytest.raises(InstrumentError, match=r"it gave codes of shape \(2, 4, 60\), \(2, 4, 64\) were expected"):
        driver.fetch(4)
    volts[1, 2, 33] = 0.5
    card.trigger(volts)
    with pytest.raises(InstrumentError, match="channel 2 is overdriven in record 3, sample 33; attenuate"):
        driver.fetch(4)


def test_what_the_card_cannot_do_is_refused(driver, card):
    with pytest.raises(InstrumentError, match="a record of 60 samples is no multiple of 16"):
        driver.configure(Acquisition((1, 2), 0.4, 1e9, 0.0, 60))
    with pytest.raises(InstrumentError, match="its range ends at 1 V, 3 V is wanted"):
        driver.configure(Acquisition((1, 2), 3.0, 1e9, 0.0, 64))
    driver.close()
    with pytest.raises(InstrumentError, match="the card is not open; connect first"):
        driver.configure(ACQUISITION)
