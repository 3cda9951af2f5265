"""Pieces of what gates play: a waveform on a frame, the frame of a qubit's drive."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qctrl.compiler.site import SiteFrame, SitePlay
from qctrl.errors import UnsupportedInstructionError
from qctrl.signal.envelopes import Envelope
from qctrl.units import phase_word, to_ticks

if TYPE_CHECKING:
    from qctrl.calibration import Calibration, Waveform
    from qctrl.ir.gate_program import GateSite


def drive_frame(calibration: Calibration, gate: GateSite, qubit: int, *, through: int | None = None) -> SiteFrame:
    """Return the frame of a qubit on its drive port, or on the drive port of the qubit that it is driven through.

    Raises:
        UnsupportedInstructionError: The calibration lacks the frequency or the port.
    """
    model = calibration.live_qubit(qubit)
    port = (model if through is None else calibration.live_qubit(through)).ports.drive
    if model.frequency is None:
        raise incomplete(gate, "frequency")
    return SiteFrame(wired(gate, port), model.frequency.value, qubit)


def wired(gate: GateSite, port: str | None) -> str:
    """Return a port, or raise that there is none."""
    if port is None:
        raise incomplete(gate, "port")
    return port


def incomplete(gate: GateSite, what: str) -> UnsupportedInstructionError:
    """Return the error that says what a gate lacks."""
    return UnsupportedInstructionError(
        f"{gate.name} on qubits {gate.qubits}: the calibration lacks its {what}; add it or use another qubit",
        gate=gate.name,
        qubits=gate.qubits,
    )


def make_play(
    calibration: Calibration, gate: GateSite, frame: SiteFrame, waveform: Waveform, offset_ticks: int
) -> SitePlay:
    """Return a waveform, played on a frame.

    Raises:
        TimingError: Its duration is not a whole number of ticks.
    """
    return SitePlay(
        frame=frame,
        offset_ticks=offset_ticks,
        length_ticks=to_ticks(
            waveform.duration, calibration.dt_s, what=f"waveform of {gate.name} on qubits {gate.qubits}: duration"
        ),
        envelope=Envelope(waveform.shape, waveform.duration, waveform.parameters),
        amplitude=waveform.amp.value,
        phase=phase_word(waveform.phase),
    )
