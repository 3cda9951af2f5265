"""Keysight's generators: segments by number and tables on the large ones, bursts on the small one."""

import numpy as np
import pytest

from qctrl.errors import ConfigError, InstrumentError, ResourceError
from qctrl.instruments.boxes import OutputSetting, Segment, ShotSequence, Step
from tests.unit.instruments.scpi.bays import Bay, Bays, wave

pytest.importorskip("pyvisa_py")

RATES = {"keysight_m8190a": 1e9, "keysight_m8195a": 15e9}
BITS = {"keysight_m8190a": 14, "keysight_m8195a": 8}


@pytest.fixture(scope="module")
def bays():
    found = Bays()
    yield found
    for bay in found.values():
        bay.close()


@pytest.mark.parametrize("kind", ["keysight_m8190a", "keysight_m8195a"])
def test_large_generator_plays_its_scenario_after_the_trigger(bays, kind, monkeypatch):
    monkeypatch.setattr("qctrl.instruments.scpi.blocks.MAX_BLOCK_BYTES", 512)
    bay, bits = bays[kind], BITS[kind]
    driver, instrument = bay.driver, bay.instrument
    channels = tuple(bay.driver.entry.channels["q0.drive"])
    limits = driver.configure(RATES[kind], [OutputSetting(channel, 0.3, bits) for channel in channels])
    n = 10 * limits.granularity
    assert n >= limits.min_samples
    waves = {name: wave(ord(name), n) for name in "xyz"}
    for name, samples in waves.items():
        assert driver.upload(Segment(name, samples))
        assert not driver.upload(Segment(name, samples))
    sequence = ShotSequence(channels, (Step(("x", "y")), Step(("z", "z"), 3)), Step(("z", "z")), 77)
    driver.load(sequence)
    driver.load(sequence)
    assert instrument.catalog(channels[0]).count(",") == 2 * 2 - 1  # two combinations, each sent once
    instrument.on_trigger = instrument.begin
    driver.arm()
    assert instrument.is_armed()
    assert not driver.has_played()
    driver.trigger()
    assert driver.session.ask("*OPC?") == "1"
    assert not driver.has_played()
    instrument.end()
    assert driver.has_played()
    shot = instrument.shot(channels[1])
    assert (len(shot.volts), shot.repeats) == (4 * n, 77)
    assert np.abs(shot.volts[:n] - 0.3 * waves["y"]).max() <= 0.3 / (2 ** (bits - 1) - 1)
    assert np.abs(shot.volts[-n:] - 0.3 * waves["z"]).max() <= 0.3 / (2 ** (bits - 1) - 1)
    assert driver.is_connected()
    assert driver.health().outputs_on
    driver.safe_state()
    assert (instrument.outputs_on(), instrument.state) == ([], 0)


def test_marker_of_the_m8190a_takes_the_lowest_bit(bays):
    bay = bays["keysight_m8190a"]
    bay.driver.configure(1e9, [OutputSetting(1, 0.3, 14, marked=True)])
    marks = (np.arange(480) < 100).astype(np.uint8)
    bay.driver.upload(Segment("m", wave(3, 480), marks))
    bay.driver.load(ShotSequence((1,), (Step(("m",)),), Step(("m",)), 5))
    bay.driver.arm()
    np.testing.assert_array_equal(bay.instrument.shot(1).markers, marks)
    bay.driver.safe_state()


@pytest.mark.parametrize(
    ("kind", "rate_hz", "text"),
    [
        ("keysight_m8190a", 9e9, r"takes samples at 1\.25e\+08 to 8e\+09 Hz"),
        ("keysight_m8195a", 1e9, r"takes samples at 1\.344e\+10 to"),
        ("keysight_33600a", 2e9, r"takes samples at 1e\+09 Hz at most"),
    ],
)
def test_sample_rate_out_of_reach_is_refused_before_anything_is_set(bays, kind, rate_hz, text):
    before = bays[kind].instrument.sample_rate_hz
    with pytest.raises(InstrumentError, match=text):
        bays[kind].driver.configure(rate_hz, [])
    assert bays[kind].instrument.sample_rate_hz == before


@pytest.mark.parametrize(
    ("kind", "rate_hz", "vpp"),
    [("keysight_m8190a", 1e9, 0.7), ("keysight_m8195a", 15e9, 1), ("keysight_33600a", 1e9, 4)],
)
def test_volts_and_bits_are_limited(bays, kind, rate_hz, vpp):
    driver = bays[kind].driver
    assert driver.health().limits == f"{vpp:g} Vpp"
    with pytest.raises(ResourceError, match="V peak to peak is beyond its limit"):
        driver.configure(rate_hz, [OutputSetting(1, 0.51 * vpp, 8)])
    with pytest.raises(ResourceError, match="its port has 16; write dac_bits"):
        driver.configure(rate_hz, [OutputSetting(1, 0.2, 16)])
    with pytest.raises(ResourceError, match="sample 2 of a waveform is 2"):
        driver.upload(Segment("bad", np.array([0, 1, 2], dtype=np.float32)))


def test_corrupted_segment_is_found_by_reading_it_back():
    bay = Bay("keysight_m8190a")
    try:
        bay.driver.connect()
        bay.wire.faults.flips = True
        bay.driver.upload(Segment("c", wave(4, 480)))
        with pytest.raises(InstrumentError, match="segment 1 reads back otherwise than it was sent"):
            bay.driver.load(ShotSequence((1,), (Step(("c",)),), Step(("c",)), 5))
    finally:
        bay.close()


@pytest.mark.parametrize("kind", ["keysight_m8190a", "keysight_33600a"])
def test_lost_memory_is_noticed(bays, kind):
    bay = bays[kind]
    rest = Segment("r", np.zeros(480, dtype=np.float32))
    bay.driver.connect()
    bay.driver.configure(1e9, [OutputSetting(1, 0.2, 14)])
    bay.driver.upload(rest)
    bay.driver.load(ShotSequence((1,), (Step(("r",)),), Step(("r",)), 5))
    assert bay.driver.is_connected()
    bay.instrument.power_cycle()
    assert not bay.driver.is_connected()
    bay.driver.connect()


def test_small_generator_bursts_a_whole_shot(bays):
    bay = bays["keysight_33600a"]
    driver, instrument = bay.driver, bay.instrument
    limits = driver.configure(5e8, [OutputSetting(1, 2.0, 14), OutputSetting(2, 1.0, 14)])
    assert (limits.max_steps, limits.granularity) == (1, 1)
    shot, rest = wave(1, 1000), np.full(32, 0.25, dtype=np.float32)
    shot[0] = 0.25
    for name, samples in (("a-name-of-more-than-twelve", shot), ("rest", rest)):
        driver.upload(Segment(name, samples))
    driver.load(ShotSequence((1, 2), (Step(("a-name-of-more-than-twelve",) * 2),), Step(("rest",) * 2), 9))
    driver.arm()
    assert instrument.is_armed()
    instrument.begin()
    played = instrument.shot(1)
    assert (played.repeats, instrument.sample_rate_hz) == (9, 5e8)
    assert np.abs(played.volts - 2.0 * shot).max() <= 2.0 / 2**12
    with pytest.raises(InstrumentError, match="it has no marker to trigger others"):
        driver.trigger()
    driver.safe_state()
    assert instrument.outputs_on() == []


def test_shot_that_does_not_begin_at_rest_is_refused(bays):
    bay = bays["keysight_33600a"]
    bay.driver.configure(5e8, [OutputSetting(1, 2.0, 14)])
    bay.driver.upload(Segment("jump", np.full(40, 0.5, dtype=np.float32)))
    bay.driver.upload(Segment("zero", np.zeros(40, dtype=np.float32)))
    with pytest.raises(ResourceError, match=r"channel 1 would rest at 0\.5 of .* begin the circuit with a delay"):
        bay.driver.load(ShotSequence((1,), (Step(("jump",)),), Step(("zero",)), 9))


@pytest.mark.parametrize("kind", ["keysight_m8195a", "keysight_33600a"])
def test_generator_without_markers_cannot_give_the_trigger(kind):
    with pytest.raises(ConfigError, match=r"trigger.*another box"):
        Bay(kind, trigger_channel=3)


@pytest.mark.parametrize(
    ("kind", "line", "code"),
    [
        ("keysight_m8190a", ":TRAC1:DEF 9,100", -222),
        ("keysight_m8190a", ":TRAC1:DEF 9,481", -222),
        ("keysight_m8190a", ":TRAC3:DEF 9,480", -114),
        ("keysight_m8190a", ":INST:DACM FOUR", -113),
        ("keysight_m8190a", ":STAB1:DATA 0,0,1,1,1,4,9", -222),
        ("keysight_m8190a", ":INIT:CONT1 ON", -224),
        ("keysight_m8190a", ":INIT:IMM", -221),
        ("keysight_m8190a", ":STAB1:DYN ON", -224),
        ("keysight_m8195a", ":INST:COUP:STAT ON", -224),
        ("keysight_33600a", "SOUR1:FUNC:ARB NONE", 785),
        ("keysight_33600a", "SOUR1:VOLT:OFFS 1", -222),
        ("keysight_33600a", "SOUR3:VOLT 1", -114),
        ("keysight_33600a", "ROSC:SOUR:AUTO ON", -224),
    ],
)
def test_emulated_generators_refuse_what_they_cannot_do(bays, kind, line, code):
    bays[kind].driver.session.write(line)
    assert [found for found, _ in bays[kind].driver.drain_errors()] == [code]
