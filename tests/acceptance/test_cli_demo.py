"""``qctrl demo``."""

import json

from qctrl.cli import main

STAGES = ["device", "circuit", "transpile", "lower", "schedule", "assemble", "submit", "execute", "read out"]


def test_demo_tells_every_stage_and_shows_a_bell_pair(capsys):
    assert main(["demo", "--shots", "500"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line[3:13].strip() for line in lines[: len(STAGES)]] == STAGES
    assert "register meas, 500 shots" in lines


def test_demo_as_json_has_hashes_times_and_counts(capsys):
    assert main(["demo", "--shots", "2000", "--seed", "1", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert [stage["stage"] for stage in document["stages"]] == STAGES
    assert all(stage["duration_s"] >= 0 for stage in document["stages"])
    assert len(document["setup_hash"]) == len(document["program_hash"]) == 64
    counts = document["registers"]["meas"]
    # 0.90 is far below what the calibration's errors leave, far above what a wrong phase would give.
    assert (counts["00"] + counts["11"]) / 2000 > 0.90
    assert 0.40 < counts["00"] / 2000 < 0.62
