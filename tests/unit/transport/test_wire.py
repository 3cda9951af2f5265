import contextlib
import threading
import time
from dataclasses import replace

import msgspec
import pytest
import zmq

from qctrl.errors import (
    ConfigError,
    InstrumentError,
    InstrumentFault,
    InstrumentTimeoutError,
    ProtocolError,
    ResourceError,
)
from qctrl.protocol import PROTOCOL_VERSION, Reply, Request
from qctrl.transport import Answer, Client, Deferred, Kind, Message, Server, pack, unpack


class Echo:
    """Answers by verb; ``gate`` holds back the answer to a fetch."""

    def __init__(self):
        self.gate = threading.Event()
        self.seen = []

    def handle(self, request, buffers):
        self.seen.append(request.seq)
        match request.verb:
            case "fetch":
                return Deferred(
                    request.body["wait_s"],
                    lambda: Answer({"late": True}) if self.gate.is_set() else None,
                    lambda: Answer({"late": False}),
                )
            case "load":
                raise ResourceError("need 9, have 8")
            case "start":
                raise InstrumentFault("stale", fault_code="QC-STALE-EPOCH")
            case "abort":
                raise ZeroDivisionError("a defect")
            case "configure":
                raise ProtocolError("bad setup")
            case "debug":
                return Answer({"object": object()} if request.body else {}, (bytes(9),))
            case _:
                return Answer({"verb": request.verb}, tuple(buffers))


@pytest.fixture
def address(tmp_path):
    folder = tmp_path / "w"
    folder.mkdir(mode=0o700)
    return f"ipc://{folder}/s"


@contextlib.contextmanager
def serving(address, handler):
    server = Server(address)
    stop = threading.Event()
    thread = threading.Thread(target=server.serve, args=(handler, stop.is_set))
    thread.start()
    try:
        yield server
    finally:
        stop.set()
        server.wake()
        thread.join(10)
        server.close()
        assert not thread.is_alive()


@pytest.fixture
def handler():
    return Echo()


@pytest.fixture
def server(address, handler):
    with serving(address, handler) as found:
        yield found


@pytest.fixture
def client(server):
    found = Client(server.address, name="rack0")
    yield found
    found.close()


@contextlib.contextmanager
def raw_dealer(address):
    with zmq.Context() as context, context.socket(zmq.DEALER) as dealer:
        dealer.setsockopt(zmq.LINGER, 0)
        dealer.setsockopt(zmq.RCVTIMEO, 5000)
        dealer.connect(address)
        yield dealer


def test_answer_carries_body_and_buffers(client):
    answer = client.request("hello", {"x": 1}, [b"abc", b"", bytes(5_000_000)], deadline_s=10)
    assert answer.body == {"verb": "hello"}
    assert [bytes(buffer) for buffer in answer.buffers] == [b"abc", b"", bytes(5_000_000)]


def test_tcp_on_loopback_serves_too(handler):
    with serving("tcp://127.0.0.1:*", handler) as server:
        client = Client(server.address)
        assert client.request("health", deadline_s=5).body == {"verb": "health"}
        client.close()


def test_others_are_served_while_an_answer_is_deferred(server, handler, client):
    waiting = {}

    def wait():
        other = Client(server.address)
        waiting.update(other.request("fetch", {"wait_s": 30}, deadline_s=60).body)
        other.close()

    thread = threading.Thread(target=wait)
    thread.start()
    assert client.request("health", deadline_s=5).body == {"verb": "health"}
    handler.gate.set()
    server.wake()
    thread.join(10)
    assert waiting == {"late": True}


def test_deferred_answer_expires(client):
    assert client.request("fetch", {"wait_s": 0.05}, deadline_s=10).body == {"late": False}


@pytest.mark.parametrize(
    ("verb", "kind", "code", "match"),
    [
        (
            "load",
            InstrumentFault,
            "QC-CMP-RESOURCE",
            r"rack0 at ipc://.* refused load: need 9, have 8 \[QC-CMP-RESOURCE\]",
        ),
        ("start", InstrumentFault, "QC-STALE-EPOCH", "stale"),
        ("abort", InstrumentFault, "QC-INTERNAL", "a defect"),
    ],
)
def test_failure_of_the_firmware_arrives_with_code_and_text(client, verb, kind, code, match):
    with pytest.raises(kind, match=match) as caught:
        client.request(verb, deadline_s=5)
    assert caught.value.fault_code == code
    assert client.request("health", deadline_s=5).body == {"verb": "health"}


def test_protocol_error_of_the_firmware_stays_one(client):
    with pytest.raises(ProtocolError, match="refused configure: bad setup"):
        client.request("configure", deadline_s=5)


def test_no_server_is_a_timeout_with_verb_address_and_deadline(address):
    client = Client(address, name="rack0")
    with pytest.raises(InstrumentTimeoutError, match=r"rack0 at ipc://.*/s did not answer hello within 0.2 s"):
        client.request("hello", deadline_s=0.2)
    client.close()


def test_answer_that_comes_late_is_never_taken_for_the_next_one(server, handler, client):
    with pytest.raises(InstrumentTimeoutError, match=r"fetch within 0.1 s"):
        client.request("fetch", {"wait_s": 30}, deadline_s=0.1)
    handler.gate.set()
    server.wake()
    for _ in range(3):
        assert client.request("health", deadline_s=5).body == {"verb": "health"}


def test_posted_requests_are_answered_in_any_order(server, handler, client):
    late = client.post("fetch", {"wait_s": 30}, deadline_s=60)
    early, forgotten, asked = (client.post("health", buffers=[bytes([k])], deadline_s=5) for k in range(3))
    assert client.answer(early).buffers == (b"\0",)
    assert client.request("hello", deadline_s=5).body == {"verb": "hello"}
    handler.gate.set()
    server.wake()
    assert client.answer(late).body == {"late": True}
    assert client.answer(asked).buffers == (b"\2",)
    client.forget()
    with pytest.raises(InstrumentTimeoutError, match=r"health within 0.1 s"):
        client.answer(replace(forgotten, until=0.0, deadline_s=0.1))


def test_dead_process_is_told_at_once_with_its_last_words(address):
    client = Client(address, name="emulator", peer_failure=lambda: "ended with exit code 3 and said:\nboom")
    began = time.monotonic()
    with pytest.raises(InstrumentError, match=r"died during hello: ended with exit code 3 and said:\nboom"):
        client.request("hello", deadline_s=60)
    assert time.monotonic() - began < 10
    client.close()


def test_other_protocol_version_is_refused_by_name_on_both_sides(server, address):
    request = msgspec.json.encode(Request("hello", 7, "s", 100))
    with raw_dealer(address) as dealer:
        dealer.send_multipart(pack(Message(Kind.REQUEST, 7, request), version=PROTOCOL_VERSION + 1))
        message = unpack(dealer.recv_multipart())
    reply = msgspec.json.decode(message.header, type=Reply)
    assert (message.seq, reply.ok, reply.code) == (7, False, "QC-PROTO")
    assert (
        f"version {PROTOCOL_VERSION + 1}, this side speaks {PROTOCOL_VERSION}; install the same release" in reply.text
    )


@pytest.mark.parametrize(
    "parts",
    [
        [b""],
        [b"garbage"],
        [b"GET / HTTP/1.1\r\n\r\n"],
        [b"", b"", b""],
        [bytes(40), b"{}"],
        pack(Message(Kind.REQUEST, 3, b"not json")),
        pack(Message(Kind.REQUEST, 3, b'{"verb": "explode", "seq": 3, "session": "", "deadline_ms": 1}')),
        pack(Message(Kind.REPLY, 3, b"{}")),
        pack(Message(Kind.REQUEST, 3, b"{}", (b"x",)))[:2],
    ],
)
def test_server_refuses_garbage_and_survives_it(server, client, parts):
    with raw_dealer(server.address) as dealer:
        dealer.send_multipart(parts)
        reply = msgspec.json.decode(unpack(dealer.recv_multipart()).header, type=Reply)
    assert not reply.ok
    assert reply.code == "QC-PROTO"
    assert client.request("health", deadline_s=5).body == {"verb": "health"}


def test_mutated_messages_are_refused_or_harmless_and_the_server_survives(server, client, rng):
    header = msgspec.json.encode(Request("hello", 7, "s", 1000, {"x": 1}))
    good = [bytes(part) for part in pack(Message(Kind.REQUEST, 7, header, (b"abcdefgh",)))]
    with raw_dealer(server.address) as dealer:
        for _ in range(300):
            parts = [bytearray(part) for part in good]
            part = parts[rng.integers(len(parts))]
            part[rng.integers(len(part))] ^= 1 << rng.integers(8)
            dealer.send_multipart(parts)
            reply = msgspec.json.decode(unpack(dealer.recv_multipart()).header, type=Reply)
            assert (reply.ok, reply.code) == (False, "QC-PROTO")
    assert client.request("health", deadline_s=5).body == {"verb": "health"}


def test_answer_that_cannot_be_framed_becomes_an_error(server, client, monkeypatch):
    monkeypatch.setattr("qctrl.transport.framing.MAX_FRAME_BYTES", 8)
    with pytest.raises(ProtocolError, match="buffer has 9 bytes"):
        client.request("debug", deadline_s=5)


def test_answer_that_is_no_json_becomes_an_error(client):
    with pytest.raises(InstrumentFault, match="QC-INTERNAL"):
        client.request("debug", {"object": True}, deadline_s=5)
    assert client.request("health", deadline_s=5).body == {"verb": "health"}


def test_peer_that_left_costs_the_server_nothing(server, handler, client):
    with raw_dealer(server.address) as dealer:
        request = msgspec.json.encode(Request("fetch", 1, "s", 1000, {"wait_s": 30}))
        dealer.send_multipart(pack(Message(Kind.REQUEST, 1, request)))
        while not handler.seen:
            client.request("health", deadline_s=5)
    handler.gate.set()
    server.wake()
    assert client.request("health", deadline_s=5).body == {"verb": "health"}


def test_malformed_reply_is_an_error(address):
    with zmq.Context() as context, context.socket(zmq.ROUTER) as router:
        router.setsockopt(zmq.LINGER, 0)
        router.bind(address)

        def answer():
            peer, *_ = router.recv_multipart()
            router.send_multipart([peer, *pack(Message(Kind.REPLY, 1, b"nonsense"))])

        thread = threading.Thread(target=answer)
        thread.start()
        client = Client(address)
        with pytest.raises(ProtocolError, match="header of the reply"):
            client.request("hello", deadline_s=5)
        thread.join()
        client.close()


def test_address_in_use_is_refused(server, address):
    with pytest.raises(ConfigError, match="another server answers there"):
        Server(address)
    with Server_on_tcp() as taken, pytest.raises(ConfigError, match="cannot be bound"):
        Server(taken.address)


@contextlib.contextmanager
def Server_on_tcp():
    server = Server("tcp://127.0.0.1:*")
    yield server
    server.close()


def test_closed_server_leaves_no_file(address, tmp_path):
    server = Server(address)
    assert (tmp_path / "w" / "s").exists()
    server.close()
    server.wake()
    assert not (tmp_path / "w" / "s").exists()
