"""What users ask of ``ProviderService.backends`` and ``ProviderService.jobs``."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, TypedDict

from qiskit.providers import JobStatus

from qctrl.service import JobFilter, Stage

if TYPE_CHECKING:
    from qctrl.provider import Backend

_PRIMITIVES: Final = ("sampler", "estimator", "run")


class DeviceWishes(TypedDict, total=False):
    """Keywords of ``ProviderService.backends`` and ``least_busy``."""

    operational: bool | None
    """Only devices that take jobs, or only those that do not."""
    simulator: bool | None
    """Only backends whose ``configuration().simulator`` is this; emulated devices are no simulators, for they accept
    exactly what the hardware accepts."""
    dynamic_circuits: bool | None
    """Only devices that decide in the middle of a circuit, or only those that do not."""


class JobWishes(TypedDict, total=False):
    """Keywords of ``ProviderService.jobs``."""

    backend_name: str | None
    """Only jobs of this device."""
    status: str | JobStatus | Sequence[str | JobStatus] | None
    """Only jobs of this status, or one of these: QUEUED, RUNNING, DONE, CANCELLED, ERROR or INTERRUPTED."""
    pending: bool | None
    """Only jobs that have not ended, if True; only those that have, if False."""
    program_id: str | None
    """``sampler``, ``estimator`` or ``run``."""
    tags: Sequence[str] | None
    """Only jobs that carry every one of these tags."""
    job_tags: Sequence[str] | None
    """The same as ``tags``, for code that was written for another provider."""
    session_id: str | None
    """Only jobs of this session or batch."""
    created_after: datetime | None
    """Only jobs submitted after this time; one without a zone is local."""
    created_before: datetime | None
    """Only jobs submitted before this time; one without a zone is local."""


def grants(backend: Backend, wishes: DeviceWishes) -> bool:
    """Return whether a backend is as wished.

    Raises:
        TypeError: There is no such wish.
    """
    _check_names(wishes, DeviceWishes, "backends", "name", "min_num_qubits", "filters")
    answers = {
        "operational": lambda: backend.status().operational,
        "simulator": lambda: backend.configuration().simulator,
        "dynamic_circuits": lambda: "if_else" in backend.operation_names,
    }
    return all(wish is None or answers[name]() == wish for name, wish in wishes.items())


def to_filter(wishes: JobWishes) -> JobFilter:
    """Return the filter of a search for jobs.

    Raises:
        TypeError: There is no such wish, or tags are no list, or a time is none.
        ValueError: There is no such status or primitive.
    """
    _check_names(wishes, JobWishes, "jobs", "limit", "skip", "descending")
    program_id = wishes.get("program_id")
    if program_id is not None and program_id not in _PRIMITIVES:
        raise ValueError(f"program_id is {program_id!r}; it must be one of {', '.join(_PRIMITIVES)}")
    after, before = wishes.get("created_after"), wishes.get("created_before")
    for name, time in (("created_after", after), ("created_before", before)):
        if time is not None and not isinstance(time, datetime):  # pyright: ignore[reportUnnecessaryIsInstance] users give anything
            raise TypeError(f"{name} is {time!r}; give a datetime")
    return JobFilter(
        tags=(*_tags("tags", wishes.get("tags")), *_tags("job_tags", wishes.get("job_tags"))),
        stages=_stages(wishes.get("status"), wishes.get("pending")),
        device=wishes.get("backend_name"),
        primitive=program_id,
        session=wishes.get("session_id"),
        after=after,
        before=before,
    )


def _tags(name: str, tags: Sequence[str] | None) -> Sequence[str]:
    # A text is a sequence too: of its letters, which no job carries.
    if isinstance(tags, str):
        raise TypeError(f"{name} is {tags!r}; give a list of strings")
    return tags or ()


def _stages(
    status: str | JobStatus | Sequence[str | JobStatus] | None, pending: bool | None
) -> tuple[Stage, ...] | None:
    if status is None and pending is None:
        return None
    wanted = list(Stage) if status is None else [_stage(each) for each in _listed(status)]
    return tuple(stage for stage in wanted if pending is None or stage.final is not pending)


def _listed(status: str | JobStatus | Sequence[str | JobStatus]) -> Sequence[str | JobStatus]:
    return [status] if isinstance(status, str | JobStatus) else status


def _stage(status: str | JobStatus) -> Stage:
    name = status.name if isinstance(status, JobStatus) else status.upper()
    if name not in list(Stage):
        raise ValueError(f"status is {status!r}; it must be one of {', '.join(Stage)}")
    return Stage(name)


def _check_names(wishes: Mapping[str, Any], known: type, method: str, *more: str) -> None:
    names = sorted((*known.__annotations__, *more))
    for name in wishes:
        if name not in names:
            nearest = difflib.get_close_matches(name, names, n=1)
            hint = f"did you mean {nearest[0]!r}?" if nearest else f"it takes {', '.join(names)}"
            raise TypeError(f"{method} has no filter {name!r}; {hint}")
