"""From packed classical registers and captures to Qiskit's ``BitArray`` and ``DataBin``."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from qiskit.primitives import BitArray, DataBin

from qctrl.errors import ProtocolError, RegisterNameError
from qctrl.readout import _kernels

Register: TypeAlias = tuple[str, tuple[int, ...]]
"""Name of a classical register and the circuit-wide indices of its bits, least significant first."""

# Attributes of DataBin; `_RESTRICTED_NAMES` is private in Qiskit, so a test compares the two sets.
RESERVED_NAMES = frozenset(
    {
        "_RESTRICTED_NAMES",
        "_SHAPE",
        "_FIELDS",
        "_FIELD_TYPES",
        "_data",
        "_shape",
        "keys",
        "values",
        "items",
        "shape",
        "ndim",
        "size",
    }
)


def check_register_names(registers: Sequence[Register]) -> None:
    """Refuse register names that a ``DataBin`` cannot hold, before anything is executed.

    Raises:
        RegisterNameError: A register is named like an attribute of ``DataBin``.
    """
    for name, _ in registers:
        # Python's own names, as __class__, are no fields either.
        if name in RESERVED_NAMES or hasattr(DataBin, name):
            raise RegisterNameError(
                f"classical register {name!r} has the name of an attribute of DataBin; rename it "
                f"(reserved: {', '.join(sorted(n for n in RESERVED_NAMES if not n.startswith('_')))})"
            )


def to_bit_array(bits: NDArray[np.uint8], clbits: Sequence[int], shape: tuple[int, ...]) -> BitArray:
    """Return one register as a ``BitArray``.

    Args:
        bits: ``(bindings, shots, nbytes)`` uint8, little bit order, as ``Results`` carries them.
        clbits: Circuit-wide bit indices of the register, least significant first; may be empty.
        shape: Shape of the pub; its product is the number of bindings.

    Raises:
        ProtocolError: ``bits`` is too narrow for ``clbits`` or does not fit ``shape``.
    """
    n_bindings, shots, n_bytes = bits.shape
    if n_bindings != math.prod(shape):
        raise ProtocolError(f"results hold {n_bindings} bindings, the pub's shape {shape} needs another number")
    if clbits and max(clbits) >= 8 * n_bytes:
        raise ProtocolError(f"results hold {8 * n_bytes} bits per shot, classical bit {max(clbits)} is not there")
    packed = np.zeros((n_bindings * shots, -(-len(clbits) // 8)), dtype=np.uint8)
    rows = np.ascontiguousarray(bits).reshape(n_bindings * shots, n_bytes)
    _kernels.pack_register(rows, _moves(tuple(clbits)), packed)
    return BitArray(packed.reshape(*shape, shots, packed.shape[1]), len(clbits))


@lru_cache(maxsize=256)
def _moves(clbits: tuple[int, ...]) -> NDArray[np.int64]:
    return bit_moves(clbits)


def bit_moves(clbits: Sequence[int]) -> NDArray[np.int64]:
    """Return how to gather ``clbits`` into big-endian, right-justified bytes, runs of neighbours at once.

    Args:
        clbits: Circuit-wide bit indices; the first becomes the least significant bit of the last byte.

    Returns:
        ``(n_moves, 5)``: byte to read, shift to the right, mask, shift to the left, byte to write.
    """
    last = -(-len(clbits) // 8) - 1
    moves: list[list[int]] = []
    for position, clbit in enumerate(clbits):
        source, target = clbit >> 3, last - (position >> 3)
        if position and clbit == clbits[position - 1] + 1 and [source, target] == moves[-1][::4]:
            moves[-1][2] = moves[-1][2] << 1 | 1
        else:
            moves.append([source, clbit & 7, 1, position & 7, target])
    return np.array(moves, dtype=np.int64).reshape(len(moves), 5)


def to_data_bin(bits: NDArray[np.uint8], registers: Sequence[Register], shape: tuple[int, ...]) -> DataBin:
    """Return every register of a pub, in circuit order.

    Each register is built from its own bit indices, so aliased and overlapping registers are right.

    Args:
        bits: ``(bindings, shots, nbytes)`` uint8, little bit order.
        registers: Name and bit indices of each register.
        shape: Shape of the pub.
    """
    arrays = {name: to_bit_array(bits, clbits, shape) for name, clbits in registers}
    return DataBin(shape=shape, **arrays)


def to_kerneled_bin(
    iq: NDArray[np.complex64],
    registers: Sequence[Register],
    shape: tuple[int, ...],
    columns: Mapping[int, int],
) -> DataBin:
    """Return the integrated IQ points of every register, each sliced to its own bits.

    Args:
        iq: ``(bindings, shots, n_captures)``, or ``(bindings, n_captures)`` when averaged over
            shots, in fractions of the digitiser's full scale.
        registers: Name and bit indices of each register.
        shape: Shape of the pub.
        columns: Last capture that writes each classical bit; a bit that nothing writes reads 0.

    Returns:
        Complex64 arrays ``(*shape, shots, n_bits)``, or ``(*shape, n_bits)`` when averaged; read-only views of ``iq``
        where its columns are those of the register.
    """
    arrays: dict[str, NDArray[np.complex64]] = {}
    for name, clbits in registers:
        wanted = [columns.get(clbit, -1) for clbit in clbits]
        values = _columns(iq, wanted)
        arrays[name] = values.reshape(*shape, *values.shape[1:])
    return DataBin(shape=shape, **arrays)


def _columns(iq: NDArray[np.complex64], wanted: Sequence[int]) -> NDArray[np.complex64]:
    """Return columns of the last axis, zeros for -1; a view where they are all of them, in order."""
    if list(wanted) == list(range(iq.shape[-1])):
        view = iq.view()
        view.flags.writeable = False
        return view
    present = [column for column in wanted if column >= 0]
    if len(present) == len(wanted):
        return iq.take(wanted, axis=-1)
    values = np.zeros((*iq.shape[:-1], len(wanted)), dtype=iq.dtype)
    values[..., [position for position, column in enumerate(wanted) if column >= 0]] = iq[..., present]
    return values


def last_captures(captures: NDArray[np.void]) -> dict[int, int]:
    """Return, for each classical bit, the index of the last capture that writes it.

    Args:
        captures: The CAPTURE column of a program; ``index`` orders the captures of a shot.
    """
    ordered = np.sort(captures, order="index")
    return {int(capture["clbit"]): int(capture["index"]) for capture in ordered}
