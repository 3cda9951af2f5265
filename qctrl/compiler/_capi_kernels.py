"""The kernel that walks a circuit through Qiskit's C API; no Python object is made."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import numpy as np
from numba import njit

from qctrl.compiler._call_kernels import byte_of, byte_of_param, load_byte, load_u32, real_of_param, view_instruction
from qctrl.compiler.device import MEASURE, RESET, RZ, X
from qctrl.ir.gate_program import Opcode, SegmentKind
from qctrl.jit import JIT

if TYPE_CHECKING:
    from numpy.typing import NDArray

LONGEST_RAD: Final = 2**20 * 2 * np.pi
"""Angles from here on are refused: doubles no longer resolve a phase word."""

_GATE, _BARRIER, _DELAY, _MEASURE, _RESET = range(5)  # QkOperationKind
_REAL, _EXPRESSION, _INTEGER = 1, 2, 3  # QkParamKind
_DT: Final = 5  # QkDelayUnit
_LONGEST_DT: Final = 2.0**52
_LOW_HALF: Final = np.uint64(2**32 - 1)
_PHASE_NAME: Final = b"global_phase"
_PHASE_WORDS: Final = (int.from_bytes(_PHASE_NAME[:8], "little"), int.from_bytes(_PHASE_NAME[8:], "little"))

_OP_GATE, _OP_RZ, _OP_DELAY = int(Opcode.GATE), int(Opcode.RZ), int(Opcode.DELAY)
_OP_BARRIER, _OP_MEASURE, _OP_RESET = int(Opcode.BARRIER), int(Opcode.MEASURE), int(Opcode.RESET)
_BODY_SEGMENT, _RESET_SEGMENT = int(SegmentKind.BODY), int(SegmentKind.RESET)

_HOLDING_GIL: Final[dict[str, Any]] = JIT | {"nogil": False}
"""While a circuit is read, no other thread may change it."""
# What the kernel says: it is done, some column was too short, or this circuit is not for it; of a row also: it is open.
DONE, GROW, LEAVE, _OPEN = range(4)
ROWS, HEAP, SEGMENTS, SITES, PENDING = range(5)
"""Places in ``counts``."""

Records: TypeAlias = Any
"""A structured array; Numba reads fields as attributes, which NumPy's types do not know."""


@njit(**_HOLDING_GIL)
def _name_number(address: np.uint64, length: np.uint64, names: NDArray[np.uint64]) -> int:
    """Return the row of ``names`` that equals a name, -2 for a global phase, -1 for none."""
    if length > 16:
        return -1
    low = high = np.uint64(0)
    for k in range(np.int64(length)):
        byte = np.uint64(load_byte(address + np.uint64(k)))
        if k < 8:
            low |= byte << np.uint64(8 * k)
        else:
            high |= byte << np.uint64(8 * (k - 8))
    for row in range(names.shape[0]):
        if names[row, 0] == low and names[row, 1] == high and names[row, 2] == length:
            return row
    if low == np.uint64(_PHASE_WORDS[0]) and high == np.uint64(_PHASE_WORDS[1]):
        return -2
    return -1


@njit(**_HOLDING_GIL)
def _pair_site(first: Any, second: Any, name: Any, bounds: NDArray[np.int32], pairs: NDArray[np.int32]) -> int:
    for k in range(bounds[first], bounds[first + 1]):
        if pairs[k, 0] == second and pairs[k, 1] == name:
            return pairs[k, 2]
    return -1


@njit(**_HOLDING_GIL)
def _number_of(api: NDArray[np.uint64], view: NDArray[np.uint64]) -> tuple[float, bool]:
    """Return the first parameter as a number, and whether it is an expression; infinite if it is neither."""
    kind = byte_of_param(api[4], view[3])
    if kind < _REAL or kind > _INTEGER:  # to ask for its value would abort the process
        return math.inf, False
    return real_of_param(api[3], view[3]), kind == _EXPRESSION


@njit(**_HOLDING_GIL)
def _read_angle(api: NDArray[np.uint64], view: NDArray[np.uint64], row: Any) -> int:
    if view[6] != 1:
        return LEAVE
    angle, is_expression = _number_of(api, view)
    if abs(angle) < LONGEST_RAD:
        row.angle_rad = angle + 0.0  # of two zeros the positive one
        return DONE
    return _OPEN if is_expression and math.isnan(angle) else LEAVE


@njit(**_HOLDING_GIL)
def _read_delay(unit: Any, api: NDArray[np.uint64], view: NDArray[np.uint64], row: Any) -> int:
    row.opcode = _OP_DELAY
    if unit > _DT:
        return LEAVE
    length, _ = _number_of(api, view)
    if not (length >= 0 and length <= _LONGEST_DT):
        return LEAVE
    if unit != _DT:  # exact conversion is not for doubles
        row.ticks, row.angle_rad = unit, length
        return _OPEN
    row.ticks = np.int64(length)
    return DONE if row.ticks == length else LEAVE


@njit(**_HOLDING_GIL)
def _read_barrier(view: NDArray[np.uint64], row: Any, barrier_qubits: NDArray[np.int32], counts: Any) -> int:
    n, heap = np.int64(view[5] & _LOW_HALF), counts[HEAP]
    row.opcode, row.qubit, row.count = _OP_BARRIER, -1, n
    if heap + n > barrier_qubits.shape[0]:
        return GROW
    for k in range(n):
        barrier_qubits[heap + k] = load_u32(view[1] + np.uint64(4 * k))
    counts[HEAP] = heap + n
    return DONE


@njit(**_HOLDING_GIL)
def _add_site(site: Any, number_of: NDArray[np.int32], used: NDArray[np.int32], counts: NDArray[np.int64]) -> None:
    number_of[site] = counts[SITES]
    used[counts[SITES]] = site
    counts[SITES] += 1


@njit(**_HOLDING_GIL)
def _begin_segment(kind: int, first: int, segments: Records, counts: NDArray[np.int64]) -> int:
    n = counts[SEGMENTS]
    if n >= segments.shape[0]:
        return GROW
    segments[n].first = first
    segments[n].kind = kind
    counts[SEGMENTS] = n + 1
    return DONE


@njit(**_HOLDING_GIL)
def _end_segments(segments: Records, counts: NDArray[np.int64]) -> int:
    if counts[SEGMENTS] == 0:  # an empty circuit has one empty segment
        _begin_segment(_BODY_SEGMENT, 0, segments, counts)
    end = counts[ROWS]
    for k in range(counts[SEGMENTS] - 1, -1, -1):
        segments[k].count = end - segments[k].first
        end = np.int64(segments[k].first)
    return DONE


@njit(**_HOLDING_GIL)
def read_instructions(
    api: NDArray[np.uint64],
    address: int,
    view: NDArray[np.uint64],
    names: NDArray[np.uint64],
    single: NDArray[np.int32],
    pair_bounds: NDArray[np.int32],
    pairs: NDArray[np.int32],
    measured_reset: NDArray[np.uint8],
    may_be_custom: bool,
    scratch: NDArray[np.int32],
    used: NDArray[np.int32],
    instructions: NDArray[np.void],
    barrier_qubits: NDArray[np.int32],
    segments: NDArray[np.void],
    pending: NDArray[np.int32],
    counts: NDArray[np.int64],
) -> int:
    """Write the columns of a circuit.

    Args:
        api: Addresses: view, kind, delay unit, parameter as real, kind of parameter; then that of ``view``.
        address: Of the circuit.
        view: Scratch, the seven words of a ``QkCircuitInstructionView``.
        names: Of a ``DeviceTable``, like the four that follow.
        single: Site of each name on each qubit.
        pair_bounds: Bounds of ``pairs`` by first qubit.
        pairs: Second qubit, name, site.
        measured_reset: By qubit.
        may_be_custom: Whether what is unknown is left as a pending row; ``ticks`` says how many sites came before it.
        scratch: One per site of the device, then one per qubit.
        used: Out: sites in order of first use.
        instructions: Out: dtype ``INSTRUCTION``, one per instruction of the circuit.
        barrier_qubits: Out: heap of the barriers' qubits.
        segments: Out: dtype ``SEGMENT``.
        pending: Out: rows with an open angle, a delay in another unit than dt, or what may be a custom gate.
        counts: Out: instructions, barrier qubits, segments, sites, pending rows.

    Returns:
        Whether it is done, a column was too short, or the slow reader must read this circuit.
    """
    circuit, n_sites = np.uint64(address), scratch.shape[0] - single.shape[1]
    scratch[:] = -1
    counts[:] = 0
    # Names of standard gates are static, so their places stand for them; more than these are compared each time.
    known_place, known_name, n_known = np.zeros(8, np.uint64), np.zeros(8, np.int64), 0
    last_segment, n_rows = -1, 0
    for i in range(instructions.shape[0]):
        view_instruction(api[0], circuit, np.uint64(i), api[5])
        first = np.int64(load_u32(view[1])) if view[5] & _LOW_HALF > 0 else -1
        row = instructions[n_rows]
        row.opcode, row.site, row.qubit, row.clbit, row.expression, row.source = _OP_GATE, -1, first, -1, -1, i
        row.first, row.count, row.ticks, row.angle_rad = counts[HEAP], 0, 0, 0.0
        place, slot, kind = view[0] + (view[4] << np.uint64(56)), 0, _GATE
        while slot < n_known and known_place[slot] != place:
            slot += 1
        if slot == n_known:
            kind = np.int64(byte_of(api[1], circuit, np.uint64(i)))
            if kind == _GATE:
                slot = min(slot, 7)
                n_known = slot + 1
                known_place[slot], known_name[slot] = place, _name_number(view[0], view[4], names)
        status, site, segment = LEAVE, -1, _BODY_SEGMENT
        if kind == _GATE:
            name = known_name[slot]
            if name == -2:  # a global phase
                continue
            # Written out, as below: a call with so many arrays for every gate takes longer than all the rest.
            if name >= 0 and name not in (MEASURE, RESET):
                if view[5] == 1:
                    site = np.int64(single[name, first])
                elif view[5] == 2:
                    second = np.int64(load_u32(view[1] + np.uint64(4)))
                    site = np.int64(_pair_site(first, second, name, pair_bounds, pairs))
                if site >= 0 and name == RZ:
                    row.opcode = _OP_RZ
                    status = _read_angle(api, view, row)
                elif site >= 0 and view[6] == 0:
                    status = DONE
        elif kind == _MEASURE:
            row.opcode, row.clbit, site = _OP_MEASURE, load_u32(view[2]), np.int64(single[MEASURE, first])
            status = DONE if site >= 0 else LEAVE
        elif kind == _BARRIER:
            status = _read_barrier(view, row, barrier_qubits, counts)
        elif kind == _DELAY:
            status = _read_delay(byte_of(api[2], circuit, np.uint64(i)), api, view, row)
        elif kind == _RESET:
            row.opcode, site = _OP_RESET, np.int64(single[RESET, first])
            if measured_reset[first] != 0:
                segment = _RESET_SEGMENT
            status = DONE if site >= 0 and (segment == _BODY_SEGMENT or single[X, first] >= 0) else LEAVE
        if status == LEAVE and may_be_custom:
            row.opcode, row.ticks, row.angle_rad, site = _OP_GATE, counts[SITES], 0.0, -1
            row.clbit = load_u32(view[2]) if view[5] >> np.uint64(32) > 0 else -1
            status, segment = _OPEN, _BODY_SEGMENT
        if status in (LEAVE, GROW):
            return status
        if site >= 0:
            if scratch[site] < 0:
                _add_site(site, scratch, used, counts)
            row.site = scratch[site]
        again = False
        if segment == _RESET_SEGMENT:
            if scratch[single[X, first]] < 0:
                _add_site(np.int64(single[X, first]), scratch, used, counts)
            again = scratch[n_sites + first] == counts[SEGMENTS]
        if segment != last_segment or again:
            if _begin_segment(segment, n_rows, segments, counts) == GROW:
                return GROW
            last_segment = segment
        if segment == _RESET_SEGMENT:
            scratch[n_sites + first] = counts[SEGMENTS]
        if status == _OPEN:
            if counts[PENDING] >= pending.shape[0]:
                return GROW
            pending[counts[PENDING]] = n_rows
            counts[PENDING] += 1
        n_rows += 1
    counts[ROWS] = n_rows
    return _end_segments(segments, counts)
