"""The tree against dense states: the same physics, one column per history."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom

from firmware_sim.physics.gates import two_lowest
from firmware_sim.physics.segments import Segment
from qctrl.errors import ResourceError

ALARM = 1e-6
"""Chance that a statistical test here fails without cause."""


def kets(columns):
    return (columns.real + 1j * columns.imag) / np.sqrt((columns.real**2 + columns.imag**2).sum(axis=0))


def mixture(columns):
    """The density matrix of all shots."""
    weights = np.bincount(columns.column, minlength=columns.n_columns) / len(columns.column)
    states = kets(columns)
    return (states * weights) @ states.conj().T


def assert_counts(found, expected, n):
    """Each count of n shots within the exact binomial quantiles, the alarm shared among all."""
    share = ALARM / 2 / len(found)
    for count, probability in zip(list(found), np.clip(expected, 0, 1).tolist(), strict=True):
        low, high = binom.ppf(share, n, probability), binom.isf(share, n, probability)
        assert low <= count <= high, (count, n * probability)


@pytest.mark.parametrize("n_qubits", [3, 5])
def test_without_noise_it_is_the_ket(bench, chain5, layers, shorter, n_qubits):
    truth = shorter(chain5, n_qubits)
    dense, tree = bench(truth), bench(truth, tree=True)
    lines = layers(dense, np.random.default_rng(4))
    ket = dense.engine.play(dense.begin(), lines, 0)[0].state.data
    columns = tree.engine.play(tree.begin(5), lines, 0)[0].state
    assert columns.n_columns == 1
    assert abs(np.vdot(ket, kets(columns)[:, 0])) == pytest.approx(1, abs=1e-12)


def test_two_levels_are_the_ket_without_the_rest(bench, chain3, layers):
    dense, tree = bench(chain3), bench(chain3, tree=True, levels=2, allow_unsafe=True)
    lines = layers(dense, np.random.default_rng(4))
    ket = dense.engine.play(dense.begin(), lines, 0)[0].state.data[two_lowest(3)]
    columns = tree.engine.play(tree.begin(2000), lines, 0)[0].state
    found = (columns.real + 1j * columns.imag)[:, 0]
    # Uncalibrated gates leak 1.5e-3; what returns from level 2 later is the difference.
    assert abs(np.vdot(ket, found)) ** 2 / np.vdot(ket, ket).real / np.vdot(found, found).real > 1 - 2e-5
    assert np.vdot(found, found).real == pytest.approx(np.vdot(ket, ket).real, abs=1e-3)
    assert_counts([np.count_nonzero(columns.leaked)], np.array([1 - np.vdot(found, found).real]), 2000)


def test_two_levels_go_on_while_other_lines_cut_a_pulse(bench, chain3, shapes):
    """Half-way through the coupler's pulse level 2 holds what was in both qubits; there q2 is turned."""
    dense, tree = bench(chain3), bench(chain3, tree=True, levels=2)
    lines, (gauss, top) = dense.lines(100), shapes
    for name in chain3.qubits:
        dense.drive(lines, name, 0, dense.pi_amplitude(name, gauss(20, 5.0), np.pi / 2) * gauss(20, 5.0))
    dense.flux(lines, "q1.flux", 20, 0.1875 * top(60, 8))
    dense.flux(lines, "c01.flux", 20, 0.79 * top(60, 8))
    dense.drive(lines, "q2", 40, dense.pi_amplitude("q2", gauss(20, 5.0)) * gauss(20, 5.0))
    ket = dense.engine.play(dense.begin(), lines, 0)[0].state.data[two_lowest(3)]
    columns = tree.engine.play(tree.begin(10), lines, 0)[0].state
    assert abs(np.vdot(ket, kets(columns)[:, 0])) ** 2 / np.vdot(ket, ket).real > 1 - 2e-5
    assert tree.engine.statistics()["truncated_norm"] < 1e-2


def test_a_qubit_enters_while_all_others_wait_for_the_end_of_a_pulse(bench, chain3, shapes):
    dense, tree = bench(chain3), bench(chain3, tree=True, levels=2)
    lines, (gauss, top) = tree.lines(80), shapes
    tree.flux(lines, "q1.flux", 0, 0.1875 * top(60, 8))
    tree.flux(lines, "c01.flux", 0, 0.79 * top(60, 8))
    tree.drive(lines, "q2", 20, tree.pi_amplitude("q2", gauss(20, 5.0)) * gauss(20, 5.0))
    ket = dense.engine.play(dense.begin(), lines, 0)[0].state.data[two_lowest(3)]
    columns = tree.engine.play(tree.begin(10), lines, 0)[0].state
    assert abs(np.vdot(ket, kets(columns)[:, 0])) ** 2 / np.vdot(ket, ket).real > 1 - 2e-5


def test_noisy_histories_add_up_to_the_density_matrix(bench, chain3, layers):
    shots = 40_000
    dense, tree = bench(chain3, noise=True), bench(chain3, noise=True, tree=True)
    lines = layers(dense, np.random.default_rng(4))
    rho = dense.engine.play(dense.begin(), lines, 0)[0].state.data
    columns = tree.engine.play(tree.begin(shots), lines, 0)[0].state
    values, vectors = np.linalg.eigh(rho)
    # Seen in the density matrix's own basis every history counts at its full weight.
    inside = np.abs(vectors.conj().T @ kets(columns)) ** 2
    found = inside @ np.bincount(columns.column, minlength=columns.n_columns)
    print(f"{columns.n_columns} histories; heaviest {values[-3:]}, found {found[-3:] / shots}")
    assert columns.n_columns > 20
    assert_counts(np.rint(np.stack([found[-1], shots - found[-1]])), np.array([values[-1], 1 - values[-1]]), shots)
    assert 0.5 * np.abs(np.linalg.eigvalsh(mixture(columns) - rho)).sum() < 6 / np.sqrt(shots)


def test_histories_of_two_levels_add_up_to_their_density_matrix(bench, chain3, layers):
    """Without drawing any: what the columns scatter around, and what they lose to level 2."""
    shots = 40_000
    mixed, tree = (bench(chain3, noise=True, tree=mode, levels=2, allow_unsafe=True) for mode in ("mixed", True))
    lines = layers(mixed, np.random.default_rng(4))
    rho = mixed.engine.play(mixed.begin(shots), lines, 0)[0].state.data
    columns = tree.engine.play(tree.begin(shots), lines, 0)[0].state
    lost = 1 - np.trace(rho).real
    assert_counts([np.count_nonzero(columns.leaked)], np.array([lost]), shots)
    assert mixed.engine.statistics()["leaked_fraction"] == pytest.approx(lost, rel=1e-6)
    assert np.linalg.norm(rho - rho.conj().T) < 1e-12
    values, vectors = np.linalg.eigh(rho / (1 - lost))
    inside = np.abs(vectors.conj().T @ kets(columns)) ** 2
    found = inside @ np.bincount(columns.column, minlength=columns.n_columns)
    assert columns.n_columns > 20
    assert_counts(np.rint(np.stack([found[-1], shots - found[-1]])), np.array([values[-1], 1 - values[-1]]), shots)
    assert 0.5 * np.abs(np.linalg.eigvalsh(mixture(columns) - rho / (1 - lost))).sum() < 6 / np.sqrt(shots)


def test_long_idling_jumps_many_times_as_often_as_t1_says(bench, chain3, shapes):
    """Three qubits in level 1 for half a lifetime in one segment: each decays by itself."""
    rig = bench(chain3, noise=True, tree=True)
    lines, envelope = rig.lines(40_020), shapes[0](20, 5.0)
    for name in chain3.qubits:
        rig.drive(lines, name, 0, rig.pi_amplitude(name, envelope) * envelope)
    shots = 20_000
    columns = rig.engine.play(rig.begin(shots), lines, 0)[0].state
    dense = bench(chain3, noise=True)
    expected = dense.engine.play(dense.begin(), lines, 0)[0].state.populations()
    outcomes = columns.probabilities() @ np.bincount(columns.column, minlength=columns.n_columns)
    assert_counts(np.rint(outcomes[[13, 12, 4, 0]]), expected.ravel()[[13, 12, 4, 0]], shots)


@pytest.mark.parametrize("levels", [2, 3])
def test_shots_do_not_depend_on_the_batch(bench, chain3, layers, levels):
    rig = bench(chain3, noise=True, tree=True, levels=levels, allow_unsafe=True)
    lines = layers(rig, np.random.default_rng(4))
    whole = rig.engine.play(rig.begin(3000), lines, 0)[0].state
    for first, n_shots in ((0, 1), (1, 700), (701, 2299)):
        part = rig.engine.play(rig.begin(n_shots, first=first), lines, 0)[0].state
        rows = slice(first, first + n_shots)
        assert np.array_equal(part.threshold, whole.threshold[rows])
        assert np.array_equal(part.leaked, whole.leaked[rows])
        assert np.array_equal(part.real[:, part.column], whole.real[:, whole.column[rows]])


def test_memory_is_refused_before_it_is_taken(bench, chain3, layers):
    rig = bench(chain3, noise=True, tree=True)
    lines = layers(rig, np.random.default_rng(4))
    rig.engine._tree._limit_bytes = 27 * 32 * 16
    with pytest.raises(ResourceError, match="raise memory_mib"):
        rig.engine.play(rig.begin(20_000), lines, 0)


def test_qubits_enter_when_a_line_first_touches_them(bench, chain3, shapes):
    """What a neighbour at rest does to a pulse is left out until then: (g / gap)^2, a millionth at 0.5 MHz."""
    document, g_hz = chain3.model_dump(by_alias=True) | {"frequencies": "dressed"}, 5e5
    for edge in document["edges"].values():
        edge["g_idle"] = g_hz
    truth = type(chain3).model_validate(document)
    rig, dense = bench(truth, tree=True), bench(truth)
    lines, envelope = rig.lines(60), shapes[0](20, 5.0)
    for k, name in enumerate(truth.qubits):
        rig.drive(lines, name, 20 * k, 0.5 * rig.pi_amplitude(name, envelope) * envelope)
    block = rig.engine._block(lines, 0, (), None, set())
    assert block.first_touch == {0: 0, 1: 20, 2: 40}
    ket = dense.engine.play(dense.begin(), lines, 0)[0].state.data
    columns = rig.engine.play(rig.begin(2), lines, 0)[0].state
    assert columns.qubits == (0, 1, 2)
    gap_hz = np.abs(np.diff([qubit.frequency for qubit in truth.qubits.values()])).min()
    assert 0 < 1 - abs(np.vdot(ket, kets(columns)[:, 0])) ** 2 < 1.5 * (g_hz / gap_hz) ** 2


@pytest.mark.parametrize("driven", [1, 2])
def test_gates_depend_on_the_phase_between_two_drives_whose_shapes_are_not_known(bench, chain3, shapes, driven):
    """Bindings may share gates only where they do not."""
    tree, (gauss, _) = bench(chain3, tree=True), shapes
    lines = tree.lines(20)
    for name in list(chain3.qubits)[:driven]:
        tree.drive(lines, name, 0, 0.1 * gauss(20, 5.0))
    player = tree.engine._tree
    (passage,) = player.read(lines, 0, None).passages([Segment(0, 20)])
    assert player._planner.is_rigid(passage, (0, 1, 2)) == (driven == 2)
