"""A peer on TCP that misbehaves as told: late, silent, torn off, wrong."""

from __future__ import annotations

import contextlib
import socket
import threading
import time


class BadPeer:
    """Answers ``*IDN?`` and echoes the rest; ``delay_s`` and ``script`` change that."""

    def __init__(self):
        self.delay_s = 0.0
        self.replies = {}
        self.received = []
        self.read_most = None
        self.blocks = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"TCPIP0::127.0.0.1::{self._listener.getsockname()[1]}::SOCKET"
        self.connections = 0
        self._open = []
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self):
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # wakes the thread, which would take one more
        self._listener.close()
        for one in self._open:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                one, _ = self._listener.accept()
                self.connections += 1
                self._open.append(one)
                threading.Thread(target=self._serve, args=(one,), daemon=True).start()

    def _serve(self, one):
        buffer = b""
        total = 0
        with contextlib.suppress(OSError):
            while True:
                if self.read_most is not None and total >= self.read_most:
                    time.sleep(60)
                data = one.recv(65536)
                if not data:
                    return
                total += len(data)
                buffer += data
                while b"\n" in buffer:
                    line, _, buffer = buffer.partition(b"\n")
                    self._line(one, line)

    def _line(self, one, line):
        text = line.decode(errors="replace")
        self.received.append(text)
        if not text.endswith("?") and text.split("?")[0] == text:
            return
        reply = self.replies.get(text, b"BAD,PEER,1,0\n" if text == "*IDN?" else text.encode() + b"\n")
        delay_s = 0.0 if text in ("*ESR?", "*IDN?") else self.delay_s
        if delay_s:
            threading.Timer(delay_s, lambda: self._say(one, reply)).start()
            return
        self._say(one, reply)

    def _say(self, one, reply):
        with contextlib.suppress(OSError):
            one.sendall(reply if reply is not None else b"")
            if reply is None or not reply.endswith(b"\n"):
                one.shutdown(socket.SHUT_RDWR)
