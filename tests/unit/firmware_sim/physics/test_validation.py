"""Textbook physics: effects of second order and of leakage against their formulae."""

from __future__ import annotations

import numpy as np
import pytest

from firmware_sim.physics.cache import OperatorCache
from firmware_sim.physics.device import build_chip
from firmware_sim.physics.propagators import Controls, hamiltonians, unitary
from firmware_sim.physics.readout import Readout
from qctrl.errors import InstrumentFault

TURN = 2 * np.pi
ALPHA = -TURN * 330e6


def controls(counts, detuning, drive, coupling=None):
    """Runs of 1 ns samples; detuning in rad/s per qubit, drive per run of the first qubit, coupling in rad/s."""
    n_runs, n_qubits = len(counts), len(detuning)
    drives = np.zeros((n_runs, n_qubits), dtype=complex)
    drives[:, 0] = drive
    pairs = () if coupling is None else ((0, 1),)
    return Controls(
        counts=np.array(counts),
        detuning_rad_s=np.tile(np.array(detuning, dtype=float), (n_runs, 1)),
        drive_rad_s=drives,
        coupling_rad_s=np.full((n_runs, len(pairs)), 0.0 if coupling is None else coupling),
        pairs=pairs,
        anharmonicity_rad_s=np.full(n_qubits, ALPHA),
        dt_s=1e-9,
    )


def ramped(flat, rise=60):
    """Counts and relative amplitudes of a pulse with cosine edges."""
    edge = 0.5 * (1 - np.cos(np.pi * (np.arange(rise) + 0.5) / rise))
    return [1] * rise + [flat] + [1] * rise, np.concatenate([edge, [1.0], edge[::-1]])


@pytest.mark.parametrize("detuning_hz", [60e6, -90e6])
def test_the_stark_shift_of_three_levels_is_that_of_second_order(detuning_hz):
    """Omega^2 alpha / (2 D (D - alpha)), D = drive minus qubit; two levels alone would have -Omega^2 / (2 D)."""
    rabi, drive_off = TURN * 2e6, TURN * detuning_hz
    phases = []
    for flat in (200, 700):
        counts, shape = ramped(flat)
        u = unitary(controls(counts, [-drive_off], rabi * shape), 3)
        phases.append(np.angle(u[1, 1] / u[0, 0]))
    turned = np.angle(np.exp(1j * (phases[1] - phases[0] - drive_off * 500e-9)))
    expected = rabi**2 * ALPHA / (2 * drive_off * (drive_off - ALPHA))
    assert -turned / 500e-9 == pytest.approx(expected, rel=1e-3)


def dressed_order(energies, states):
    return [int(np.argmax(np.abs(states[k]) ** 2)) for k in range(len(energies))]


def cross_resonance_zx(rabi, detuning, coupling):
    """ZX rate of a drive on qubit 0 at the frequency of qubit 1, from its exact conditional rotations."""
    frame = 0.0
    for _ in range(3):  # drive at the dressed target frequency, averaged over the control
        h = hamiltonians(controls([1], [detuning - frame, -frame], 0.0, coupling), 3)[0]
        energies, states = np.linalg.eigh(h)
        at = dressed_order(energies, states)
        frame += 0.5 * (energies[at[1]] - energies[at[0]] + energies[at[4]] - energies[at[3]])
    basis = states[:, at]
    basis = basis * np.exp(-1j * np.angle(np.diagonal(basis)))
    rotations = []
    for flat in (100, 140):
        counts, shape = ramped(flat)
        u = unitary(controls(counts, [detuning - frame, -frame], rabi * shape, coupling), 3)
        rotations.append(basis.conj().T @ u @ basis)
    rates = []
    for rows in ([0, 1], [3, 4]):
        before, after = (u[np.ix_(rows, rows)] for u in rotations)
        # Edges are equal: after = E2 exp(-i H dt) E1, before = E2 E1; eigenvalues of the quotient are those of H.
        step = after @ np.linalg.inv(before)
        angle = np.angle(np.linalg.eigvals(step))
        rates.append(abs(np.angle(np.exp(1j * (angle[0] - angle[1])))) / 40e-9)
    return rates


@pytest.mark.parametrize(("rabi_hz", "low", "high"), [(5e6, 0.995, 1.0), (20e6, 0.965, 0.975), (40e6, 0.885, 0.895)])
def test_cross_resonance_follows_first_order_and_saturates(rabi_hz, low, high):
    """J Omega alpha / (D (alpha + D)) (Magesan and Gambetta 2020, eq. 4.30), which the exact rate falls short of."""
    detuning, coupling, rabi = TURN * 120e6, TURN * 0.5e6, TURN * rabi_hz
    rates = cross_resonance_zx(rabi, detuning, coupling)
    first_order = abs(coupling * rabi * ALPHA / (detuning * (ALPHA + detuning)))
    # The control's state sets the sign and, by IX, the size of the target's rate: ZX is half of the difference.
    zx = 0.5 * (abs(rates[0]) + abs(rates[1]))
    print(f"{rabi_hz / 1e6:.0f} MHz: ZX {zx / first_order:.4f} of first order")
    assert low < zx / first_order < high


def test_a_resonant_cz_returns_after_pi_over_root_two_g():
    """T = pi / (sqrt 2 g) = 70.7 ns; what is missing of 1 and pi comes from transitions that are off resonance."""
    coupling = TURN * 5e6
    resonant = Controls(
        counts=np.array([707]),
        detuning_rad_s=np.array([[0.0, ALPHA]]),
        drive_rad_s=np.zeros((1, 2), dtype=complex),
        coupling_rad_s=np.array([[coupling]]),
        pairs=((0, 1),),
        anharmonicity_rad_s=np.full(2, ALPHA),
        dt_s=np.pi / (np.sqrt(2) * coupling) / 707,
    )
    u = unitary(resonant, 3)
    phase = np.angle(u[4, 4] * u[0, 0] / u[1, 1] / u[3, 3])
    assert abs(u[4, 4]) ** 2 > 0.9995
    assert abs(phase) / np.pi == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize(("length", "gain"), [(10, 8), (20, 20)])
def test_drag_lowers_leakage_most_below_its_first_order_coefficient(length, gain):
    """E = g + i beta g' / alpha; the best beta is near 0.6 for leakage alone, not 1 (Motzoi 2009, Gambetta 2011)."""
    t = np.arange(length) + 0.5 - length / 2
    sigma = length / 4
    shape = np.exp(-(t**2) / (2 * sigma**2)) - np.exp(-2.0)
    slope = -t / sigma**2 * np.exp(-(t**2) / (2 * sigma**2)) * 1e9
    area = np.pi / (shape.sum() * 1e-9)
    betas = np.linspace(-0.2, 1.6, 37)
    leaks = []
    for beta in betas:
        drive = area * (shape + 1j * beta * slope / ALPHA)
        leaks.append(abs(unitary(controls([1] * length, [0.0], drive), 3)[2, 0]) ** 2)
    none, best = leaks[int(np.argmin(np.abs(betas)))], int(np.argmin(leaks))
    print(f"{length} ns: leakage {none:.2e} without, {leaks[best]:.2e} at beta {betas[best]:.2f}")
    assert none > gain * leaks[best]
    assert 0.4 < betas[best] < 0.9


def test_the_error_of_idling_is_that_of_its_coherence(bench, first_qubit, pair2):
    """Average infidelity tau / 3 (1 / T2 + 1 / (2 T1)), to first order."""
    truth = first_qubit(pair2)
    qubit, duration = truth.qubits["q0"], 100e-9
    rig = bench(truth, noise=True, levels=2)
    kets = np.array([[1, 0], [0, 1], [1, 1], [1, -1], [1, 1j], [1, -1j]], dtype=complex)
    kets /= np.linalg.norm(kets, axis=1)[:, None]
    given = np.einsum("ni,nj->nij", kets, kets.conj())
    out = rig.engine.channel(rig.lines(100), 0, [0], given, np.array([qubit.frequency]))
    infidelity = 1 - np.mean([np.real(ket.conj() @ rho @ ket) for ket, rho in zip(kets, out, strict=True)])
    expected = duration / 3 * (1 / qubit.t2_echo + 1 / (2 * qubit.t1))
    assert infidelity == pytest.approx(expected, rel=2e-3)


def test_pointer_states_are_farthest_apart_where_chi_is_half_of_kappa(bench, first_qubit, pair2):
    """Reflected phases differ by 4 atan(chi / kappa), chi being the full shift: by pi at chi = kappa."""
    separations = []
    for ratio in (0.5, 0.9, 1.0, 1.1, 2.0):
        document = first_qubit(pair2).model_dump(by_alias=True)
        resonator = document["resonators"]["q0"]
        resonator |= {"chi_01": -ratio * resonator["kappa"], "chi_02": -2 * ratio * resonator["kappa"]}
        rig = bench(type(pair2).model_validate(document))
        kappa, shift = TURN * resonator["kappa"], TURN * resonator["chi_01"]
        fields = np.sqrt(kappa) / (kappa / 2 + 1j * np.array([-1, 1]) * shift / 2)
        reflected = np.sqrt(kappa) * fields - 1
        assert np.abs(reflected) == pytest.approx(np.ones(2))
        assert abs(np.angle(reflected[0] / reflected[1])) == pytest.approx(
            min(4 * np.arctan(ratio), TURN - 4 * np.arctan(ratio))
        )
        separations.append(steady_separation(rig))
    assert int(np.argmax(separations)) == 2


def steady_separation(rig):
    """Distance of the integrated values of levels 0 and 1 late in a long window."""
    lines = rig.lines(3000)
    rig.tone(lines, "q0", 0, np.full(3000, 0.05))
    tables = Readout(build_chip(rig.truth), rig.setup, OperatorCache()).tables(
        (rig.capture("q0", 2000, 1000),), lines, 0
    )
    return abs(tables.sums[0, 0, 1, -1] - tables.sums[0, 0, 0, -1])


def collision_chain(chain5):
    """Five tunable qubits with fixed couplings of 5 MHz, neighbours 20 to 60 MHz apart; nothing to switch off."""
    document = chain5.model_dump(by_alias=True)
    for name, frequency in zip(document["qubits"], (4.90e9, 4.95e9, 4.91e9, 4.97e9, 4.93e9), strict=True):
        document["qubits"][name]["frequency"] = frequency
    for edge in document["edges"].values():
        edge |= {"g_idle": 5e6, "coupler": None}
    return type(chain5).model_validate(document)


@pytest.mark.parametrize("tree", [False, True])
def test_a_chip_whose_frequencies_collide_is_refused_as_unsafe(bench, chain5, shapes, tree):
    truth = collision_chain(chain5)
    for allowed in (False, True):
        rig = bench(truth, tree=tree, allow_unsafe=allowed)
        lines, envelope = rig.lines(400), shapes[0](20, 5.0)
        for name in truth.qubits:
            rig.drive(lines, name, 0, rig.pi_amplitude(name, envelope, np.pi / 2) * envelope)
        if allowed:
            rig.engine.play(rig.begin(), lines, 0)
            assert rig.engine.statistics()["approximation"] == "unsafe"
            assert rig.engine.statistics()["neglected_infidelity"] > 1e-2
        else:
            with pytest.raises(InstrumentFault, match=r"couplings at rest are too strong.*allow_unsafe"):
                rig.engine.play(rig.begin(), lines, 0)
