"""Tables and JSON."""

import json
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path
from types import MappingProxyType

import numpy as np

from qctrl.cli.output import print_columns, print_counts, print_json


def test_numbers_are_aligned_to_the_right_and_words_to_the_left(capsys):
    print_columns([("a", 1), ("bb", 100)], header=("name", "n"))
    assert capsys.readouterr().out.splitlines() == ["name    n", "a       1", "bb    100"]


def test_header_alone_is_printed_for_an_empty_table(capsys):
    print_columns([], header=("name", "n"))
    assert capsys.readouterr().out == "name  n\n"


def test_nothing_is_printed_for_nothing(capsys):
    print_columns([])
    assert capsys.readouterr().out == ""


def test_counts_are_ranked_and_stated_in_percent(capsys):
    print_counts({"c": {"01": 25, "11": 75}})
    first, second, third = capsys.readouterr().out.splitlines()
    assert first == "register c, 100 shots"
    assert second.split() == ["11", "75", "75.00%", "#" * 30]
    assert third.split() == ["01", "25", "25.00%", "#" * 10]


def test_json_has_plain_values_only(capsys):
    print_json(
        {
            "path": Path("a/b"),
            "hash": b"\x01\xff",
            "when": datetime(2026, 1, 2, tzinfo=UTC),
            "array": np.arange(3),
            "number": np.float64(0.5),
            "mapping": MappingProxyType({"a": 1}),
            "fraction": Fraction(1, 3),
        }
    )
    assert json.loads(capsys.readouterr().out) == {
        "path": "a/b",
        "hash": "01ff",
        "when": "2026-01-02T00:00:00+00:00",
        "array": [0, 1, 2],
        "number": 0.5,
        "mapping": {"a": 1},
        "fraction": "1/3",
    }
