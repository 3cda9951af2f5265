"""What the truth says of lines: mixers and gains of drive lines, cables and filters of any port, crosstalk."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from qctrl.strict_yaml import StrictModel

_MOST = 1e12
"""Beyond any number that a laboratory writes down in SI units, and far from where arithmetic ends."""
Positive = Annotated[float, Field(gt=0, le=_MOST)]
NotNegative = Annotated[float, Field(ge=0, le=_MOST)]
Number = Annotated[float, Field(ge=-_MOST, le=_MOST)]
_Fraction = Annotated[float, Field(gt=-1, lt=1)]


class LineTruth(StrictModel):
    """A drive line from DAC to qubit."""

    rabi_hz_per_fs: Positive
    """Rabi frequency on resonance at full scale, Hz."""
    phase: Number = 0.0
    lo_error: Annotated[float, Field(ge=-1e9, le=1e9)] = 0.0
    """Physical LO frequency minus the Setup's, Hz."""
    gain_imbalance: _Fraction = 0.0
    phase_imbalance: Number = 0.0
    offset_i: _Fraction = 0.0
    offset_q: _Fraction = 0.0


class ExponentialTruth(StrictModel):
    """A step response of ``1 + amplitude exp(-t / tau)``."""

    amplitude: _Fraction
    tau: Positive


class WireTruth(StrictModel):
    """What converter, cable and filters of a port do between its codes and the chip, in this order."""

    bits: Annotated[int, Field(ge=2, le=24)] | None = None
    """Codes that the converter really resolves, if fewer than the Setup assumes."""
    gain: Positive = 1.0
    """Attenuation as a factor of amplitude."""
    exponentials: Annotated[tuple[ExponentialTruth, ...], Field(strict=False)] = ()
    """Exponentials one after another; the Setup's ``iir`` undoes each exactly."""
    fir: Annotated[tuple[Number, ...], Field(strict=False, max_length=1024)] = ()
    """Taps at the port's rate, newest sample first."""
    delay: NotNegative = 0.0
    """Seconds, whole samples; only differences between drive and flux ports are felt."""


class LeakTruth(StrictModel):
    """The part of one drive line's field that another qubit feels, relative to its own line's."""

    amplitude: Annotated[float, Field(ge=0, lt=1)]
    phase: Number = 0.0


class CrosstalkTruth(StrictModel):
    """Crosstalk on the chip by target port, then source port."""

    drive: dict[str, dict[str, LeakTruth]] = Field(default_factory=dict)
    flux: dict[str, dict[str, _Fraction]] = Field(default_factory=dict)
