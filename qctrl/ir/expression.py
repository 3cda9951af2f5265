"""Our own form of a parameter expression: a postfix list, evaluated on whole columns at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from qctrl.errors import CompileError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

UNARY: Final[dict[str, Callable[..., NDArray[np.float64]]]] = {
    "abs": np.abs,
    "acos": np.arccos,
    "asin": np.arcsin,
    "atan": np.arctan,
    "conj": np.positive,
    "cos": np.cos,
    "exp": np.exp,
    "log": np.log,
    "sign": np.sign,
    "sin": np.sin,
    "tan": np.tan,
}
"""Functions of one real argument, by the name of the operation code in Qiskit's replay."""

BINARY: Final[dict[str, Callable[..., NDArray[np.float64]]]] = {
    "add": np.add,
    "sub": np.subtract,
    "mul": np.multiply,
    "div": np.divide,
    "pow": np.power,
    "rsub": lambda left, right: np.subtract(right, left),
    "rdiv": lambda left, right: np.divide(right, left),
    "rpow": lambda left, right: np.power(right, left),
}
"""Functions of two real arguments; the left one was pushed first."""

Step = tuple[str, int | float]
"""``("parameter", index)``, ``("constant", value)`` or ``(function, 0)``."""


@dataclass(frozen=True, slots=True)
class Expression:
    """A real function of a circuit's parameters, in postfix order."""

    steps: tuple[Step, ...]
    """Operands push, functions replace their arguments by the result."""

    def verify(self, n_parameters: int) -> None:
        """Check that the steps leave exactly one value and name existing parameters.

        Raises:
            CompileError: The expression cannot be evaluated.
        """
        depth = 0
        for name, value in self.steps:
            if name == "parameter":
                depth += 1
                known = 0 <= value < n_parameters
            elif name == "constant":
                depth += 1
                known = True
            else:
                depth -= 1 if name in BINARY else 0
                known = depth > 0 and (name in BINARY or name in UNARY)
            if not known:
                raise CompileError(f"parameter expression has a bad step {name} {value}")
        if depth != 1:
            raise CompileError(f"parameter expression leaves {depth} values; it must leave one")

    @property
    def parameters(self) -> frozenset[int]:
        """Indices of the parameters that it depends on."""
        return frozenset(int(value) for name, value in self.steps if name == "parameter")

    def substitute(self, arguments: Sequence[float | Expression]) -> Expression:
        """Return the expression with an argument, a number or an expression, in the place of each parameter."""
        steps: list[Step] = []
        for name, value in self.steps:
            argument = arguments[int(value)] if name == "parameter" else None
            if argument is None:
                steps.append((name, value))
            else:
                steps += argument.steps if isinstance(argument, Expression) else (("constant", argument),)
        return Expression(tuple(steps))

    def evaluate(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the expression for every binding.

        Args:
            values: Parameter values, shape ``(n_bindings, n_parameters)``.

        Returns:
            One value per binding, shape ``(n_bindings,)``; NaN or infinite where it is undefined.
        """
        stack: list[NDArray[np.float64]] = []
        with np.errstate(all="ignore"):  # the caller refuses what is not finite, and says where
            for name, value in self.steps:
                if name == "parameter":
                    stack.append(values[:, int(value)])
                elif name == "constant":
                    stack.append(np.full(len(values), float(value)))
                elif name in UNARY:
                    stack.append(UNARY[name](stack.pop()))
                else:
                    right = stack.pop()
                    stack.append(BINARY[name](stack.pop(), right))
        return stack[0]

    def text(self, parameters: tuple[str, ...]) -> str:
        """Return the postfix form with parameter names, for listings."""
        return " ".join(
            parameters[int(value)] if name == "parameter" else f"{value!r}" if name == "constant" else name
            for name, value in self.steps
        )
