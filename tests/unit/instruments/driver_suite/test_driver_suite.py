"""Every driver of the stack keeps the contract before its emulated box; drivers that do not are found out."""

import pytest

from firmware_sim.scpi.models import MODELS
from qctrl.config import InstrumentLimits, RackInstrument
from qctrl.errors import ConfigError, InstrumentError, ResourceError
from qctrl.instruments.boxes import BoxHealth, BoxIdentity, open_box
from qctrl.instruments.boxes.kinds import OWN
from qctrl.instruments.driver_suite import BrokenRuleError, Subject, rules_for
from tests.unit.instruments.scpi.bays import OPTIONS
from tests.unit.instruments.scpi.direct_session import DirectSession

RATES_HZ = {"keysight_m8195a": 15e9}


def test_every_kind_is_on_trial():
    assert set(OPTIONS) == {kind for kind in OWN if not kind.startswith("qcodes_")}  # those have tests of their own


@pytest.mark.parametrize("kind", sorted(OPTIONS))
def test_own_driver_keeps_the_contract(kind):
    instrument = MODELS[kind]("S1")

    def make(name, entry):
        box = open_box(name, entry)
        box.session = DirectSession(instrument)
        return box

    entry = RackInstrument(kind=kind, address="TCPIP0::192.0.2.1::1::SOCKET", serial="S1", **OPTIONS[kind])
    subject = Subject(make, entry, sample_rate_hz=RATES_HZ.get(kind, 1e9))
    for rule in rules_for(make("box", entry)):
        rule(subject)


IDENTITY = BoxIdentity("ACME", "3000", "1", "1")


class Lo:
    """An oscillator that keeps every rule; commands from nowhere, never tried on a real instrument."""

    power = False
    clips = switches_early = stays_on = loses_identity = accepts_any = False

    def __init__(self, name, entry):
        self.entry, self.open = entry, False

    def connect(self):
        if self.entry.serial not in ("", "1") and not self.accepts_any:
            raise InstrumentError("another instrument")
        self.open = True
        return IDENTITY

    def is_connected(self):
        return self.open

    def health(self):
        return BoxHealth(
            IDENTITY if not self.loses_identity else BoxIdentity("", "", "", ""), True, Lo.power, (), "any"
        )

    def safe_state(self):
        Lo.power = self.stays_on and Lo.power

    def close(self):
        self.open = False

    def configure(self, frequency_hz, power_dbm):
        limit = self.entry.limits.max_power
        if limit is not None and power_dbm > limit and not self.clips:
            raise ResourceError("too much")
        Lo.power = self.switches_early

    def switch_on(self):
        Lo.power = True


ENTRY = RackInstrument(kind="acme_lo", address="A", ports=("q0.drive",), limits=InstrumentLimits(max_power=10.0))


def broken_rules(driver):
    Lo.power = False
    broken = []
    for rule in rules_for(driver("lo", ENTRY)):
        try:
            rule(Subject(driver, ENTRY))
        except BrokenRuleError:
            broken.append(rule.__name__)
        Lo.power = False
    return broken


def test_good_driver_breaks_no_rule():
    assert broken_rules(Lo) == []


@pytest.mark.parametrize(
    ("vice", "rules"),
    [
        ("clips", ["power_keeps_its_limit"]),
        ("switches_early", ["carrier_is_on_only_when_told"]),
        ("stays_on", ["carrier_is_on_only_when_told"]),
        ("loses_identity", ["connection_tells_who_answers", "another_instrument_is_refused"]),
        ("accepts_any", ["another_instrument_is_refused"]),
    ],
)
def test_bad_driver_is_found_out(vice, rules):
    assert broken_rules(type("Bad", (Lo,), {vice: True, "__doc__": Lo.__doc__, "__module__": __name__})) == rules


def test_docstring_without_sources_is_found_out():
    bad = type("Bad", (Lo,), {"__doc__": "An oscillator.", "__module__": "json"})
    assert broken_rules(bad) == ["sources_are_named"]


def test_driver_without_a_role_has_no_rules():
    with pytest.raises(ConfigError, match="driver object has 0 roles, not one"):
        rules_for(object())
