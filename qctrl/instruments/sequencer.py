"""Driver of a sequencer that speaks ``qctrl.protocol``: firmware or its emulator, it cannot tell which."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from qctrl.errors import InstrumentError, ProtocolError
from qctrl.instruments.base import Fetched, Identity, Progress, State
from qctrl.instruments.rules import check_pair, safe_on_failure
from qctrl.protocol import PROTOCOL_VERSION, Patch, Program, Results, Run, Setup
from qctrl.transport import Answer, Client, Posted

_DEADLINES_S: Final = {
    "hello": 10.0,
    "configure": 10.0,
    "load": 30.0,
    "start": 10.0,
    "fetch": 10.0,
    "play": 40.0,
    "abort": 10.0,
    "safe_state": 10.0,
    "health": 5.0,
}
"""Generous for a machine whose cores are busy; none of these waits for a run to end."""


class _Hello(msgspec.Struct, frozen=True):
    protocol: int
    kind: str
    device: str
    version: str
    epoch: int
    capabilities: list[str]


class _State(msgspec.Struct, frozen=True):
    state: State
    run_id: str
    done_shots: int
    total_shots: int
    steps: int


class Sequencer:
    """Loads and plays packed programs over the wire.

    Args:
        client: Connection to the firmware; closed with the driver.
        device: Name of the device that must answer; empty accepts any.
    """

    def __init__(self, client: Client, *, device: str = "") -> None:
        self._client = client
        self._device = device
        self._setup_hash = b""
        self._program_hash = b""
        self._patch_hash = b""
        self._sent: dict[str, Posted] = {}
        self._identity: Identity | None = None

    def connect(self) -> Identity:
        """Check identity and protocol version.

        Raises:
            InstrumentError: Another device answers.
            ProtocolError: It speaks another version.
        """
        answer = self._client.request("hello", {"protocol": PROTOCOL_VERSION}, deadline_s=_DEADLINES_S["hello"])
        hello = _convert(answer.body, _Hello)
        if hello.protocol != PROTOCOL_VERSION:
            raise ProtocolError(
                f"{self._where()} speaks protocol version {hello.protocol}, this side speaks {PROTOCOL_VERSION}; "
                "install the same release of qctrl-stack on both"
            )
        if self._device and hello.device != self._device:
            raise InstrumentError(
                f"{self._where()} is wired to device {hello.device!r}, not {self._device!r}; check the rack's address",
                name=self._client.name,
                address=self._client.address,
            )
        self._identity = Identity(hello.kind, hello.device, hello.version, hello.epoch, frozenset(hello.capabilities))
        return self._identity

    def configure(self, setup: Setup) -> None:
        """Apply a Setup; see ``Playback``."""
        setup.verify()
        identity = setup.hash
        if identity == self._setup_hash:
            return
        self._setup_hash = b""
        self._forget()
        with safe_on_failure(self.safe_state):
            answer = self._client.request("configure", {}, [setup.to_bytes()], deadline_s=_DEADLINES_S["configure"])
            self._check_echo("configure", answer, "setup_hash", identity)
        self._setup_hash = identity

    def load(self, program: Program, patch: Patch | None) -> None:
        """Load a program and its words; see ``Playback``.

        Raises:
            ProtocolError: They do not belong together, or not to the configured Setup.
        """
        with safe_on_failure(self.safe_state):
            check_pair(program, patch, self._setup_hash)
            buffers = self._not_loaded(program, patch)
            if not buffers:
                return
            answer = self._client.request("load", {}, buffers, deadline_s=_DEADLINES_S["load"])
            self._check_echo("load", answer, "program_hash", program.hash)
        self._loads(program, patch)

    def start(self, run: Run) -> None:
        """Start playing; see ``Playback``."""
        run.verify()
        with safe_on_failure(self.safe_state):
            self._refuse_switches(run)
            self._client.request("start", {}, [run.to_bytes()], deadline_s=_DEADLINES_S["start"])

    def fetch(self, run_id: str, block: int, wait_s: float) -> Fetched:
        """Return the next block of results; see ``Playback``."""
        body = {"run_id": run_id, "block": block, "wait_ms": round(wait_s * 1e3)}
        with safe_on_failure(self.safe_state):
            answer = self._client.request("fetch", body, deadline_s=wait_s + _DEADLINES_S["fetch"])
            return self._fetched(answer, run_id)

    def send(self, program: Program, patch: Patch | None, run: Run, wait_s: float) -> None:
        """Have a run loaded and started; see ``AtOnce``.

        Raises:
            ProtocolError: Program, patch and run do not belong together, or not to the configured Setup.
        """
        run.verify()
        with safe_on_failure(self.safe_state):
            self._refuse_switches(run)
            check_pair(program, patch, self._setup_hash)
            buffers = [*self._not_loaded(program, patch), run.to_bytes()]
            body, deadline_s = {"wait_ms": round(wait_s * 1e3)}, wait_s + _DEADLINES_S["play"]
            self._sent[run.run_id] = self._client.post("play", body, buffers, deadline_s=deadline_s)
        # Requests are read in order; should this one be refused, ``safe_state`` forgets what is loaded.
        self._loads(program, patch)

    def answer(self, run_id: str) -> Fetched:
        """Return the first that is known of a run that was sent; see ``AtOnce``."""
        with safe_on_failure(self.safe_state):
            return self._fetched(self._client.answer(self._sent.pop(run_id)), run_id)

    def abort(self) -> None:
        """Stop the run, if any; see ``Playback``."""
        self._forget()
        self._client.request("abort", deadline_s=_DEADLINES_S["abort"])

    def safe_state(self) -> None:
        """Stop every output; see ``Link``."""
        self._forget()
        self._client.request("safe_state", deadline_s=_DEADLINES_S["safe_state"])

    def health(self) -> Progress:
        """Return how far it is; see ``Link``."""
        return _progress(self._client.request("health", deadline_s=_DEADLINES_S["health"]))

    def debug(
        self, body: Mapping[str, Any], buffers: Sequence[bytes], deadline_s: float
    ) -> tuple[dict[str, Any], list[bytes]]:
        """Ask the emulator about its physics; see ``Debuggable``."""
        answer = self._client.request("debug", body, buffers, deadline_s=deadline_s)
        return dict(answer.body), [bytes(buffer) for buffer in answer.buffers]

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def _not_loaded(self, program: Program, patch: Patch | None) -> list[bytes]:
        """Return what must be sent; what is loaded is unknown until it is there."""
        same = program.hash == self._program_hash
        sent = [] if same else [program.to_bytes()]
        if patch is not None and not (same and patch.hash == self._patch_hash):
            sent.append(patch.to_bytes())
        if sent:
            self._program_hash = self._patch_hash = b""
        return sent

    def _loads(self, program: Program, patch: Patch | None) -> None:
        self._program_hash, self._patch_hash = program.hash, b"" if patch is None else patch.hash

    def _forget(self) -> None:
        """Take nothing for loaded, and no answer for one to a run that was sent."""
        self._program_hash = self._patch_hash = b""
        self._sent.clear()
        self._client.forget()

    def _refuse_switches(self, run: Run) -> None:
        if run.sim is not None and self._identity is not None and "sim" not in self._identity.capabilities:
            raise InstrumentError(
                f"{self._where()} is real: it cannot take the emulator's switches (seed, noise, levels)",
                name=self._client.name,
                address=self._client.address,
            )

    def _fetched(self, answer: Answer, run_id: str) -> Fetched:
        progress = _progress(answer)
        if not answer.buffers:
            return Fetched(progress, None)
        results = Results.from_bytes(bytes(answer.buffers[0]))
        if results.run_id != run_id:
            raise ProtocolError(f"{self._where()} sent results of run {results.run_id}, asked for {run_id}")
        return Fetched(progress, results)

    def _check_echo(self, verb: str, answer: Answer, key: str, identity: bytes) -> None:
        if answer.body.get(key) != identity.hex():
            raise ProtocolError(f"{self._where()} acknowledged {verb} of {answer.body.get(key)}, not {identity.hex()}")

    def _where(self) -> str:
        return f"instrument {self._client.name or '(unnamed)'} at {self._client.address}"


def _convert(body: Mapping[str, Any], kind: type[Any]) -> Any:
    try:
        return msgspec.convert(body, kind)
    except msgspec.ValidationError as error:
        raise ProtocolError(f"reply of the instrument: {error}") from error


def _progress(answer: Answer) -> Progress:
    state = _convert(answer.body, _State)
    return Progress(state.state, state.run_id, state.done_shots, state.total_shots, state.steps)
