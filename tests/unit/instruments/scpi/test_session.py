"""A session always ends: whatever the peer does, an error comes in time and the next session works."""

import os
import signal
import subprocess
import sys
import time

import psutil
import pytest

from qctrl.errors import InstrumentError, InstrumentTimeoutError, MissingExtraError
from qctrl.instruments.scpi import session as session_module
from qctrl.instruments.scpi.session import Session
from tests.unit.instruments.scpi.bad_peer import BadPeer

pytest.importorskip("pyvisa_py")


@pytest.fixture
def peer():
    found = BadPeer()
    yield found
    found.close()


@pytest.fixture
def session(peer):
    found = Session("awg1", peer.address, timeout_s=0.8)
    yield found
    found.close()


def test_conversation_with_a_peer_that_behaves(session, peer):
    assert session.open() == "BAD,PEER,1,0"
    assert peer.received[:2] == ["*ESR?", "*CLS"]
    assert not session.restarted  # what it said of its events is no number
    assert session.ask("A?") == "A?"
    peer.replies["B?"] = b"#15\n#\x00\xff\n\n"
    assert session.ask_block("B?", 5) == b"\n#\x00\xff\n"
    session.write("C ", b"12;34")
    assert session.ask("D?") == "D?"
    assert "C #1512;34" in peer.received


def test_reply_after_its_deadline_is_never_taken_for_another(session, peer):
    session.open()
    peer.delay_s = 1.2
    with pytest.raises(InstrumentTimeoutError, match=r"awg1 at .*: ask 'A\?' was not answered within 0.8 s"):
        session.ask("A?")
    peer.delay_s = 0.0
    with pytest.raises(InstrumentError, match="there is no connection, or it was given up"):
        session.ask("B?")
    session.open()
    time.sleep(0.5)
    assert session.ask("B?") == "B?"
    assert (session.generation, peer.connections) == (2, 2)


def test_peer_that_stops_reading_does_not_hang_the_caller(session, peer, monkeypatch):
    monkeypatch.setattr(session_module, "_SLOWEST_B_S", 1e8)
    session.open()
    peer.read_most = 1 << 20
    began = time.monotonic()
    with pytest.raises(InstrumentTimeoutError):
        session.write("DATA ", bytes(32 << 20))
    assert time.monotonic() - began < 5
    assert not session.is_open


@pytest.mark.parametrize(
    ("reply", "text"),
    [
        (b"#210123", "closed after 3 of 10 bytes"),
        (b"#299" + bytes(99) + b"\n", "has 99 bytes, at most 10"),
        (b"#13123more\n", "goes on for 5 bytes after its 3"),
        (b"hello\n", "which is no block"),
        (b"#0abc\n", "which is no block"),
    ],
)
def test_malformed_block_is_refused_and_closes_the_session(session, peer, reply, text):
    session.open()
    peer.replies["B?"] = reply
    with pytest.raises(InstrumentError, match=text):
        session.ask_block("B?", 10)
    assert not session.is_open


def test_unasked_words_poison_the_session(session, peer):
    session.open()
    peer.replies["A?"] = b"1\n2\n"
    assert session.ask("A?") == "1"
    with pytest.raises(InstrumentError, match="nobody asked for"):
        session.ask("B?")


def test_closed_port_is_an_error_although_pyvisa_opens_it(peer):
    peer.close()
    session = Session("awg1", peer.address, timeout_s=0.8)
    with pytest.raises(InstrumentError, match=r"awg1 at TCPIP0.*: cannot be opened: nobody answers there"):
        session.open()


def test_killed_process_is_an_error_and_leaves_nothing_behind(session, peer):
    session.open()
    child = psutil.Process(session._child.pid)
    family = [child, *child.children(recursive=True)]
    os.kill(child.pid, signal.SIGKILL)
    with pytest.raises(InstrumentError, match="process is gone"):
        session.ask("A?")
    assert not [p for p in family if p.is_running() and p.status() != psutil.STATUS_ZOMBIE]


def test_parked_lines_are_sent_when_the_owner_is_killed(peer):
    code = (
        "import os, signal\nfrom qctrl.instruments.scpi.session import Session\n"
        f"Session('awg1', {peer.address!r}).open(park=['OUTPut:OFF 1'])\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=False, timeout=60)
    until = time.monotonic() + 5
    while "OUTPut:OFF 1" not in peer.received and time.monotonic() < until:
        time.sleep(0.01)
    assert "OUTPut:OFF 1" in peer.received


def test_orderly_close_sends_nothing(session, peer):
    session.open(park=["OUTPut:OFF 1"])
    session.close()
    assert "OUTPut:OFF 1" not in peer.received


def test_absence_of_pyvisa_names_the_extra(session, monkeypatch):
    monkeypatch.setattr(session_module.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"pip install 'qctrl-stack\[visa\]'"):
        session.open()
