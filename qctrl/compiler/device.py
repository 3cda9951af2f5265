"""Which gates a device has where, as arrays that a kernel can look up; prepared once per calibration."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

import numpy as np

from qctrl.compiler.sites import require_gate, reset_is_measured
from qctrl.errors import CalibrationError
from qctrl.ir.gate_program import GateSite

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from qctrl.calibration import Calibration

NAME_BYTES: Final = 16
"""Longer names are left to the slow reader."""
RZ, X, MEASURE, RESET = range(4)
"""Fixed rows of ``names``."""
_FIXED: Final = ("rz", "x", "measure", "reset")


@dataclass(frozen=True, slots=True, eq=False)
class DeviceTable:
    """Sites of a device, numbered; every array is read-only."""

    sites: tuple[GateSite, ...]
    """All gates without bounded angles, measurements and resets on all live qubits and edges, in all allowed orders."""
    index: Mapping[GateSite, int]
    """Number of each site."""
    names: NDArray[np.uint64]
    """Shape ``(n_names, 3)``: the first 16 bytes of a name as two words, and its length."""
    single: NDArray[np.int32]
    """Site of each name on each qubit, shape ``(n_names, n_qubits)``, -1 for none."""
    pair_bounds: NDArray[np.int32]
    """Pairs whose first qubit is q are ``pairs[pair_bounds[q] : pair_bounds[q + 1]]``."""
    pairs: NDArray[np.int32]
    """Shape ``(n_pairs, 3)``: second qubit, name, site."""
    measured_reset: NDArray[np.uint8]
    """Whether the reset of a qubit needs a measurement, shape ``(n_qubits,)``."""
    angle_bounds: Mapping[tuple[str, tuple[int, ...]], tuple[float, float]]
    """Lowest and highest angle of the gates that have such, by name and qubits; they are not among the sites."""


@lru_cache(maxsize=8)
def device_table(calibration: Calibration) -> DeviceTable:
    """Return the table of a calibration; made once, remembered for the calibrations in use."""
    sites = _sites(calibration)
    names = dict.fromkeys([*_FIXED, *(site.name for site in sites)])
    number = {name: row for row, name in enumerate(names)}
    n_qubits = len(calibration.qubit_names)
    single = np.full((len(names), n_qubits), -1, dtype=np.int32)
    pairs: list[list[tuple[int, int, int]]] = [[] for _ in range(n_qubits)]
    for index, site in enumerate(sites):
        if len(site.qubits) == 1:
            single[number[site.name], site.qubits[0]] = index
        else:
            pairs[site.qubits[0]].append((site.qubits[1], number[site.name], index))
    table = DeviceTable(
        sites=sites,
        index=MappingProxyType({site: row for row, site in enumerate(sites)}),
        names=np.array([_words(name) for name in names], dtype=np.uint64),
        single=single,
        pair_bounds=np.cumsum([0, *(len(row) for row in pairs)], dtype=np.int32),
        pairs=np.array([pair for row in pairs for pair in row], dtype=np.int32).reshape(-1, 3),
        measured_reset=np.array([reset_is_measured(calibration, qubit) for qubit in range(n_qubits)], dtype=np.uint8),
        angle_bounds=MappingProxyType(_angle_bounds(calibration)),
    )
    for column in (table.names, table.single, table.pair_bounds, table.pairs, table.measured_reset):
        column.flags.writeable = False
    return table


def _sites(calibration: Calibration) -> tuple[GateSite, ...]:
    found = [GateSite(*each) for each in _gates(calibration) if calibration.angle_bounds(*each) is None]
    for qubit in calibration.live_qubits:
        found += [GateSite(name, (qubit,)) for name in ("measure", "reset") if _exists(calibration, name, (qubit,))]
    return tuple(found)


def _angle_bounds(calibration: Calibration) -> dict[tuple[str, tuple[int, ...]], tuple[float, float]]:
    pairs = ((each, calibration.angle_bounds(*each)) for each in _gates(calibration))
    return {each: bounds for each, bounds in pairs if bounds is not None}


def _gates(calibration: Calibration) -> list[tuple[str, tuple[int, ...]]]:
    """Return all gates on all live qubits and edges, in all allowed orders."""
    found: list[tuple[str, tuple[int, ...]]] = []
    for name, qubits in calibration.operations():
        found.append((name, qubits))
        if len(qubits) == 2 and _exists(calibration, name, qubits[::-1]):
            found.append((name, qubits[::-1]))
    return found


def _exists(calibration: Calibration, name: str, qubits: tuple[int, ...]) -> bool:
    try:
        require_gate(calibration, name, qubits)
    except CalibrationError:
        return False
    return True


def _words(name: str) -> tuple[int, int, int]:
    data = name.encode()
    padded = data[:NAME_BYTES].ljust(NAME_BYTES, b"\0")
    return int.from_bytes(padded[:8], "little"), int.from_bytes(padded[8:], "little"), len(data)
