"""The process behind a ``Session``: it holds one VISA resource and does one thing at a time.

Run as a file, not as a module, so that it starts with the standard library and pyvisa alone. Its only argument is the
file descriptor of a socket to its parent.

When the parent is gone without a word, it sends the parked lines, which take the instrument to its safe state. That
holds for every way in which a parent can end, SIGKILL too.
"""

from __future__ import annotations

import contextlib
import errno
import os
import runpy
import select
import socket
import sys
from pathlib import Path
from typing import Any

_MAX_LINE_BYTES = 1 << 20


class Resource:
    """One opened VISA resource."""

    def __init__(self, address: str, backend: str, timeout_s: float) -> None:
        # pyvisa works without NumPy, which nothing here needs and which takes more than half of the start.
        sys.modules.setdefault("numpy", None)  # pyright: ignore[reportArgumentType]
        import pyvisa

        self._manager = pyvisa.ResourceManager(backend)
        self._resource: Any = self._manager.open_resource(address, open_timeout=round(timeout_s * 1e3))
        self._resource.read_termination = self._resource.write_termination = "\n"
        self.set_timeout(timeout_s)
        # pyvisa-py writes in pieces of 4 KiB, waits without a limit, and reads as slowly: blocks go past it.
        session = getattr(self._manager.visalib, "sessions", {}).get(self._resource.session)
        interface = getattr(session, "interface", None)
        self._socket = interface if isinstance(interface, socket.socket) else None
        self._pending: bytearray = getattr(session, "_pending_buffer", bytearray())
        if self._socket is not None:
            # Two small writes and a query take 44 ms otherwise; VI_ATTR_TCPIP_NODELAY is not understood by 0.8.
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            _refuse_unconnected(self._socket, timeout_s)
        # HiSLIP has a lock that the instrument itself keeps; pyvisa-py offers it below VISA only.
        lock = getattr(interface, "async_lock_request", None)
        if lock is not None and lock(0.0) != "success":
            raise PermissionError("another session holds the instrument's own lock")

    def set_timeout(self, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        self._resource.timeout = max(1, round(timeout_s * 1e3))

    def write(self, text: str, payload: memoryview) -> None:
        if not payload:
            self._send(text.encode() + b"\n")
            return
        digits = str(len(payload))
        head = f"{text}#{len(digits)}{digits}".encode()
        if self._socket is None:
            self._resource.write_raw(bytes(head) + bytes(payload) + b"\n")
            return
        for part in (head, payload, b"\n"):
            self._send(part)

    def ask(self, text: str) -> str:
        self._refuse_stale()
        self._send(text.encode() + b"\n")
        if self._socket is None:
            return str(self._resource.read())
        return self._line(self._socket).decode(errors="replace").rstrip("\r\n")

    def ask_block(self, text: str, most: int) -> bytes:
        self._refuse_stale()
        self._send(text.encode() + b"\n")
        if self._socket is None:
            return _unwrap(bytes(self._resource.read_raw()), most)
        link = self._socket
        mark = bytes(self._exactly(link, 2))
        if mark[:1] != b"#" or not mark[1:].isdigit() or mark == b"#0":
            raise ValueError(f"reply to {text} starts with {mark!r}, which is no block")
        size = int(self._exactly(link, int(mark[1:])))
        if size > most:
            raise ValueError(f"reply to {text} has {size} bytes, at most {most} were asked for")
        body = self._exactly(link, size)
        tail = self._line(link)
        if tail.strip():
            raise ValueError(f"reply to {text} goes on for {len(tail)} bytes after its {size}")
        return bytes(body)

    def close(self) -> None:
        self._resource.close()
        self._manager.close()

    def _send(self, part: bytes | memoryview) -> None:
        if self._socket is None:
            self._resource.write_raw(bytes(part))
            return
        self._socket.settimeout(self._timeout_s)
        self._socket.sendall(part)

    def _refuse_stale(self) -> None:
        if self._socket is None:
            return
        waiting, _, _ = select.select([self._socket], [], [], 0)
        if waiting or self._pending:
            raise ValueError("the instrument sent something that nobody asked for, or closed the connection")

    def _exactly(self, link: socket.socket, size: int) -> bytearray:
        whole = bytearray(size)
        view, have = memoryview(whole), 0
        link.settimeout(self._timeout_s)
        while have < size:
            got = link.recv_into(view[have:])
            if not got:
                raise ConnectionError(f"connection closed after {have} of {size} bytes")
            have += got
        return whole

    def _line(self, link: socket.socket) -> bytearray:
        line = bytearray()
        link.settimeout(self._timeout_s)
        while not line.endswith(b"\n"):
            # Never past the end: what follows would be lost, or taken for another reply.
            piece = link.recv(4096, socket.MSG_PEEK)
            if not piece:
                raise ConnectionError(f"connection closed after {len(line)} bytes of a line")
            end = piece.find(b"\n") + 1 or len(piece)
            line += link.recv(end)
            if len(line) > _MAX_LINE_BYTES:
                raise ValueError(f"a line has more than {_MAX_LINE_BYTES} bytes")
        return line


def _refuse_unconnected(link: socket.socket, timeout_s: float) -> None:
    """Raise if nobody listens; pyvisa-py opens a resource all the same."""
    _, connected, _ = select.select([], [link], [], timeout_s)
    error = link.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) if connected else errno.ETIMEDOUT
    if error:
        raise ConnectionError(f"nobody answers there ({os.strerror(error)})")


def _unwrap(message: bytes, most: int) -> bytes:
    digits = int(message[1:2]) if message[:1] == b"#" else 0
    size = int(message[2 : 2 + digits]) if digits else -1
    body = message[2 + digits : 2 + digits + size]
    if not 0 <= size <= most or len(body) != size:
        raise ValueError(f"a message of {len(message)} bytes is no block of at most {most}")
    return body


class Worker:
    """Does what the parent asks, in the main thread."""

    def __init__(self) -> None:
        self._resource: Resource | None = None
        self._park: list[str] = []

    def do(self, request: dict[str, Any], payload: memoryview) -> tuple[dict[str, Any], bytes]:
        verb, text = request["verb"], request.get("text", "")
        if verb == "open":
            self._resource = Resource(request["address"], request["backend"], request["timeout_s"])
            return {}, b""
        if verb == "park":
            self._park = list(request["lines"])
            return {}, b""
        resource = self._resource
        if resource is None:
            raise ValueError("nothing is open")
        resource.set_timeout(request["timeout_s"])
        if verb == "write":
            resource.write(text, payload)
            return {}, b""
        if verb == "ask":
            return {"text": resource.ask(text)}, b""
        return {}, resource.ask_block(text, request["most"])

    def leave(self, *, abandoned: bool) -> None:
        with contextlib.suppress(Exception):
            if self._resource is not None and abandoned:
                self._resource.set_timeout(1.0)
                for line in self._park:
                    self._resource.write(line, memoryview(b""))
                # A reply says that the lines before it were carried out.
                if self._park:
                    self._resource.ask("*OPC?")
            if self._resource is not None:
                self._resource.close()


if __name__ == "__main__":
    runpy.run_path(str(Path(__file__).parents[1] / "_child_loop.py"))["serve"](Worker())
