"""How a circuit is played, beyond what it says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from qctrl.compiler.schedule import Method


@dataclass(frozen=True, slots=True)
class Decoupling:
    """Pulses that fill idle windows and together do nothing, so that slow noise averages out."""

    sequence: Literal["XX", "XpXm", "XY4"] = "XX"
    """Which pulses, once in every window that has room for them."""
    slack: Literal["middle", "edges"] = "middle"
    """Where the time goes that is left when the pulses are on their grid."""
    skips_reset: bool = False
    """Whether qubits that are known to be in their ground state are left alone."""


@dataclass(frozen=True, slots=True)
class CompileOptions:
    """Everything that the compiler is told beside circuit, calibration, setup and custom gates."""

    method: Method = "alap"
    """Whether instructions start as late as possible, ``alap``, or as soon as possible, ``asap``."""
    decoupling: Decoupling | None = None
    """What idle qubits are given to do."""
    stretch: float = 1.0
    """How many times longer, and weaker, pulses and delays are, 1 or more; readout stays."""


DEFAULT = CompileOptions()
