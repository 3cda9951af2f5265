"""The tables of the job store, and how its file is opened."""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from qctrl.errors import JobError

VERSION: Final = 4
_TABLES: Final = (
    """CREATE TABLE IF NOT EXISTS jobs (
        serial INTEGER PRIMARY KEY NOT NULL,
        id VARCHAR NOT NULL UNIQUE,
        created VARCHAR NOT NULL,
        updated VARCHAR NOT NULL,
        status VARCHAR NOT NULL,
        device VARCHAR NOT NULL,
        primitive VARCHAR NOT NULL,
        tags VARCHAR NOT NULL,
        calibration_id VARCHAR NOT NULL,
        owner VARCHAR NOT NULL,
        error_code VARCHAR NOT NULL,
        error VARCHAR NOT NULL,
        session VARCHAR DEFAULT '' NOT NULL,
        cancel_asked INTEGER DEFAULT '0' NOT NULL
    )""",
    "CREATE INDEX IF NOT EXISTS jobs_created ON jobs (created)",
    # What is large stands beside the jobs, so that a change of status does not write it again.
    """CREATE TABLE IF NOT EXISTS blobs (
        job VARCHAR NOT NULL, kind VARCHAR NOT NULL, data BLOB NOT NULL, PRIMARY KEY (job, kind)
    ) WITHOUT ROWID""",
    # The calibrations that jobs ran with: one row each time that a device got another one.
    """CREATE TABLE IF NOT EXISTS calibrations (
        serial INTEGER PRIMARY KEY NOT NULL,
        device VARCHAR NOT NULL,
        since VARCHAR NOT NULL,
        hash VARCHAR NOT NULL,
        text VARCHAR NOT NULL
    )""",
)
_UPGRADE: Final = (
    "ALTER TABLE jobs ADD COLUMN cancel_asked INTEGER NOT NULL DEFAULT 0",
    "INSERT INTO blobs SELECT id, 'spec', spec FROM jobs",
    "INSERT INTO blobs SELECT id, 'result', result FROM jobs WHERE result IS NOT NULL",
    "ALTER TABLE jobs DROP COLUMN spec",
    "ALTER TABLE jobs DROP COLUMN result",
)
_SESSION: Final = "ALTER TABLE jobs ADD COLUMN session VARCHAR NOT NULL DEFAULT ''"
"""What the first schema lacks besides."""


def encode_tag(tag: str) -> str:
    """Return one tag as it stands inside the tags column."""
    return json.dumps(tag)


def encode_tags(tags: Sequence[str]) -> str:
    """Return the tags column."""
    return json.dumps(list(tags))


def decode_tags(text: str) -> tuple[str, ...]:
    """Return the tags of a row."""
    return tuple(json.loads(text))


def open_connection(path: Path, busy_timeout_s: float) -> sqlite3.Connection:
    """Open the file, make the tables if it is new, and bring older ones up to date.

    The connection is in autocommit mode, so whoever uses it begins its transactions.

    Raises:
        JobError: The file was written by a later release.
        OSError: The file cannot be made.
        sqlite3.Error: The file cannot be used.
    """
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    # Only a file that is new is touched: to close one drops every lock that this process has on it, and a process that
    # then found no lock would take the log from under the connections that are open here.
    with contextlib.suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    connection = sqlite3.connect(path, timeout=busy_timeout_s, isolation_level=None, check_same_thread=False)
    try:
        connection.row_factory = sqlite3.Row
        connection.execute("PRAGMA journal_mode = WAL")
        # What was acknowledged outlives a power cut: each commit waits until the disk has it.
        connection.execute("PRAGMA synchronous = FULL")
        if _version(connection, path) < VERSION:
            _bring_up_to_date(connection, path)
    except BaseException:
        connection.close()
        raise
    return connection


def _version(connection: sqlite3.Connection, path: Path) -> int:
    found = int(connection.execute("PRAGMA user_version").fetchone()[0])
    if found > VERSION:
        raise JobError(
            f"job store {path} has schema version {found}, this release knows up to {VERSION}; "
            "install a later release, or set QCTRL_JOBS to another file"
        )
    return found


def _bring_up_to_date(connection: sqlite3.Connection, path: Path) -> None:
    connection.execute("BEGIN IMMEDIATE")
    # Another process may have done it while this one waited.
    found = _version(connection, path)
    for statement in _TABLES:
        connection.execute(statement)
    if 0 < found < VERSION:
        for statement in (_SESSION, *_UPGRADE) if found == 1 else _UPGRADE:
            connection.execute(statement)
    connection.execute(f"PRAGMA user_version = {VERSION}")
    connection.execute("COMMIT")
