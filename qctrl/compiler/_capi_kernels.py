"""The kernel that walks a circuit through Qiskit's C API; no Python object is made.

Addresses of C functions enter as integer arguments, so that the machine code holds nothing of this process and can be
cached on disk.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic

from qctrl.compiler.device import MEASURE, RESET, RZ, X
from qctrl.ir.gate_program import Opcode, SegmentKind
from qctrl.jit import JIT

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

LONGEST_RAD: Final = 2**20 * 2 * np.pi
"""Angles from here on are refused: doubles no longer resolve a phase word."""

_GATE, _BARRIER, _DELAY, _MEASURE, _RESET = range(5)  # QkOperationKind
_REAL, _EXPRESSION, _INTEGER = 1, 2, 3  # QkParamKind
_DT: Final = 5  # QkDelayUnit
_LONGEST_DT: Final = 2.0**52
_PHASE_NAME: Final = b"global_phase"
_PHASE_WORDS: Final = (int.from_bytes(_PHASE_NAME[:8], "little"), int.from_bytes(_PHASE_NAME[8:], "little"))

_OP_GATE, _OP_RZ, _OP_DELAY = int(Opcode.GATE), int(Opcode.RZ), int(Opcode.DELAY)
_OP_BARRIER, _OP_MEASURE, _OP_RESET = int(Opcode.BARRIER), int(Opcode.MEASURE), int(Opcode.RESET)
_BODY_SEGMENT, _RESET_SEGMENT = int(SegmentKind.BODY), int(SegmentKind.RESET)

_HOLDING_GIL: Final[dict[str, Any]] = JIT | {"nogil": False}
"""While a circuit is read, no other thread may change it."""
# What the kernel says: it is done, some column was too short, or this circuit is not for it.
DONE, GROW, LEAVE = range(3)

_Emit: TypeAlias = "Callable[[Any, Any, Any, Any], Any]"


def _emit_call(result: Any) -> _Emit:
    """Return the code generator of a call to the address that is the first argument."""

    def emit(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        word = ir.IntType(64)
        function = ir.FunctionType(result, [word] * (len(arguments) - 1))
        return builder.call(builder.inttoptr(arguments[0], function.as_pointer()), arguments[1:])

    return emit


def _emit_void_call(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
    _emit_call(ir.VoidType())(context, builder, signature, arguments)
    return context.get_dummy_value()


def _emit_load(bits: int) -> _Emit:
    def emit(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.load(builder.inttoptr(arguments[0], ir.IntType(bits).as_pointer()))

    return emit


_U64: Any = types.uint64


def _type_view(_typing: Any, _function: Any, _circuit: Any, _index: Any, _out: Any) -> Any:
    return types.void(_U64, _U64, _U64, _U64), _emit_void_call


def _type_byte_of(_typing: Any, _function: Any, _circuit: Any, _index: Any) -> Any:
    return types.uint8(_U64, _U64, _U64), _emit_call(ir.IntType(8))


def _type_byte_of_param(_typing: Any, _function: Any, _param: Any) -> Any:
    return types.uint8(_U64, _U64), _emit_call(ir.IntType(8))


def _type_real_of_param(_typing: Any, _function: Any, _param: Any) -> Any:
    return types.float64(_U64, _U64), _emit_call(ir.DoubleType())


def _type_load_byte(_typing: Any, _address: Any) -> Any:
    return types.uint8(_U64), _emit_load(8)


def _type_load_u32(_typing: Any, _address: Any) -> Any:
    return types.uint32(_U64), _emit_load(32)


# Calls of C functions: the first argument is the address. The last two read memory.
_view: Any = intrinsic(_type_view)
_byte_of: Any = intrinsic(_type_byte_of)
_byte_of_param: Any = intrinsic(_type_byte_of_param)
_real_of_param: Any = intrinsic(_type_real_of_param)
_load_byte: Any = intrinsic(_type_load_byte)
_load_u32: Any = intrinsic(_type_load_u32)


@njit(**_HOLDING_GIL)
def _name_number(address: np.uint64, length: np.uint64, names: NDArray[np.uint64]) -> int:
    """Return the row of ``names`` that equals a name, -2 for a global phase, -1 for none."""
    if length > 16:
        return -1
    low = high = np.uint64(0)
    for k in range(np.int64(length)):
        byte = np.uint64(_load_byte(address + np.uint64(k)))
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
def read_instructions(
    api: NDArray[np.uint64],
    address: int,
    view: NDArray[np.uint64],
    names: NDArray[np.uint64],
    single: NDArray[np.int32],
    pair_bounds: NDArray[np.int32],
    pairs: NDArray[np.int32],
    measured_reset: NDArray[np.uint8],
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
        scratch: One per site of the device, then one per qubit.
        used: Out: sites in order of first use.
        instructions: Out: dtype ``INSTRUCTION``, one per instruction of the circuit.
        barrier_qubits: Out: heap of the barriers' qubits.
        segments: Out: dtype ``SEGMENT``.
        pending: Out: rows with an open angle, or a delay in another unit than dt.
        counts: Out: instructions, barrier qubits, segments, sites, pending rows.

    Returns:
        Whether it is done, a column was too short, or the slow reader must read this circuit.
    """
    circuit = np.uint64(address)
    scratch[:] = -1
    n_qubits = single.shape[1]
    n_sites = scratch.shape[0] - n_qubits
    # Names of standard gates are static, so addresses stand for them; more names than these are compared each time.
    known_address = np.zeros(8, np.uint64)
    known_name = np.zeros(8, np.int64)
    n_known = 0
    row = heap = n_segments = n_pending = n_used = 0
    last_segment = -1
    for i in range(instructions.shape[0]):
        _view(api[0], circuit, np.uint64(i), api[5])
        kind = _byte_of(api[1], circuit, np.uint64(i))
        n_params = view[6]
        n_operands = np.int64(view[5] & np.uint64(0xFFFFFFFF))
        first = np.int64(_load_u32(view[1])) if n_operands > 0 else -1
        opcode, site, clbit, expression, count = _OP_GATE, -1, -1, -1, 0
        ticks, angle = 0, 0.0
        segment, segment_is_new = _BODY_SEGMENT, False
        if kind == _GATE:
            slot = 0
            while slot < n_known and known_address[slot] != view[0]:
                slot += 1
            if slot == n_known:
                slot = min(slot, 7)
                n_known = slot + 1
                known_address[slot] = view[0]
                known_name[slot] = _name_number(view[0], view[4], names)
            name = known_name[slot]
            if name == -2:
                continue
            if name < 0 or name in (MEASURE, RESET):
                return LEAVE
            if n_operands == 1:
                site = single[name, first]
            elif n_operands == 2:
                second = np.int64(_load_u32(view[1] + np.uint64(4)))
                site = _pair_site(first, second, name, pair_bounds, pairs)
            if site < 0:
                return LEAVE
            if name == RZ:
                if n_params != 1:
                    return LEAVE
                opcode = _OP_RZ
                param_kind = _byte_of_param(api[4], view[3])
                if param_kind < _REAL or param_kind > _INTEGER:  # to ask for its value would abort the process
                    return LEAVE
                angle = _real_of_param(api[3], view[3])
                if not abs(angle) < LONGEST_RAD:
                    if not math.isnan(angle) or param_kind != _EXPRESSION:
                        return LEAVE
                    angle = 0.0
                    expression = n_pending
            elif n_params != 0:
                return LEAVE
        elif kind == _MEASURE:
            opcode, site, clbit = _OP_MEASURE, single[MEASURE, first], np.int64(_load_u32(view[2]))
        elif kind == _BARRIER:
            opcode, count = _OP_BARRIER, n_operands
            if heap + count > barrier_qubits.shape[0]:
                return GROW
            for k in range(count):
                barrier_qubits[heap + k] = _load_u32(view[1] + np.uint64(4 * k))
            first = -1
        elif kind == _DELAY:
            opcode = _OP_DELAY
            unit = np.int64(_byte_of(api[2], circuit, np.uint64(i)))
            param_kind = _byte_of_param(api[4], view[3])
            if unit > _DT or param_kind < _REAL or param_kind > _INTEGER:
                return LEAVE
            length = _real_of_param(api[3], view[3])
            if not (length >= 0 and length <= _LONGEST_DT):
                return LEAVE
            if unit == _DT:
                ticks = np.int64(length)
                if ticks != length:
                    return LEAVE
            else:  # exact conversion is not for doubles
                ticks, angle = unit, length
                expression = n_pending
        elif kind == _RESET:
            opcode, site = _OP_RESET, single[RESET, first]
            if site >= 0 and measured_reset[first] != 0:
                segment = _RESET_SEGMENT
                segment_is_new = last_segment != _RESET_SEGMENT or scratch[n_sites + first] == n_segments
        else:
            return LEAVE
        if site < 0 and opcode not in (_OP_BARRIER, _OP_DELAY):
            return LEAVE
        if site >= 0:
            if scratch[site] < 0:
                scratch[site] = n_used
                used[n_used] = site
                n_used += 1
            site = scratch[site]
        if segment == _RESET_SEGMENT:
            flip = single[X, first]
            if flip < 0:
                return LEAVE
            if scratch[flip] < 0:
                scratch[flip] = n_used
                used[n_used] = flip
                n_used += 1
        if segment != last_segment or segment_is_new:
            if n_segments >= segments.shape[0]:
                return GROW
            segments[n_segments].first = row
            segments[n_segments].kind = segment
            n_segments += 1
            last_segment = segment
        if segment == _RESET_SEGMENT:
            scratch[n_sites + first] = n_segments
        if expression >= 0:
            if n_pending >= pending.shape[0]:
                return GROW
            pending[n_pending] = row
            n_pending += 1
        out = instructions[row]
        out.opcode = opcode
        out.site = site
        out.qubit = first
        out.clbit = clbit
        out.expression = expression
        out.source = i
        out.first = heap
        out.count = count
        out.ticks = ticks
        out.angle_rad = angle
        heap += count
        row += 1
    if n_segments == 0:  # an empty circuit has one empty segment
        segments[0].first = 0
        segments[0].kind = _BODY_SEGMENT
        n_segments = 1
    for k in range(n_segments):
        segments[k].count = (segments[k + 1].first if k + 1 < n_segments else row) - segments[k].first
    counts[0], counts[1], counts[2], counts[3], counts[4] = row, heap, n_segments, n_used, n_pending
    return DONE
