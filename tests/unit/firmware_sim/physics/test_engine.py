from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import curve_fit

from firmware_sim.physics.branches import split
from firmware_sim.physics.cache import OperatorCache
from firmware_sim.physics.choice import MOST_DENSE
from firmware_sim.physics.engine import Engine
from firmware_sim.physics.propagators import hamiltonians
from qctrl.errors import ConfigError, InstrumentFault, ResourceError
from qctrl.protocol import SimOptions

DRIVE_LO_HZ = 4.9e9
X, Y, Z = np.array([[0, 1], [1, 0]]), np.array([[0, -1j], [1j, 0]]), np.diag([1, -1])


def rotation(axis, angle):
    return np.cos(angle / 2) * np.eye(2) - 1j * np.sin(angle / 2) * axis


def gate_of(bench, lines, qubits=(0,), start_ticks=0):
    """The block's operator on two levels, in frames at the qubits' frequencies."""
    frames = np.array([list(bench.truth.qubits.values())[q].frequency for q in qubits])
    dim = bench.engine._options.levels ** len(qubits)
    columns = bench.engine.channel(lines, start_ticks, qubits, np.eye(dim, dtype=complex), frames)
    return columns.T


def same_up_to_phase(a, b, tolerance=1e-6):
    overlap = abs(np.trace(a.conj().T @ b)) / len(a)
    return overlap == pytest.approx(1, abs=tolerance)


def two_levels(bench, first_qubit, pair2, **options):
    # No virtual Z of the line may disturb a convention, so its phase is 0.
    return bench(first_qubit(pair2, line={"phase": 0.0}), levels=2, **options)


@pytest.mark.parametrize("detuning_hz", [0.0, 3e6, -11e6])
def test_rabi_oscillation_follows_the_generalised_rabi_formula(bench, first_qubit, pair2, detuning_hz):
    # A tone at the LO is the same sample throughout, so the formula is exact.
    truth = first_qubit(pair2, line={"phase": 0.0}, frequency=DRIVE_LO_HZ + detuning_hz)
    rig = bench(truth, levels=2)
    lines = rig.lines(137)
    rig.drive(lines, "q0", 0, np.full(137, 0.08), detuning_hz=-detuning_hz)
    rabi, time = 0.08 * truth.lines["q0.drive"].rabi_hz_per_fs, 137e-9
    total = np.hypot(rabi, detuning_hz)
    expected = (rabi / total) ** 2 * np.sin(np.pi * total * time) ** 2
    found = rig.engine.populations(rig.engine.play(rig.begin(), lines, 0))[0, 1]
    assert found == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("phase", [0.0, 0.7, np.pi / 2, -2.0])
@pytest.mark.parametrize("start_ticks", [0, 1300])
def test_a_play_of_phase_phi_rotates_about_cos_x_minus_sin_y(bench, first_qubit, pair2, shapes, phase, start_ticks):
    rig = two_levels(bench, first_qubit, pair2)
    envelope = shapes[0](40, 10.0)
    amplitude = rig.pi_amplitude("q0", envelope, np.pi / 2)
    lines = rig.lines(40)
    rig.drive(lines, "q0", 0, amplitude * envelope, phase=phase, start_ticks=start_ticks)
    expected = rotation(np.cos(phase) * X - np.sin(phase) * Y, np.pi / 2)
    # The held samples lag half a sample behind the carrier: a constant phase that a calibration absorbs.
    lag = 2 * np.pi * (pair2.qubits["q0"].frequency - DRIVE_LO_HZ) * 0.5e-9
    turn = np.diag([1, np.exp(1j * lag)])
    found = gate_of(rig, lines, start_ticks=start_ticks)
    assert same_up_to_phase(turn.conj().T @ found @ turn, expected, 2e-6)


def test_a_positive_detuning_turns_the_state_as_rz_of_positive_angle(bench, first_qubit, pair2):
    rig = two_levels(bench, first_qubit, pair2)
    lines = rig.lines(50)
    detuning_hz = 2e6
    frame = np.array([pair2.qubits["q0"].frequency - detuning_hz])
    found = rig.engine.channel(lines, 0, [0], np.eye(2, dtype=complex), frame).T
    angle = 2 * np.pi * detuning_hz * 50e-9
    assert same_up_to_phase(found, np.diag([1, np.exp(-1j * angle)]), 1e-12)


def test_adding_lambda_to_the_frame_equals_a_positive_rz_before_the_pulse(bench, first_qubit, pair2, shapes):
    rig = two_levels(bench, first_qubit, pair2)
    envelope, lam = shapes[0](40, 10.0), np.pi / 2
    amplitude = rig.pi_amplitude("q0", envelope, np.pi / 2)
    plain, shifted = rig.lines(40), rig.lines(40)
    rig.drive(plain, "q0", 0, amplitude * envelope)
    rig.drive(shifted, "q0", 0, amplitude * envelope, phase=lam)
    rz = np.diag(np.exp(np.array([-0.5j, 0.5j]) * lam))
    # play(lambda) = rz(-lambda) play(0) rz(lambda): what follows the virtual Z sees rz(lambda) before it.
    assert same_up_to_phase(gate_of(rig, shifted), rz.conj().T @ gate_of(rig, plain) @ rz, 1e-12)


def test_idling_at_the_frame_frequency_is_the_identity(bench, pair2):
    rig = bench(pair2)
    found = gate_of(rig, rig.lines(10_000), (0, 1), start_ticks=777)
    # What is left is the dressing of 60 kHz over 377 MHz, and its shift of 10 Hz.
    assert np.abs(found[:2, :2] - np.eye(2)).max() < 2e-3


def test_five_percent_too_much_amplitude_leaves_sin_squared_in_the_ground_state(bench, first_qubit, pair2, shapes):
    # At the LO; elsewhere the images of the hold add some 1e-5.
    rig = bench(first_qubit(pair2, frequency=DRIVE_LO_HZ), levels=2)
    envelope = shapes[0](40, 10.0)
    lines = rig.lines(40)
    rig.drive(lines, "q0", 0, 1.05 * rig.pi_amplitude("q0", envelope) * envelope)
    found = rig.engine.populations(rig.engine.play(rig.begin(), lines, 0))[0, 0]
    assert found == pytest.approx(np.sin(0.025 * np.pi) ** 2, abs=1e-12)


def test_an_lo_error_gives_a_ramsey_fringe_at_that_frequency(bench, first_qubit, pair2, shapes):
    error_hz = 1.25e6
    rig = bench(first_qubit(pair2, line={"lo_error": error_hz}), levels=2)
    envelope = shapes[0](20, 5.0)
    amplitude = rig.pi_amplitude("q0", envelope, np.pi / 2)
    times_s, found = np.arange(20, 2020, 20) * 1e-9, []
    for time_s in times_s:
        wait = round(time_s * 1e9)
        lines = rig.lines(wait + 20)
        rig.drive(lines, "q0", 0, amplitude * envelope)
        rig.drive(lines, "q0", wait, amplitude * envelope)
        found.append(rig.engine.populations(rig.engine.play(rig.begin(), lines, 0))[0, 1])

    def fringe(t, contrast, frequency_hz, phase):
        return 0.5 + contrast * np.cos(2 * np.pi * frequency_hz * t + phase)

    fitted, _ = curve_fit(fringe, times_s, found, p0=(0.5, 1.1e6, 0.0))
    assert fitted[1] == pytest.approx(error_hz, rel=1e-3)


def test_a_large_lo_difference_is_followed_within_each_sample(bench, first_qubit, pair2, shapes):
    envelope = shapes[0](40, 10.0)
    found = []
    for error_hz in (0.0, 37e6):
        rig = bench(first_qubit(pair2, line={"lo_error": error_hz}), levels=2)
        lines = rig.lines(40)
        rig.drive(lines, "q0", 0, rig.pi_amplitude("q0", envelope) * envelope, detuning_hz=-error_hz)
        found.append(rig.engine.populations(rig.engine.play(rig.begin(), lines, 0))[0, 1])
    # Only the sinc of the hold, at another intermediate frequency, differs: 0.5 % of the angle.
    assert found[1] == pytest.approx(found[0], abs=2e-3)


def test_static_zz_is_second_order_perturbation_theory(bench, pair2):
    document = pair2.model_dump(by_alias=True)
    document["edges"]["q0-q1"] = {"g_idle": 0.5e6, "coupler": None}
    rig = bench(type(pair2).model_validate(document))
    q0, q1 = pair2.qubits["q0"], pair2.qubits["q1"]
    h = rig.engine._chain.controls(rig.lines(1), 0, (0, 1), [0, 1])
    energies, states = np.linalg.eigh(hamiltonians(h, 3)[0] / (2 * np.pi))
    level = {k: energies[np.argmax(np.abs(states[k]))] for k in (0, 1, 3, 4)}
    gap = q1.frequency - q0.frequency
    expected = 2 * 0.5e6**2 * (1 / (gap - q0.anharmonicity) - 1 / (gap + q1.anharmonicity))
    assert level[4] - level[3] - level[1] + level[0] == pytest.approx(expected, rel=5e-4)


def test_cz_pulses_agree_with_the_exact_pair(bench, pair2, shapes, dense, by_port):
    rig = bench(pair2)
    lines = rig.lines(60)
    rig.flux(lines, "q1.flux", 0, 0.18755203 * shapes[1](60, 8))
    rig.flux(lines, "c01.flux", 0, 0.78920879 * shapes[1](60, 8))
    frames = np.full(2, DRIVE_LO_HZ)
    inputs = np.eye(9, dtype=complex)[[0, 1, 3, 4]]
    found = rig.engine.channel(lines, 0, [0, 1], inputs, frames)
    for ket, out in zip(inputs, found, strict=True):
        exact = dense.evolve_ket(pair2, by_port(rig, lines), ket, lo_hz=DRIVE_LO_HZ)
        assert np.abs(out - exact).max() < 1e-10
    phase = np.angle(found[3, 4] * found[0, 0] / found[1, 1] / found[2, 3])
    assert abs(phase) == pytest.approx(np.pi, abs=1e-4)
    assert abs(found[3, 4]) ** 2 > 1 - 1e-5
    # A wrong flux amplitude shows.
    lines[rig.setup.port_index("q1.flux")] *= 0.99
    wrong = rig.engine.channel(lines, 0, [0, 1], inputs, frames)
    off = np.angle(-wrong[3, 4] * wrong[0, 0] / wrong[1, 1] / wrong[2, 3])
    assert abs(off) > 0.02


def test_three_noisy_qutrits_agree_with_the_lindblad_equation(bench, chain3, layers, dense, by_port):
    rig = bench(chain3, noise=True)
    lines = layers(rig, np.random.default_rng(4))
    found = rig.engine.play(rig.begin(), lines, 0)[0].state.data
    start = np.zeros((27, 27), dtype=complex)
    start[0, 0] = 1
    exact = dense.evolve_density(chain3, by_port(rig, lines), start, lo_hz=DRIVE_LO_HZ)
    distance = 0.5 * np.abs(np.linalg.eigvalsh(found - exact)).sum()
    purity = np.real(np.trace(exact @ exact))
    print(f"trace distance {distance:.2g}, purity {purity:.5f}")
    assert purity < 0.99
    assert distance < 1e-4


def test_t1_decay_is_exponential_over_any_idle_time(bench, first_qubit, pair2):
    rig = bench(first_qubit(pair2), noise=True)
    rho = np.zeros((1, 3, 3), dtype=complex)
    rho[0, 1, 1] = 1
    for n_samples in (10, 1000, 200_000):
        out = rig.engine.channel(rig.lines(n_samples), 0, [0], rho, np.array([5e9]))[0]
        assert out[1, 1].real == pytest.approx(np.exp(-n_samples * 1e-9 / 7.4e-5), abs=1e-12)
        assert np.trace(out).real == pytest.approx(1, abs=1e-12)


def test_echo_decays_with_t2(bench, first_qubit, pair2, shapes):
    truth = first_qubit(pair2, line={"phase": 0.0})
    rig = bench(truth, noise=True, levels=2)
    envelope = shapes[0](20, 5.0)
    half = rig.pi_amplitude("q0", envelope, np.pi / 2)
    contrast = []
    for wait in (1000, 21_000):
        lines = rig.lines(2 * wait + 60)
        for start, angle in ((0, 1), (wait + 20, 2), (2 * wait + 40, 1)):
            rig.drive(lines, "q0", start, angle * half * envelope)
        contrast.append(1 - 2 * rig.engine.populations(rig.engine.play(rig.begin(), lines, 0))[0, 1])
    decay = np.log(abs(contrast[0] / contrast[1]))
    assert decay == pytest.approx(40e-6 / truth.qubits["q0"].t2_echo, rel=5e-3)


def test_noise_off_keeps_the_excited_state_for_ever(bench, first_qubit, pair2):
    rig = bench(first_qubit(pair2))
    out = rig.engine.channel(rig.lines(100_000), 0, [0], np.eye(3, dtype=complex)[[1]], np.array([5e9]))
    assert abs(out[0, 1]) == pytest.approx(1, abs=1e-12)


def test_too_many_touched_qubits_are_refused(bench, chain5, monkeypatch):
    rig = bench(chain5, noise=True)
    lines = rig.lines(20)
    for name in chain5.qubits:
        rig.drive(lines, name, 0, np.full(20, 0.1))
    monkeypatch.setitem(MOST_DENSE["density matrix"], 3, 4)
    with pytest.raises(ResourceError, match=r"touches 5 qubits; a density matrix of 3 levels holds 4"):
        rig.engine.play(rig.begin(), lines, 0)


def test_a_channel_that_touches_other_qubits_is_refused(bench, pair2):
    rig = bench(pair2)
    lines = rig.lines(20)
    rig.drive(lines, "q1", 0, np.full(20, 0.1))
    with pytest.raises(ResourceError, match="touches q1"):
        rig.engine.channel(lines, 0, [0], np.eye(3, dtype=complex), np.array([5e9]))


def test_levels_other_than_two_to_four_are_refused(bench, pair2):
    with pytest.raises(ConfigError, match="levels is 5"):
        bench(pair2, levels=5)


def test_operators_are_shared_between_engines_through_the_cache(bench, chain3, layers):
    first, cache = bench(chain3, noise=True), OperatorCache()
    lines = layers(first, np.random.default_rng(5))
    for _ in range(2):
        rig = bench(chain3, noise=True)
        rig.engine = Engine(chain3, rig.setup, SimOptions(seed=1), cache)
        misses = cache.misses
        rig.engine.play(rig.begin(), lines, 0)
    assert cache.misses == misses
    assert rig.engine.statistics()["cache_hits"] > 0


def test_three_coupled_blocks_at_once_stay_close_to_the_lindblad_equation(bench, chain3, dense, by_port, shapes):
    rig = bench(chain3, noise=True)
    lines = rig.lines(30)
    for name in chain3.qubits:
        rig.drive(lines, name, 0, 0.2 * shapes[0](12, 3.0))
    for port in ("c01.flux", "c12.flux"):
        rig.flux(lines, port, 12, 0.6 * shapes[1](18, 5))
    found = rig.engine.play(rig.begin(), lines, 0)[0].state.data
    start = np.zeros((27, 27), dtype=complex)
    start[0, 0] = 1
    exact = dense.evolve_density(chain3, by_port(rig, lines), start, lo_hz=DRIVE_LO_HZ)
    assert 0.5 * np.abs(np.linalg.eigvalsh(found - exact)).sum() < 1e-4


@pytest.mark.parametrize("tree", [False, True])
def test_a_cluster_beyond_four_qubits_is_refused_or_reported_as_unsafe(bench, chain5, shapes, tree):
    rig = bench(chain5, tree=tree)
    lines = rig.lines(20)
    for port in ("c01.flux", "c12.flux", "c34.flux"):
        rig.flux(lines, port, 0, 0.5 * shapes[1](20, 5))
    with pytest.raises(InstrumentFault, match=r"couplers that act at once .* allow_unsafe"):
        rig.engine.play(rig.begin(), lines, 0)
    rig = bench(chain5, tree=tree, allow_unsafe=True)
    rig.engine.play(rig.begin(), lines, 0)
    assert rig.engine.statistics()["approximation"] == "unsafe"


def test_branches_split_in_two_keep_their_shots(bench, pair2):
    rig = bench(pair2)
    branch = rig.begin(6)[0]
    branch.bits[[1, 4], 0] = 1
    parts = split(branch, branch.bits[:, 0] != 0)
    assert parts[1].shots.tolist() == [1, 4]
    assert parts[0].shots.tolist() == [0, 2, 3, 5]
    assert parts[0].binding == 0


def test_a_shot_starts_in_thermal_equilibrium_and_stays_there(bench, first_qubit, pair2):
    rig = bench(first_qubit(pair2, thermal_population=0.02, t1=2e-6, t2_echo=2e-6), noise=True)
    lines = rig.lines(20_000)
    rig.drive(lines, "q0", 0, np.full(1, 1e-9))  # touched, not moved
    found = rig.engine.populations(rig.engine.play(rig.begin(), lines, 0))[0]
    ratio = 0.02 / 0.98
    assert found == pytest.approx(ratio ** np.arange(3) / (1 + ratio + ratio**2), abs=1e-9)


def test_relaxation_to_a_thermal_state_takes_t1(bench, first_qubit, pair2):
    rig = bench(first_qubit(pair2, thermal_population=0.05), noise=True, levels=2)
    rho = np.diag([0.0, 1.0]).astype(complex)[None]
    out = rig.engine.channel(rig.lines(50_000), 0, [0], rho, np.array([5e9]))[0]
    assert out[1, 1].real == pytest.approx(0.05 + 0.95 * np.exp(-50e-6 / 7.4e-5), abs=1e-12)


def test_four_levels_agree_with_dense_dynamics(bench, pair2, shapes, dense, by_port):
    rig = bench(pair2, levels=4)
    lines = rig.lines(60)
    rig.drive(lines, "q0", 0, 0.8 * shapes[0](14, 3.0))
    rig.flux(lines, "q1.flux", 14, 0.18755203 * shapes[1](40, 8))
    rig.flux(lines, "c01.flux", 14, 0.78920879 * shapes[1](40, 8))
    inputs = np.eye(16, dtype=complex)[[0, 6, 9]]
    found = rig.engine.channel(lines, 0, [0, 1], inputs, np.full(2, DRIVE_LO_HZ))
    for ket, out in zip(inputs, found, strict=True):
        exact = dense.evolve_ket(pair2, by_port(rig, lines), ket, lo_hz=DRIVE_LO_HZ, levels=4)
        assert np.abs(out - exact).max() < 1e-6
    assert np.abs(found[2, 12:]).max() > 0.02  # level 3 of q0
