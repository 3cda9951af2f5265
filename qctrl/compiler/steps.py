"""Rows of a gate program, as far as time is concerned; for the few programs with lengths that are open."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from qctrl.compiler import _kernels
from qctrl.compiler.tables import site_tables
from qctrl.ir.gate_program import Opcode

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from qctrl.calibration import Calibration
    from qctrl.ir.gate_program import GateSite


class Step(NamedTuple):
    """One row."""

    row: int
    resources: tuple[int, ...]
    """Qubits that it occupies, and frames that gates on other qubits occupy too; none for a virtual Z."""
    ticks: int
    alignment_ticks: int
    meets: bool
    """Whether qubits wait for each other here."""


def steps_of(
    instructions: NDArray[np.void], barrier_qubits: Sequence[int], sites: tuple[GateSite, ...], calibration: Calibration
) -> list[Step]:
    """Return every row as a step.

    Args:
        instructions: dtype ``INSTRUCTION``.
        barrier_qubits: Heap that barriers refer to.
        sites: What ``site`` refers to.
        calibration: What is played.
    """
    tables = site_tables(sites, calibration)
    bounds = tables.sites[:, [_kernels.FIRST_RESOURCE, _kernels.LAST_RESOURCE]].tolist()
    resources = [tuple(tables.resources[first:end].tolist()) for first, end in bounds]
    times = tables.sites[:, [_kernels.DURATION, _kernels.ALIGNMENT]].tolist()
    found: list[Step] = []
    for row, each in enumerate(instructions):
        match int(each["opcode"]):
            case Opcode.RZ:
                found.append(Step(row, (), 0, 1, meets=False))
            case Opcode.BARRIER:
                first, count = int(each["first"]), int(each["count"])
                found.append(Step(row, tuple(barrier_qubits[first : first + count]), 0, 1, count > 1))
            case Opcode.DELAY:
                found.append(Step(row, (int(each["qubit"]),), int(each["ticks"]), 1, meets=False))
            case _:
                site = int(each["site"])
                found.append(Step(row, resources[site], *times[site], meets=len(resources[site]) > 1))
    return found
