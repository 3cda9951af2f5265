"""The tree on random programs: norms, splits into blocks, the memory of operators, the size of batches."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks import chains
from firmware_sim.config import Truth
from firmware_sim.physics.cache import OperatorCache
from firmware_sim.physics.choice import Choice
from firmware_sim.physics.columns import Columns
from firmware_sim.physics.engine import Engine
from firmware_sim.physics.gates import two_lowest
from firmware_sim.physics.random import stream_key
from firmware_sim.sequencer import Sequencer
from qctrl.protocol import Program, SimOptions

N_QUBITS, LAYER = 3, 100
CHAIN = chains.truth(N_QUBITS)
SETUP = chains.setup_of(CHAIN)
TURN = 2 * np.pi


@dataclass(frozen=True)
class Move:
    """One layer: the angle and phase of each qubit's pulse (0 for none), and an edge with a CZ (-1 for none)."""

    pulses: tuple[tuple[float, float], ...]
    edge: int


ANGLES = st.tuples(st.sampled_from([0.0, np.pi / 2, np.pi]), st.floats(0, TURN))
MOVES = st.lists(
    st.builds(Move, st.tuples(*[ANGLES] * N_QUBITS), st.integers(-1, N_QUBITS - 2)), min_size=1, max_size=4
)


def program_of(moves: list[Move], cuts: frozenset[int]) -> Program:
    """Return the layers as one block, or as several with a cut before some of the layers."""
    blocks: list[tuple[chains.Sheet, int]] = []
    for number, move in enumerate(moves):
        if not blocks or number in cuts:
            blocks.append((chains.Sheet(CHAIN, SETUP, 5e5, []), 0))
        sheet, length = blocks[-1]
        for qubit, (angle, phase) in enumerate(move.pulses):
            if angle:
                sheet.pulse(length, qubit, angle, phase)
        if move.edge >= 0:
            sheet.cz(length + chains.PULSE, move.edge)
        blocks[-1] = (sheet, length + LAYER)
    flow = [chains.play_block(number) for number in range(len(blocks))]
    return chains.pack(blocks, [*flow, chains.END], [])


def final(program: Program, levels: int, *, noise: bool, shots: range, cache: OperatorCache | None = None) -> Columns:
    engine = Engine(CHAIN, SETUP, SimOptions(seed=5, noise=noise, levels=levels, allow_unsafe=True), cache)
    engine._take(Choice("tree", levels, len(shots), 1 << 30))
    sequencer = Sequencer(program, SETUP, engine, 1000, lambda: None)
    sequencer.keep_states = True
    # The key is not the program's, so that equal physics in other blocks draws equal numbers.
    key = stream_key(5, 0, b"property")
    (branch,) = sequencer.run(engine.begin(np.array(shots, dtype=np.uint64), 0, key, 0))
    order = np.argsort(branch.shots)
    assert isinstance(branch.state, Columns)
    return branch.state.take(order)


def kets(columns: Columns) -> np.ndarray:
    """Return the normalised ket of each shot."""
    found = (columns.real + 1j * columns.imag)[:, columns.column]
    return found / np.linalg.norm(found, axis=0)


@settings(max_examples=6, deadline=None)
@given(moves=MOVES, levels=st.sampled_from([2, 3]), noise=st.booleans())
def test_norms_fall_from_one_and_thresholds_stay_below_them(moves: list[Move], levels: int, noise: bool) -> None:
    columns = final(program_of(moves, frozenset()), levels, noise=noise, shots=range(200))
    norms = (columns.real**2 + columns.imag**2).sum(axis=0)
    assert np.all(norms <= 1 + 1e-9)
    assert np.all(norms > 0)
    assert np.all(columns.threshold <= norms[columns.column])
    if levels == 3 and not noise:
        assert norms == pytest.approx(1, abs=1e-11)


@settings(max_examples=6, deadline=None)
@given(moves=MOVES, cuts=st.frozensets(st.integers(1, 3)))
def test_states_do_not_depend_on_the_split_into_blocks(moves: list[Move], cuts: frozenset[int]) -> None:
    """A cut may end an idle stretch, and ratios of neighbouring edges commute but for some 1e-6."""
    # A qubit enters with the first block that touches it, so all enter with the first pulses.
    moves = [Move(((np.pi / 2, 0.3),) * N_QUBITS, -1), *moves]
    whole = final(program_of(moves, frozenset()), 3, noise=False, shots=range(2))
    parts = final(program_of(moves, cuts), 3, noise=False, shots=range(2))
    overlap = np.abs((kets(whole).conj() * kets(parts)).sum(axis=0))
    assert overlap == pytest.approx(1, abs=1e-5)


@settings(max_examples=6, deadline=None)
@given(first=MOVES, moves=MOVES, levels=st.sampled_from([2, 3]))
def test_shots_do_not_depend_on_what_the_memory_holds(first: list[Move], moves: list[Move], levels: int) -> None:
    program, cache = program_of(moves, frozenset()), OperatorCache()
    fresh = final(program, levels, noise=True, shots=range(100))
    final(program_of(first, frozenset()), levels, noise=True, shots=range(10), cache=cache)
    again = final(program, levels, noise=True, shots=range(100), cache=cache)
    assert np.array_equal(fresh.threshold, again.threshold)
    assert np.array_equal(kets(fresh), kets(again))


@settings(max_examples=6, deadline=None)
@given(moves=MOVES, border=st.integers(1, 299), levels=st.sampled_from([2, 3]))
def test_shots_do_not_depend_on_the_batch(moves: list[Move], border: int, levels: int) -> None:
    program, cache = program_of(moves, frozenset()), OperatorCache()
    whole = final(program, levels, noise=True, shots=range(300), cache=cache)
    parts = [
        final(program, levels, noise=True, shots=part, cache=cache) for part in (range(border), range(border, 300))
    ]
    assert np.array_equal(whole.threshold, np.concatenate([part.threshold for part in parts]))
    assert np.array_equal(kets(whole), np.concatenate([kets(part) for part in parts], axis=1))


def test_an_oscillator_that_is_off_turns_on_while_pulses_are_cut() -> None:
    """Two levels play a cut pulse at its end, three levels in parts; the phase of its drive grows all the while."""
    document = CHAIN.model_dump(by_alias=True)
    for qubit, error_hz in enumerate((-3e6, 0.0, 3e6)):
        document["lines"][f"q{qubit}.drive"]["lo_error"] = error_hz
    chain = Truth.model_validate(document)
    setup, rng = chains.setup_of(chain), np.random.default_rng(1)
    sheet = chains.Sheet(chain, setup, 5e5, [])
    for layer in range(2):
        start = 150 * layer
        for qubit in range(N_QUBITS):
            sheet.pulse(start + 7 * qubit, qubit, np.pi / 2, rng.uniform(0, TURN))
        sheet.cz(start + 40, layer)
        for late in (48, 69, 95):
            sheet.pulse(start + late, 2 - 2 * layer, np.pi / 2, rng.uniform(0, TURN))
    program = chains.pack([(sheet, 300)], [chains.PLAY, chains.END], [])
    found: list[np.ndarray] = []
    for levels in (2, 3):
        engine = Engine(chain, setup, SimOptions(noise=False, levels=levels))
        engine._take(Choice("tree", levels, 1, 1 << 30))
        sequencer = Sequencer(program, setup, engine, 1000, lambda: None)
        sequencer.keep_states = True
        (branch,) = sequencer.run(engine.begin(np.arange(1, dtype=np.uint64), 0, stream_key(5, 0, b""), 0))
        assert isinstance(branch.state, Columns)
        ket = kets(branch.state)[:, 0]
        found.append(ket if levels == 2 else ket[two_lowest(N_QUBITS)])
    low, kept = found
    assert abs(np.vdot(low, kept)) ** 2 / np.vdot(kept, kept).real > 1 - 2e-5


def test_single_precision_plays_what_double_plays(monkeypatch: pytest.MonkeyPatch) -> None:
    """16 qubits, two layers: the same jumps of the same shots, states as near as rounding lets them."""
    n_qubits, program = 16, chains.layers_program(16, 2, measured=False)
    chain = chains.truth(n_qubits)
    setup, cache = chains.setup_of(chain), OperatorCache()

    def play(shots: range) -> tuple[Columns, str]:
        engine = Engine(chain, setup, SimOptions(seed=1, levels=2, mode="tree"), cache)
        engine.prepare(program, 40)
        sequencer = Sequencer(program, setup, engine, 1000, lambda: None)
        sequencer.keep_states = True
        (branch,) = sequencer.run(engine.begin(np.array(shots, dtype=np.uint64), 0, stream_key(1, 0, b""), 0))
        assert isinstance(branch.state, Columns)
        return branch.state.take(np.argsort(branch.shots)), engine.statistics()["precision"]

    single, precision = play(range(40))
    parts = [play(range(10))[0], play(range(10, 40))[0]]
    assert (single.real.dtype, precision) == (np.float32, "single")
    assert np.array_equal(kets(single), np.concatenate([kets(part) for part in parts], axis=1))
    monkeypatch.setattr("firmware_sim.physics.columns.SINGLE_FROM", 1 << 40)
    double, precision = play(range(40))
    assert (double.real.dtype, precision) == (np.float64, "double")
    assert double.n_columns > 2
    assert np.array_equal(single.drawn, double.drawn)
    assert np.array_equal(single.column, double.column)
    overlap = (kets(double).conj() * kets(single)).sum(axis=0)
    assert np.linalg.norm(kets(single) - overlap * kets(double), axis=0) == pytest.approx(0, abs=1e-5)
