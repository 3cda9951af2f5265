"""The order of the compiler's stages, known here alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qctrl.compiler.assemble import assemble
from qctrl.compiler.blame import blame
from qctrl.compiler.custom_sites import check_custom_sites
from qctrl.compiler.lower import Circuit, lower
from qctrl.compiler.schedule import schedule
from qctrl.errors import CompileError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from qctrl.calibration import Calibration
    from qctrl.compiler.program import CompiledProgram
    from qctrl.compiler.schedule import Method
    from qctrl.protocol import Setup
    from qctrl.pulse import CustomGates


def compile_circuit(
    circuit: Circuit,
    calibration: Calibration,
    setup: Setup,
    custom_gates: CustomGates | None = None,
    *,
    method: Method = "alap",
) -> CompiledProgram:
    """Return the packed program of an ISA circuit.

    Args:
        circuit: Transpiled for the device's ``Target``; parameters may be open.
        calibration: What to play.
        setup: The rack to play it on, derived from the same calibration.
        custom_gates: What to play for instructions that are not in the calibration.
        method: Whether instructions start as late as possible, ``alap``, or as soon as possible, ``asap``.

    Raises:
        CompileError: The circuit cannot be played; the message names the instruction and the way out.
    """
    gates = lower(circuit, calibration, custom_gates)
    if custom_gates:
        check_custom_sites(gates.sites, calibration, setup)
    try:
        pulses = schedule(gates, calibration, method=method)
        del gates  # of a million gates it is 80 MB, which assembly can use
        return assemble(pulses, setup)
    except CompileError as error:
        raise blame(error, circuit) from error


def compile_many(circuits: Iterable[Circuit], calibration: Calibration, setup: Setup) -> list[CompiledProgram]:
    """Return one packed program per circuit, in order."""
    return [compile_circuit(circuit, calibration, setup) for circuit in circuits]
