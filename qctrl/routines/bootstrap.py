"""Tune a device from nothing but its nominal values, against the emulator's physics.

Everything goes over the ordinary wire. Gates are judged by a debug request that only an emulator answers: the channel
of a program. Readout is tuned from shots, as in a lab.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from qctrl.calibration import dump, find_device, load
from qctrl.config import find_rack, load_rack
from qctrl.execution import LocalRunner
from qctrl.routines.bench import Bench
from qctrl.routines.bench import Path as Place
from qctrl.routines.tune_cr import characterise_cr, tune_cr
from qctrl.routines.tune_cz import characterise_cz, tune_cz
from qctrl.routines.tune_qubit import characterise, tune_frequency, tune_gate
from qctrl.routines.tune_readout import characterise_readout, tune_readout

DEFAULT_SEED: Final = 20260101
_AT_ONCE: Final = 2
_TUNE: Final = {"cz": tune_cz, "ecr": tune_cr}
_CHARACTERISE: Final = {"cz": characterise_cz, "ecr": characterise_cr}
"""Gates of two qubits that can be tuned; the others of a nominal file stay as they are."""


@dataclass(frozen=True, slots=True)
class _Part:
    """Qubits that are tuned by themselves."""

    names: tuple[str, ...]
    title: str
    step: Callable[[Bench], Bench]


def bootstrap(
    device: str,
    *,
    out: Path | None = None,
    truth: Path | None = None,
    seed: int = DEFAULT_SEED,
    progress: Callable[[str], None] = lambda _: None,
) -> Path:
    """Tune a device and write its calibration; return where.

    Args:
        device: Name of the device; its ``nominal.yaml`` is where tuning starts.
        out: File to write; ``working.yaml`` beside the nominal file if absent.
        truth: The emulator's hidden device; its own for this name if absent.
        seed: Seed of every shot that readout is tuned from.
        progress: Told what happens.

    Raises:
        CalibrationError: The nominal file lacks something that is to be tuned.
        InstrumentError: The emulator failed.
    """
    nominal = find_device(device, file="nominal.yaml")
    rack = load_rack(find_rack())
    runner = LocalRunner(rack, device, truth)
    stamp = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    try:
        bench = tune(Bench(load(nominal).document, rack.wiring(device), runner, seed, stamp), progress)
    finally:
        runner.close()
    target = nominal.with_name("working.yaml") if out is None else out
    target.write_text(dump(bench.document), encoding="utf-8")
    return target


def tune(bench: Bench, progress: Callable[[str], None]) -> Bench:
    """Return a bench that is tuned and characterised in every live qubit and edge."""
    for parts in (
        _per_qubit(bench, "frequency", tune_frequency),
        _per_qubit(bench, "sx and x", _tune_gates),
        *(_per_edge(bench, gate, gate, step) for gate, step in _TUNE.items()),
        _per_feedline(bench, "readout", tune_readout),
        _per_qubit(bench, "errors", characterise),
        *(_per_edge(bench, gate, "errors", step) for gate, step in _CHARACTERISE.items()),
        _per_feedline(bench, "assignment", characterise_readout),
    ):
        bench = _together(bench, parts, progress)
    return bench.changed(
        {
            ("id",): f"cal-{bench.stamp.replace('-', '').replace(':', '')}",
            ("status",): "promoted",
            ("created",): bench.stamp,
            ("author",): "bootstrap",
            ("message",): "tuned against the emulator",
        }
    )


def _together(bench: Bench, parts: Sequence[_Part], progress: Callable[[str], None]) -> Bench:
    """Return a bench with what all parts found; none of them sees what another finds."""

    def found(part: _Part) -> dict[Place, Any]:
        progress(part.title)
        return bench.apart(part.names, part.step)

    values: dict[Place, Any] = {}
    # While the emulator answers one, the host prepares the next.
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        for each in pool.map(found, parts):
            values |= each
    return bench.changed(values)


def _per_qubit(bench: Bench, what: str, step: Callable[[Bench, int], Bench]) -> list[_Part]:
    names = {bench.name(qubit): qubit for qubit in bench.calibration.live_qubits}
    return [
        _Part((name,), f"{name}: {what}", lambda part, qubit=qubit: step(part, qubit)) for name, qubit in names.items()
    ]


def _per_edge(bench: Bench, gate: str, what: str, step: Callable[[Bench, str], Bench]) -> list[_Part]:
    """Return one part for each edge that has a gate."""
    calibration, edges = bench.calibration, bench.document.edges
    names = [calibration.edge_names[pair] for pair in calibration.live_edges]
    return [
        _Part(tuple(name.split("-")), f"{name}: {what}", lambda part, name=name: step(part, name))
        for name in names
        if gate in edges[name].gates
    ]


def _per_feedline(bench: Bench, what: str, step: Callable[[Bench], Bench]) -> list[_Part]:
    """Return one part for all qubits that are read through the same port."""
    read: dict[str, list[str]] = {}
    for qubit in bench.calibration.live_qubits:
        name = bench.name(qubit)
        read.setdefault(str(bench.document.qubits[name].ports.readout), []).append(name)
    return [_Part(tuple(names), f"{port}: {what}", step) for port, names in read.items()]


def _tune_gates(bench: Bench, qubit: int) -> Bench:
    return tune_gate(tune_gate(bench, qubit, "sx"), qubit, "x")
