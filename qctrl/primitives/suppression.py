"""Options against errors that act before the shots are taken: decoupling of idle qubits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from qctrl.compiler import CompileOptions, Decoupling
from qctrl.primitives.option_tree import Options, Rule

SEQUENCES = ("XX", "XpXm", "XY4")


def one_of(*allowed: Any) -> Rule:
    """Return the rule of an option with a few values."""
    return Rule(lambda value: value in allowed, f"one of {', '.join(map(repr, allowed))}")


FLAG = Rule(lambda value: isinstance(value, bool), "True or False")


@dataclass
class DynamicalDecouplingOptions(Options):
    """Pulses for qubits that wait; they are part of the compiled program, also in loops and branches."""

    enable: bool = False
    """Fill the idle windows."""
    sequence_type: str = "XX"
    """``XX``; ``XpXm``, half turns forth and back; ``XY4``, also against the errors of the pulses."""
    extra_slack_distribution: str = "middle"
    """Where the time goes that the grid of pulses leaves: ``middle`` or ``edges`` of the window."""
    scheduling_method: str = "alap"
    """Whether gates start as late as possible, ``alap``, or as soon as possible, ``asap``."""
    skip_reset_qubits: bool = False
    """Leave qubits alone that are in their ground state."""

    RULES: ClassVar[Mapping[str, Rule]] = {
        "enable": FLAG,
        "sequence_type": one_of(*SEQUENCES),
        "extra_slack_distribution": one_of("middle", "edges"),
        "scheduling_method": one_of("alap", "asap"),
        "skip_reset_qubits": FLAG,
    }

    def compile_options(self) -> CompileOptions:
        """Return what the compiler is told."""
        if not self.enable:
            return CompileOptions()
        sequence: Any = self.sequence_type
        slack: Any = self.extra_slack_distribution
        method: Any = self.scheduling_method
        return CompileOptions(method=method, decoupling=Decoupling(sequence, slack, self.skip_reset_qubits))
