"""What photons do to qubits, against the master equation of qubit and resonator."""

from __future__ import annotations

import numpy as np
import pytest

from firmware_sim.physics.photons import exponents
from tests.reference import readout_backaction

TURN = 2 * np.pi
STEP_S = 2e-9


def fields_of(inputs, poles, start):
    """Fields of each level at the start of each step and at the end."""
    decay = np.exp(-poles * STEP_S)
    fields = [np.array(start, dtype=complex)]
    for drive in inputs:
        fields.append(fields[-1] * decay + drive * (1 - decay) / poles)
    return np.array(fields).T


@pytest.mark.parametrize(("chi_hz", "start"), [(-4e6, 0j), (1.5e6, 0.9 - 0.5j)])
def test_coherence_after_the_photons_left_is_that_of_the_master_equation(chi_hz, start):
    kappa, chi, detuning = TURN * 8e6, TURN * chi_hz, TURN * 1.7e6
    inputs = np.zeros(150, dtype=complex)
    inputs[:20], inputs[20:40] = 4e7, 3e7j
    levels = np.array([0.0, chi])
    poles = kappa / 2 - 1j * (detuning + levels)
    fields = fields_of(inputs, poles, [start, start])
    found = np.exp(exponents(inputs, fields, poles, levels, STEP_S))
    exact = readout_backaction.coherence(
        [(4e7, 20 * STEP_S), (-3e7j, 20 * STEP_S), (0.0, 110 * STEP_S)],
        (detuning + chi, detuning),
        kappa,
        start=np.conj(start),
    )
    print(f"coherence {found[1, 0]:.5f}, exact {exact:.5f}, {abs(fields[0, 40]) ** 2:.2f} photons")
    assert abs(exact) < 0.9
    # What is still inside overlaps to 1e-4.
    assert found[1, 0] == pytest.approx(exact, abs=2e-4)
    assert found[0, 1] == pytest.approx(np.conj(found[1, 0]))
    assert np.diag(found) == pytest.approx(np.ones(2))


def coherence_of(rig, branches, qubit):
    """Mean coherence of levels 0 and 1 of a qubit of density matrices."""
    found = 0
    for branch in branches:
        state = branch.state
        n, place = len(state.qubits), state.qubits.index(qubit)
        cube = state.data.reshape((3,) * 2 * n)
        others = [k for k in range(n) if k != place]
        for k in sorted(others, reverse=True):
            cube = np.trace(cube, axis1=k, axis2=k + cube.ndim // 2)
        found = found + len(branch.shots) * cube[1, 0]
    return found / sum(len(branch.shots) for branch in branches)


def neighbour(bench, pair2, shapes, *, tone, without=()):
    """Coherence of q1, in a superposition beside a tone for the resonator of q0."""
    rig = bench(pair2, noise=True)
    rig.engine._options = type(rig.engine._options)(seed=1, without=without)
    envelope, lines = shapes[0](20, 5.0), rig.lines(2520)
    rig.drive(lines, "q1", 0, rig.pi_amplitude("q1", envelope, np.pi / 2) * envelope)
    if tone:
        rig.tone(lines, "q0", 20, np.full(2000, 0.2))
    return coherence_of(rig, rig.engine.play(rig.begin(), lines, 0), 1)


def test_the_tone_of_a_neighbour_shifts_a_qubit_by_chi_per_photon(bench, pair2, shapes):
    """n = kappa |b|^2 / (kappa^2 / 4 + D^2), off resonance; dephasing is of second order in chi / D."""
    silent, loud = (neighbour(bench, pair2, shapes, tone=tone) for tone in (False, True))
    resonator, feedline = pair2.resonators["q1"], pair2.feedlines["f0"]
    tone_hz = pair2.resonators["q0"].frequency + pair2.resonators["q0"].chi_01 / 2
    off = [TURN * (resonator.frequency + shift - tone_hz) for shift in resonator.shifts[:2]]
    kappa = TURN * resonator.kappa
    photons = kappa * (0.2 * feedline.input_scale) ** 2 / np.sqrt(np.prod([(kappa / 2) ** 2 + d**2 for d in off]))
    expected = -TURN * resonator.chi_01 * photons * 2e-6
    print(f"{photons:.2g} photons turn by {np.angle(loud / silent):.4f}, expected {expected:.4f}")
    assert abs(expected) > 0.05
    assert np.angle(loud / silent) == pytest.approx(expected, rel=0.02)
    assert 0.99 < abs(loud / silent) < 1
    assert neighbour(bench, pair2, shapes, tone=True, without=("photons",)) == pytest.approx(silent)


def after_readout(bench, truth, shapes, gap, *, tree=False, blocks=1, noise=True, shots=400, prepare=1):
    """Branches in which q0 is measured and, after a gap, put into a superposition for 300 ns."""
    rig = bench(truth, noise=noise, tree=tree)
    envelope, lines = shapes[0](20, 5.0), rig.lines(1200)
    half = rig.pi_amplitude("q0", envelope, np.pi / 2)
    rig.drive(lines, "q0", 0, prepare * half * envelope)
    rig.tone(lines, "q0", 20, np.full(400, 0.1))
    rig.drive(lines, "q0", 420 + gap, half * envelope)
    capture = rig.capture("q0", 20, 400)
    branches = rig.begin(shots)
    for first, last in ((0, 1200),) if blocks == 1 else ((0, 420), (420, 1200)):
        part = [line[first:last] for line in lines]
        branches = rig.engine.play(branches, part, first, [capture] if first == 0 else [])
    return rig, branches


@pytest.mark.parametrize("gap", [0, 60, 300])
def test_a_pulse_soon_after_a_readout_meets_the_photons_that_are_left(bench, first_qubit, pair2, shapes, gap):
    """ln |coherence| = -n chi^2 / (kappa^2 + chi^2), with the n photons left when the superposition begins."""
    truth = first_qubit(pair2, t1=1.0, t2_echo=1.0, line={"phase": 0.0})
    rig, branches = after_readout(bench, truth, shapes, gap)
    resonator = truth.resonators["q0"]
    kappa, chi = TURN * resonator.kappa, TURN * resonator.chi_01
    field = np.sqrt(kappa) * 0.1 * truth.feedlines["f0"].input_scale / (kappa / 2 + 0.5j * chi)
    # The pulse's middle is where the superposition begins; what is left at the end of 300 ns is nothing.
    photons = abs(field) ** 2 * np.exp(-kappa * (gap + 10) * 1e-9)
    exponent = -1j * chi * photons / (kappa + 1j * chi)
    found = [abs(coherence_of(rig, [branch], 0)) for branch in branches]
    print(f"gap {gap}: {photons:.3f} photons, contrast {2 * found[0]:.4f}, expected {np.exp(exponent.real):.4f}")
    assert len(branches) >= 2
    assert 2 * np.array(found) == pytest.approx(np.exp(exponent.real), abs=0.05 * min(photons, 1) + 2e-3)


def test_photons_stay_over_the_end_of_a_block(bench, first_qubit, pair2, shapes):
    truth = first_qubit(pair2)
    whole, parts = (after_readout(bench, truth, shapes, 40, blocks=blocks)[1] for blocks in (1, 2))
    for one, other in zip(whole, parts, strict=True):
        assert np.array_equal(one.shots, other.shots)
        assert one.state.data == pytest.approx(other.state.data, abs=1e-9)


def test_columns_feel_what_density_matrices_feel(bench, first_qubit, pair2, shapes):
    """Mean population after one more half pulse; 5 deviations of 40 000 shots, false alarm below 1e-6."""
    found = np.zeros((2, 2))
    for tree in (False, True):
        rig, branches = after_readout(bench, first_qubit(pair2), shapes, 60, tree=tree, shots=40_000, prepare=0)
        half = rig.pi_amplitude("q0", shapes[0](20, 5.0), np.pi / 2) * shapes[0](20, 5.0)
        for k, phase in enumerate((0.0, np.pi / 2)):
            lines = rig.lines(20)
            rig.drive(lines, "q0", 0, half, phase=phase, start_ticks=1200)
            found[int(tree), k] = rig.engine.populations(rig.engine.play(branches, lines, 1200))[0, 1]
    print(found)
    assert np.abs(found[0] - 0.5).max() > 0.2
    assert found[0] == pytest.approx(found[1], abs=5 * np.sqrt(0.25 / 40_000))
    assert rig.engine.statistics()["columns"] > 4


def test_without_noise_photons_only_turn(bench, first_qubit, pair2, shapes):
    truth = first_qubit(pair2)
    _, branches = after_readout(bench, truth, shapes, 0, noise=False)
    kets = np.array([branch.state.data for branch in branches])
    assert np.linalg.norm(kets, axis=1) == pytest.approx(np.ones(len(kets)))
    assert len(after_readout(bench, truth, shapes, 0, noise=False, tree=True)[1]) == 1


def test_photons_of_an_earlier_block_are_there_when_the_next_readout_begins(bench, first_qubit, pair2):
    """A window that opens when another closed integrates what that one left."""
    rig = bench(first_qubit(pair2), noise=True)
    values = []
    for tone in (0.0, 0.2):
        first, second = rig.lines(400), rig.lines(400)
        rig.tone(first, "q0", 0, np.full(400, tone))
        rig.tone(second, "q0", 0, np.full(400, 0.02), start_ticks=400)
        branches = rig.engine.play(rig.begin(2000, captures=(2, 0)), first, 0, [rig.capture("q0", 0, 400)])
        branches = rig.engine.play(branches, second, 400, [rig.capture("q0", 400, 400, index=1)], final=True)
        values.append(np.concatenate([branch.iq[:, 1] for branch in branches]))
    apart = abs(values[0].mean() - values[1].mean())
    assert apart > 10 * values[0].std() / np.sqrt(2000)
