"""The table of the job store and how its file is opened; SQLAlchemy is imported on first use."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from qctrl.errors import JobError

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine, MetaData, Table


READS: Final = "qctrl_reads"
"""Execution option of engines whose transactions only read, and so wait for nobody."""


@cache
def _metadata() -> MetaData:
    from sqlalchemy import MetaData

    return MetaData()


@cache
def calibrations() -> Table:
    """Return the table of the calibrations that jobs ran with: one row each time that a device got another one."""
    from sqlalchemy import Column, Integer, String, Table

    return Table(
        "calibrations",
        _metadata(),
        Column("serial", Integer, primary_key=True),
        Column("device", String, nullable=False),
        Column("since", String, nullable=False),
        Column("hash", String, nullable=False),
        Column("text", String, nullable=False),
    )


@cache
def jobs() -> Table:
    """Return the table of the jobs."""
    from sqlalchemy import Column, Index, Integer, String, Table

    return Table(
        "jobs",
        _metadata(),
        Column("serial", Integer, primary_key=True),
        Column("id", String, nullable=False, unique=True),
        Column("created", String, nullable=False),
        Column("updated", String, nullable=False),
        Column("status", String, nullable=False),
        Column("device", String, nullable=False),
        Column("primitive", String, nullable=False),
        Column("tags", String, nullable=False),
        Column("calibration_id", String, nullable=False),
        Column("owner", String, nullable=False),
        Column("error_code", String, nullable=False),
        Column("error", String, nullable=False),
        Column("session", String, nullable=False, server_default=""),
        Column("cancel_asked", Integer, nullable=False, server_default="0"),
        Index("jobs_created", "created"),
    )


@cache
def blobs() -> Table:
    """Return the table of what is large: beside the jobs, so that a change of status does not write it again."""
    from sqlalchemy import Column, LargeBinary, String, Table

    return Table(
        "blobs",
        _metadata(),
        Column("job", String, primary_key=True),
        Column("kind", String, primary_key=True),
        Column("data", LargeBinary, nullable=False),
        sqlite_with_rowid=False,
    )


def encode_tag(tag: str) -> str:
    """Return one tag as it stands inside the tags column."""
    return json.dumps(tag)


def encode_tags(tags: Sequence[str]) -> str:
    """Return the tags column."""
    return json.dumps(list(tags))


def decode_tags(text: str) -> tuple[str, ...]:
    """Return the tags of a row."""
    return tuple(json.loads(text))


def open_engine(path: Path, busy_timeout_s: float, version: int) -> Engine:
    """Open the file, make the table if the file is new, and bring an older table up to date.

    Raises:
        JobError: The file was written by a later release.
    """
    from sqlalchemy import URL, create_engine, event

    engine = create_engine(
        URL.create("sqlite", database=str(path)),
        connect_args={"timeout": busy_timeout_s, "check_same_thread": False},
    )
    event.listen(engine, "connect", _configure)
    event.listen(engine, "begin", _begin)
    with engine.begin() as connection:
        found = connection.exec_driver_sql("PRAGMA user_version").scalar_one()
        if found > version:
            raise JobError(
                f"job store {path} has schema version {found}, this release knows up to {version}; "
                "install a later release, or set QCTRL_JOBS to another file"
            )
        for table in (jobs(), blobs(), calibrations()):
            table.create(connection, checkfirst=True)
        if 0 < found < version:
            _upgrade(connection, found)
        if found < version:
            connection.exec_driver_sql(f"PRAGMA user_version = {version}")
    return engine


def _upgrade(connection: Connection, found: int) -> None:
    """Bring the tables of an earlier schema up to date; the file is new or of this schema otherwise."""
    statements = [
        "ALTER TABLE jobs ADD COLUMN cancel_asked INTEGER NOT NULL DEFAULT 0",
        "INSERT INTO blobs SELECT id, 'spec', spec FROM jobs",
        "INSERT INTO blobs SELECT id, 'result', result FROM jobs WHERE result IS NOT NULL",
        "ALTER TABLE jobs DROP COLUMN spec",
        "ALTER TABLE jobs DROP COLUMN result",
    ]
    if found == 1:
        statements.insert(0, "ALTER TABLE jobs ADD COLUMN session VARCHAR NOT NULL DEFAULT ''")
    for statement in statements:
        connection.exec_driver_sql(statement)


def _configure(connection: Any, _record: Any) -> None:
    # Autocommit mode: _begin opens every transaction, as SQLAlchemy's SQLite guide advises.
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode = WAL")
    cursor.execute("PRAGMA synchronous = NORMAL")
    cursor.close()


def _begin(connection: Connection) -> None:
    # Who may write takes the lock at once: a later upgrade of a read lock would fail without waiting.
    reads = connection.get_execution_options().get(READS, False)
    connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")
