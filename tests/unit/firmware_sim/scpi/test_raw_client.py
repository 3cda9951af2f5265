"""Every emulated box before pyvisa as it comes: its terminations, its own blocks, on a socket and on HiSLIP."""

import numpy as np
import pytest

from firmware_sim.scpi.models import MODELS
from firmware_sim.scpi.wire import Wire

pyvisa = pytest.importorskip("pyvisa")
pytest.importorskip("pyvisa_py")

MAKERS = {
    "tektronix_awg5200": "TEKTRONIX,AWG5208,SN7,",
    "tektronix_awg70000": "TEKTRONIX,AWG70002A,SN7,",
    "keysight_m8190a": "Keysight Technologies,M8190A,SN7,",
    "keysight_m8195a": "Keysight Technologies,M8195A,SN7,",
    "keysight_33600a": "Keysight Technologies,33622A,SN7,",
    "tektronix_mso": "TEKTRONIX,MSO64B,SN7,",
    "rohde_schwarz_sgs100a": "Rohde&Schwarz,SGS100A/1416.0505k02,SN7,",
    "rohde_schwarz_smb100a": "Rohde&Schwarz,SMB100A,SN7,",
    "qdevil_qdac2": "QDevil,QDAC-II,SN7,",
    "yokogawa_gs200": "YOKOGAWA,GS210,SN7,",
}
BEYOND = {
    "tektronix_awg5200": "SOUR1:VOLT 9",
    "tektronix_awg70000": "SOUR1:VOLT 9",
    "keysight_m8190a": ":VOLT1 9",
    "keysight_m8195a": ":VOLT1 9",
    "keysight_33600a": "SOUR1:VOLT 99",
    "tektronix_mso": "CH1:SCALE 1e3",
    "rohde_schwarz_sgs100a": "SOUR:POW 99",
    "rohde_schwarz_smb100a": "SOUR:POW 99",
    "qdevil_qdac2": "sour3:volt 99",
    "yokogawa_gs200": ":SOUR:LEV 99",
}
UPLOADS = {
    "tektronix_awg5200": ('WLIS:WAV:NEW "a",4800', 'WLIS:WAV:DATA "a",0,4800,', 'WLIS:WAV:DATA? "a",0,4800', "f"),
    "keysight_m8190a": (":TRAC1:DEF 1,4800", ":TRAC1:DATA 1,0,", ":TRAC1:DATA:BLOC? 1,0,4800", "h"),
    "keysight_m8195a": (":TRAC1:DEF 1,4800", ":TRAC1:DATA 1,0,", ":TRAC1:DATA:BLOC? 1,0,4800", "b"),
}


@pytest.fixture(scope="module")
def manager():
    found = pyvisa.ResourceManager("@py")
    yield found
    found.close()


@pytest.fixture(params=["socket", "hislip"])
def box(request, manager):
    wire = Wire(MODELS[request.getfixturevalue("kind")]("SN7"), "127.0.0.1", 0)
    if request.param == "socket":
        found = manager.open_resource(f"TCPIP0::127.0.0.1::{wire.port}::SOCKET", read_termination="\n")
    else:
        found = manager.open_resource(f"TCPIP0::127.0.0.1::hislip0,{wire.port}::INSTR", read_termination="\n")
    found.timeout = 3000
    yield found
    found.close()
    wire.close()


@pytest.mark.parametrize("kind", MODELS)
def test_box_speaks_what_every_instrument_speaks(box, kind):
    assert box.query("*IDN?").startswith(MAKERS[kind])
    assert box.query("*idn?;*opc?").endswith(";1")
    assert (box.query("SYST:ERR?"), box.query(":system:error:next?")) == ('0,"No error"',) * 2
    box.write("NO:SUCH:HEADER 1")
    assert box.query("*ESR?") == "32"
    assert box.query("SYSTem:ERRor?").startswith('-113,"Undefined header')
    box.write(BEYOND[kind])
    assert box.query("*ESR?") == "16"
    assert box.query("SYST:ERR?").startswith('-222,"Data out of range')
    box.write("NOSUCH")
    box.write("*CLS")
    assert box.query("*ESR?;:SYST:ERR?") == '0;0,"No error"'


@pytest.mark.parametrize("kind", UPLOADS)
def test_blocks_of_pyvisa_are_taken_and_read_back(box, kind):
    new, write, read, dtype = UPLOADS[kind]
    codes = np.random.default_rng(3).uniform(-1, 1, 4800)
    sent = codes.astype("f4") if dtype == "f" else (codes * 100).astype(f"i{2 if dtype == 'h' else 1}")
    box.write(new)
    box.write_binary_values(write, sent, datatype=dtype)
    assert box.query("*OPC?;:SYST:ERR?") == '1;0,"No error"'
    held = box.query_binary_values(read, datatype=dtype, container=np.array)
    assert np.array_equal(held, sent)
    # A block that is shorter than it should be, one with a head of its own, and the box goes on.
    box.write_binary_values(write, sent[:7], datatype=dtype)
    box.write_raw(write.encode() + b"#13abcdef\r\n")
    codes = [int(box.query("SYST:ERR?").split(",")[0]) for _ in range(2)]
    assert codes == ([-161, -161] if dtype == "f" else [-161, 0])
    assert box.query("*IDN?").startswith(MAKERS[kind])


@pytest.mark.parametrize("kind", ["tektronix_mso"])
def test_events_of_an_oscilloscope_are_reported_after_its_register_was_read(box, kind):
    assert box.query("ALLEV?") == '0,"No events to report - queue empty"'
    box.write("NOSUCH")
    assert box.query("ALLEV?") == '1,"No events to report - new events pending *ESR?"'
    assert box.query("*ESR?;ALLEV?") == '32;-113,"Undefined header;NOSUCH"'
