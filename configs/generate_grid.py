"""Write design, wiring and hidden truth of an emulated grid: ``python configs/generate_grid.py grid20 4 5``.

The truth is the design with a seeded spread, as a fab would deliver it. Equal arguments write equal files.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np

from qctrl.calibration import Document, Value, dump, grid_design
from qctrl.errors import ConfigError

ROOT: Final = Path(__file__).resolve().parents[1]
SEED: Final = 20
LO_HZ: Final = {"lo_low": 4.6e9, "lo_high": 5.1e9, "lo_readout": 7.0e9}
BORDER_HZ: Final = 5.05e9
"""Between low and high qubits."""
FULL_SCALE_V: Final = {"iq_drive": 0.5, "flux": 1.0, "iq_readout": 0.5, "acquire": 0.5}


def main() -> None:
    """Write the three files."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("device")
    parser.add_argument("rows", type=int)
    parser.add_argument("columns", type=int)
    parser.add_argument("--seed", type=int, default=SEED, help="of the spread")
    parser.add_argument("--root", type=Path, default=ROOT, help="folder that has calibrations/ and configs/")
    given = parser.parse_args()
    design = grid_design(given.device, given.rows, given.columns)
    command = f"python configs/generate_grid.py {given.device} {given.rows} {given.columns} --seed {given.seed}"
    texts = {
        f"calibrations/{given.device}/nominal.yaml": (
            f"# Design values of {given.device}, before any measurement. "
            f"'qctrl cal bootstrap {given.device}' tunes a copy, working.yaml, from here.\n" + dump(design)
        ),
        f"configs/wiring_{given.device}.yaml": (
            f"# Wiring of the emulated {given.device}: every port at 1 GS/s, 16 bits. Numbers are SI.\n"
            + _lines(wiring(design))
        ),
        f"configs/truth/{given.device}.yaml": (
            f"# The hidden device behind the emulated {given.device}. Only the emulator reads this file.\n"
            + _lines(truth(design, np.random.default_rng(given.seed)))
        ),
    }
    for name, text in texts.items():
        path = given.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        head, _, rest = text.partition("\n")
        path.write_text(f"{head}\n# Made by: {command}\n{rest}", encoding="utf-8")


def wiring(design: Document) -> Iterator[str]:
    """Yield the lines of the wiring of a design."""
    yield "schema: qctrl.wiring/1"
    yield "los:"
    for name, frequency_hz in LO_HZ.items():
        yield f"  {name}: {{frequency: {frequency_hz:.2e}}}"
    yield "ports:"
    for name, qubit in design.qubits.items():
        yield _port(f"{name}.drive", "iq_drive", "lo_high" if _is_high(design, name) else "lo_low")
        yield _port(str(qubit.ports.flux), "flux")
    for edge in design.edges.values():
        if edge.coupler is not None:
            yield _port(edge.coupler.port, "flux")
    for feedline in _feedlines(design):
        yield _port(f"{feedline}.readout", "iq_readout", "lo_readout")
        yield _port(f"{feedline}.acquire", "acquire", "lo_readout")


def truth(design: Document, rng: np.random.Generator) -> Iterator[str]:
    """Yield the lines of a truth that is spread about a design."""
    yield "schema: qctrl.truth/1"
    yield f"device: {design.device.name}"
    yield "qubits:"
    yield from _qubits(design, rng)
    yield "edges:"
    for name, edge in design.edges.items():
        yield f"  {name}:"
        yield f"    g_idle: {rng.uniform(3e4, 8e4) * rng.choice([-1, 1]):.1e}"
        if edge.coupler is not None:
            frequency_hz, period_fs, g_qc_hz = rng.normal(6.9e9, 3e7), rng.uniform(3.75, 3.85), rng.normal(1.5e8, 3e6)
            curve = f"frequency: {frequency_hz:.3e}, period_fs: {period_fs:.3f}, g_qc: {g_qc_hz:.3e}"
            yield f"    coupler: {{port: {edge.coupler.port}, {curve}}}"
    yield "lines:"
    for name in design.qubits:
        yield f"  {name}.drive: {{rabi_hz_per_fs: {rng.normal(1e8, 4e6):.3e}, phase: {rng.uniform(-3.1, 3.1):.2f}}}"
    yield "resonators:"
    for name, qubit in design.qubits.items():
        tone_hz = _about(rng, qubit.readout and qubit.readout.frequency, 3e6)
        kappa_hz, shift_hz = rng.normal(5e6, 3e5), rng.normal(-4.4e6, 2e5)
        shifts = f"chi_01: {shift_hz:.2e}, chi_02: {1.85 * shift_hz:.2e}"
        place = f"feedline: {_feedline(design, name)}, frequency: {tone_hz:.4e}"
        yield f"  {name}: {{{place}, kappa: {kappa_hz:.2e}, {shifts}}}"
    yield "feedlines:"
    for feedline in _feedlines(design):
        yield f"  {feedline}:"
        yield f"    readout_port: {feedline}.readout"
        yield f"    acquire_port: {feedline}.acquire"
        yield f"    input_scale: {rng.normal(6.4e4, 1e3):.2e}"
        yield "    adc_scale: 1.6e-6"
        yield f"    efficiency: {rng.uniform(0.11, 0.14):.3f}"
        yield f"    phase: {rng.uniform(-3.1, 3.1):.2f}"


def _qubits(design: Document, rng: np.random.Generator) -> Iterator[str]:
    for name, qubit in design.qubits.items():
        t1_s = rng.uniform(4e-5, 9e-5)
        yield f"  {name}:"
        yield f"    frequency: {_about(rng, qubit.frequency, 4e6):.4e}"
        yield f"    anharmonicity: {_about(rng, qubit.anharmonicity, 8e6):.3e}"
        yield f"    t1: {t1_s:.2e}"
        yield f"    t2_echo: {t1_s * rng.uniform(0.7, 1.3):.2e}"
        yield f"    thermal_population: {rng.uniform(1e-3, 5e-3):.1e}"
        yield f"    drive_port: {name}.drive"
        yield f"    flux_port: {name}.flux"
        period_fs, offset_fs = rng.uniform(2.55, 2.65), rng.uniform(-4e-3, 4e-3)
        yield f"    flux: {{period_fs: {period_fs:.3f}, offset_fs: {offset_fs:.4f}, asymmetry: 0.1}}"


def _port(name: str, kind: str, lo: str | None = None) -> str:
    fed = "" if lo is None else f"lo: {lo}, "
    scale = f"sample_rate: 1.0e9, full_scale_v: {FULL_SCALE_V[kind]}, bandwidth: 4.5e8"
    return f"  {name}: {{kind: {kind}, {fed}{scale}}}"


def _about(rng: np.random.Generator, design: Value | None, spread: float) -> float:
    if design is None:
        raise ConfigError("the design leaves a frequency open; give it one to spread about")
    return design.value + rng.uniform(-spread, spread)


def _is_high(design: Document, name: str) -> bool:
    frequency = design.qubits[name].frequency
    return frequency is not None and frequency.value > BORDER_HZ


def _feedline(design: Document, name: str) -> str:
    return str(design.qubits[name].ports.readout).partition(".")[0]


def _feedlines(design: Document) -> list[str]:
    return list(dict.fromkeys(_feedline(design, name) for name in design.qubits))


def _lines(lines: Iterator[str]) -> str:
    return "".join(f"{line}\n" for line in lines)


if __name__ == "__main__":
    main()
