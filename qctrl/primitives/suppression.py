"""Options against errors that act while shots are taken: decoupling and twirling."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from qctrl.compiler import CompileOptions, Decoupling
from qctrl.primitives.option_tree import Options, Rule, positive_integer
from qctrl.primitives.twirl_layers import STRATEGIES

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


_COUNT = Rule(lambda value: value == "auto" or positive_integer(value), "a whole number, at least 1, or 'auto'")


@dataclass
class TwirlingOptions(Options):
    """Random Paulis that turn coherent errors into random ones; all draws are bindings of one program."""

    enable_gates: bool = False
    """Twirl gates of two qubits, also in control flow."""
    enable_measure: bool = False
    """Twirl measurements whose bits the circuit does not read; the bits of results are put right again."""
    num_randomizations: int | str = "auto"
    """Draws for every parameter point; ``auto`` gives what the shots take, 32 or fewer if both numbers are ``auto``."""
    shots_per_randomization: int | str = "auto"
    """Shots of each draw; ``auto`` spreads the shots of the pub evenly, at least 64 each if both numbers are ``auto``.
    Results have the pub's shots. With both numbers given, their product is the default of the shots."""
    strategy: str = "active-accum"
    """Which qubits are twirled with each layer of gates: ``active``, those of the gates; ``active-circuit``, all that
    the circuit acts on; ``active-accum``, all that it has acted on so far; ``all``, all qubits of the device."""

    RULES: ClassVar[Mapping[str, Rule]] = {
        "enable_gates": FLAG,
        "enable_measure": FLAG,
        "num_randomizations": _COUNT,
        "shots_per_randomization": _COUNT,
        "strategy": one_of(*STRATEGIES),
    }

    @property
    def is_enabled(self) -> bool:
        """Whether anything is twirled."""
        return self.enable_gates or self.enable_measure

    def shots(self) -> int | None:
        """Return the shots that both numbers together give; ``None`` where one is open, or nothing is twirled."""
        n_draws, each = self.counts()
        return n_draws * each if self.is_enabled and n_draws is not None and each is not None else None

    def counts(self) -> tuple[int | None, int | None]:
        """Return randomizations and shots of each; ``None`` for ``auto``."""
        n_draws, each = (
            None if count == "auto" else int(count) for count in (self.num_randomizations, self.shots_per_randomization)
        )
        return n_draws, each

    def check(self, index: int, shots: int) -> None:
        """Refuse more shots than both numbers together give.

        Args:
            index: Place of the pub, for the message.
            shots: What the pub wants.

        Raises:
            ValueError: Both numbers are given and do not suffice.
        """
        most = self.shots()
        if most is not None and shots > most:
            raise ValueError(
                f"{self.num_randomizations} randomizations of {self.shots_per_randomization} shots give {most} shots, "
                f"the {index}-th pub wants {shots}; leave num_randomizations or shots_per_randomization on 'auto'"
            )
