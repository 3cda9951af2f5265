"""The tree on the very programs that the benchmarks time, against dense dynamics of all qutrits at once."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks import chains
from firmware_sim.physics.choice import Choice
from firmware_sim.physics.columns import Columns
from firmware_sim.physics.engine import Engine
from firmware_sim.physics.gates import two_lowest
from firmware_sim.physics.random import stream_key
from firmware_sim.physics.segment_gates import dressed_basis
from firmware_sim.sequencer import Sequencer
from qctrl.protocol import Program, SimOptions
from qctrl.signal import Player
from tests.reference import dense_dynamics as dense

G_IDLE_HZ = 5e5
SEED = 20261123


def states(n_qubits: int, program: Program, levels: int, mode: str, *, noise: bool, shots: int = 1) -> object:
    """Return the state at the end of a program played by the engine's own sequencer."""
    chain = chains.truth(n_qubits, G_IDLE_HZ)
    setup = chains.setup_of(chain)
    engine = Engine(chain, setup, SimOptions(seed=SEED, noise=noise, levels=levels))
    engine._take(Choice(mode, levels, shots, 1 << 30))  # type: ignore[arg-type]
    sequencer = Sequencer(program, setup, engine, 1000, lambda: None)
    sequencer.keep_states = True
    key = stream_key(SEED, 0, program.hash)
    (branch,) = sequencer.run(engine.begin(np.arange(shots, dtype=np.uint64), 0, key, 0))
    return branch.state


def samples(n_qubits: int, program: Program) -> dict[str, np.ndarray]:
    setup = chains.setup_of(chains.truth(n_qubits, G_IDLE_HZ))
    lines = Player(program, setup).play_block(0, 0)
    return {port.name: line for port, line in zip(setup.ports, lines, strict=True) if len(line)}


@pytest.fixture(scope="module")
def exact() -> tuple[Program, np.ndarray]:
    """Five qutrits, 20 layers, 2 us: the program and its exact final ket."""
    program = chains.layers_program(5, 20, G_IDLE_HZ, measured=False)
    start = np.zeros(3**5, dtype=complex)
    start[0] = 1
    chain = chains.truth(5, G_IDLE_HZ)
    return program, dense.evolve_ket(chain, samples(5, program), start, lo_hz=chains.DRIVE_LO_HZ)


def staggered_program() -> Program:
    """Return CZ that overlap by half on neighbouring pairs, while pulses begin and end on the fifth qubit."""
    chain = chains.truth(5, G_IDLE_HZ)
    sheet = chains.Sheet(chain, chains.setup_of(chain), G_IDLE_HZ, [])
    rng, length = np.random.default_rng(SEED), 160
    for layer in range(2):
        start, left = layer * length, layer % 2
        for qubit in range(5):
            sheet.pulse(start, qubit, np.pi / 2, rng.uniform(0, 6))
        sheet.cz(start + 20, left)
        sheet.cz(start + 55, left + 2)
        for late in (33, 60, 115):
            sheet.pulse(start + late, 4 - 4 * left, np.pi / 2, rng.uniform(0, 6))
        sheet.pulse(start + 105, left, np.pi, rng.uniform(0, 6))
    return chains.pack([(sheet, 2 * length)], [chains.PLAY, chains.END], [])


def dressed(ket: np.ndarray) -> np.ndarray:
    """Return a ket of five qutrits in the basis that the couplings at rest dress."""
    chain = chains.truth(5, G_IDLE_HZ)
    at_rest = {q.drive_port: [0.0] for q in chain.qubits.values()}
    h = dense.hamiltonian_hz(chain, at_rest, 0, chains.DRIVE_LO_HZ, 3).toarray().real
    return dressed_basis(h).T @ ket


def ket_of(columns: object) -> np.ndarray:
    assert isinstance(columns, Columns)
    assert columns.n_columns == 1
    ket = columns.real[:, 0] + 1j * columns.imag[:, 0]
    return ket / np.linalg.norm(ket)


@pytest.mark.slow
def test_three_levels_follow_five_qutrits_over_two_microseconds(exact: tuple[Program, np.ndarray]) -> None:
    program, ket = exact
    found = ket_of(states(5, program, 3, "tree", noise=False))
    infidelity = 1 - abs(np.vdot(ket, found)) ** 2
    print(f"3 levels: infidelity {infidelity:.2g}")
    assert infidelity < 1e-6


@pytest.mark.slow
def test_two_levels_follow_what_stays_in_them(exact: tuple[Program, np.ndarray]) -> None:
    program, ket = exact
    found = ket_of(states(5, program, 2, "tree", noise=False))
    kept = dressed(ket)[two_lowest(5)]
    infidelity = 1 - abs(np.vdot(kept, found)) ** 2 / np.vdot(kept, kept).real
    print(f"2 levels: infidelity {infidelity:.2g}, leaked {1 - np.vdot(kept, kept).real:.2g}")
    assert infidelity < 5e-5


@pytest.mark.slow
def test_two_levels_follow_pulses_that_other_lines_cut() -> None:
    """In the middle of a CZ half of a state is in level 2; there other CZ and pulses begin and end."""
    program = staggered_program()
    start = np.zeros(3**5, dtype=complex)
    start[0] = 1
    ket = dense.evolve_ket(chains.truth(5, G_IDLE_HZ), samples(5, program), start, lo_hz=chains.DRIVE_LO_HZ)
    found = ket_of(states(5, program, 2, "tree", noise=False))
    kept = dressed(ket)[two_lowest(5)]
    infidelity = 1 - abs(np.vdot(kept, found)) ** 2 / np.vdot(kept, kept).real
    print(f"2 levels, overlapping CZ: infidelity {infidelity:.2g}, leaked {1 - np.vdot(kept, kept).real:.2g}")
    assert infidelity < 5e-5


@pytest.mark.slow
def test_noise_follows_the_lindblad_equation_of_three_qutrits() -> None:
    """The density matrix within 5e-4; the tree's shots as many as show 2e-3 at six sigma."""
    program = chains.layers_program(3, 5, G_IDLE_HZ, measured=False)
    start = np.zeros((27, 27), dtype=complex)
    start[0, 0] = 1
    chain = chains.truth(3, G_IDLE_HZ)
    rho = dense.evolve_density(chain, samples(3, program), start, lo_hz=chains.DRIVE_LO_HZ)
    found = states(3, program, 3, "density matrix", noise=True)
    distance = 0.5 * np.abs(np.linalg.eigvalsh(found.data - rho)).sum()  # type: ignore[attr-defined]
    shots = 400_000
    columns = states(3, program, 3, "tree", noise=True, shots=shots)
    assert isinstance(columns, Columns)
    weights = np.bincount(columns.column, minlength=columns.n_columns) / shots
    kets = (columns.real + 1j * columns.imag) / np.sqrt((columns.real**2 + columns.imag**2).sum(axis=0))
    tree = 0.5 * np.abs(np.linalg.eigvalsh((kets * weights) @ kets.conj().T - rho)).sum()
    print(f"trace distance to Lindblad: density matrix {distance:.2g}, tree of {shots} shots {tree:.2g}")
    assert distance < 5e-4
    assert tree < 2e-3
