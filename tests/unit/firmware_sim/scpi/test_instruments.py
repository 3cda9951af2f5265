"""The emulated instruments keep their limits and say what was wrong."""

import numpy as np
import pytest

from firmware_sim.scpi.gs200 import Gs200
from firmware_sim.scpi.message import Message
from firmware_sim.scpi.mso import Mso
from firmware_sim.scpi.rohde_schwarz import SGS100A, RohdeSchwarzLo
from firmware_sim.scpi.tektronix_awg import AWG5208, TektronixAwg


def say(instrument, text, data=None):
    return instrument.handle(Message(text, None if data is None else bytearray(data)))


@pytest.fixture
def awg():
    return TektronixAwg("B1", AWG5208)


@pytest.mark.parametrize("header", ["SYST:ERR?", "SYSTem:ERRor?", ":system:error:next?", "syst:err:next?"])
def test_headers_are_known_long_and_short(awg, header):
    assert say(awg, header) == '0,"No error"'


def test_error_queue_overflows_as_scpi_says(awg):
    for _ in range(40):
        say(awg, "NOSUCH")
    codes = [int(say(awg, "SYST:ERR?").split(",")[0]) for _ in range(33)]
    assert codes == [-113] * 31 + [-350, 0]
    assert say(awg, "*ESR?") == "32"


@pytest.mark.parametrize(
    ("lines", "code"),
    [
        (['WLIS:WAV:NEW "a",100'], -222),
        (['WLIS:WAV:NEW "a",3000,REAL', 'WLIS:WAV:NEW "a",3000'], -224),
        (['WLIS:WAV:DEL "b"'], -256),
        (["SOUR1:VOLT 7"], -222),
        (["SOUR9:VOLT 1"], -114),
        (["SOUR1:VOLT volts"], -104),
        (["CLOC:SRAT 3e9"], -222),
        (["CLOC:SOUR MAYBE"], -224),
        (["OUTP1 2"], -224),
        (["OUTP1 1,2,3"], -108),
        (["OUTP1"], -109),
        (["WLIS:WAV:DEL"], -109),
        (['SLIS:SEQ:NEW "s",1', 'SLIS:SEQ:STEP2:RCO "s",1'], -222),
        (['SLIS:SEQ:STEP1:TASS1:WAV "s","w"'], -256),
        (["AWGC:RUN"], -221),
    ],
)
def test_generator_refuses(awg, lines, code):
    for line in lines:
        say(awg, line)
    assert say(awg, "SYST:ERR?").startswith(f"{code},")


@pytest.mark.parametrize("sample", [1.5, np.nan, -np.inf])
def test_generator_refuses_samples_beyond_full_scale(awg, sample):
    say(awg, 'WLIS:WAV:NEW "a",2400')
    say(awg, 'WLIS:WAV:DATA "a",0,2,', np.array([0, sample], dtype="<f4").tobytes())
    assert say(awg, "SYST:ERR?").startswith("-222")


def test_generator_plays_subsequences_and_quantises(awg):
    for name, level in (("a", 0.3), ("b", -0.7)):
        say(awg, f'WLIS:WAV:NEW "{name}",2400')
        say(awg, f'WLIS:WAV:DATA "{name}",0,2400,', np.full(2400, level, dtype="<f4").tobytes())
    for line in (
        'SLIS:SEQ:NEW "shot",2,1', 'SLIS:SEQ:STEP1:TASS1:WAV "shot","a"', 'SLIS:SEQ:STEP2:TASS1:WAV "shot","b"',
        'SLIS:SEQ:STEP2:RCO "shot",3', 'SLIS:SEQ:NEW "all",2,1', 'SLIS:SEQ:STEP1:TASS:SEQ "all","shot"',
        'SLIS:SEQ:STEP1:RCO "all",50', 'SLIS:SEQ:STEP1:WINP "all",ATR', 'SOUR2:CASS:SEQ "all",1',
        "SOUR2:VOLT 2.0", "SOUR2:DAC:RES 12", "OUTP2 ON", "AWGC:RUN",
    ):  # fmt: skip
        say(awg, line)
    assert (say(awg, "SYST:ERR?"), say(awg, "AWGC:RST?")) == ('0,"No error"', "1")
    shot = awg.shot(2)
    assert (len(shot.volts), shot.repeats) == (4 * 2400, 50)
    assert abs(shot.volts[0] - 0.3) < 1 / 2047
    assert abs(shot.volts[-1] + 0.7) < 1 / 2047
    say(awg, "OUTP:OFF 1")
    assert awg.shot(2) is None


def test_digitizer_takes_frames_and_clips_what_is_too_large():
    mso = Mso("C1")
    for line in ("HOR:MOD:RECO 100", "HOR:FAST:COUN 3", "ACQ:STATE ON", "DAT:STOP 100", "DAT:FRAMESTOP 3"):
        say(mso, line)
    volts = np.zeros((3, 100))
    volts[1, 5], volts[2, 99] = 0.25, 7.0
    mso.acquire({1: volts})
    assert (say(mso, "ACQ:STATE?"), say(mso, "ACQ:NUMFRAMESACQ?")) == ("0", "3")
    codes = np.frombuffer(say(mso, "CURV?")[5:], dtype="<i2").reshape(3, 100)
    assert (codes[1, 5] * float(say(mso, "WFMO:YMU?")), codes[2, 99]) == (0.25, 32767)
    say(mso, "HOR:FAST:COUN 1000000")
    assert say(mso, "SYST:ERR?").startswith("-222")


def test_sources_keep_their_ranges_and_forget_with_the_power():
    lo, dc = RohdeSchwarzLo("1", SGS100A), Gs200("2")
    say(lo, "SOUR:POW 30")
    say(lo, "SOUR:FREQ 4.9e9")
    assert (say(lo, "SYST:ERR?")[:4], say(lo, "FREQ?")) == ("-222", "4900000000")
    say(dc, ":SOUR:RANG 0.1")
    say(dc, ":SOUR:LEV 0.5")
    assert (say(dc, ":SOUR:LEV?"), say(dc, "SYST:ERR?")[:4]) == ("0", "-222")
    lo.power_cycle()
    assert say(lo, "FREQ?") == "1000000000"
