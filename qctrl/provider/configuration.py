"""Facts of a backend by the names of Qiskit's older interface."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from qiskit.circuit import Gate

from qctrl.version import __version__

if TYPE_CHECKING:
    from qctrl.provider.backend import Backend

MAX_SHOTS: Final = 10_000_000
"""Most shots of one circuit of ``backend.run``."""
MAX_CIRCUITS: Final = 10_000
"""Circuits that make a job of sensible size."""


@dataclass(frozen=True, slots=True)
class Configuration:
    """The few facts that mthree and other tools of the older interface still ask for."""

    backend_name: str
    backend_version: str
    n_qubits: int
    basis_gates: tuple[str, ...]
    """Names of gates alone, as ``transpile(basis_gates=...)`` takes them."""
    supported_instructions: tuple[str, ...]
    """Names of all that the Target has."""
    max_shots: int
    dt: float | None
    dtm: float
    meas_map: list[list[int]]
    coupling_map: list[list[int]]
    """Pairs of qubits with a gate, in the order in which it takes them."""
    meas_levels: tuple[int, ...] = (1, 2)
    max_experiments: int = MAX_CIRCUITS
    """Tools of the older interface divide by it; ``backend.max_circuits`` knows no limit."""
    max_circuits: int = MAX_CIRCUITS
    simulator: bool = False
    """False for the emulator too: it accepts exactly the circuits that the hardware accepts."""
    local: bool = True
    memory: bool = True
    conditional: bool = False
    dynamic_reprate_enabled: bool = True
    rep_delay_range: tuple[float, float] = (0.0, 0.0)
    """Shortest and longest idle time between shots, in seconds."""
    default_rep_delay: float = 0.0
    open_pulse: bool = False

    @property
    def num_qubits(self) -> int:
        """Number of qubits."""
        return self.n_qubits

    def to_dict(self) -> dict[str, Any]:
        """Return it all by name."""
        return {**dataclasses.asdict(self), "num_qubits": self.num_qubits}


def configuration_of(backend: Backend) -> Configuration:
    """Return the facts of the older interface."""
    operations = [(name, backend.target.operation_from_name(name)) for name in backend.operation_names]
    return Configuration(
        backend_name=backend.calibration.name,
        backend_version=__version__,
        n_qubits=backend.num_qubits,
        basis_gates=tuple(name for name, each in operations if isinstance(each, Gate)),
        supported_instructions=tuple(name for name, _ in operations),
        max_shots=MAX_SHOTS,
        dt=backend.dt,
        dtm=backend.dtm,
        meas_map=backend.meas_map,
        coupling_map=[] if backend.coupling_map is None else [list(edge) for edge in backend.coupling_map],
        rep_delay_range=backend.rep_delay_range,
    )
