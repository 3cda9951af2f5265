"""Requests to firmware and its replies; artefacts ride along as raw buffers."""

from __future__ import annotations

from typing import Any, Final, Literal, TypeAlias

import msgspec

PROTOCOL_VERSION: Final = 1
"""Version of verbs and bodies; both sides must speak the same."""

RUNS_AHEAD: Final = 4
"""Runs that a board with capability ``ahead`` holds: one that plays, those behind it, and those not yet fetched."""

Verb: TypeAlias = Literal[
    "hello", "configure", "load", "start", "fetch", "play", "abort", "safe_state", "health", "debug"
]

VERBS: Final[dict[str, str]] = {
    "hello": "identity, protocol version and capabilities",
    "configure": "one buffer: Setup",
    "load": "one or two buffers: Program, Patch",
    "start": "one buffer: Run; the reply acknowledges, execution goes on",
    "fetch": "body: run_id, chunk; the reply says running with progress, or brings Results",
    "play": "one to three buffers: Program, Patch, Run; body: wait_ms; load, start and fetch block 0 at once; "
    "with capability `ahead` also while runs go on, up to RUNS_AHEAD in all, which are played in order",
    "abort": "stop the run, if any, and go to the safe state",
    "safe_state": "stop every output; idempotent",
    "health": "heartbeat: state and progress",
    "debug": "emulator only: questions about the physics",
}
"""What each verb carries."""


class Request(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Head of a request; ``deadline_ms`` tells the firmware how long the caller waits."""

    verb: Verb
    seq: int
    session: str
    deadline_ms: int
    body: dict[str, Any] = {}


class Reply(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Head of a reply; every request is acknowledged by the reply with its ``seq``."""

    seq: int
    ok: bool
    code: str = ""
    """Stable error code, empty if ok."""
    text: str = ""
    """Reason and remedy, empty if ok."""
    body: dict[str, Any] = {}
