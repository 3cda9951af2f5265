"""Jobs in a local SQLite file."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from qctrl.errors import JobError, JobNotFoundError
from qctrl.service import _schema, owner
from qctrl.service.record import JobFilter, JobRecord, Stage, Submission

_BUSY_TIMEOUT_S = 10.0
_ALL = JobFilter()
_ONE = "SELECT * FROM jobs WHERE id = ?"
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
        self._idle: list[sqlite3.Connection] = []

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
            "tags": _schema.encode_tags(submission.tags),
            "calibration_id": submission.calibration_id,
            "owner": owner.this_process(),
            "error_code": "",
            "error": "",
            "session": submission.session,
        }
        with self._transaction(submission.job_id) as connection:
            columns, values = ", ".join(row), ", ".join(f":{name}" for name in row)
            connection.execute(f"INSERT INTO jobs ({columns}) VALUES ({values})", row)  # noqa: S608 (our own names)
            _keep_blob(connection, submission.job_id, "spec", submission.spec)
            if submission.calibration_text:
                _keep_calibration(connection, submission, now)
        return replace(_record(row), spec=submission.spec)

    def calibration(self, calibration_hash: str) -> str | None:
        """Return a calibration that a job ran with, as YAML; ``None`` if it was not kept.

        Args:
            calibration_hash: Its content hash, in hex.
        """
        query = "SELECT text FROM calibrations WHERE hash = ? LIMIT 1"
        with self._transaction("", reads=True) as connection:
            row = connection.execute(query, (calibration_hash,)).fetchone()
        return None if row is None else row["text"]

    def calibration_at(self, device: str, time: datetime) -> str | None:
        """Return the calibration that the jobs of a device ran with at a time, as YAML; ``None`` before the first."""
        query = "SELECT text FROM calibrations WHERE device = ? AND since <= ? ORDER BY serial DESC LIMIT 1"
        with self._transaction("", reads=True) as connection:
            row = connection.execute(query, (device, _stored(time))).fetchone()
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
        with self._transaction(job_id) as connection:
            row = connection.execute(_ONE, (job_id,)).fetchone()
            if row is None:
                raise JobNotFoundError(
                    f"no job {job_id} in {self._path}; service.jobs() lists what is stored", job_id=job_id
                )
            record = self._settled(connection, row)
            if light:
                return record
            found = connection.execute("SELECT kind, data FROM blobs WHERE job = ?", (job_id,))
            kept: dict[str, bytes] = {each["kind"]: each["data"] for each in found}
        return replace(record, spec=kept.get("spec", b""), result=kept.get("result"))

    def ask_to_cancel(self, job_id: str) -> bool:
        """Ask the process that runs a job to cancel it; return False if the job has ended already."""
        with self._transaction(job_id) as connection:
            row = connection.execute(_ONE, (job_id,)).fetchone()
            if self._settled(connection, row).stage.final:
                return False
            _change(connection, job_id, cancel_asked=1)
        return True

    def is_cancel_asked(self, job_id: str) -> bool:
        """Return whether some process asked for the end of a job."""
        with self._transaction(job_id, reads=True) as connection:
            row = connection.execute("SELECT cancel_asked FROM jobs WHERE id = ?", (job_id,)).fetchone()
        return row is not None and bool(row["cancel_asked"])

    def retag(self, job_id: str, tags: Sequence[str]) -> None:
        """Replace the tags of a job."""
        self._update(job_id, tags=_schema.encode_tags(tags))

    def delete(self, job_id: str) -> None:
        """Forget a job that has ended.

        Raises:
            JobNotFoundError: No such job is stored in this file.
            JobError: It has not ended.
        """
        if not self.get(job_id).stage.final:
            raise JobError(f"job {job_id} has not ended; cancel it first", job_id=job_id)
        with self._transaction(job_id) as connection:
            connection.execute("DELETE FROM jobs WHERE id = ?", (job_id,))
            connection.execute("DELETE FROM blobs WHERE job = ?", (job_id,))

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
        query, values = _filtered(wanted, descending=descending)
        with self._transaction("") as connection:
            # A stage that the query asks for must be true before it is asked.
            for row in connection.execute(*_filtered(_UNSETTLED, descending=True)).fetchall():
                self._settled(connection, row)
            page = (*values, -1 if limit is None else limit, skip)
            return [_record(dict(row)) for row in connection.execute(f"{query} LIMIT ? OFFSET ?", page)]

    def close(self) -> None:
        """Release the file."""
        while self._idle:
            self._idle.pop().close()

    def _settled(self, connection: sqlite3.Connection, row: sqlite3.Row) -> JobRecord:
        """Return the record, after marking it interrupted if its process is gone."""
        values: dict[str, Any] = dict(row)
        if not Stage(values["status"]).final and not owner.is_alive(values["owner"]):
            values["status"] = Stage.INTERRUPTED.value
            values["error"] = "the process that ran this job ended before the job did; submit it again"
            values["error_code"] = "QC-JOB-INTERRUPTED"
            connection.execute(
                "UPDATE jobs SET status = :status, error = :error, error_code = :error_code WHERE id = :id", values
            )
        return _record(values)

    def _update(self, job_id: str, **values: Any) -> None:
        with self._transaction(job_id) as connection:
            _change(connection, job_id, **values)

    @contextmanager
    def _transaction(self, job_id: str, *, reads: bool = False) -> Generator[sqlite3.Connection]:
        try:
            connection = self._taken()
            try:
                # Who may write takes the lock at once: a later upgrade of a read lock would fail without waiting.
                connection.execute("BEGIN" if reads else "BEGIN IMMEDIATE")
                yield connection
                connection.execute("COMMIT")
            finally:
                if connection.in_transaction:
                    connection.rollback()
                self._idle.append(connection)
        except (OSError, sqlite3.Error) as error:
            raise self._explained(error, job_id) from error

    def _taken(self) -> sqlite3.Connection:
        """Return a connection that no other thread uses."""
        try:
            return self._idle.pop()
        except IndexError:
            return _schema.open_connection(self._path, _BUSY_TIMEOUT_S)

    def _explained(self, error: Exception, job_id: str) -> JobError:
        text = str(error)
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


def _change(connection: sqlite3.Connection, job_id: str, **values: Any) -> None:
    changes = ", ".join(f"{name} = :{name}" for name in values)
    query = f"UPDATE jobs SET updated = :updated, {changes} WHERE id = :id"  # noqa: S608 (our own names)
    connection.execute(query, {"id": job_id, "updated": _now().isoformat(), **values})


def _keep_blob(connection: sqlite3.Connection, job_id: str, kind: str, data: bytes) -> None:
    # Committing an end again changes nothing.
    connection.execute("INSERT OR REPLACE INTO blobs (job, kind, data) VALUES (?, ?, ?)", (job_id, kind, data))


def _keep_calibration(connection: sqlite3.Connection, submission: Submission, now: datetime) -> None:
    """Add a row if the device's jobs ran with another calibration until now."""
    last = "SELECT hash FROM calibrations WHERE device = ? ORDER BY serial DESC LIMIT 1"
    row = connection.execute(last, (submission.device,)).fetchone()
    if row is None or row["hash"] != submission.calibration_hash:
        connection.execute(
            "INSERT INTO calibrations (device, since, hash, text) VALUES (?, ?, ?, ?)",
            (submission.device, now.isoformat(), submission.calibration_hash, submission.calibration_text),
        )


def _filtered(wanted: JobFilter, *, descending: bool) -> tuple[str, list[Any]]:
    """Return the query for the jobs that are wanted, and its values."""
    conditions: list[tuple[str, Sequence[Any]]] = [
        ("instr(tags, ?) > 0", (_schema.encode_tag(tag),)) for tag in wanted.tags
    ]
    if wanted.stages is not None:
        places = ", ".join("?" for _ in wanted.stages)
        conditions.append((f"status IN ({places})", [stage.value for stage in wanted.stages]))
    equal = {"device": wanted.device, "primitive": wanted.primitive, "session": wanted.session}
    conditions += [(f"{column} = ?", (value,)) for column, value in equal.items() if value is not None]
    if wanted.after is not None:
        conditions.append(("created > ?", (_stored(wanted.after),)))
    if wanted.before is not None:
        conditions.append(("created < ?", (_stored(wanted.before),)))
    where = " AND ".join(text for text, _ in conditions) or "1"
    order = "DESC" if descending else "ASC"
    query = f"SELECT * FROM jobs WHERE {where} ORDER BY created {order}, serial {order}"  # noqa: S608 (our own words)
    return query, [value for _, values in conditions for value in values]


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
        tags=_schema.decode_tags(values["tags"]),
        calibration_id=values["calibration_id"],
        spec=b"",
        result=None,
        error_code=values["error_code"],
        error=values["error"],
        session=values["session"],
    )


def _now() -> datetime:
    return datetime.now(UTC)
