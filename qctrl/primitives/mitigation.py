"""Readout mitigation: letters read through the inverse of each qubit's assignment matrix."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from qctrl.calibration import Calibration
from qctrl.errors import CalibrationError

_VALUES: Final[Mapping[str, tuple[float, float]]] = MappingProxyType(
    {
        **dict.fromkeys("XYZ", (1.0, -1.0)),
        **dict.fromkeys("0+r", (1.0, 0.0)),
        **dict.fromkeys("1-l", (0.0, 1.0)),
    }
)
"""What a letter is worth if its basis was read as 0, and as 1; projectors are read directly, not expanded."""
_LEAST_CONTRAST: Final = 0.1
"""With less, an inverse would only blow up the noise."""


@dataclass(frozen=True, slots=True)
class Assignment:
    """How one qubit is misread."""

    p10: float
    """P(read 1 | prepared 0)."""
    p01: float
    """P(read 0 | prepared 1)."""
    unc: float = 0.0
    """Standard deviation of both."""

    @property
    def inverse_transposed(self) -> NDArray[np.float64]:
        """Inverse of the transposed matrix ``[i][j] = P(read i | prepared j)``."""
        matrix = np.array([[1 - self.p10, self.p01], [self.p10, 1 - self.p01]])
        return np.linalg.inv(matrix.T)


@dataclass(frozen=True, slots=True)
class Mitigation:
    """What outcomes are worth; without assignments, outcomes are taken as they are.

    Each qubit is corrected on its own: a letter's two values become those whose mean over the misread outcomes is the
    mean of the letter over the true ones (Bravyi et al., Phys. Rev. A 103, 042605, eq. 5 for a product of matrices).
    """

    assignments: Mapping[int, Assignment] = field(default_factory=dict[int, Assignment])
    """By qubit."""

    @classmethod
    def from_calibration(
        cls, calibration: Calibration, qubits: Iterable[int], *, known_only: bool = False
    ) -> Mitigation:
        """Return the mitigation of a device.

        Args:
            calibration: The measured device.
            qubits: Qubits that will be read.
            known_only: Leave out qubits without an assignment matrix.

        Raises:
            CalibrationError: A qubit has no assignment matrix, or one that can hardly be inverted.
        """
        wanted = sorted(set(qubits))
        if known_only:
            wanted = [qubit for qubit in wanted if _matrix(calibration, qubit) is not None]
        return cls({qubit: _assignment(calibration, qubit) for qubit in wanted})

    def twirled(self) -> Mitigation:
        """Return the mitigation of twirled measurements, which misread both outcomes with the mean of both errors.

        The uncertainty stays, as a bound: that of the mean is smaller.
        """
        means = {qubit: ((one.p10 + one.p01) / 2, one.unc) for qubit, one in self.assignments.items()}
        return Mitigation({qubit: Assignment(mean, mean, unc) for qubit, (mean, unc) in means.items()})

    def to_document(self) -> dict[str, Any]:
        """Return the mitigation as JSON can say it."""
        return {str(qubit): [one.p10, one.p01, one.unc] for qubit, one in self.assignments.items()}

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Mitigation:
        """Return the mitigation that :meth:`to_document` described."""
        return cls({int(qubit): Assignment(*numbers) for qubit, numbers in document.items()})

    def values(self, letter: str, qubit: int) -> NDArray[np.float64]:
        """Return what a letter on a qubit is worth if the qubit was read as 0, and as 1."""
        plain = np.array(_VALUES[letter])
        known = self.assignments.get(qubit)
        return plain if known is None else known.inverse_transposed @ plain

    def slopes(self, letter: str, qubit: int) -> NDArray[np.float64]:
        """Return the derivatives of :meth:`values` by P(1|0) and by P(0|1), ``(2, 2)``; the qubit has an assignment.

        From d(A^-T) = -A^-T dA^T A^-T.
        """
        inverse = self.assignments[qubit].inverse_transposed
        worth = inverse @ np.array(_VALUES[letter])
        difference = worth[0] - worth[1]
        return np.stack([inverse @ [difference, 0.0], inverse @ [0.0, -difference]])


NONE: Final = Mitigation()


def _matrix(calibration: Calibration, qubit: int) -> Any:
    readout = calibration.live_qubit(qubit).readout
    return None if readout is None else readout.assignment


def _assignment(calibration: Calibration, qubit: int) -> Assignment:
    matrix = _matrix(calibration, qubit)
    if matrix is None:
        raise CalibrationError(
            f"{calibration.source}: qubit {qubit} has no readout.assignment, so its readout cannot be mitigated; "
            "let each job measure it, resilience.measure_mitigation='correlated', or set resilience_level=0"
        )
    found = Assignment(matrix.value[1][0], matrix.value[0][1], matrix.unc or 0.0)
    if 1 - found.p10 - found.p01 < _LEAST_CONTRAST:
        raise CalibrationError(
            f"{calibration.source}: readout.assignment of qubit {qubit} has a contrast of "
            f"{1 - found.p10 - found.p01:g}, less than {_LEAST_CONTRAST:g}; its readout cannot be mitigated"
        )
    return found
