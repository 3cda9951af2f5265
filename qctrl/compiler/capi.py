"""Read a ``QuantumCircuit`` through Qiskit's C API, which is the fast way.

What the C API cannot show is left to the slow reader: ``read_columns`` returns ``None``.
"""

from __future__ import annotations

import ctypes
import operator
import threading
from functools import cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple, cast

import numpy as np

from qctrl.compiler._capi_kernels import GROW, LEAVE, read_instructions
from qctrl.ir.gate_program import INSTRUCTION, SEGMENT

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray
    from qiskit.circuit import QuantumCircuit

    from qctrl.compiler.device import DeviceTable

UNITS: Final = ("s", "ms", "us", "ns", "ps", "dt")
"""Units of delays, by their number in the C API."""
_KEPT_ROOM: Final = 64


class Columns(NamedTuple):
    """A circuit as the kernel read it."""

    instructions: NDArray[np.void]
    """dtype ``INSTRUCTION``; rows in ``pending`` are unfinished."""
    segments: NDArray[np.void]
    """dtype ``SEGMENT``."""
    barrier_qubits: NDArray[np.int32]
    sites: NDArray[np.int32]
    """The device's number of each site, in order of first use; overwritten by the thread's next call."""
    pending: NDArray[np.int32]
    """Rows with an open angle or a gate with arguments, to be resolved from ``source``, or with a delay of
    ``angle_rad`` ``UNITS[ticks]``; overwritten by the thread's next call."""


class _Workspace(threading.local):
    """Scratch of the kernel's calls, one per thread, kept from call to call."""

    def __init__(self) -> None:
        self.view = np.zeros(7, dtype=np.uint64)
        self.counts = np.zeros(5, dtype=np.int64)
        self.api = np.array([*_addresses(), self.view.ctypes.data], dtype=np.uint64)
        self.scratch = self.used = np.empty(0, dtype=np.int32)
        self.grow(1)

    def grow(self, room: int) -> None:
        """Make room for so many segments, pending rows and qubits in barriers."""
        self.room = room
        self.segments = np.empty(64 * room, dtype=SEGMENT)
        self.pending = np.empty(256 * room, dtype=np.int32)
        self.barrier_qubits = np.empty(1024 * room, dtype=np.int32)

    def fit(self, device: DeviceTable) -> None:
        """Make room for the sites of a device."""
        n = len(device.sites) + device.single.shape[1]
        if len(self.scratch) != n:
            self.scratch, self.used = np.empty(n, dtype=np.int32), np.empty(n, dtype=np.int32)


def read_columns(circuit: QuantumCircuit, device: DeviceTable, *, may_be_custom: bool = False) -> Columns | None:
    """Return the columns of a circuit, or ``None`` if it holds anything that the C API cannot show.

    Args:
        circuit: Has at most as many qubits as the device.
        device: What the device can play.
        may_be_custom: Whether to show what is not in the device's sites as pending rows.
    """
    data = circuit_data(circuit)
    if data is None:
        return None
    data, address = _borrowed(data)
    work = _workspace()
    work.fit(device)
    instructions = np.empty(len(data), dtype=INSTRUCTION)
    while True:
        status = read_instructions(
            work.api,
            address,
            work.view,
            device.names,
            device.single,
            device.pair_bounds,
            device.pairs,
            device.measured_reset,
            may_be_custom,
            work.scratch,
            work.used,
            instructions,
            work.barrier_qubits,
            work.segments,
            work.pending,
            work.counts,
        )
        if status != GROW:
            break
        work.grow(8 * work.room)
    if status == LEAVE:
        return None
    n_rows, n_barrier_qubits, n_segments, n_used, n_pending = work.counts.tolist()
    columns = Columns(
        instructions=instructions if n_rows == len(instructions) else instructions[:n_rows],
        # To copy records field by field takes longer than to read a small circuit.
        segments=np.frombuffer(work.segments[:n_segments].tobytes(), dtype=SEGMENT),
        barrier_qubits=work.barrier_qubits[:n_barrier_qubits].copy(),
        sites=work.used[:n_used],
        pending=work.pending[:n_pending],
    )
    if work.room > _KEPT_ROOM:
        columns = columns._replace(pending=columns.pending.copy())
        work.grow(1)
    return columns


def circuit_data(circuit: QuantumCircuit) -> Any:
    """Return Qiskit's native circuit, which must outlive its use; ``None`` if there is none, or one with variables.

    ``_data`` is private, but the only object that the C API accepts.
    """
    _ = circuit.data  # library circuits are built when it is first read
    data = getattr(circuit, "_data", None)
    return None if data is None or circuit.num_input_vars or circuit.num_declared_vars else data


def _borrowed(data: Any) -> tuple[Any, int]:
    """Return a native circuit and its address; those of a copy if another thread is in the middle of reading it.

    The C API borrows for writing, and ends the whole process where somebody else has borrowed. ``reserve`` borrows in
    the same way and raises; ``map`` calls both from C, where no other thread comes in between.
    """
    borrow, call = _borrow(), cast("Callable[..., Any]", operator.call)
    try:
        _, address = map(call, (data.reserve, borrow), (0, data))
    except RuntimeError:
        data = data.copy()
        return data, borrow(data)
    return data, address


@cache
def _workspace() -> _Workspace:
    return _Workspace()


@cache
def _borrow() -> Callable[[Any], int]:
    from qiskit import capi

    # A plain integer comes back, not a pointer object.
    return ctypes.PYFUNCTYPE(ctypes.c_size_t, ctypes.py_object)(_address(capi.qk_circuit_borrow_from_python))


def _addresses() -> list[int]:
    from qiskit import capi

    functions = (
        capi.qk_circuit_view_instruction,
        capi.qk_circuit_instruction_kind,
        capi.qk_circuit_delay_unit,
        capi.qk_param_as_real,
        capi.qk_param_kind,
    )
    return [_address(function) for function in functions]


def _address(function: Any) -> int:
    address = ctypes.cast(function, ctypes.c_void_p).value
    return 0 if address is None else address
