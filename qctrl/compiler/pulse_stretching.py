"""Play a program in slow motion: pulses and delays longer by a factor, so that decoherence is stronger by it."""

from __future__ import annotations

import dataclasses
from functools import lru_cache
from typing import TYPE_CHECKING, NoReturn

import msgspec
import numpy as np

from qctrl.calibration import Calibration, is_stretchable, stretched
from qctrl.errors import CompileError, UnsupportedInstructionError
from qctrl.ir.gate_program import GateProgram, Opcode

if TYPE_CHECKING:
    from qctrl.ir.gate_program import GateSite


def stretch(gates: GateProgram, calibration: Calibration, factor: float) -> tuple[GateProgram, Calibration]:
    """Return a program with longer delays, and what it is then played with; it stays one of its own calibration.

    Delays are rounded to ticks.

    Args:
        gates: A gate program.
        calibration: The calibration that it was lowered against.
        factor: 1 or more.

    Raises:
        CompileError: The factor is below 1, or the program has boxes with a duration.
        UnsupportedInstructionError: A gate cannot be stretched.
        TimingError: A pulse would not be a whole number of ticks long.
    """
    if not 1 <= factor < np.inf:
        raise CompileError(f"pulses are to be stretched by {factor!r}; it must be 1 or more")
    if len(gates.boxes):
        raise CompileError("boxes with a duration cannot be stretched; leave out the durations, or fold gates instead")
    for number, site in enumerate(gates.sites):
        if site.custom is not None:
            _refuse(gates, number, site, "what it plays is the user's own")
        if not is_stretchable(calibration, site.name, site.qubits):
            _refuse(gates, number, site, "the effect of a flux pulse is no linear function of its amplitude")
    rows = gates.instructions.copy()
    waits = rows["opcode"] == Opcode.DELAY
    rows["ticks"][waits] = np.rint(rows["ticks"][waits] * factor)
    rows.flags.writeable = False
    notes = (*gates.interface.notes, f"pulses and delays stretched by {factor:g}")
    interface = dataclasses.replace(gates.interface, notes=notes)
    return msgspec.structs.replace(gates, instructions=rows, interface=interface), _stretched(calibration, factor)


_stretched = lru_cache(maxsize=8)(stretched)
"""Remembered, because tables of sites are remembered by calibration."""


def _refuse(gates: GateProgram, number: int, site: GateSite, why: str) -> NoReturn:
    source = int(gates.instructions["source"][np.argmax(gates.instructions["site"] == number)])
    raise UnsupportedInstructionError(
        f"instruction {source}: {site.name} on qubits {site.qubits} cannot be stretched: {why}; fold gates instead "
        "(zne.amplifier='gate_folding')",
        instruction=source,
        gate=site.name,
        qubits=site.qubits,
    )
