"""Read a calibration file."""

from __future__ import annotations

from pathlib import Path

from qctrl.calibration.document import Document
from qctrl.calibration.view import Calibration
from qctrl.errors import CalibrationError
from qctrl.strict_yaml import parse_text, read_text, validate


def load(path: str | Path) -> Calibration:
    """Return the calibration in a YAML file.

    Args:
        path: The file.

    Raises:
        CalibrationError: ``file:line:column: path.to.key: value ...; remedy``, one line per problem.
    """
    return loads(read_text(Path(path), CalibrationError), str(path))


def loads(text: str, name: str = "<text>") -> Calibration:
    """Return the calibration in YAML ``text``.

    Args:
        text: The YAML text.
        name: What to call it in messages.

    Raises:
        CalibrationError: As ``load``.
    """
    source = parse_text(text, name, CalibrationError)
    return Calibration.from_document(validate(source, Document, CalibrationError), name)
