"""A session without a wire: what a driver says is handed to an emulated instrument of the same process."""

from __future__ import annotations

from firmware_sim.scpi.message import Message
from qctrl.errors import InstrumentError


class DirectSession:
    """Same verbs as ``Session``, for rules that are not about the wire."""

    def __init__(self, instrument):
        self._instrument = instrument
        self.is_open = False
        self.generation = 0
        self._timeout_s = 1.0
        self.restarted = False

    def open(self, park=(), *, clear=True):
        self.is_open = True
        self.generation += 1
        if clear:
            self.write("*CLS")
        return self.ask("*IDN?")

    def write(self, text, payload=None):
        self._handle(text, None if payload is None else bytearray(payload))

    def ask(self, text, extra_s=0.0):
        return self._reply(text)

    def ask_block(self, text, most):
        reply = self._reply(text)
        digits = int(reply[1:2])
        body = reply[2 + digits :]
        assert int(reply[2 : 2 + digits]) == len(body) <= most
        return body

    def close(self):
        self.is_open = False

    def _handle(self, text, block):
        if not self.is_open:
            raise InstrumentError("there is no connection, or it was given up after a failure")
        return self._instrument.handle(Message(text, block))

    def _reply(self, text):
        reply = self._handle(text, None)
        if reply is None:
            self.is_open = False
            raise InstrumentError(f"{text} was not answered")
        return reply
