"""YAML as the stack accepts it: plain values with places, checked against strict models."""

from qctrl.strict_yaml.models import StrictModel, Text, problem, validate
from qctrl.strict_yaml.quantities import number, parse_quantity, quantity, within
from qctrl.strict_yaml.source import KeyPath, Place, Plain, Source, parse_text, read_text

__all__ = [
    "KeyPath",
    "Place",
    "Plain",
    "Source",
    "StrictModel",
    "Text",
    "number",
    "parse_quantity",
    "parse_text",
    "problem",
    "quantity",
    "read_text",
    "validate",
    "within",
]
