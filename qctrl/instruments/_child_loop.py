"""The loop of a process behind a ``Child``: what the parent asks is done one thing at a time, until it is gone.

Run by path, not imported, so that such a process starts with the standard library and what its worker needs alone.
Frames between the two are described in ``child.py``.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import socket
import struct
import sys
import threading
from typing import Any

_FRAME = struct.Struct("!IQ")
_GRACE_S = 5.0
"""A process that hangs ends this long after its parent."""


class Inbox:
    """What the parent sends; the payload of one request is valid until the next one is received."""

    def __init__(self, channel: socket.socket) -> None:
        self._channel = channel
        # Kept: fresh pages for every block take longer than the block takes on the wire.
        self._room = bytearray()

    def receive(self) -> tuple[dict[str, Any], memoryview] | None:
        """Return the next request and its payload, ``None`` when the parent is gone."""
        head = bytearray(_FRAME.size)
        if not self._fill(memoryview(head)):
            return None
        text_size, payload_size = _FRAME.unpack(head)
        text = bytearray(text_size)
        if payload_size > len(self._room):
            self._room = bytearray(payload_size)
        payload = memoryview(self._room)[:payload_size]
        return (json.loads(text), payload) if self._fill(memoryview(text)) and self._fill(payload) else None

    def _fill(self, view: memoryview) -> bool:
        while view:
            got = self._channel.recv_into(view)
            if not got:
                return False
            view = view[got:]
        return True


def _answer(channel: socket.socket, body: dict[str, Any], payload: bytes = b"") -> None:
    text = json.dumps(body).encode()
    channel.sendall(_FRAME.pack(len(text), len(payload)) + text)
    if payload:
        channel.sendall(payload)


def _said(error: Exception) -> str:
    # What is raised in this file speaks for itself.
    own = isinstance(error, (ConnectionError, PermissionError)) or type(error) is ValueError
    return str(error) if own else f"{type(error).__name__}: {error}"


def _kind(error: Exception) -> str:
    if isinstance(error, TimeoutError) or "VI_ERROR_TMO" in str(error):
        return "timeout"
    return "missing" if isinstance(error, ImportError) else "lost"


def _listen(channel: socket.socket, requests: queue.SimpleQueue[Any]) -> None:
    inbox = Inbox(channel)
    while True:
        try:
            request = inbox.receive()
        except OSError:
            request = None
        requests.put(request)
        if request is None:
            threading.Event().wait(_GRACE_S)
            os._exit(1)


def serve(worker: Any) -> None:
    """Let a worker do what the parent asks, one thing at a time, until the parent says so or is gone.

    Args:
        worker: Has ``do(request, payload)``, and ``leave(abandoned=...)`` for the end.
    """
    # Both are for the parent, which then ends this process in order.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    channel = socket.socket(fileno=int(sys.argv[1]))
    requests: queue.SimpleQueue[Any] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(channel, requests), daemon=True).start()
    abandoned = True
    while (request := requests.get()) is not None:
        if request[0]["verb"] == "close":
            abandoned = False
            break
        try:
            body, payload = worker.do(*request)
        except Exception as error:  # noqa: BLE001 (the parent gets it, whatever it is)
            body, payload = {"failed": _kind(error), "text": _said(error)}, b""
        try:
            _answer(channel, body, payload)
        except OSError:
            break
    worker.leave(abandoned=abandoned)
    with contextlib.suppress(OSError):
        _answer(channel, {})
    os._exit(0)
