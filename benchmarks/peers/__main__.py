"""Installs two peers in environments of their own and prints their figures beside ours, measured in turn.

Run by ``make bench-peers``. A peer that cannot be installed or run is named with the reason, and has no figures.
"""

from __future__ import annotations

import json
import subprocess
import sys
import venv
from pathlib import Path

import numpy as np

from benchmarks import dense
from benchmarks.devices import brick, line, pulse_gates, virtual_z_chain
from qctrl.compiler import compile_circuit
from qctrl.signal import Player

HERE = Path(__file__).parent
PEERS = {"bosing": "bosing==2.8.0", "iqm": "iqm-pulse==15.0.0"}
CIRCUITS = {
    "W1": lambda: [virtual_z_chain()],
    "W2": lambda: [brick(20, 100)],
    "W3": lambda: [brick(5, 20, seed) for seed in range(100)],
}
ROUNDS = 2
"""The least of this many runs of everything counts for every peer."""
TIMEOUT_S = 600


def installed(name: str, requirement: str) -> str:
    """Install a peer if it is not there; return the reason if that fails, else nothing."""
    place = HERE.parents[1] / "build" / "peers" / name
    if not (place / "bin" / "python").exists():
        venv.create(place, with_pip=True)
    command = [place / "bin" / "python", "-m", "pip", "install", "--quiet", requirement]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=TIMEOUT_S)
    return "" if done.returncode == 0 else (done.stderr.strip().splitlines() or ["pip failed"])[-1]


def figures_of(name: str) -> dict[str, float] | str:
    """Return what a peer measured, or the reason why it did not."""
    command = [HERE.parents[1] / "build" / "peers" / name / "bin" / "python", HERE / f"{name}_figures.py"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=TIMEOUT_S, cwd=HERE)
    return json.loads(done.stdout) if done.returncode == 0 else (done.stderr.strip().splitlines() or ["failed"])[-1]


def our_figures() -> dict[str, float]:
    """Measure the same, with all checks, through the public functions."""
    figures: dict[str, float] = {}
    for name, make in CIRCUITS.items():
        circuits = make()
        device = line(circuits[0].num_qubits)
        compiled = lambda circuits=circuits, device=device: [  # noqa: E731
            compile_circuit(circuit, *device).to_bytes() for circuit in circuits
        ]
        compiled()
        figures[name] = dense.least_s(compiled)[0]
    memory = np.empty(2**25)
    plain, corrected = (Player(dense.program(), dense.setup(**kind)) for kind in ({}, dense.CORRECTED))
    kept = plain.render("q0.drive")
    filling, keeping, fresh, fresh_filling, filtered = dense.least_s(
        lambda: dense.fill(memory),
        lambda: plain.render("q0.drive", kept),
        lambda: plain.render("q0.drive"),
        lambda: dense.fill(np.empty(2 * len(kept))),
        lambda: corrected.render("q0.drive", kept),
    )
    real_samples = 2 * len(kept)
    figures |= {"render": real_samples / keeping, "render filtered": real_samples / filtered}
    figures |= {"memory": memory.nbytes / filling, "fresh memory": kept.nbytes / fresh_filling}
    return figures | {"fresh": real_samples / fresh}


def rows(all_figures: dict[str, dict[str, float]]) -> list[list[str]]:
    """Return the lines of the table, without the header."""
    ours = all_figures["ours"]
    found: list[list[str]] = []
    for name, make in CIRCUITS.items():
        gates = sum(map(pulse_gates, make()))
        found.append([f"{name}, {gates} pulse gates, M/s"])
        found[-1] += [f"{gates / f[name] / 1e6:.3g}" if name in f else "-" for f in all_figures.values()]
    for name, text in (("render", "dense DRAG, M real samples/s"), ("render filtered", "filtered*, M real samples/s")):
        found.append([text, *(f"{f[name] / 1e6:.0f}" if name in f else "-" for f in all_figures.values())])
    found.append(["dense DRAG into fresh memory", f"{ours['fresh'] / 1e6:.0f}", *["-"] * (len(all_figures) - 1)])
    share = [f"{8 * f['render'] / ours['memory']:.0%}" if "render" in f else "-" for f in all_figures.values()]
    found.append(["dense DRAG, share of the memory write rate", *share])
    fresh = f"{8 * ours['fresh'] / ours['memory']:.0%}"
    found.append(["the same into fresh memory", fresh, *["-"] * (len(all_figures) - 1)])
    return found


def merged(before: dict[str, float] | None, now: dict[str, float]) -> dict[str, float]:
    """Return the better of two runs: times are seconds, all else is rates."""
    if before is None:
        return now
    return {name: (min if name in CIRCUITS else max)(value, before[name]) for name, value in now.items()}


def main() -> int:
    """Print the table; fail if a peer has no figures."""
    troubles = {name: reason for name, text in PEERS.items() if (reason := installed(name, text))}
    all_figures: dict[str, dict[str, float]] = {"ours": {}}
    for _ in range(ROUNDS):
        all_figures["ours"] = merged(all_figures["ours"] or None, our_figures())
        for name in PEERS:
            if name in troubles:
                continue
            figures = figures_of(name)
            if isinstance(figures, str):
                troubles[name] = figures
            else:
                all_figures[name] = merged(all_figures.get(name), figures)
    limits = [all_figures["ours"][name] / 1e9 for name in ("memory", "fresh memory")]
    print(f"memory write rate {limits[0]:.1f} GB/s (kernel that fills 256 MiB), {limits[1]:.1f} GB/s into fresh memory")
    for cells in [["", *all_figures], *rows(all_figures)]:
        print(cells[0].ljust(44), *(cell.rjust(12) for cell in cells[1:]))
    print("* ours: NCO, mixer correction, two IIR sections, 16 taps; bosing: NCO and one IIR section.")
    print("Lowest form: ours packed bytes, bosing samples, iqm a playlist before it is serialised.")
    for name, reason in troubles.items():
        print(f"{name}: no figures: {reason}")
    return 1 if troubles else 0


if __name__ == "__main__":
    sys.exit(main())
