"""Jobs in a local SQLite file, through SQLAlchemy Core."""

from __future__ import annotations

import os
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qctrl.errors import JobError, JobNotFoundError
from qctrl.service import _tables, owner
from qctrl.service.record import JobFilter, JobRecord, Stage, Submission

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine, RowMapping, Select

_BUSY_TIMEOUT_S = 10.0
_SCHEMA_VERSION = 4
_ALL = JobFilter()
_UNSETTLED = JobFilter(stages=(Stage.QUEUED, Stage.RUNNING))


def default_path() -> Path:
    """Return where jobs are stored: ``$QCTRL_JOBS``, else ``jobs.sqlite`` in the user's data folder."""
    if path := os.environ.get("QCTRL_JOBS"):
        return Path(path)
    from platformdirs import user_data_path

    return user_data_path("qctrl") / "jobs.sqlite"


class JobStore:
    """The jobs of one user, shared by any number of processes.

    The file is made on first use, readable by its owner alone. Writers wait for each other; a
    job that a dead process left behind is reported as interrupted and never lost.

    Args:
        path: The SQLite file; the default is :func:`default_path`.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._path = default_path() if path is None else path

    @property
    def path(self) -> Path:
        """The SQLite file."""
        return self._path

    def add(self, submission: Submission) -> JobRecord:
        """Store a new job as queued and return its record.

        Raises:
            JobError: The file cannot be written; nothing may be executed then.
        """
        now = _now()
        row: dict[str, Any] = {
            "id": submission.job_id,
            "created": now.isoformat(),
            "updated": now.isoformat(),
            "status": Stage.QUEUED.value,
            "device": submission.device,
            "primitive": submission.primitive,
            "tags": _tables.encode_tags(submission.tags),
            "calibration_id": submission.calibration_id,
            "owner": owner.this_process(),
            "error_code": "",
            "error": "",
            "session": submission.session,
        }
        with self._transaction(submission.job_id) as connection:
            connection.execute(_tables.jobs().insert().values(row))
            _keep_blob(connection, submission.job_id, "spec", submission.spec)
            if submission.calibration_text:
                _keep_calibration(connection, submission, now)
        return replace(_record(row), spec=submission.spec)

    def calibration(self, calibration_hash: str) -> str | None:
        """Return a calibration that a job ran with, as YAML; ``None`` if it was not kept.

        Args:
            calibration_hash: Its content hash, in hex.
        """
        table = _tables.calibrations()
        with self._transaction("", reads=True) as connection:
            query = table.select().where(table.c.hash == calibration_hash).limit(1)
            row = connection.execute(query).mappings().one_or_none()
        return None if row is None else row["text"]

    def calibration_at(self, device: str, time: datetime) -> str | None:
        """Return the calibration that the jobs of a device ran with at a time, as YAML; ``None`` before the first."""
        table = _tables.calibrations()
        query = table.select().where(table.c.device == device, table.c.since <= _stored(time))
        with self._transaction("", reads=True) as connection:
            row = connection.execute(query.order_by(table.c.serial.desc()).limit(1)).mappings().one_or_none()
        return None if row is None else row["text"]

    def mark_running(self, job_id: str) -> None:
        """Note that the job has left the queue."""
        self._update(job_id, status=Stage.RUNNING.value)

    def finish(self, job_id: str, result: bytes) -> None:
        """Store the raw result of a job that is done.

        Raises:
            JobError: The file cannot be written.
        """
        with self._transaction(job_id) as connection:
            _keep_blob(connection, job_id, "result", result)
            _change(connection, job_id, status=Stage.DONE.value)

    def fail(self, job_id: str, stage: Stage, code: str, message: str) -> None:
        """Store that a job ended without a result, and why."""
        self._update(job_id, status=stage.value, error_code=code, error=message)

    def get(self, job_id: str, *, light: bool = False) -> JobRecord:
        """Return the record of one job.

        Args:
            job_id: The job.
            light: Leave out the blobs, as in a list.

        Raises:
            JobNotFoundError: No such job is stored in this file.
            JobError: The file cannot be read.
        """
        table, blobs = _tables.jobs(), _tables.blobs()
        with self._transaction(job_id) as connection:
            row = connection.execute(table.select().where(table.c.id == job_id)).mappings().one_or_none()
            if row is None:
                raise JobNotFoundError(
                    f"no job {job_id} in {self._path}; service.jobs() lists what is stored", job_id=job_id
                )
            record = self._settled(connection, row)
            if light:
                return record
            found = connection.execute(blobs.select().where(blobs.c.job == job_id)).mappings()
            kept: dict[str, bytes] = {each["kind"]: each["data"] for each in found}
        return replace(record, spec=kept.get("spec", b""), result=kept.get("result"))

    def ask_to_cancel(self, job_id: str) -> bool:
        """Ask the process that runs a job to cancel it; return False if the job has ended already."""
        table = _tables.jobs()
        with self._transaction(job_id) as connection:
            row = connection.execute(table.select().where(table.c.id == job_id)).mappings().one()
            if self._settled(connection, row).stage.final:
                return False
            _change(connection, job_id, cancel_asked=1)
        return True

    def is_cancel_asked(self, job_id: str) -> bool:
        """Return whether some process asked for the end of a job."""
        from sqlalchemy import select

        table = _tables.jobs()
        with self._transaction(job_id, reads=True) as connection:
            asked = connection.execute(select(table.c.cancel_asked).where(table.c.id == job_id)).scalar_one_or_none()
        return bool(asked)

    def retag(self, job_id: str, tags: Sequence[str]) -> None:
        """Replace the tags of a job."""
        self._update(job_id, tags=_tables.encode_tags(tags))

    def delete(self, job_id: str) -> None:
        """Forget a job that has ended.

        Raises:
            JobNotFoundError: No such job is stored in this file.
            JobError: It has not ended.
        """
        if not self.get(job_id).stage.final:
            raise JobError(f"job {job_id} has not ended; cancel it first", job_id=job_id)
        table, blobs = _tables.jobs(), _tables.blobs()
        with self._transaction(job_id) as connection:
            connection.execute(table.delete().where(table.c.id == job_id))
            connection.execute(blobs.delete().where(blobs.c.job == job_id))

    def list(
        self, wanted: JobFilter = _ALL, *, limit: int | None = 10, skip: int = 0, descending: bool = True
    ) -> list[JobRecord]:
        """Return records without their blobs.

        Args:
            wanted: Which jobs.
            limit: At most so many; ``None`` for all.
            skip: Leave out so many first.
            descending: Newest first; else oldest first.
        """
        query = _filtered(wanted, descending=descending).limit(limit).offset(skip)
        with self._transaction("") as connection:
            # A stage that the query asks for must be true before it is asked.
            for row in connection.execute(_filtered(_UNSETTLED, descending=True)).mappings().all():
                self._settled(connection, row)
            return [
                _record({str(name): value for name, value in row.items()})
                for row in connection.execute(query).mappings()
            ]

    def close(self) -> None:
        """Release the file."""
        if "_engine" in self.__dict__:
            self._engine.dispose()
            del self.__dict__["_engine"]

    def _settled(self, connection: Connection, row: RowMapping) -> JobRecord:
        """Return the record, after marking it interrupted if its process is gone."""
        values: dict[str, Any] = {str(name): value for name, value in row.items()}
        if not Stage(values["status"]).final and not owner.is_alive(values["owner"]):
            values["status"] = Stage.INTERRUPTED.value
            values["error"] = "the process that ran this job ended before the job did; submit it again"
            values["error_code"] = "QC-JOB-INTERRUPTED"
            table = _tables.jobs()
            connection.execute(
                table.update()
                .where(table.c.id == values["id"])
                .values({key: values[key] for key in ("status", "error", "error_code")})
            )
        return _record(values)

    def _update(self, job_id: str, **values: Any) -> None:
        with self._transaction(job_id) as connection:
            _change(connection, job_id, **values)

    @contextmanager
    def _transaction(self, job_id: str, *, reads: bool = False) -> Generator[Connection]:
        from sqlalchemy.exc import SQLAlchemyError

        try:
            with self._engine.execution_options(**{_tables.READS: reads}).begin() as connection:
                yield connection
        except SQLAlchemyError as error:
            raise self._explained(error, job_id) from error

    @cached_property
    def _engine(self) -> Engine:
        import sqlite3

        from sqlalchemy.exc import SQLAlchemyError

        try:
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            os.close(os.open(self._path, os.O_CREAT | os.O_RDWR, 0o600))
            return _tables.open_engine(self._path, _BUSY_TIMEOUT_S, _SCHEMA_VERSION)
        except (OSError, SQLAlchemyError, sqlite3.Error) as error:
            raise self._explained(error, "") from error

    def _explained(self, error: Exception, job_id: str) -> JobError:
        text = str(getattr(error, "orig", None) or error)
        remedies = {
            "not a database": "the file is damaged; move it away and keep it, a new one is made",
            "malformed": "the file is damaged; move it away and keep it, a new one is made",
            "full": "free some disk space, or set QCTRL_JOBS to a file on another disk",
            "locked": f"another process held it for {_BUSY_TIMEOUT_S:g} s; try again",
            "No space": "free some disk space, or set QCTRL_JOBS to a file on another disk",
        }
        remedy = next(
            (advice for sign, advice in remedies.items() if sign in text),
            "check the path and its permissions, or set QCTRL_JOBS to another file",
        )
        return JobError(f"job store {self._path}: {text}; {remedy}", job_id=job_id)


def _change(connection: Connection, job_id: str, **values: Any) -> None:
    table = _tables.jobs()
    connection.execute(table.update().where(table.c.id == job_id).values(updated=_now().isoformat(), **values))


def _keep_blob(connection: Connection, job_id: str, kind: str, data: bytes) -> None:
    # Committing an end again changes nothing.
    insert = _tables.blobs().insert().prefix_with("OR REPLACE")
    connection.execute(insert.values(job=job_id, kind=kind, data=data))


def _keep_calibration(connection: Connection, submission: Submission, now: datetime) -> None:
    """Add a row if the device's jobs ran with another calibration until now."""
    from sqlalchemy import select

    table = _tables.calibrations()
    last = select(table.c.hash).where(table.c.device == submission.device).order_by(table.c.serial.desc()).limit(1)
    if connection.execute(last).scalar_one_or_none() != submission.calibration_hash:
        row = {
            "device": submission.device,
            "since": now.isoformat(),
            "hash": submission.calibration_hash,
            "text": submission.calibration_text,
        }
        connection.execute(table.insert().values(row))


def _filtered(wanted: JobFilter, *, descending: bool) -> Select[Any]:
    from sqlalchemy import select

    table = _tables.jobs()
    order = (table.c.created, table.c.serial)
    query = select(table).order_by(*((column.desc() for column in order) if descending else order))
    for tag in wanted.tags:
        query = query.where(table.c.tags.contains(_tables.encode_tag(tag), autoescape=True))
    if wanted.stages is not None:
        query = query.where(table.c.status.in_([stage.value for stage in wanted.stages]))
    for column, value in ((table.c.device, wanted.device), (table.c.primitive, wanted.primitive)):
        if value is not None:
            query = query.where(column == value)
    if wanted.session is not None:
        query = query.where(table.c.session == wanted.session)
    if wanted.after is not None:
        query = query.where(table.c.created > _stored(wanted.after))
    if wanted.before is not None:
        query = query.where(table.c.created < _stored(wanted.before))
    return query


def _stored(time: datetime) -> str:
    return time.astimezone(UTC).isoformat()


def _record(values: dict[str, Any]) -> JobRecord:
    return JobRecord(
        job_id=values["id"],
        created=datetime.fromisoformat(values["created"]),
        updated=datetime.fromisoformat(values["updated"]),
        stage=Stage(values["status"]),
        device=values["device"],
        primitive=values["primitive"],
        tags=_tables.decode_tags(values["tags"]),
        calibration_id=values["calibration_id"],
        spec=b"",
        result=None,
        error_code=values["error_code"],
        error=values["error"],
        session=values["session"],
    )


def _now() -> datetime:
    return datetime.now(UTC)
