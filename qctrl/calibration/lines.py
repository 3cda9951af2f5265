"""What is measured about the analogue lines: mixers, line distortion and crosstalk."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from qctrl.calibration.values import Amplitude, AnyMatrix, Matrix, MatrixValue, PortName, Row, Value
from qctrl.strict_yaml import StrictModel, number, problem, within

_IDENTITY = MatrixValue(value=((1.0, 0.0), (0.0, 1.0)))


class MixerCorrection(StrictModel):
    """Correction applied before an IQ mixer: ``(I', Q') = matrix (I, Q) + offset``."""

    matrix: AnyMatrix = _IDENTITY
    """Two rows of two."""
    offset_i: Amplitude = Value(value=0.0)
    offset_q: Amplitude = Value(value=0.0)

    @model_validator(mode="after")
    def _check_matrix(self) -> MixerCorrection:
        _check_square(self.matrix.value, 2, "matrix", "value")
        return self


class ExponentialFilter(StrictModel):
    """One exponential of a line's step response: ``1 + amp * exp(-t / tau)``."""

    amp: Annotated[float, number(), within(-0.9, 10)]
    tau: Annotated[float, number("s"), within(1e-9, 1, "s")]


class Filters(StrictModel):
    """Distortion of a line, to be undone by predistortion."""

    iir: Annotated[tuple[ExponentialFilter, ...], Field(strict=False, max_length=8)] = ()
    fir: Annotated[Row, Field(max_length=1024)] = ()
    """Taps of the predistortion itself, at the port's sample rate."""


class PortLine(StrictModel):
    """What is measured about the line of one port."""

    mixer: MixerCorrection | None = None
    filters: Filters | None = None
    latency: Annotated[float, number("s"), within(0, 1e-3, "s")] = 0.0
    """Time from the converter to the chip, or back; outputs with less of it wait for the slowest."""


class CrosstalkMatrix(StrictModel):
    """``x_out = (matrix + i imag) x_in`` for ports of one kind and sample rate."""

    ports: Annotated[tuple[PortName, ...], Field(strict=False, min_length=1)]
    matrix: Matrix
    imag: Matrix | None = None

    @model_validator(mode="after")
    def _check_shape(self) -> CrosstalkMatrix:
        if len(set(self.ports)) < len(self.ports):
            raise problem("a port is named twice", "name each once", "ports")
        if len({port.rsplit(".", 1)[1] for port in self.ports}) > 1:
            raise problem("ports are of different kinds", "one group holds ports of one kind", "ports")
        _check_square(self.matrix, len(self.ports), "matrix")
        if self.imag is not None:
            _check_square(self.imag, len(self.ports), "imag")
        return self


def _check_square(rows: Matrix, size: int, *at: str) -> None:
    if len(rows) != size or any(len(row) != size for row in rows):
        raise problem(f"matrix is not {size} by {size}", f"write {size} rows of {size} numbers", *at)
