"""Solvers of differential equations beside the emulator's operators: ``python -m benchmarks.peers.solvers``.

The peers get the very controls that the emulator works out; theirs is the ket or the unitary alone, ours the whole
run: samples, operators, noise, readout of all shots. Run by ``make bench-peers``.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import numpy as np

from benchmarks import chains
from benchmarks.emulator import least_s, player
from benchmarks.peers.__main__ import HERE, TIMEOUT_S, installed
from firmware_sim.physics.cache import OperatorCache
from firmware_sim.physics.device import build_chip
from firmware_sim.physics.propagators import unitary
from firmware_sim.signal_chain import SignalChain
from qctrl.protocol import SimOptions
from qctrl.signal import Player

PEERS = {"dynamics": "qiskit-dynamics==0.6.0", "qutip": "qutip==5.3.1"}
N_QUBITS, SHOTS = 5, 4096
_PER_NS = 1e-9


def problem() -> tuple[dict[str, np.ndarray], float]:
    """Return controls in rad/ns, sample by sample, with what comes out; and the time of our unitary of one pulse."""
    truth = chains.truth(N_QUBITS)
    setup = chains.setup_of(truth)
    program = chains.layers_program(N_QUBITS, measured=False)
    lines = Player(program, setup).play_block(0, 0)
    chain = SignalChain(build_chip(truth), setup)
    whole = chain.controls(lines, 0, (0, len(lines[0])), tuple(range(N_QUBITS)))
    pulse = chain.controls(lines, 0, (0, chains.PULSE), (0,))
    pulse_s = least_s(lambda: [unitary(pulse, 3) for _ in range(100)], 9) / 100
    spread = [np.repeat(part, whole.counts, axis=0) * _PER_NS for part in (
        whole.detuning_rad_s, whole.drive_rad_s, whole.coupling_rad_s
    )]  # fmt: skip
    found = {
        "detuning": spread[0],
        "drive": spread[1],
        "coupling": spread[2],
        "pairs": np.array(whole.pairs),
        "anharmonicity": whole.anharmonicity_rad_s[0] * _PER_NS,
        "pulse": np.repeat(pulse.drive_rad_s[:, 0], pulse.counts) * _PER_NS,
        "pulse_detuning": pulse.detuning_rad_s[0, 0] * _PER_NS,
        "pulse_unitary": unitary(pulse, 3),
        "ket": unitary_ket(),
    }
    return found, pulse_s


def unitary_ket() -> np.ndarray:
    """Return the ket of the emulator's own engine at three levels, without noise."""
    from firmware_sim.physics.engine import Engine
    from firmware_sim.sequencer import Sequencer

    truth = chains.truth(N_QUBITS)
    setup = chains.setup_of(truth)
    program = chains.layers_program(N_QUBITS, measured=False)
    engine = Engine(truth, setup, SimOptions(seed=1, levels=3, noise=False))
    sequencer = Sequencer(program, setup, engine, 1000, lambda: None)
    sequencer.keep_states = True
    branch, *_ = sequencer.run(engine.begin(np.zeros(1, dtype=np.uint64), 0, np.zeros(2, dtype=np.uint64), 0))
    return np.asarray(branch.state.data)


def figures_of(name: str, place: Path) -> dict[str, float] | str:
    """Return what a peer measured, or the reason why it did not."""
    python = HERE.parents[1] / "build" / "peers" / name / "bin" / "python"
    command = [python, HERE / f"{name}_figures.py", place]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=TIMEOUT_S, cwd=HERE)
    return json.loads(done.stdout) if done.returncode == 0 else (done.stderr.strip().splitlines() or ["failed"])[-1]


def main() -> None:
    """Print both, and the ratios."""
    controls, pulse_s = problem()
    place = HERE.parents[1] / "build" / "peers" / "chain.npz"
    place.parent.mkdir(parents=True, exist_ok=True)
    np.savez(place, **controls)
    program = chains.layers_program(N_QUBITS)
    plays = {levels: player(N_QUBITS, program, SHOTS, levels) for levels in (2, 3)}
    for play in plays.values():
        play(OperatorCache())
    cold = {levels: least_s(lambda play=play: play(OperatorCache()), 3) for levels, play in plays.items()}
    ours = {"dynamics": {"one pulse": pulse_s}, "qutip": {f"{levels} levels, cold": s for levels, s in cold.items()}}
    for name, requirement in PEERS.items():
        reason = installed(name, requirement)
        figures = reason or figures_of(name, place)
        if isinstance(figures, str):
            print(f"{name}: not measured, {figures}")
            continue
        (peer_s, error) = figures.values()
        for what, mine_s in ours[name].items():
            print(
                f"{requirement}: {peer_s:.4g} s (error {error:.1e}); ours, {what}: {mine_s:.4g} s; "
                f"{peer_s / mine_s:.0f} times faster"
            )


if __name__ == "__main__":
    main()
