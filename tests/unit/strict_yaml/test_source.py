from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qctrl.errors import ConfigError
from qctrl.strict_yaml import Place, parse_text, read_text
from qctrl.strict_yaml.source import MAX_BYTES, MAX_DEPTH


def content(text: str):
    return parse_text(text, "f.yaml", ConfigError).content


def refusal(text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        parse_text(text, "f.yaml", ConfigError)
    return str(caught.value)


@pytest.mark.parametrize(
    ("scalar", "value"),
    [
        ("4.913250e9", 4.91325e9),
        ("1e9", 1e9),
        ("-.5", -0.5),
        ("12", 12),
        ("010", 10),
        ("0x1F", 31),
        ("0o17", 15),
        ("no", "no"),
        ("12:30:00", "12:30:00"),
        ("2026-11-22T20:11:04Z", "2026-11-22T20:11:04Z"),
        ("true", True),
        ("False", False),
        ("~", None),
        ("", None),
        ("1_000", "1_000"),
        ('"4"', "4"),
        ("'true'", "true"),
        ("[1, [2.5]]", (1, (2.5,))),
        ("{}", {}),
    ],
)
def test_scalars_follow_the_core_schema_of_yaml_1_2(scalar, value):
    found = content(f"a: {scalar}\n")
    assert found == {"a": value}
    assert type(found["a"]) is type(value)


def test_time_inside_a_flow_map_needs_no_quotes():
    assert content("{at: 2026-11-22T20:11:04Z}") == {"at": "2026-11-22T20:11:04Z"}


def test_places_of_keys_and_values_count_from_one():
    source = parse_text("a:\n  b: [1, {c: 2}]\n", "f.yaml", ConfigError)
    assert source.keys["a", "b"] == Place(2, 3)
    assert source.values["a", "b"] == Place(2, 6)
    assert source.values["a", "b", 1, "c"] == Place(2, 14)
    assert source.where(("a", "b", 1, "c"), key=True) == "f.yaml:2:11"
    assert source.where(("a", "missing", "deeper")) == "f.yaml:2:3"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "f.yaml:1:1: document: the file is empty"),
        ("# only a comment\n", "the file is empty"),
        ("a: 1\na: 2\n", "f.yaml:2:1: a: duplicate key, first at line 1; remove one"),
        ("a: {b: 1, b: 2}", "f.yaml:1:11: a.b: duplicate key"),
        ("a: &x 1\n", "a: anchors and aliases are not accepted"),
        ("a: *x\n", "a: anchors and aliases are not accepted"),
        ("&x a: 1\n", "anchors and aliases are not accepted"),
        ("- &x [1]\n", "f.yaml:1:3: [0]: anchors and aliases"),
        ("a: !!python/object:os.system {}\n", "a: tag tag:yaml.org,2002:python/object:os.system is not accepted"),
        ("a: !!float 3\n", "is not accepted; remove it"),
        ("a: .inf\n", "a: value .inf is not finite"),
        ("a: -1e999\n", "a: value -1e999 is not finite"),
        ("? [1]\n: 2\n", "a key must be text"),
        ("a: 1\n---\nb: 2\n", "f.yaml:2:1: a second document starts here"),
        ("%YAML 1.1\n---\na: no\n", "YAML version (1, 1) is not accepted"),
        ("a: [1, 2\n", "f.yaml:2:1: not YAML: while parsing a flow sequence"),
        ("a: b: c\n", "f.yaml:1:5: not YAML: mapping values are not allowed here"),
        ("a: \x01\n", "f.yaml:1:4: not YAML"),
        ('a: "\\UFFFFFFFF"\n', "not YAML"),
        ("\ta: 1\n", "not YAML"),
    ],
)
def test_bad_text_is_refused_with_its_place(text, expected):
    message = refusal(text)
    assert expected in message
    assert message.startswith("f.yaml:")


def test_nesting_is_bounded_without_recursion():
    deepest = "[" * MAX_DEPTH + "]" * MAX_DEPTH
    assert content(deepest) is not None
    assert "nested deeper than 32 levels" in refusal("[" * 100_000)


def test_file_size_is_bounded(tmp_path):
    large = tmp_path / "large.yaml"
    large.write_bytes(b"#" * (MAX_BYTES + 1))
    with pytest.raises(ConfigError, match=f"size {MAX_BYTES + 1} bytes exceeds {MAX_BYTES}"):
        read_text(large, ConfigError)


def test_unreadable_path_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"does not exist|cannot be read"):
        read_text(tmp_path / ("x" * 5000), ConfigError)
    with pytest.raises(ConfigError, match=r"does not exist|cannot be read"):
        read_text(tmp_path / "a\0b", ConfigError)


def test_byte_order_mark_is_ignored(tmp_path):
    path = tmp_path / "f.yaml"
    path.write_bytes(b"\xef\xbb\xbfa: 1\n")
    assert content(read_text(path, ConfigError)) == {"a": 1}


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_every_float_reads_back_as_itself(value):
    found = content(f"a: {value!r}")
    assert found == {"a": value}
    assert math.copysign(1, found["a"]) == math.copysign(1, value)


@given(st.text(max_size=200))
def test_any_text_is_content_or_one_clear_refusal(text):
    message = ""
    try:
        parse_text(text, "f.yaml", ConfigError)
    except ConfigError as error:
        message = str(error)
    assert not message or message.startswith("f.yaml:")
