import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qctrl.errors import ProtocolError
from qctrl.protocol import PROTOCOL_VERSION
from qctrl.transport import Kind, Message, framing, pack, unpack

MESSAGES = st.builds(
    Message,
    st.sampled_from(Kind),
    st.integers(0, 2**64 - 1),
    st.binary(max_size=200),
    st.lists(st.binary(max_size=100), max_size=5).map(tuple),
)


def as_bytes(parts):
    return [bytes(part) for part in parts]


@given(MESSAGES)
def test_unpack_gives_back_what_was_packed(message):
    found = unpack(pack(message))
    assert (found.kind, found.seq, found.header) == (message.kind, message.seq, message.header)
    assert as_bytes(found.buffers) == list(message.buffers)


@settings(max_examples=300)
@given(MESSAGES, st.data())
def test_any_flipped_bit_is_refused(message, data):
    parts = as_bytes(pack(message))
    part = data.draw(st.integers(0, len(parts) - 1).filter(lambda k: len(parts[k]) > 0))
    bit = data.draw(st.integers(0, 8 * len(parts[part]) - 1))
    damaged = bytearray(parts[part])
    damaged[bit // 8] ^= 1 << bit % 8
    with pytest.raises(ProtocolError):
        unpack([*parts[:part], bytes(damaged), *parts[part + 1 :]])


@given(st.lists(st.binary(max_size=80), max_size=4))
def test_random_bytes_are_refused(parts):
    with pytest.raises(ProtocolError):
        unpack(parts)


def test_bytes_that_moved_between_buffers_are_refused():
    parts = as_bytes(pack(Message(Kind.REQUEST, 1, b"{}", (b"abc", b"de"))))
    with pytest.raises(ProtocolError, match="checksum"):
        unpack([*parts[:2], b"ab", b"cde"])


def test_missing_part_is_refused():
    parts = pack(Message(Kind.REQUEST, 1, b"{}", (b"abc", b"de")))
    with pytest.raises(ProtocolError, match="3 parts, its prelude announces 4"):
        unpack(parts[:-1])


def test_truncated_buffer_is_refused():
    parts = as_bytes(pack(Message(Kind.REQUEST, 1, b"{}", (b"abc",))))
    with pytest.raises(ProtocolError, match="announces 2 and 5"):
        unpack([*parts[:2], b"ab"])


def test_other_version_names_both_versions_and_the_remedy():
    parts = pack(Message(Kind.REQUEST, 1, b"{}"), version=PROTOCOL_VERSION + 6)
    with pytest.raises(
        ProtocolError,
        match=rf"version {PROTOCOL_VERSION + 6}, this side speaks {PROTOCOL_VERSION}; "
        r"install the same release .*this side is older",
    ):
        unpack(parts)


def test_version_is_read_before_the_layout_that_it_governs():
    prelude = bytes(pack(Message(Kind.REQUEST, 1, b"{}"), version=9)[0])
    with pytest.raises(ProtocolError, match="protocol version 9"):
        unpack([prelude[:8] + b"a different layout", b"?"])


def test_other_magic_is_refused():
    with pytest.raises(ProtocolError, match="no part of this stack"):
        unpack([b"HTTP/1.1 200 OK", b""])


def test_unknown_kind_is_refused():
    parts = pack(Message(7, 1, b"{}"))
    with pytest.raises(ProtocolError, match="kind is 7"):
        unpack(parts)


@pytest.mark.parametrize(
    ("limit", "message", "match"),
    [
        ("MAX_HEADER_BYTES", Message(Kind.REQUEST, 1, bytes(9)), "header has 9 bytes"),
        ("MAX_FRAME_BYTES", Message(Kind.REQUEST, 1, b"", (bytes(9),)), "buffer has 9 bytes"),
        ("MAX_MESSAGE_BYTES", Message(Kind.REQUEST, 1, b"", (bytes(5), bytes(5))), "message has 10 bytes"),
        ("MAX_BUFFERS", Message(Kind.REQUEST, 1, b"", (b"",) * 9), "9 buffers"),
    ],
)
def test_sizes_are_capped_on_both_sides(monkeypatch, limit, message, match):
    parts = pack(message)
    monkeypatch.setattr(framing, limit, 8)
    with pytest.raises(ProtocolError, match=match):
        pack(message)
    with pytest.raises(ProtocolError, match=match):
        unpack(parts)


def test_sequence_number_of_a_damaged_message_is_still_known():
    parts = pack(Message(Kind.REQUEST, 42, b"{}"))
    assert framing.peek_seq([parts[0], b"damaged"]) == 42
    assert framing.peek_seq([b"short"]) == 0
    assert framing.peek_seq([b"x" * 40]) == 0
    assert framing.peek_seq([]) == 0
