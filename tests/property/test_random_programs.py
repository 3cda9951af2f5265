"""Random programs on all that the emulator has: exact dynamics, states that are states, and no trace of the batch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks import chains
from firmware_sim.config import Truth
from firmware_sim.physics.branches import Branch
from firmware_sim.physics.cache import OperatorCache
from firmware_sim.physics.choice import Choice, Mode
from firmware_sim.physics.columns import Columns
from firmware_sim.physics.engine import Engine
from firmware_sim.physics.random import stream_key
from firmware_sim.physics.slow_noise import Clock
from firmware_sim.physics.states import State
from firmware_sim.renderer import Renderer
from firmware_sim.sequencer import Sequencer
from firmware_sim.wires import Wires
from qctrl.protocol import FlowOp, Program, SimOptions
from qctrl.protocol.flow import instruction
from qctrl.signal import Player
from tests.reference import dense_dynamics

LAYER = 100
SHOTS = 8


@dataclass(frozen=True)
class Move:
    """One layer: angle and phase of each qubit's pulse (0 for none), an edge with a CZ (-1 for none), a gap."""

    pulses: tuple[tuple[float, float], ...]
    edge: int
    gap: int


def moves(n_qubits: int, most: int) -> st.SearchStrategy[list[Move]]:
    angles = st.tuples(st.sampled_from([0.0, np.pi / 2, np.pi]), st.sampled_from([0.0, 1.1, 4.0]))
    one = st.builds(Move, st.tuples(*[angles] * n_qubits), st.integers(-1, n_qubits - 2), st.sampled_from([0, 30]))
    return st.lists(one, min_size=1, max_size=most)


def play(sheet: chains.Sheet, played: list[Move], start: int = 0) -> int:
    """Write layers onto a sheet; return where they end."""
    for move in played:
        for qubit, (angle, phase) in enumerate(move.pulses):
            if angle:
                sheet.pulse(start, qubit, angle, phase)
        if move.edge >= 0:
            sheet.cz(start + chains.PULSE, move.edge)
        start += LAYER + move.gap
    return start


def flawed(n_qubits: int) -> Truth:
    """A chain with every imperfection that a truth may have."""
    document: dict[str, Any] = chains.truth(n_qubits).model_dump(by_alias=True)
    for k, qubit in enumerate(document["qubits"].values()):
        qubit |= {
            "t1": 4e-6, "t2_echo": 3e-6, "thermal_population": 0.05,
            "frequency_noise": {"quasi_static": 4e4, "one_over_f": 1e4, "drift": 1e3} if k == 0 else None,
            "flux_noise": {"quasi_static": 2e-5} if k == 1 else None,
        }  # fmt: skip
    for line in document["lines"].values():
        line |= {"gain_imbalance": 0.02, "phase_imbalance": 0.03, "offset_i": 1e-3, "lo_error": 2e3}
    for resonator in document["resonators"].values():
        resonator["t1_with_photons"] = [{"photons": 1.0, "factor": 0.3}]
    document["feedlines"]["f0"] |= {"adc_bits": 5, "delay": 2e-8}
    document["wires"] = {"q1.flux": {"exponentials": [{"amplitude": 0.02, "tau": 3e-8}], "bits": 12}}
    document["crosstalk"] = {"drive": {"q0.drive": {"q1.drive": {"amplitude": 0.02, "phase": 0.4}}},
                             "flux": {"q0.flux": {"q1.flux": 0.01}}}  # fmt: skip
    return Truth.model_validate(document)


CHAIN = flawed(2)
SETUP = chains.setup_of(CHAIN)
MEMORY = OperatorCache()


def measuring(first: list[Move], then: list[Move], read: int) -> Program:
    """Layers, a readout, at once more layers or none as its bit says, and readout of all."""
    before, after, last = (chains.Sheet(CHAIN, SETUP, 5e5, []) for _ in range(3))
    start = play(before, first)
    before.measure(start, read, 0)
    end = play(after, then)
    for qubit in range(2):
        last.measure(0, qubit, 1 + qubit)
    flow = [
        chains.play_block(0),
        chains.play_block(1),
        instruction(FlowOp.BRANCH_BIT, operand=0, target=4, flags=1),
        chains.play_block(1),
        chains.play_block(2),
        chains.END,
    ]
    # Block 1 begins right where the window closes, among its photons.
    sheets = [(before, start + chains.WINDOW), (after, end), (last, chains.WINDOW)]
    program = chains.pack(sheets, flow, [read, 0, 1])
    discriminators = program.discriminators.copy()
    discriminators["coef"][:, 1] = (1.0, 0.0, 0.0)
    return msgspec.structs.replace(program, discriminators=discriminators)


def run(program: Program, mode: Mode, shots: range, cache: OperatorCache, *, keep: bool = False) -> list[Branch]:
    options = SimOptions(seed=5, allow_unsafe=True)
    engine = Engine(CHAIN, SETUP, options, cache, Clock(3600.0, 1e-5, 1e-6))
    engine._take(Choice(mode, 3, len(shots), 1 << 30))
    sequencer = Sequencer(program, SETUP, engine, 1000, lambda: None, Renderer(program, SETUP, Wires(CHAIN, SETUP)))
    sequencer.keep_states = keep
    key = stream_key(5, 0, program.hash)
    return sequencer.run(engine.begin(np.array(shots, dtype=np.uint64), 0, key, 3, (3, 0)))


def values(branches: list[Branch]) -> np.ndarray:
    """Return bits and integrated values of all shots, in their order."""
    order = np.argsort(np.concatenate([branch.shots for branch in branches]))
    bits = np.concatenate([branch.bits for branch in branches])[order]
    return np.hstack([bits, np.concatenate([branch.iq for branch in branches])[order]])


@settings(max_examples=3, deadline=None)
@given(
    moves(2, 1), moves(2, 1), st.integers(0, 1), st.integers(1, SHOTS - 1), st.sampled_from(["tree", "density matrix"])
)
def test_with_every_imperfection_on_shots_depend_on_no_batch(first, then, read, border, mode) -> None:
    program = measuring(first, then, read)
    whole = values(run(program, mode, range(SHOTS), OperatorCache()))
    # The parts find a memory full of other programs, and of the part before.
    parts = [values(run(program, mode, part, MEMORY)) for part in (range(border), range(border, SHOTS))]
    assert np.array_equal(whole, np.concatenate(parts))
    assert len(np.unique(whole[:, 3])) == SHOTS


@settings(max_examples=2, deadline=None)
@given(moves(2, 1), moves(2, 1), st.integers(0, 1))
def test_states_after_readouts_and_feedback_are_states(first, then, read) -> None:
    for branch in run(measuring(first, then, read), "density matrix", range(2), MEMORY, keep=True):
        assert isinstance(branch.state, State)
        rho = branch.state.data
        assert np.trace(rho) == pytest.approx(1, abs=1e-10)
        assert rho == pytest.approx(rho.conj().T, abs=1e-12)
        # Edge ratios of the neighbours act after the noise of their blocks, all of it in the form of channels.
        assert np.linalg.eigvalsh(rho).min() > -1e-9


def samples(truth: Truth, program: Program) -> dict[str, np.ndarray]:
    setup = chains.setup_of(truth)
    lines = Player(program, setup).play_block(0, 0)
    return {port.name: line for port, line in zip(setup.ports, lines, strict=True) if len(line)}


@settings(max_examples=2, deadline=None)
@given(st.data(), st.sampled_from([4, 3]))
def test_up_to_four_qutrits_follow_their_exact_dynamics(data, n_qubits: int) -> None:
    """Couplings at rest of 0.5 MHz: what the order of edge ratios leaves open is below 1e-6."""
    truth = chains.truth(n_qubits)
    setup, played = chains.setup_of(truth), data.draw(moves(n_qubits, 1))
    # All qubits are part of the state.
    played = [Move(((np.pi / 2, 0.3),) * n_qubits, -1, 0), *played]
    sheet = chains.Sheet(truth, setup, 5e5, [])
    program = chains.pack([(sheet, play(sheet, played))], [chains.PLAY, chains.END], [])
    start = np.eye(3**n_qubits, dtype=complex)[0]
    exact = dense_dynamics.evolve_ket(truth, samples(truth, program), start, lo_hz=chains.DRIVE_LO_HZ)
    for mode in ("ket", "tree"):
        engine = Engine(truth, setup, SimOptions(seed=5, noise=False))
        engine._take(Choice(mode, 3, 1, 1 << 30))
        sequencer = Sequencer(program, setup, engine, 1000, lambda: None)
        sequencer.keep_states = True
        (branch,) = sequencer.run(engine.begin(np.zeros(1, dtype=np.uint64), 0, stream_key(5, 0, b""), 0))
        state = branch.state
        ket = state.data if isinstance(state, State) else (state.real + 1j * state.imag)[:, 0]
        assert isinstance(state, Columns if mode == "tree" else State)
        assert abs(np.vdot(exact, ket)) ** 2 == pytest.approx(1, abs=1e-6)
