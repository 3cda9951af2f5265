"""The order of the compiler's stages, known here alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qctrl.compiler.assemble import assemble
from qctrl.compiler.lower import Circuit, lower
from qctrl.compiler.schedule import schedule

if TYPE_CHECKING:
    from collections.abc import Iterable

    from qctrl.calibration import Calibration
    from qctrl.compiler.program import CompiledProgram
    from qctrl.protocol import Setup


def compile_circuit(circuit: Circuit, calibration: Calibration, setup: Setup) -> CompiledProgram:
    """Return the packed program of an ISA circuit.

    Args:
        circuit: Transpiled for the device's ``Target``; parameters may be open.
        calibration: What to play.
        setup: The rack to play it on, derived from the same calibration.

    Raises:
        CompileError: The circuit cannot be played; the message names the instruction and the way out.
    """
    return assemble(schedule(lower(circuit, calibration), calibration), setup)


def compile_many(circuits: Iterable[Circuit], calibration: Calibration, setup: Setup) -> list[CompiledProgram]:
    """Return one packed program per circuit, in order."""
    return [compile_circuit(circuit, calibration, setup) for circuit in circuits]
