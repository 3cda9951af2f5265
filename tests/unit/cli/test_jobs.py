"""``qctrl jobs``, on a store without results; results are shown in the acceptance tests."""

import json

import pytest

from qctrl.cli import main
from qctrl.service import JobStore, Stage, Submission

IDS = ("aaaa1111", "aaaa2222", "bbbb3333")


@pytest.fixture
def store(tmp_path, monkeypatch):
    path = tmp_path / "jobs.sqlite"
    monkeypatch.setenv("QCTRL_JOBS", str(path))
    store = JobStore()
    for number, job_id in enumerate(IDS):
        tags = ("bell",) if number else ()
        store.add(Submission(job_id, "pair2", "sampler", "cal-1", b"{}", tags))
    store.fail(IDS[1], Stage.ERROR, "QC-INST", "it broke")
    yield store
    store.close()


def test_jobs_are_listed_newest_first(capsys, store):
    assert main(["jobs", "list"]) == 0
    header, *rows = capsys.readouterr().out.splitlines()
    assert header.split() == ["job", "created", "status", "device", "primitive", "tags"]
    assert [row.split()[0] for row in rows] == list(reversed(IDS))


def test_list_can_be_filtered(capsys, store):
    assert main(["jobs", "list", "--tag", "bell", "--limit", "1", "--device", "pair2", "--json"]) == 0
    (job,) = json.loads(capsys.readouterr().out)
    assert (job["job_id"], job["tags"], job["status"]) == (IDS[2], ["bell"], "QUEUED")


def test_first_characters_of_the_id_are_enough(capsys, store):
    assert main(["jobs", "show", "aaaa2"]) == 0
    shown = capsys.readouterr().out
    assert IDS[1] in shown
    assert "it broke" in shown


def test_show_as_json(capsys, store):
    assert main(["jobs", "show", "bbbb", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["job_id"] == IDS[2]


def test_ambiguous_id_is_refused(capsys, store):
    assert main(["jobs", "show", "aaaa"]) == 1
    assert "2 jobs start with aaaa" in capsys.readouterr().err


def test_unknown_id_is_refused(capsys, store):
    assert main(["jobs", "result", "cccc"]) == 1
    assert capsys.readouterr().err.startswith("error [QC-JOB-UNKNOWN]: no job cccc")


def test_damaged_store_is_named_and_left_alone(capsys, tmp_path, monkeypatch):
    path = tmp_path / "broken.sqlite"
    path.write_bytes(b"this is no database" * 100)
    monkeypatch.setenv("QCTRL_JOBS", str(path))
    assert main(["jobs", "list"]) == 1
    assert str(path) in capsys.readouterr().err
    assert path.read_bytes() == b"this is no database" * 100
