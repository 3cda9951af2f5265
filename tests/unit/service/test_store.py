"""Jobs survive processes, and a damaged store says so."""

import sqlite3
import stat
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from qctrl.errors import JobError, JobNotFoundError
from qctrl.service import JobFilter, JobStore, Stage, Submission, _schema, default_path


def submission(job_id, tags=(), device="pair2", primitive="sampler", session=""):
    return Submission(
        job_id=job_id,
        device=device,
        primitive=primitive,
        calibration_id="cal-1",
        spec=b"spec",
        tags=tags,
        session=session,
    )


@pytest.fixture
def store(tmp_path):
    store = JobStore(tmp_path / "deep" / "jobs.sqlite")
    yield store
    store.close()


def test_a_job_is_found_with_everything_that_was_stored(store):
    before = datetime.now(UTC)
    store.add(submission("a", tags=("bell", 'quo"te')))
    store.mark_running("a")
    assert store.get("a").stage is Stage.RUNNING
    store.finish("a", b"result")
    record = store.get("a")
    assert (record.stage, record.spec, record.result) == (Stage.DONE, b"spec", b"result")
    assert record.tags == ("bell", 'quo"te')
    assert before <= record.created <= record.updated


def test_an_unknown_job_is_named(store):
    with pytest.raises(JobNotFoundError, match="no job nothing") as caught:
        store.get("nothing")
    assert caught.value.job_id == "nothing"


def test_lists_are_newest_first_and_filtered(store):
    start = datetime.now(UTC)
    for index in range(12):
        store.add(submission(f"j{index}", tags=("even",) if index % 2 == 0 else ("odd", "x%y")))
    store.fail("j3", Stage.ERROR, "QC-JOB", "boom")
    store.add(submission("other", device="chain5"))
    assert [record.job_id for record in store.list(limit=3)] == ["other", "j11", "j10"]
    assert len(store.list(limit=None)) == 13
    assert {(record.spec, record.result) for record in store.list()} == {(b"", None)}, "lists are light"
    assert [record.job_id for record in store.list(JobFilter(tags=("even",)), limit=2)] == ["j10", "j8"]
    assert [record.job_id for record in store.list(JobFilter(tags=("odd", "x%y")), limit=1)] == ["j11"]
    assert store.list(JobFilter(tags=("xzy",))) == [], "a tag is no pattern"
    assert [record.job_id for record in store.list(JobFilter(stages=(Stage.ERROR,)))] == ["j3"]
    assert [record.job_id for record in store.list(JobFilter(device="chain5"))] == ["other"]
    assert store.list(JobFilter(after=datetime.now(UTC) + timedelta(hours=1))) == []
    assert len(store.list(JobFilter(after=start), limit=None)) == 13


def test_lists_come_in_pages_and_in_either_order(store):
    for index in range(7):
        store.add(
            submission(f"j{index}", session="s" if index % 3 == 0 else "", primitive="run" if index > 4 else "sampler")
        )
    middle = store.get("j3").created
    assert [record.job_id for record in store.list(limit=3, skip=2)] == ["j4", "j3", "j2"]
    assert [record.job_id for record in store.list(limit=2, skip=6)] == ["j0"]
    assert [record.job_id for record in store.list(limit=2, skip=1, descending=False)] == ["j1", "j2"]
    assert [record.job_id for record in store.list(JobFilter(session="s"))] == ["j6", "j3", "j0"]
    assert [record.job_id for record in store.list(JobFilter(primitive="run"))] == ["j6", "j5"]
    assert [record.job_id for record in store.list(JobFilter(before=middle))] == ["j2", "j1", "j0"]
    assert store.list(JobFilter(stages=())) == []
    assert store.get("j3").session == "s"


def test_tags_can_be_replaced_and_ended_jobs_forgotten(store):
    store.add(submission("a", tags=("x",)))
    store.retag("a", ["y", "z"])
    assert store.get("a").tags == ("y", "z")
    with pytest.raises(JobError, match="job a has not ended; cancel it first"):
        store.delete("a")
    store.finish("a", b"result")
    store.delete("a")
    with pytest.raises(JobNotFoundError):
        store.delete("a")


def test_a_file_of_the_first_schema_is_brought_up_to_date(store):
    store.add(submission("a"))
    store.finish("a", b"result")
    store.add(submission("waiting"))
    with store._transaction("") as connection:
        for statement in (
            "ALTER TABLE jobs ADD COLUMN spec BLOB NOT NULL DEFAULT 'spec'",
            "ALTER TABLE jobs ADD COLUMN result BLOB",
            "UPDATE jobs SET result = data FROM blobs WHERE blobs.job = jobs.id AND kind = 'result'",
            "ALTER TABLE jobs DROP COLUMN session",
            "ALTER TABLE jobs DROP COLUMN cancel_asked",
            "DROP TABLE blobs",
            "PRAGMA user_version = 1",
        ):
            connection.execute(statement)
    store.close()
    again = JobStore(store.path)
    assert again.get("a").session == ""
    assert again.get("a").result == b"result"
    assert again.get("waiting").result is None
    again.add(submission("b", session="s"))
    assert [record.job_id for record in again.list(JobFilter(session="s"))] == ["b"]
    again.close()


def test_an_end_that_is_committed_twice_is_stored_once(store):
    store.add(submission("a"))
    store.finish("a", b"one")
    store.finish("a", b"result")
    assert store.get("a").result == b"result"
    assert store.get("a", light=True).result is None


def test_a_job_can_be_asked_to_end_until_it_has(store):
    store.add(submission("a"))
    assert not store.is_cancel_asked("a")
    assert store.ask_to_cancel("a")
    assert store.is_cancel_asked("a")
    store.finish("a", b"result")
    assert not store.ask_to_cancel("a")
    assert not store.is_cancel_asked("nothing")


def test_reading_waits_for_no_writer(store):
    store.add(submission("a"))
    other = sqlite3.connect(store.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    assert not store.is_cancel_asked("a")
    other.close()


def test_every_commit_waits_for_the_disk(tmp_path):
    connection = _schema.open_connection(tmp_path / "jobs.sqlite", 1.0)
    full = 2
    assert connection.execute("PRAGMA synchronous").fetchone()[0] == full
    connection.close()


def test_the_file_is_readable_by_its_owner_alone(store):
    store.add(submission("a"))
    for suffix in ("", "-wal"):
        assert stat.S_IMODE(Path(f"{store.path}{suffix}").stat().st_mode) == 0o600


def test_a_job_of_a_dead_process_is_interrupted_and_not_lost(store):
    code = (
        "import os, sys; from pathlib import Path; from qctrl.service import JobStore, Submission;"
        "store = JobStore(Path(sys.argv[1]));"
        "[store.add(Submission(job_id=i, device='d', primitive='run', calibration_id='', spec=b's')) for i in 'abc'];"
        "store.mark_running('b'); store.finish('c', b'r'); os._exit(9)"
    )
    assert subprocess.run([sys.executable, "-c", code, str(store.path)], check=False).returncode == 9
    assert store.get("a").stage is Stage.INTERRUPTED
    assert [record.job_id for record in store.list(JobFilter(stages=(Stage.INTERRUPTED,)))] == ["b", "a"]
    assert "submit it again" in store.get("b").error
    assert store.get("b").spec == b"s"
    assert store.get("c").result == b"r"


def test_a_process_that_leaves_takes_no_log_from_under_the_others(store):
    store.add(submission("a"))
    _schema.open_connection(store.path, 1.0).close()
    code = (
        "import sqlite3, sys; connection = sqlite3.connect(sys.argv[1]);"
        "connection.execute('SELECT * FROM jobs').fetchall(); connection.close()"
    )
    assert subprocess.run([sys.executable, "-S", "-c", code, str(store.path)], check=False).returncode == 0
    store.add(submission("b"))
    assert JobStore(store.path).get("b").job_id == "b"


def test_a_job_of_a_living_process_is_left_alone(store):
    store.add(submission("a"))
    assert JobStore(store.path).get("a").stage is Stage.QUEUED


def test_a_file_that_is_no_database_is_named_and_kept(tmp_path):
    path = tmp_path / "jobs.sqlite"
    path.write_bytes(b"not a database, but precious" * 100)
    content = path.read_bytes()
    with pytest.raises(JobError, match=r"jobs\.sqlite: file is not a database; .*move it away and keep it"):
        JobStore(path).add(submission("a"))
    assert path.read_bytes() == content


def test_a_store_of_a_later_release_is_refused(tmp_path):
    path = tmp_path / "jobs.sqlite"
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(JobError, match="schema version 99"):
        JobStore(path).list()


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(JobError, match="set QCTRL_JOBS to another file"):
        JobStore(tmp_path / "file" / "jobs.sqlite").list()


def test_a_full_disk_is_named(tmp_path):
    store = JobStore(tmp_path / "jobs.sqlite")
    store.add(submission("a"))
    with store._transaction("", reads=True) as connection:
        connection.execute("PRAGMA max_page_count = 10")
    with pytest.raises(JobError, match="full; free some disk space"):
        store.finish("a", bytes(1 << 20))
    store.close()


def test_many_writers_wait_for_each_other(tmp_path):
    path = tmp_path / "jobs.sqlite"
    failures = []

    def write(number):
        try:
            store = JobStore(path)
            for index in range(5):
                store.add(submission(f"{number}-{index}"))
            store.close()
        except JobError as error:
            failures.append(error)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert len(JobStore(path).list(limit=None)) == 30


def test_the_environment_names_the_file(monkeypatch, tmp_path):
    monkeypatch.setenv("QCTRL_JOBS", str(tmp_path / "mine.sqlite"))
    assert default_path() == tmp_path / "mine.sqlite"
    monkeypatch.delenv("QCTRL_JOBS")
    assert default_path().name == "jobs.sqlite"
    assert default_path().parent.name == "qctrl"
