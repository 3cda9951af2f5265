"""A calibration whose pulses are longer and weaker, and turn qubits as far."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any

from qctrl.calibration.cross_resonance import CrossResonance
from qctrl.calibration.gates import FluxCz, FractionalGate, Padding, PulseGate, Waveform
from qctrl.calibration.grid import ticks
from qctrl.calibration.view import Calibration
from qctrl.errors import TimingError
from qctrl.units import exact_fraction

if TYPE_CHECKING:
    from qctrl.calibration.values import Value


def is_stretchable(calibration: Calibration, name: str, qubits: tuple[int, ...]) -> bool:
    """Return whether the pulses of a gate can be stretched.

    What a flux pulse does is no linear function of its amplitude: a weaker one brings the qubits to another detuning
    and gives no gate at all.
    """
    if name in ("measure", "reset"):
        return True
    return not isinstance(calibration.gate(name, qubits), FluxCz)


def stretched(calibration: Calibration, factor: float) -> Calibration:
    """Return a calibration with all microwave pulses longer by a factor, and weaker by it.

    The angle of a resonant pulse goes with the product of both. A DRAG coefficient is a time of its own, which stays;
    virtual Z of cross-resonance gates, shifts that go with the square of the amplitude and with time, fall by the
    factor. Readout, flux pulses and resets stay as they are.

    Args:
        calibration: The measured device.
        factor: 1 or more.

    Raises:
        TimingError: A pulse would not be a whole number of ticks long; the message names factors that fit.
    """
    document = calibration.document
    stretch = _Stretch(calibration, factor)
    qubits = {
        name: qubit.model_copy(update={"gates": stretch.gates(qubit.gates, name)})
        for name, qubit in document.qubits.items()
    }
    edges = {
        name: edge.model_copy(update={"gates": stretch.gates(edge.gates, name)})
        for name, edge in document.edges.items()
    }
    made = document.model_copy(update={"qubits": qubits, "edges": edges})
    return Calibration.from_document(made, f"{calibration.source} stretched by {factor:g}")


class _Stretch:
    def __init__(self, calibration: Calibration, factor: float) -> None:
        self._dt_s = calibration.dt_s
        self._factor = exact_fraction(factor)

    def gates(self, gates: Any, owner: str) -> dict[str, Any]:
        return {name: self._gate(gate, f"{name} on {owner}") for name, gate in gates.items()}

    def _gate(self, gate: Any, what: str) -> Any:
        match gate:
            case PulseGate() | FractionalGate():
                update: dict[str, Any] = {}
            case CrossResonance():
                tones = {"cancel": gate.cancel, "rotary": gate.rotary}
                update = {
                    name: tone.model_copy(update={"amp": self._weaker(tone.amp)})
                    for name, tone in tones.items()
                    if tone is not None
                }
                update["virtual_z"] = {name: self._weaker(angle) for name, angle in gate.virtual_z.items()}
            case _:
                return gate
        update["waveform"] = self._waveform(gate.waveform, what)
        update["padding"] = Padding(
            before=self._longer(gate.padding.before, what), after=self._longer(gate.padding.after, what)
        )
        return gate.model_copy(update=update)

    def _waveform(self, waveform: Waveform, what: str) -> Waveform:
        times = {name: getattr(waveform, name) for name in ("sigma", "rise")}
        update: dict[str, Any] = {name: float(self._factor) * each for name, each in times.items() if each is not None}
        update["duration"] = self._longer(waveform.duration, what)
        update["amp"] = self._weaker(waveform.amp)
        return waveform.model_copy(update=update)

    def _weaker(self, value: Value) -> Value:
        return value.model_copy(update={"value": value.value / float(self._factor)})

    def _longer(self, duration_s: float, what: str) -> float:
        count = ticks(duration_s, self._dt_s) * self._factor
        if count.denominator == 1:
            return float(count * self._dt_s)
        length = ticks(duration_s, self._dt_s)
        near = [float(Fraction(int(count) + more) / length) for more in (0, 1)]
        raise TimingError(
            f"{what} stretched by {float(self._factor):g} would last {float(count):.6g} ticks; it must be a whole "
            f"number: stretch by {near[0]:.9g} or {near[1]:.9g}"
        )
