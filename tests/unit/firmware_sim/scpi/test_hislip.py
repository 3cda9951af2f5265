"""The HiSLIP server before pyvisa-py as its judge, and byte by byte where that client never goes."""

import os
import socket
import struct

import numpy as np
import pytest

from firmware_sim.scpi.models import MODELS
from firmware_sim.scpi.wire import Wire

pyvisa = pytest.importorskip("pyvisa")
pytest.importorskip("pyvisa_py")

HEADER = struct.Struct("!2sBBIQ")


@pytest.fixture
def wire():
    found = Wire(MODELS["tektronix_awg5200"]("S1"), "127.0.0.1", 0)
    yield found
    found.close()


@pytest.fixture
def manager():
    found = pyvisa.ResourceManager("@py")
    yield found
    found.close()


def opened(manager, port, timeout_ms=2000):
    return manager.open_resource(
        f"TCPIP::127.0.0.1::hislip0,{port}::INSTR",
        read_termination="\n",
        write_termination="\n",
        timeout=timeout_ms,
    )


@pytest.fixture
def client(manager, wire):
    found = opened(manager, wire.port)
    yield found
    found.close()


def test_the_address_without_a_port_means_port_4880(manager):
    pid = os.getpid()
    host = f"127.83.{pid // 256 % 256}.{pid % 256}"  # loopback, and of this process alone
    wire = Wire(MODELS["yokogawa_gs200"]("S1"), host, 4880)
    try:
        client = manager.open_resource(f"TCPIP::{host}::hislip0::INSTR", read_termination="\n")
        assert client.query("*IDN?") == "YOKOGAWA,GS210,S1,2.02"
        client.close()
    finally:
        wire.close()


def test_one_port_speaks_both_protocols(manager, client, wire):
    raw = manager.open_resource(
        f"TCPIP::127.0.0.1::{wire.port}::SOCKET", read_termination="\n", write_termination="\n", timeout=2000
    )
    assert client.query("*IDN?") == raw.query("*IDN?") == "TEKTRONIX,AWG5208,S1,FV:7.5.0169.0"
    raw.close()


@pytest.mark.parametrize("size", [1, 2400, 700_000])  # the last takes several messages
def test_blocks_arrive_whatever_their_bytes(client, wire, size):
    wave = np.frombuffer(b"\n\n\n\x3e" * max(size, 2400), dtype="<f4")
    client.write(f'WLIS:WAV:NEW "a",{len(wave)}')
    client.write_binary_values(f'WLIS:WAV:DATA "a",0,{len(wave)},', wave, datatype="f")
    assert client.query("SYST:ERR?") == '0,"No error"'
    np.testing.assert_array_equal(wire.instrument.waveforms["a"].samples, wave)
    found = client.query_binary_values(f'WLIS:WAV:DATA? "a",0,{len(wave)}', datatype="f", container=np.array)
    np.testing.assert_array_equal(found.astype("<f4"), wave)


def test_end_of_a_message_is_its_end_without_a_newline(client):
    client.write_raw(b"OUTP3 1")
    assert client.query("OUTP3?") == "1"


def test_late_reply_is_not_taken_for_the_next(client, wire):
    wire.faults.delay_s = 0.4
    client.timeout = 200
    with pytest.raises(pyvisa.errors.VisaIOError, match="VI_ERROR_TMO"):
        client.query("AWGC:RST?")
    wire.faults.delay_s = 0.0
    client.timeout = 3000
    assert client.query("*IDN?").startswith("TEKTRONIX")


def test_status_byte_and_device_clear(client, wire):
    assert client.read_stb() == 0
    client.write("NOSUCH")
    assert client.query("*STB?") == "4"
    client.write("*ESE 32;*SRE 4")
    assert client.query("*STB?") == "100"
    assert client.read_stb() == 100
    client.write_raw(b'WLIS:WAV:DATA "a",0,10,#240abc')  # a block that never becomes whole
    client.clear()
    assert client.query("*IDN?").startswith("TEKTRONIX")


def test_lock_keeps_others_out_until_it_is_released(manager, client, wire):
    first = client.visalib.sessions[client.session].interface
    assert first.async_lock_request(0.0) == "success"
    assert first.async_lock_info() == 1
    other = opened(manager, wire.port, timeout_ms=200)
    second = other.visalib.sessions[other.session].interface
    assert second.async_lock_request(0.0) == "failure"
    with pytest.raises(pyvisa.errors.VisaIOError, match="VI_ERROR_TMO"):
        other.query("*IDN?")
    assert client.query("*OPC?") == "1"
    assert first.async_lock_release() == "success"
    assert second.async_lock_request(1.0) == "success"
    other.close()  # its lock goes with it
    assert first.async_lock_request(1.0) == "success"


def test_trigger_message_is_carried_out(client, wire):
    client.visalib.sessions[client.session].interface.trigger()
    assert client.query("SYST:ERR?").startswith("-113,")  # this one has no *TRG


def test_connection_dropped_within_a_message_is_an_error_of_the_client(client, wire):
    wire.faults.drop_at = 40
    with pytest.raises((pyvisa.errors.VisaIOError, OSError, RuntimeError)):
        [client.query("*IDN?") for _ in range(3)]


def talk(port, *messages):
    """Send raw bytes; return what comes until the server closes, or goes silent."""
    with socket.create_connection(("127.0.0.1", port), timeout=2) as link:
        for message in messages:
            link.sendall(message)
        link.shutdown(socket.SHUT_WR)
        found = b""
        while piece := link.recv(4096):
            found += piece
        return found


def test_unknown_messages_and_broken_headers_are_refused(wire):
    hello = HEADER.pack(b"HS", 0, 0, 0x01007878, 7) + b"hislip0"
    assert HEADER.unpack(talk(wire.port, hello)[:16])[:3] == (b"HS", 1, 0)
    unknown = talk(wire.port, hello, HEADER.pack(b"HS", 99, 0, 0, 2) + b"xx")
    assert HEADER.unpack(unknown[16:32])[1] == 3
    assert unknown.endswith(b"Unrecognized Message Type")
    broken = talk(wire.port, hello, b"XX" + bytes(14))
    assert HEADER.unpack(broken[16:32])[1] == 2
    too_long = talk(wire.port, hello, HEADER.pack(b"HS", 6, 0, 0, 1 << 60))
    assert HEADER.unpack(too_long[16:32])[1] == 2
    assert talk(wire.port, b"*IDN?\n").startswith(b"TEKTRONIX")
