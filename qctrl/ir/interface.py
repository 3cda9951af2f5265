"""What a circuit shows to its caller: parameters to bind and registers to read."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Interface:
    """Names and sizes that travel unchanged from the circuit to the compiled program."""

    parameters: tuple[str, ...]
    """Names, in the order of ``circuit.parameters``."""
    cregs: tuple[tuple[str, tuple[int, ...]], ...]
    """Per classical register its name and its clbit indices, least significant bit first; registers may share bits."""
    n_clbits: int
    """Classical bits of the circuit, without the compiler's scratch bits."""
    calibration_id: str
    """Label of the calibration that the program was compiled against."""
    calibration_hash: bytes
    """Content hash of that calibration, 32 bytes."""
    structure: tuple[str, ...] = ()
    """Arguments of custom gates that are compiled in, because they change the structure of the program."""
    notes: tuple[str, ...] = ()
    """What the compiler added to the circuit, one line each, for listings."""
