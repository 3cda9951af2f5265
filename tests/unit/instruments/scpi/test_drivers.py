"""Each driver against its emulated instrument over a real socket, with what can go wrong on the wire."""

import time

import numpy as np
import pytest

from firmware_sim.scpi.faults import WireFaults
from qctrl.config import RackInstrument
from qctrl.errors import ConfigError, InstrumentError, InstrumentFault, InstrumentTimeoutError, ResourceError
from qctrl.instruments.boxes import Acquisition, OutputSetting, Segment, ShotSequence, Step, kinds, open_box
from qctrl.instruments.scpi import blocks
from qctrl.instruments.scpi import session as session_module
from tests.unit.instruments.scpi.bays import Bay, Bays, wave

pytest.importorskip("pyvisa_py")


@pytest.fixture(scope="module")
def bays():
    found = Bays()
    yield found
    for bay in found.values():
        bay.close()


@pytest.fixture
def awg(bays):
    bay = bays["tektronix_awg5200"]
    if not bay.driver.is_connected():
        bay.driver.connect()
    return bay


def test_generator_gets_exactly_the_samples_and_only_once(awg, monkeypatch):
    monkeypatch.setattr("qctrl.instruments.scpi.blocks.MAX_BLOCK_BYTES", 4096)
    segment = Segment("a", wave(1), (np.arange(2400) < 100).astype(np.uint8))
    assert awg.driver.upload(segment)
    assert not awg.driver.upload(segment)
    held = awg.instrument.waveforms["a"]
    np.testing.assert_array_equal(held.samples, segment.samples)
    np.testing.assert_array_equal(held.markers, np.where(np.arange(2400) < 100, 64, 0))


def test_generator_plays_its_sequence_after_the_trigger(awg):
    driver, instrument = awg.driver, awg.instrument
    limits = driver.configure(1e9, [OutputSetting(1, 0.5, 16), OutputSetting(2, 0.5, 15)])
    assert (limits.min_samples, limits.granularity) == (2400, 1)
    for name in "xyz":
        driver.upload(Segment(name, wave(ord(name))))
    driver.load(ShotSequence((1, 2), (Step(("x", "y")), Step(("z", "z"), 3)), Step(("z", "z")), 77))
    instrument.on_trigger = instrument.begin
    driver.arm()
    assert (driver.run_state(), driver.has_played()) == ("waiting", False)
    driver.trigger()
    assert not driver.has_played()
    instrument.end()
    assert driver.has_played()
    shot = instrument.shot(2)
    assert (len(shot.volts), shot.repeats) == (4 * 2400, 77)
    assert np.abs(shot.volts[:2400] - 0.5 * wave(ord("y"))).max() < 0.5 / 2**14
    driver.safe_state()
    driver.safe_state()
    assert (driver.are_outputs_on(), driver.run_state()) == (False, "stopped")


@pytest.mark.parametrize("value", [np.nan, np.inf, 1.0001, -1.5])
def test_sample_beyond_full_scale_is_refused_before_it_is_sent(awg, value):
    samples = wave(3)
    samples[17] = value
    before = len(awg.instrument.waveforms)
    with pytest.raises(ResourceError, match=r"sample 17 of a waveform is .*; it must be within -1 and 1"):
        awg.driver.upload(Segment("bad", samples))
    assert len(awg.instrument.waveforms) == before


def test_amplitude_beyond_the_limit_is_refused_before_it_is_sent(awg):
    before = awg.instrument.channels[1].vpp
    with pytest.raises(ResourceError, match=r"channel 1 of 2\.2 V peak to peak is beyond its limit of 2 V"):
        awg.driver.configure(1e9, [OutputSetting(1, 1.1, 16)])
    assert awg.instrument.channels[1].vpp == before


def test_corrupted_waveform_is_found_by_reading_it_back(awg):
    awg.wire.faults.flips = True
    with pytest.raises(InstrumentError, match="waveform c reads back otherwise than it was sent"):
        awg.driver.upload(Segment("c", wave(4)))
    awg.wire.faults.flips = False
    awg.driver.connect()


def test_error_in_the_queue_fails_the_group_with_its_text_and_is_drained(awg):
    awg.instrument.push(-222, "Data out of range;something")
    awg.instrument.push(-310, "System error")
    with pytest.raises(InstrumentFault, match=r"box at .* reports -222, Data out of range;something; -310, System"):
        awg.driver.command("CLOCk:SRATe 1e9")
    awg.driver.command("CLOCk:SRATe 1e9")


def test_overflown_error_queue_is_a_failure(awg):
    for _ in range(40):
        awg.instrument.push(-100, "x")
    with pytest.raises(InstrumentFault, match="-350, Queue overflow"):
        awg.driver.command("CLOCk:SRATe 1e9")
    assert awg.driver.drain_errors() == []


def test_late_reply_is_never_used(awg):
    awg.wire.faults.delay_s = 1.3
    with pytest.raises(InstrumentTimeoutError):
        awg.driver.session.ask("WLISt:SIZE?")
    awg.wire.faults.delay_s = 0.0
    assert not awg.driver.is_connected()
    assert awg.driver.connect().model == "AWG5208"
    assert awg.driver.session.ask("AWGControl:RSTate?") == "0"


def test_generator_that_stops_reading_is_given_up(awg, monkeypatch):
    monkeypatch.setattr(session_module, "_SLOWEST_B_S", 1e8)
    awg.wire.faults.stop_reading_at = 100_000
    began = time.monotonic()
    with pytest.raises(InstrumentTimeoutError):
        awg.driver.upload(Segment("d", wave(5, 4 << 20)))
    assert time.monotonic() - began < 10
    awg.wire.faults.stop_reading_at = None
    awg.driver.connect()
    assert awg.driver.upload(Segment("d", wave(5)))


def test_connection_torn_in_a_block_leads_to_a_whole_new_upload(awg):
    awg.wire.faults.drop_at = 5000
    with pytest.raises(InstrumentError):
        awg.driver.upload(Segment("e", wave(6)))
    awg.driver.connect()
    assert awg.driver.upload(Segment("e", wave(6)))
    np.testing.assert_array_equal(awg.instrument.waveforms["e"].samples, wave(6))


def test_power_cycle_is_noticed_and_everything_uploaded_again(awg):
    awg.driver.upload(Segment("f", wave(7)))
    awg.instrument.power_cycle()  # so fast that the connection survived
    assert not awg.driver.is_connected()
    awg.driver.connect()
    assert awg.driver.upload(Segment("f", wave(7)))


@pytest.mark.parametrize(
    ("identity", "text"),
    [
        ("ACME,AWG5208,S1,1", "a ACME AWG5208 answers, which is no tektronix_awg5200"),
        ("TEKTRONIX,AWG7122,S1,1", "a TEKTRONIX AWG7122 answers"),
        ("TEKTRONIX,AWG5208,S2,1", "serial number S2 answers, not S1"),
    ],
)
def test_wrong_instrument_behind_the_address_is_left_alone(awg, identity, text):
    awg.instrument.identity = identity
    awg.instrument.channels[1].vpp = 1.25
    try:
        with pytest.raises(InstrumentError, match=text):
            awg.driver.connect()
        assert awg.instrument.channels[1].vpp == 1.25
        assert not awg.driver.session.is_open
    finally:
        awg.instrument.identity = None
        awg.driver.connect()


def test_refused_connection_is_an_error(awg):
    awg.wire.faults.refuses = True
    with pytest.raises(InstrumentError):
        awg.driver.connect()
    awg.wire.faults.refuses = False
    awg.driver.connect()


def test_health_says_what_is_wrong(awg):
    awg.instrument.reference_locked = False
    awg.instrument.push(-300, "Device error")
    health = awg.driver.health()
    assert (health.reference_locked, health.errors, health.limits) == (False, ("-300, Device error",), "2 Vpp")
    awg.instrument.reference_locked = True
    assert awg.driver.health().errors == ()


ACQUISITION = Acquisition((1, 2), 0.5, 1e9, 1e-7, 120)


@pytest.fixture
def mso(bays):
    bay = bays["tektronix_mso"]
    if not bay.driver.is_connected():
        bay.driver.connect()
    bay.instrument.frames_short, bay.wire.faults.extra_length = 0, 0
    return bay


def test_digitizer_brings_the_volts_of_every_frame(mso, monkeypatch):
    monkeypatch.setattr("qctrl.instruments.scpi.tektronix_mso.MAX_BLOCK_BYTES", 1000)
    most = mso.driver.configure(ACQUISITION)
    assert most == 62_500_000 // (4 * 120)
    mso.driver.arm(9)
    assert mso.driver.acquired() == 0
    volts = np.random.default_rng(2).uniform(-0.4, 0.4, (2, 9, 120))
    mso.instrument.acquire({1: volts[0], 2: volts[1]})
    assert mso.driver.acquired() == 9
    assert np.abs(mso.driver.fetch(9) - volts).max() < 0.1 / 6400


def test_overdriven_digitizer_is_an_error_with_its_place(mso):
    mso.driver.configure(ACQUISITION)
    mso.driver.arm(4)
    volts = np.zeros((4, 120))
    volts[2, 33] = 3.0
    mso.instrument.acquire({1: volts, 2: volts})
    with pytest.raises(InstrumentError, match="channel 1 is overdriven in frame 3, sample 33; attenuate"):
        mso.driver.fetch(4)


def test_fewer_frames_than_armed_are_never_padded(mso):
    mso.driver.configure(ACQUISITION)
    mso.driver.arm(4)
    mso.instrument.frames_short = 1
    mso.instrument.acquire({1: np.zeros((4, 120)), 2: np.zeros((4, 120))})
    assert mso.driver.acquired() == 3
    with pytest.raises(InstrumentError, match="it has 3 records, not 4; they are never padded"):
        mso.driver.fetch(4)


def test_block_of_a_wrong_length_is_refused(mso):
    mso.driver.configure(ACQUISITION)
    mso.driver.arm(4)
    mso.instrument.acquire({1: np.zeros((4, 120)), 2: np.zeros((4, 120))})
    mso.wire.faults.extra_length = 7
    with pytest.raises(InstrumentError):
        mso.driver.fetch(4)


@pytest.mark.parametrize("kind", ["rohde_schwarz_sgs100a", "rohde_schwarz_smb100a"])
def test_oscillator_keeps_its_limit(bays, kind):
    bay = bays[kind]
    bay.driver.configure(4.9e9, 13.0)
    assert (bay.instrument.frequency_hz, bay.instrument.power_dbm, bay.instrument.reference) == (4.9e9, 13.0, "EXT")
    with pytest.raises(ResourceError, match="power of 16 dBm is beyond its limit of 15 dBm"):
        bay.driver.configure(5e9, 16.0)
    assert bay.instrument.frequency_hz == 4.9e9
    with pytest.raises(InstrumentFault, match="-222"):
        bay.driver.configure(45e9, 13.0)
    bay.driver.switch_on()
    assert bay.driver.health().outputs_on
    bay.driver.safe_state()
    assert not bay.instrument.on


def test_source_ramps_within_its_slew_and_holds(bays):
    bay = bays["yokogawa_gs200"]
    began = time.monotonic()
    bay.driver.ramp("q0.flux", 0.4)
    bay.driver.ramp("q0.flux", -0.1)
    took_s = time.monotonic() - began
    steps = np.abs(np.diff(bay.instrument.levels_v))
    assert steps.max() <= 10.0 * 0.02 + 1e-12
    assert took_s >= 0.9 / 10.0
    with pytest.raises(ResourceError, match=r"level of 0\.6 V is beyond its limit of 0\.5 V"):
        bay.driver.ramp("q0.flux", 0.6)
    bay.driver.safe_state()
    assert (bay.instrument.on, bay.instrument.level_v) == (True, -0.1)


def test_source_with_many_outputs_sets_slew_and_range_before_any_level(bays):
    bay = bays["qdevil_qdac2"]
    bay.driver.ramp("q0.flux", 0.4)
    bay.driver.ramp("q0.flux", 0.4)
    bay.driver.ramp("q1.flux", -0.1)
    assert bay.instrument.outputs[3].levels == [(0.4, "LOW", 10.0)]
    assert bay.instrument.outputs[24].levels == [(-0.1, "LOW", 10.0)]
    with pytest.raises(ResourceError, match=r"level of output 3 of 0\.6 V is beyond its limit of 0\.5 V"):
        bay.driver.ramp("q0.flux", 0.6)
    bay.driver.safe_state()
    assert bay.driver.health().outputs_on
    assert [bay.instrument.held_v(n) for n in (1, 3, 24)] == [0.0, 0.4, -0.1]


def test_range_is_not_changed_under_a_level(bays):
    bay = bays["qdevil_qdac2"]
    output = bay.instrument.outputs[24]
    output.level_v, output.range = 5.0, "HIGH"
    with pytest.raises(InstrumentError, match="output 24 holds 5 V in another range than low"):
        bay.driver.ramp("q1.flux", 0.1)
    assert (output.level_v, output.range) == (5.0, "HIGH")
    output.level_v = 0.0


def test_unknown_kind_names_the_known_ones_and_other_packages_may_bring_theirs(monkeypatch):
    entry = RackInstrument(kind="acme_awg", address="A")
    with pytest.raises(ConfigError, match=r"'acme_awg' does not exist; known: .*rohde_.*entry point in the group"):
        open_box("awg9", entry)

    class Point:
        name = "acme_awg"

        def load(self):
            return lambda name, entry: (name, entry.kind)

    monkeypatch.setattr(kinds, "entry_points", lambda group: [Point()])
    assert open_box("awg9", entry) == ("awg9", "acme_awg")


def test_awg70000_takes_its_own_volts_and_bits():
    bay = Bay("tektronix_awg70000")
    try:
        bay.driver.connect()
        with pytest.raises(ResourceError, match=r"channel 1 of 1 V peak to peak is beyond its limit of 0\.5 V"):
            bay.driver.configure(1e9, [OutputSetting(1, 0.5, 10)])
        with pytest.raises(ResourceError, match=r"converts 10 bits, its port has 16; write dac_bits: 10"):
            bay.driver.configure(1e9, [OutputSetting(1, 0.25, 16)])
        limits = bay.driver.configure(5e9, [OutputSetting(1, 0.25, 10), OutputSetting(2, 0.25, 10, marked=True)])
        assert (limits.min_samples, bay.instrument.sample_rate_hz) == (2400, 5e9)
        assert [channel.bits for channel in bay.instrument.channels.values()] == [10, 9]
        assert bay.driver.upload(Segment("a", wave(1)))
        assert bay.driver.health().limits == "0.5 Vpp"
    finally:
        bay.close()


@pytest.fixture
def hislip():
    bay = Bay("tektronix_awg5200", hislip=True)
    bay.driver.connect()
    yield bay
    bay.close()


def test_driver_cannot_tell_hislip_from_a_socket(hislip):
    segment = Segment("a", wave(1, 200_000))
    assert hislip.driver.upload(segment)
    np.testing.assert_array_equal(hislip.instrument.waveforms["a"].samples, segment.samples)
    hislip.wire.faults.flips = True
    with pytest.raises(InstrumentError, match="waveform b reads back otherwise than it was sent"):
        hislip.driver.upload(Segment("b", wave(2)))


@pytest.mark.parametrize("fault", [{"delay_s": 1.3}, {"drop_at": 20}, {"stop_reading_at": 20}])
def test_session_on_hislip_survives_what_one_on_a_socket_does(hislip, monkeypatch, fault):
    monkeypatch.setattr(session_module, "_SLOWEST_B_S", 1e8)
    ((name, value),) = fault.items()
    setattr(hislip.wire.faults, name, value)
    with pytest.raises(InstrumentError):
        hislip.driver.upload(Segment("d", wave(5, 4 << 20)))
    setattr(hislip.wire.faults, name, getattr(WireFaults(), name))
    hislip.driver.connect()
    assert hislip.driver.upload(Segment("d", wave(5)))


def test_lock_of_the_instrument_itself_keeps_another_account_out(hislip):
    second = open_box("second", hislip.driver.entry)
    with pytest.raises(InstrumentError, match="another session holds the instrument's own lock"):
        second.connect()
    second.close()
    assert hislip.driver.is_connected()


def test_blocks_stay_below_every_limit_on_the_wire():
    assert blocks.MAX_BLOCK_BYTES <= 64 << 20
