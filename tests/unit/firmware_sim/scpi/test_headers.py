"""Messages mean what SCPI-99 and IEEE 488.2 say."""

import pytest

from firmware_sim.scpi.headers import ScpiError, number, parameters, units, whole
from firmware_sim.scpi.message import Message
from firmware_sim.scpi.rohde_schwarz import SGS100A, RohdeSchwarzLo
from firmware_sim.scpi.tektronix_awg import AWG5208, TektronixAwg


def say(instrument, text):
    return instrument.handle(Message(text, None))


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("*IDN?", [("*IDN?", "")]),
        (":SOUR:FREQ 1e9;POW 3", [("SOUR:FREQ", "1e9"), ("SOUR:POW", "3")]),
        ("SOUR:FREQ 1;*OPC?;POW 3", [("SOUR:FREQ", "1"), ("*OPC?", ""), ("SOUR:POW", "3")]),
        ("SOUR:FREQ 1;:OUTP ON", [("SOUR:FREQ", "1"), ("OUTP", "ON")]),
        ("A \"x;y\";B 'p;q'", [("A", '"x;y"'), ("B", "'p;q'")]),
        (" A \t 1 ; ;B;", [("A", "1 "), ("B", "")]),
        ("A 'open; B", [("A", "'open; B")]),
        ("", []),
    ],
)
def test_message_is_cut_into_commands(text, found):
    assert [(head, rest.strip()) for head, rest in units(text)] == [(head, rest.strip()) for head, rest in found]


@pytest.mark.parametrize(
    ("text", "found"),
    [("", []), ("1", ["1"]), ('"a,b", 2', ["a,b", "2"]), ("1,,3", ["1", "", "3"]), ("1,", ["1", ""]), ("'x'", ["x"])],
)
def test_parameters_are_what_commas_separate(text, found):
    assert parameters(text) == found


@pytest.mark.parametrize(
    ("text", "value"),
    [("5e9", 5e9), ("5 GHz", 5e9), ("3MHZ", 3e6), ("-2.5 mV", -2.5e-3), (".5V", 0.5), ("13 dBm", 13), ("7 us", 7e-6),
     ("10 ma", 0.01), ("MIN", -1e10), ("maximum", 1e10)],
)  # fmt: skip
def test_numbers_have_units_and_prefixes(text, value):
    assert number(text, -1e10, 1e10) == pytest.approx(value, rel=1e-12)


@pytest.mark.parametrize(
    ("text", "code"), [("nan", -104), ("5 parsec", -104), ("", -104), ("11", -222), ("1e99", -222)]
)
def test_other_numbers_are_refused(text, code):
    with pytest.raises(ScpiError) as error:
        whole(text, 0, 10)
    assert error.value.code == code


def test_queries_of_a_compound_are_answered_in_one_line():
    lo = RohdeSchwarzLo("7", SGS100A)
    assert say(lo, "SOUR:FREQ 4.9 GHz;POW 3;:OUTP ON;*OPC") is None
    assert say(lo, "SOUR:FREQ?;POW?;:OUTP?;*ESR?;:SYST:ERR?") == '4900000000;3;1;1;0,"No error"'


def test_command_error_ends_a_message_and_another_error_does_not():
    lo = RohdeSchwarzLo("7", SGS100A)
    assert say(lo, "FREQ 1;POW 3;POW?") == "3"
    assert say(lo, "NOSUCH;POW 7") is None
    assert (say(lo, "POW?"), say(lo, "SYST:ERR:COUN?")) == ("3", "2")
    assert [entry[:4] for entry in say(lo, "SYST:ERR:ALL?").split('",')] == ["-222", "-113"]
    assert say(lo, "SYST:ERR:ALL?") == '0,"No error"'


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("SOUR:FREQ", -109),
        ("SOUR:FREQ 1,2", -108),
        ("SYSTE:ERR?", -113),
        ("SOUR2:FREQ 1e9", -113),
        ('WLIS:WAV:DATA "a",0,1', -109),
        ('WLIS:WAV:DATA "a",0,1,x', -104),
        ("*ESE 256", -222),
    ],
)
def test_what_is_no_command_is_refused_by_its_code(line, code):
    box = TektronixAwg("1", AWG5208) if "WLIS" in line else RohdeSchwarzLo("7", SGS100A)
    assert say(box, line) is None
    assert say(box, "SYST:ERR?").startswith(f"{code},")


def test_block_where_none_belongs_is_refused():
    awg = TektronixAwg("1", AWG5208)
    awg.handle(Message("OUTP1 ", bytearray(b"1")))
    assert say(awg, "SYST:ERR?") == '-168,"Block data not allowed"'


def test_status_registers_follow_their_masks():
    lo = RohdeSchwarzLo("7", SGS100A)
    assert say(lo, "*ESE 60;*SRE 32;*ESE?;*SRE?;*STB?;*TST?;*WAI;:SYST:VERS?") == "60;32;0;0;1999.0"
    say(lo, "FREQ 1")
    assert say(lo, "*STB?;*ESR?;*STB?;*CLS;*STB?") == "100;16;4;0"
