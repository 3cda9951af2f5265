"""Tune a device from nothing but its nominal values, against the emulator's physics.

Everything goes over the ordinary wire. Gates are judged by a debug request that only an emulator answers: the channel
of a program. Readout is tuned from shots, as in a lab.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from qctrl.calibration import dump, find_device, load
from qctrl.config import find_rack, load_rack
from qctrl.execution import LocalRunner
from qctrl.routines.bench import Bench
from qctrl.routines.tune_cr import characterise_cr, tune_cr
from qctrl.routines.tune_cz import characterise_cz, tune_cz
from qctrl.routines.tune_qubit import characterise, tune_frequency, tune_gate
from qctrl.routines.tune_readout import characterise_readout, tune_readout

DEFAULT_SEED: Final = 20260101
_TUNE: Final = {"cz": tune_cz, "ecr": tune_cr}
_CHARACTERISE: Final = {"cz": characterise_cz, "ecr": characterise_cr}
"""Gates of two qubits that can be tuned; the others of a nominal file stay as they are."""


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
    calibration = bench.calibration
    live = calibration.live_qubits
    names = [calibration.edge_names[pair] for pair in calibration.live_edges]
    edges = [(name, gate) for name in names for gate in bench.document.edges[name].gates if gate in _TUNE]
    for qubit in live:
        progress(f"{bench.name(qubit)}: frequency")
        bench = tune_frequency(bench, qubit)
    for qubit in live:
        progress(f"{bench.name(qubit)}: sx and x")
        bench = tune_gate(tune_gate(bench, qubit, "sx"), qubit, "x")
    for edge, gate in edges:
        progress(f"{edge}: {gate}")
        bench = _TUNE[gate](bench, edge)
    progress("readout")
    bench = tune_readout(bench)
    for qubit in live:
        progress(f"{bench.name(qubit)}: errors")
        bench = characterise(bench, qubit)
    for edge, gate in edges:
        progress(f"{edge}: errors")
        bench = _CHARACTERISE[gate](bench, edge)
    progress("assignment")
    bench = characterise_readout(bench)
    return bench.changed(
        {
            ("id",): f"cal-{bench.stamp.replace('-', '').replace(':', '')}",
            ("status",): "promoted",
            ("created",): bench.stamp,
            ("author",): "bootstrap",
            ("message",): "tuned against the emulator",
        }
    )
