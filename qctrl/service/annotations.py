"""Annotations of boxes, of packages that the store does not know: their namespace and their text are kept."""

from __future__ import annotations

from typing import Any

from qiskit.circuit import Annotation
from qiskit.circuit.annotation import QPYSerializer


class KeptAnnotation(Annotation):  # pyright: ignore[reportUntypedBaseClass] Qiskit gives its Rust half no types
    """What the store knows of an annotation.

    Args:
        namespace: Of the annotation.
        text: Its ``repr``.
    """

    def __init__(self, namespace: str, text: str) -> None:
        self.namespace = namespace
        self.text = text

    def __repr__(self) -> str:
        return self.text

    def __eq__(self, other: object) -> bool:
        return isinstance(other, KeptAnnotation) and (self.namespace, self.text) == (other.namespace, other.text)

    def __hash__(self) -> int:
        return hash((self.namespace, self.text))


class AnnotationKeeper(QPYSerializer):
    """Writes any annotation as its namespace and its ``repr``: what is played does not depend on more."""

    def dump_annotation(self, namespace: str, annotation: Any) -> bytes:  # noqa: ARG002  (Qiskit's interface)
        """Return the annotation as bytes."""
        return f"{annotation.namespace}\0{annotation!r}".encode()

    def load_annotation(self, payload: bytes) -> KeptAnnotation:
        """Return what is known of the annotation."""
        namespace, _, text = payload.decode().partition("\0")
        return KeptAnnotation(namespace, text)

    def dump_state(self) -> bytes:
        """Return nothing: annotations are kept one by one."""
        return b""

    def load_state(self, namespace: str, payload: bytes) -> None:
        """Do nothing: there is no state."""
