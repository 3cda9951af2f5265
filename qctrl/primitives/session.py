"""Sessions and batches: jobs that belong together."""

from __future__ import annotations

import re
import threading
import uuid
import warnings
from collections.abc import Sequence
from contextvars import ContextVar, Token
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, ClassVar, Final, TypeAlias

from qctrl.errors import ConfigError
from qctrl.execution import Progress
from qctrl.provider import Backend, Request
from qctrl.service import JobHandle, Stage

_LENGTHS_S: Final = {"h": 3600, "m": 60, "s": 1}
_LENGTH: Final = re.compile(r"\s*(\d+)\s*([hms])")


class Session:
    """Jobs of one backend that belong together, for as long as the session is open.

    Use it as ``mode`` of a primitive, or as a context: primitives made inside need no ``mode``. It starts with its
    first job; when ``max_time`` has passed since then, the job that runs is finished, those that wait are cancelled
    and new ones are refused. ``close``, and the end of the context, refuse new jobs and leave the others alone;
    ``cancel`` also cancels those that have not ended.

    A rack of this machine plays the jobs of a process one after the other, in or out of a session: a session reserves
    nothing, it groups, bounds and ends.

    Args:
        backend: A backend of ``ProviderService``.
        max_time: Longest time in seconds, or a text such as ``"2h 30m 40s"``; ``None`` is no limit.

    Raises:
        TypeError: ``backend`` is not a backend of this stack.
        ValueError: ``max_time`` is not a length of time.
    """

    MODE: ClassVar[str] = "dedicated"

    def __init__(self, backend: Backend, max_time: float | str | None = None) -> None:
        if not isinstance(backend, Backend):  # pyright: ignore[reportUnnecessaryIsInstance] users give anything
            raise TypeError(f"{type(self).__name__} needs a backend of ProviderService, not {type(backend).__name__}")
        self._backend = backend
        self._max_s = None if max_time is None else _seconds(max_time)
        self._session_id = uuid.uuid4().hex
        self._lock = threading.Lock()
        self._handles: list[JobHandle] = []
        self._accepting = True
        self._created = datetime.now(UTC)
        self._started: datetime | None = None
        self._timer: threading.Timer | None = None
        self._tokens: list[Token[Session | None]] = []

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._session_id} on {self._backend.name}: {self.status()}>"

    def __enter__(self) -> Session:
        self._tokens.append(_ACTIVE.set(self))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        _ACTIVE.reset(self._tokens.pop())
        self.close()

    @property
    def session_id(self) -> str:
        """Id that the jobs carry; ``service.jobs(session_id=...)`` finds them."""
        return self._session_id

    def backend(self) -> Backend:
        """Return the backend of the session."""
        return self._backend

    def close(self) -> None:
        """Refuse new jobs; those that were submitted run to their end. Idempotent."""
        with self._lock:
            self._accepting = False

    def cancel(self) -> None:
        """Refuse new jobs and cancel those that have not ended."""
        self.close()
        for handle in self._submitted():
            handle.cancel()

    def status(self) -> str:
        """Return ``Pending``, ``In progress, accepting new jobs``, ``..., not accepting new jobs`` or ``Closed``."""
        if self._accepting:
            return "Pending" if self._started is None else "In progress, accepting new jobs"
        open_jobs = any(not handle.stage().final for handle in self._submitted())
        return "In progress, not accepting new jobs" if open_jobs else "Closed"

    def usage(self) -> float:
        """Return the seconds from the start of the first job to the end of the last that has ended."""
        if self._started is None:
            return 0.0
        records = [self._backend.jobs.store.get(handle.record.job_id) for handle in self._submitted()]
        ended = [record.updated for record in records if record.stage.final]
        return max(0.0, (max(ended, default=self._started) - self._started).total_seconds())

    def details(self) -> dict[str, Any]:
        """Return all that is known of the session."""
        return {
            "id": self._session_id,
            "backend_name": self._backend.name,
            "mode": self.MODE,
            "max_time": self._max_s,
            "state": self.status(),
            "accepting_jobs": self._accepting,
            "created_at": self._created,
            "started_at": self._started,
            "usage_time": self.usage(),
            "jobs": [handle.record.job_id for handle in self._submitted()],
        }

    def submit(self, backend: Backend, request: Request) -> JobHandle:
        """Submit a job of this session.

        Raises:
            ConfigError: The session is closed.
        """
        self.check_open()
        handle = backend.submit(request)
        with self._lock:
            self._handles.append(handle)
        execution = handle.execution()
        if execution is not None:
            execution.subscribe(self._moved)
        return handle

    def check_open(self) -> None:
        """Refuse new jobs once the session is closed.

        Raises:
            ConfigError: The session is closed.
        """
        if not self._accepting:
            raise ConfigError(f"{type(self).__name__.lower()} {self._session_id} is closed; open a new one")

    def _submitted(self) -> Sequence[JobHandle]:
        with self._lock:
            return tuple(self._handles)

    def _moved(self, event: Progress) -> None:
        with self._lock:
            if event.status == "QUEUED" or self._started is not None:
                return
            self._started = datetime.now(UTC)
            if self._max_s is not None:
                self._timer = threading.Timer(self._max_s, self._expire)
                self._timer.daemon = True
                self._timer.start()

    def _expire(self) -> None:
        self.close()
        for handle in self._submitted():
            if handle.stage() is Stage.QUEUED:
                handle.cancel()


class Batch(Session):
    """Independent jobs of one backend that are submitted together; as :class:`Session`, which see.

    Args:
        backend: A backend of ``ProviderService``.
        max_time: Longest time in seconds, or a text such as ``"2h 30m 40s"``; ``None`` is no limit.
    """

    MODE: ClassVar[str] = "batch"


Mode: TypeAlias = Backend | Session
"""Where a primitive runs its jobs: by themselves, or in a session or batch."""

_ACTIVE: ContextVar[Session | None] = ContextVar("qctrl_session", default=None)


def resolve_mode(backend: object, mode: object, primitive: str) -> tuple[Backend, Session | None]:
    """Return backend and session of a primitive from what its constructor was given.

    Inside a session's context, no ``mode`` means that session; so does its own backend, with a warning.

    Args:
        backend: The argument ``backend``.
        mode: The argument ``mode``.
        primitive: Name of the primitive, for the message.

    Raises:
        TypeError: Both or none is given, or what is given is neither a backend of this stack nor a session.
        ValueError: A backend is given inside the context of a session on another one.
    """
    active = _ACTIVE.get()
    if backend is not None and mode is not None:
        raise TypeError(f"{primitive} takes backend or mode, not both")
    given = mode if backend is None else backend
    if isinstance(given, Session):
        return given.backend(), given
    if given is None and active is not None:
        return active.backend(), active
    if given is None:
        raise TypeError(f"{primitive} needs a backend: {primitive}(ProviderService().backend(name))")
    if not isinstance(given, Backend):
        raise TypeError(
            f"{primitive} needs a backend of ProviderService, not {type(given).__name__}; "
            f"for other backends use qiskit.primitives.Backend{primitive}(backend=...)"
        )
    if active is None:
        return given, None
    return given, _taken_in(given, active)


def _taken_in(backend: Backend, active: Session) -> Session:
    kind = type(active).__name__.lower()
    if backend.name != active.backend().name:
        raise ValueError(
            f"the backend is {backend.name}, the open {kind} is on {active.backend().name}; "
            f"make the primitive outside of the context, or without mode to use the {kind}'s backend"
        )
    warnings.warn(
        f"a backend was given, but a {kind} is open: the jobs of this primitive belong to the {kind}",
        UserWarning,
        stacklevel=5,
    )
    return active


def _seconds(length: Any) -> float:
    if isinstance(length, str):
        parts = _LENGTH.findall(length)
        # A text that is not made of such parts alone leaves something behind.
        if not parts or _LENGTH.sub("", length).strip():
            raise ValueError(f"max_time is {length!r}; write seconds, or a text such as '2h 30m 40s'")
        length = sum(int(number) * _LENGTHS_S[unit] for number, unit in parts)
    if isinstance(length, bool) or not isinstance(length, int | float) or not 0 < length < float("inf"):
        raise ValueError(f"max_time is {length!r}; it must be a length of time above 0")
    return float(length)
