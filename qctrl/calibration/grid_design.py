"""Design values of a rectangular grid of transmons with tunable couplers, of any size: where tuning starts.

As on a chessboard, low qubits have high neighbours only. A CZ brings the high qubit down until its 1-2 transition meets
the 0-1 transition of its low neighbour. The low neighbours of a high qubit have four different frequencies, so that no
other one is met there.
"""

from __future__ import annotations

from math import acos, pi
from typing import Any, Final

from qctrl.calibration.document import Document

PER_FEEDLINE: Final = 5

_LOW_HZ: Final = (4.72e9, 4.78e9, 4.84e9, 4.90e9)
_HIGH_HZ: Final = (5.28e9, 5.31e9, 5.34e9, 5.37e9)
_ANHARMONICITY_HZ: Final = -3.0e8
_FLUX_PERIOD_FS: Final = 2.6
_COUPLER_FS: Final = 0.75
_FIRST_TONE_HZ: Final = 6.77e9
_TONE_STEP_HZ: Final = 1.15e8


def grid_design(name: str, rows: int, columns: int) -> Document:
    """Return the design of a grid; qubit ``columns * row + column`` stands at that row and column.

    Args:
        name: Name of the device.
        rows: Rows of the grid, 1 for a chain.
        columns: Columns.

    Raises:
        ValidationError: The grid holds no qubit, or more than a calibration may.
    """
    places = [(row, column) for row in range(rows) for column in range(columns)]
    frequencies_hz = [design_frequency_hz(*place) for place in places]
    pairs = [(k, k + 1) for k, (_, column) in enumerate(places) if column + 1 < columns]
    pairs += [(k, k + columns) for k, (row, _) in enumerate(places) if row + 1 < rows]
    qubits = {f"q{k}": _qubit(k, place, frequencies_hz[k]) for k, place in enumerate(places)}
    edges = {f"q{a}-q{b}": _edge((a, b), (frequencies_hz[a], frequencies_hz[b])) for a, b in sorted(pairs)}
    return Document.model_validate(
        {
            "schema": "qctrl.calibration/1",
            "device": {"name": name},
            "id": "nominal",
            "message": "design values, untuned",
            "timing": {
                "dt": 1.0e-9,
                "granularity": 1,
                "min_length": 1,
                "pulse_alignment": 1,
                "acquire_alignment": 1,
                "bit_latency": 4.0e-7,
            },
            "qubits": qubits,
            "edges": edges,
        }
    )


def design_frequency_hz(row: int, column: int) -> float:
    """Return the design frequency at a place of the grid."""
    group = _HIGH_HZ if is_high(row, column) else _LOW_HZ
    # The neighbours of a place are a square of four in these coordinates.
    falling, rising = (row + column) // 2, (row - column) // 2
    return group[2 * (falling % 2) + rising % 2]


def is_high(row: int, column: int) -> bool:
    """Return whether the qubit at a place belongs to the high frequencies."""
    return (row + column) % 2 == 1


def _qubit(index: int, place: tuple[int, int], frequency_hz: float) -> dict[str, Any]:
    feedline, seat = divmod(index, PER_FEEDLINE)
    tone_hz = _FIRST_TONE_HZ + _TONE_STEP_HZ * seat
    row, column = place
    return {
        "index": index,
        "position": [float(column), float(row)],
        "frequency": frequency_hz,
        "anharmonicity": _ANHARMONICITY_HZ,
        "ports": {
            "drive": f"q{index}.drive",
            "flux": f"q{index}.flux",
            "readout": f"f{feedline}.readout",
            "acquire": f"f{feedline}.acquire",
        },
        "resonator": {"frequency": tone_hz, "chi": -2.2e6, "kappa": 5.0e6},
        "gates": {
            "rz": {"kind": "virtual_z"},
            "sx": {"kind": "pulse", "waveform": _drag(0.18)},
            "x": {"kind": "pulse", "waveform": _drag(0.36)},
        },
        "readout": {
            "frequency": tone_hz,
            "waveform": {"shape": "square", "duration": 1.0e-6, "amp": 0.1},
            "acquisition": {"delay": 0.0, "duration": 1.0e-6, "weights": {"kind": "flat"}},
            "ring_down": 2.0e-7,
            "discriminator": {"kind": "linear", "angle": 0.0, "threshold": 0.0},
        },
        "reset": {"kind": "active"},
    }


def _edge(pair: tuple[int, int], frequencies_hz: tuple[float, float]) -> dict[str, Any]:
    low_hz, high_hz = sorted(frequencies_hz)
    high = pair[frequencies_hz.index(high_hz)]
    port = "c{}_{}.flux".format(*pair)
    return {
        "coupler": {"port": port},
        "gates": {
            "cz": {
                "kind": "flux_cz",
                "actuate": f"q{high}.flux",
                "waveform": _flat_top(round(_flux_fs(high_hz, low_hz), 4)),
                "coupler_waveform": _flat_top(_COUPLER_FS),
                "virtual_z": {f"q{qubit}": 0.0 for qubit in pair},
                "padding": {"after": 4.0e-9},
            }
        },
    }


def _flux_fs(high_hz: float, low_hz: float) -> float:
    """Return the flux at which the 1-2 transition of the high qubit is at the low qubit's frequency.

    A symmetric transmon: ``f(x) = (f(0) + |alpha|) cos(pi x / period)^(1/2) - |alpha|`` (Koch 2007, eq. 2.18).
    """
    charging_hz = -_ANHARMONICITY_HZ
    return _FLUX_PERIOD_FS / pi * acos(((low_hz + 2 * charging_hz) / (high_hz + charging_hz)) ** 2)


def _drag(amplitude_fs: float) -> dict[str, Any]:
    return {"shape": "drag", "duration": 2.4e-8, "sigma": 6.0e-9, "amp": amplitude_fs, "beta": 0.0}


def _flat_top(amplitude_fs: float) -> dict[str, Any]:
    return {"shape": "flat_top_cosine", "duration": 6.0e-8, "rise": 1.0e-8, "amp": amplitude_fs}
