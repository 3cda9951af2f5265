"""The order of the compiler's stages, known here alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qctrl.compiler.assemble import assemble
from qctrl.compiler.blame import blame
from qctrl.compiler.compile_options import DEFAULT
from qctrl.compiler.custom_checks import check_custom_sites
from qctrl.compiler.lower import Circuit, lower
from qctrl.compiler.schedule import schedule
from qctrl.errors import CompileError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from qctrl.calibration import Calibration
    from qctrl.compiler.cache import CompileCache
    from qctrl.compiler.compile_options import CompileOptions
    from qctrl.compiler.program import CompiledProgram
    from qctrl.protocol import Setup
    from qctrl.pulse import CustomGates


def compile_circuit(
    circuit: Circuit,
    calibration: Calibration,
    setup: Setup,
    custom_gates: CustomGates | None = None,
    *,
    options: CompileOptions = DEFAULT,
    cache: CompileCache | None = None,
) -> CompiledProgram:
    """Return the packed program of an ISA circuit.

    Args:
        circuit: Transpiled for the device's ``Target``; parameters may be open.
        calibration: What to play.
        setup: The rack to play it on, derived from the same calibration.
        custom_gates: What to play for instructions that are not in the calibration.
        options: How it is scheduled, what idle qubits do, and whether pulses are stretched.
        cache: Where the program is looked up, and kept; ``None`` compiles.

    Raises:
        CompileError: The circuit cannot be played; the message names the instruction and the way out.
    """
    try:
        gates = lower(circuit, calibration, custom_gates)
    except CompileError as error:
        raise blame(error, circuit) from error
    content = None if cache is None else cache.content(gates, calibration, setup, options)
    if cache is not None and content is not None and (known := cache.get(content, setup)) is not None:
        return known
    if custom_gates:
        check_custom_sites(gates.sites, calibration, setup)
    try:
        if options.stretch != 1:
            from qctrl.compiler.pulse_stretching import stretch

            gates, calibration = stretch(gates, calibration, options.stretch)
        pulses = schedule(gates, calibration, method=options.method)
        if options.decoupling is not None:
            from qctrl.compiler.decouple import decouple

            pulses = decouple(gates, pulses, calibration, setup, options)
        del gates  # of a million gates it is 80 MB, which assembly can use
        made = assemble(pulses, setup)
    except CompileError as error:
        raise blame(error, circuit) from error
    if cache is not None and content is not None:
        cache.keep(content, made)
    return made


def compile_many(circuits: Iterable[Circuit], calibration: Calibration, setup: Setup) -> list[CompiledProgram]:
    """Return one packed program per circuit, in order."""
    return [compile_circuit(circuit, calibration, setup) for circuit in circuits]
