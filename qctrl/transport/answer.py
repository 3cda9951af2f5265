"""What a request brings back, on both ends of the wire."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from qctrl.transport.framing import Buffer


@dataclass(frozen=True, slots=True)
class Answer:
    """Body (JSON types only) and raw buffers of a successful reply."""

    body: Mapping[str, Any] = field(default_factory=dict[str, Any])
    buffers: tuple[Buffer, ...] = ()
