"""Messages between processes over ZeroMQ; the only room that knows zmq."""

from qctrl.transport.address import check_address
from qctrl.transport.answer import Answer
from qctrl.transport.client import Client, Posted
from qctrl.transport.framing import Buffer, Kind, Message, pack, unpack
from qctrl.transport.server import Deferred, Handler, Server

__all__ = [
    "Answer",
    "Buffer",
    "Client",
    "Deferred",
    "Handler",
    "Kind",
    "Message",
    "Posted",
    "Server",
    "check_address",
    "pack",
    "unpack",
]
