"""Verbs of the wire to calls of the board; no physics and no state here."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from firmware_sim.board import Board
from qctrl.errors import InstrumentTimeoutError, ProtocolError
from qctrl.protocol import PROTOCOL_VERSION, Request
from qctrl.transport import Answer, Buffer, Deferred
from qctrl.version import __version__

CAPABILITIES: Final = ("ahead", "branch", "debug", "iq", "play", "sim", "trace")
_MAX_WAIT_S: Final = 60.0
_MARGIN: Final = 0.9
"""Part of the caller's deadline that an answer may take; the rest is for its way back."""


class Service:
    """Handler of the server: thin, and quick to answer."""

    def __init__(self, board: Board) -> None:
        self._board = board
        self._verbs: dict[str, Callable[[Request, list[bytes]], Answer | Deferred]] = {
            "hello": self._hello,
            "configure": self._configure,
            "load": self._load,
            "start": self._start,
            "fetch": self._fetch,
            "play": self._play,
            "abort": self._abort,
            "safe_state": self._abort,
            "health": self._health,
            "debug": self._debug,
        }

    def handle(self, request: Request, buffers: Sequence[Buffer]) -> Answer | Deferred:
        """Answer one request, see ``qctrl.transport.Handler``."""
        return self._verbs[request.verb](request, [bytes(buffer) for buffer in buffers])

    def _hello(self, _request: Request, _buffers: list[bytes]) -> Answer:
        return Answer(
            {
                "protocol": PROTOCOL_VERSION,
                "kind": "emulator",
                "device": self._board.device,
                "version": __version__,
                "epoch": self._board.epoch,
                "capabilities": list(CAPABILITIES),
            }
        )

    def _configure(self, _request: Request, buffers: list[bytes]) -> Answer:
        return Answer({"setup_hash": self._board.configure(_only("configure", buffers))})

    def _load(self, _request: Request, buffers: list[bytes]) -> Answer:
        return Answer({"program_hash": self._board.load(buffers)})

    def _start(self, _request: Request, buffers: list[bytes]) -> Answer:
        self._board.start(_only("start", buffers))
        return Answer(self._board.status())

    def _fetch(self, request: Request, _buffers: list[bytes]) -> Deferred:
        run_id, block = _field(request.body, "run_id", str), _field(request.body, "block", int)
        return self._block(run_id, block, _wait_s(request))

    def _play(self, request: Request, buffers: list[bytes]) -> Deferred:
        if not buffers:
            raise ProtocolError("play takes a Run, and before it what is to be loaded; got no buffer")
        wait_s, (*artefacts, run) = _wait_s(request), buffers
        return self._block(self._board.play(artefacts, run), 0, wait_s)

    def _block(self, run_id: str, block: int, wait_s: float) -> Deferred:
        def poll() -> Answer | None:
            found = self._board.fetch(run_id, block)
            if found is None:
                return None
            status, data = found
            return Answer(status, () if data is None else (data,))

        return Deferred(wait_s, poll, lambda: Answer(self._board.status(run_id)))

    def _abort(self, request: Request, _buffers: list[bytes]) -> Deferred:
        def expire() -> Answer:
            raise InstrumentTimeoutError("the run has not stopped yet; it stops at the end of the block that it plays")

        return Deferred(
            request.deadline_ms / 1e3 * _MARGIN,
            lambda: Answer(self._board.status()) if self._board.abort() else None,
            expire,
        )

    def _health(self, _request: Request, _buffers: list[bytes]) -> Answer:
        return Answer(self._board.status())

    def _debug(self, request: Request, buffers: list[bytes]) -> Deferred:
        future = self._board.debug(request.body, buffers)

        def poll() -> Answer | None:
            if not future.done():
                return None
            body, data = future.result()
            return Answer(body, tuple(data))

        def expire() -> Answer:
            raise InstrumentTimeoutError(f"no answer to debug within {request.deadline_ms} ms; allow more time")

        return Deferred(request.deadline_ms / 1e3 * _MARGIN, poll, expire)


def _wait_s(request: Request) -> float:
    return min(_MAX_WAIT_S, _field(request.body, "wait_ms", int) / 1e3)


def _only(verb: str, buffers: list[bytes]) -> bytes:
    if len(buffers) != 1:
        raise ProtocolError(f"{verb} takes one buffer, got {len(buffers)}")
    return buffers[0]


def _field(body: Mapping[str, Any], name: str, kind: type[Any]) -> Any:
    value = body.get(name)
    if type(value) is not kind:
        raise ProtocolError(f"field {name!r} is {value!r}; it must be of type {kind.__name__}")
    return value
