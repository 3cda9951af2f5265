"""What a circuit will take on the emulator, asked before it is played."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from qctrl.protocol import Mode

if TYPE_CHECKING:
    from qiskit import QuantumCircuit

    from qctrl.provider.backend import Backend


@dataclass(frozen=True, slots=True)
class Forecast:
    """What a run will take, by the emulator's own count: right within a factor of a few.

    Loops count once, however often they turn, and the loading of kernels not at all.
    """

    seconds: float
    mode: Mode
    levels: int
    qubits: int
    segments: int
    """Times at which a line starts or stops to act."""
    histories: float
    """States of one parameter set that are played side by side."""


def forecast(backend: Backend, circuit: QuantumCircuit, shots: int, bindings: int) -> Forecast:
    """Return what a circuit will take; see ``Backend.forecast``."""
    program = backend.compile(circuit)
    body: dict[str, Any] = {"op": "forecast", "shots": shots, "bindings": bindings}
    if backend.emulation is not None:
        body["sim"] = msgspec.to_builtins(backend.emulation.sim_options(0))
    answer, _ = backend.runner.debug(backend.setup, body, [program.to_bytes(), b""])
    return msgspec.convert(answer["forecast"], Forecast)
