"""Messages come out as they went in, however the wire cuts them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_sim.scpi.message import MalformedMessageError, MessageReader, block


class Pieces:
    """A socket that brings bytes in pieces of given lengths."""

    def __init__(self, data, sizes):
        self.data, self.sizes, self.k = data, sizes, 0

    def recv(self, size):
        self.k += 1
        n = min(size, self.sizes[self.k % len(self.sizes)])
        piece, self.data = self.data[:n], self.data[n:]
        return piece

    def recv_into(self, view):
        piece = self.recv(len(view))
        view[: len(piece)] = piece
        return len(piece)


TEXT = st.text("ABCabc:*?,0189 ", min_size=1, max_size=20).map(str.strip).filter(bool)
MESSAGES = st.lists(st.tuples(TEXT, st.one_of(st.none(), st.binary(max_size=300))), max_size=8)


@given(MESSAGES, st.lists(st.integers(1, 70), min_size=1, max_size=5))
def test_messages_come_out_as_they_went_in(messages, sizes):
    data = b"".join(text.encode() + (b"" if body is None else block(body)) + b"\n" for text, body in messages)
    reader = MessageReader(Pieces(data, sizes), 1000)
    for text, body in messages:
        message = reader.next()
        assert (message.text, None if message.block is None else bytes(message.block)) == (text, body)
    assert reader.next() is None


@pytest.mark.parametrize("data", [b"A#0x\n", b"A#2xx\n", b"A#H20\n", b"A#13abcd\n", b"A#11a, 3\n"])
def test_malformed_block_costs_its_line_only(data):
    reader = MessageReader(Pieces(data + b"*IDN?\n", [64]), 1000)
    message = reader.next()
    assert (message.text, message.block, message.fault[0]) == ("", None, -161)
    assert reader.next().text == "*IDN?"


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b" \r\n", b";*OPC?\n", b" ; *OPC?\r\n"])
def test_block_may_be_followed_by_an_end_or_another_command(end):
    reader = MessageReader(Pieces(b'A "#1",#12ab' + end, [64]), 1000)
    message = reader.next()
    assert (message.text, bytes(message.block)) == ('A "#1",', b"ab")
    following = reader.next()
    assert (following is None) if b"OPC" not in end else (following.text == "*OPC?")


@pytest.mark.parametrize("data", [b"A#9123456789", b"x" * 70000])
def test_what_cannot_be_followed_is_refused(data):
    with pytest.raises(MalformedMessageError):
        MessageReader(Pieces(data, [64]), 1000).next()


@pytest.mark.parametrize("data", [b"A", b"A#", b"A#3", b"A#15ab", b"A#12ab"])
def test_connection_that_ends_in_a_message_ends(data):
    assert MessageReader(Pieces(data, [64]), 1000).next() is None
