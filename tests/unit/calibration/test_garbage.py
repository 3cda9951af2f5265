from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from qctrl.calibration import load, loads
from qctrl.errors import CalibrationError
from qctrl.strict_yaml import parse_text

TEXT = (Path(__file__).parents[3] / "calibrations" / "pair2" / "nominal.yaml").read_text()
CONTENT = parse_text(TEXT, "f.yaml", CalibrationError).content
NASTY = [
    *(
        "&a",
        "*a",
        "!!float",
        "<<: ",
        ".nan",
        "-.inf",
        "1e999",
        "null",
        "\t",
        "---",
        "...",
        "%YAML 1.1\n",
        "[",
        "{",
        "}",
    ),
    *(
        ": ",
        "? ",
        "| \n",
        "> \n",
        "'",
        '"',
        "\x00",
        "\x85",
        "\u2028",
        "\ufeff",
        "\\U",
        "[[[[",
        "- - - ",
        "# ",
        "0x",
        "\r",
    ),
    "9" * 5000,
]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.sampled_from(NASTY),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


def refusal_of(action: Callable[[], object]) -> str:
    """Message of the refusal, empty if there is none; any other exception fails the test."""
    try:
        action()
    except CalibrationError as error:
        return str(error)
    return ""


def only_clear_refusals(text: str) -> None:
    message = refusal_of(lambda: loads(text, "f.yaml"))
    assert not message or message.startswith("f.yaml:")


@given(data=st.binary(max_size=300))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_bytes_are_a_calibration_error(tmp_path, data):
    path = tmp_path / "f.yaml"
    path.write_bytes(data)
    assert refusal_of(lambda: load(path)).startswith(f"{path}:")


@given(start=st.integers(0, len(TEXT)), length=st.integers(0, 30), insert=st.sampled_from(NASTY) | st.text(max_size=6))
@settings(max_examples=80)
def test_typing_error_anywhere_gives_a_calibration_error_or_a_valid_file(start, length, insert):
    only_clear_refusals(TEXT[:start] + insert + TEXT[start + length :])


def paths(node, prefix=()):
    yield prefix
    items = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, tuple) else ()
    for key, entry in items:
        yield from paths(entry, (*prefix, key))


def replaced(node, path, value):
    if not path:
        return value
    if isinstance(node, dict):
        return {key: replaced(entry, path[1:], value) if key == path[0] else entry for key, entry in node.items()}
    return [replaced(entry, path[1:], value) if index == path[0] else entry for index, entry in enumerate(node)]


@given(path=st.sampled_from(sorted(paths(CONTENT), key=str)), value=JSON)
@settings(max_examples=80)
def test_any_value_anywhere_gives_a_calibration_error_or_a_valid_file(path, value):
    only_clear_refusals(json.dumps(replaced(CONTENT, path, value)))
