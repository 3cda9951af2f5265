"""How a qubit is measured and reset."""

from __future__ import annotations

import math
from typing import Annotated, Literal

from pydantic import Field, model_validator

from qctrl.calibration.gates import Waveform
from qctrl.calibration.values import AnyMatrix, Frequency, Matrix, Probability, Radians, Row, Seconds
from qctrl.strict_yaml import StrictModel, number, problem, within

_COLUMN_SUM_SLACK = 1e-6


class FlatWeights(StrictModel):
    """Every sample of the window counts the same."""

    kind: Literal["flat"]


class Acquisition(StrictModel):
    """Window of the capture, from the start of the readout pulse, in s."""

    delay: Seconds = 0.0
    duration: Annotated[float, number("s"), within(1e-9, 1e-3, "s")]
    weights: FlatWeights = FlatWeights(kind="flat")


class LinearDiscriminator(StrictModel):
    """Bit 1 where ``I cos(angle) + Q sin(angle) > threshold``; I, Q in fractions of the ADC's full scale."""

    kind: Literal["linear"]
    angle: Radians
    threshold: Annotated[float, number(), within(-1, 1)]
    centroids: Annotated[dict[Literal["0", "1", "2"], Row], Field(default_factory=dict)]
    """Mean (I, Q) by prepared state, for the record."""

    @property
    def coefficients(self) -> Matrix:
        """Rows ``k``: the class is the argmax of ``row_k @ (I, Q, 1)``."""
        return (0.0, 0.0, 0.0), (math.cos(self.angle), math.sin(self.angle), -self.threshold)


class ClassDiscriminator(StrictModel):
    """Class ``argmax_k coef[k] @ (I, Q, 1)``, of two or three; class 2 reads as bit 1."""

    kind: Literal["classes"]
    coef: Annotated[Matrix, Field(min_length=2, max_length=3)]
    centroids: Annotated[dict[Literal["0", "1", "2"], Row], Field(default_factory=dict)]

    @model_validator(mode="after")
    def _check_rows(self) -> ClassDiscriminator:
        for index, row in enumerate(self.coef):
            if len(row) != 3:
                raise problem(f"row has {len(row)} numbers", "a row has 3, for I, Q and 1", "coef", index)
        return self

    @property
    def coefficients(self) -> Matrix:
        """Rows ``k``: the class is the argmax of ``row_k @ (I, Q, 1)``."""
        return self.coef


Discriminator = LinearDiscriminator | ClassDiscriminator


class Readout(StrictModel):
    """Readout pulse, capture and decision of one qubit."""

    frequency: Frequency
    waveform: Waveform
    acquisition: Acquisition
    ring_down: Seconds = 0.0
    """Silence behind pulse and window, in s, until the resonator has lost its photons and the qubit may be driven."""
    discriminator: Annotated[LinearDiscriminator | ClassDiscriminator, Field(discriminator="kind")]
    assignment: AnyMatrix | None = None
    """``[i][j] = P(read i | prepared j)``; columns sum to 1."""

    @model_validator(mode="after")
    def _check_assignment(self) -> Readout:
        if self.assignment is None:
            return self
        rows = self.assignment.value
        if len(rows) != 2 or any(len(row) != 2 for row in rows):
            raise problem("matrix is not 2 by 2", "write [[P(0|0), P(0|1)], [P(1|0), P(1|1)]]", "assignment")
        if not all(0 <= entry <= 1 for row in rows for entry in row):
            raise problem("an entry is outside [0, 1]", "entries are probabilities", "assignment")
        for column in range(2):
            total = rows[0][column] + rows[1][column]
            if abs(total - 1) > _COLUMN_SUM_SLACK:
                raise problem(
                    f"column {column} sums to {total:g}",
                    "columns sum to 1; [i][j] = P(read i | prepared j)",
                    "assignment",
                )
        return self


class PassiveReset(StrictModel):
    """Wait until the qubit has relaxed."""

    kind: Literal["passive"]
    duration: Annotated[float, number("s"), within(0, 1, "s")]
    error: Probability | None = None


class ActiveReset(StrictModel):
    """Measure, then play x if the bit was 1."""

    kind: Literal["active"]
    error: Probability | None = None


Reset = PassiveReset | ActiveReset
