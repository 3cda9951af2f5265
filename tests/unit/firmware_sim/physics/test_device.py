from __future__ import annotations

import numpy as np
import pytest

from firmware_sim.config import EdgeTruth
from firmware_sim.physics.device import build_chip, coupler_frequency_hz
from firmware_sim.physics.propagators import hamiltonians
from qctrl.errors import ConfigError


def test_the_frequency_at_zero_flux_is_the_given_one(chain5):
    for qubit in build_chip(chain5).qubits:
        assert qubit.frequency_hz(np.zeros(1))[0] == pytest.approx(qubit.truth.frequency, abs=1e-3)


def test_the_sweet_spot_is_the_top_of_the_tuning_curve(pair2):
    qubit = build_chip(pair2).qubits[0]
    levels = np.linspace(-0.3, 0.3, 601)
    assert levels[np.argmax(qubit.frequency_hz(levels))] == pytest.approx(pair2.qubits["q0"].flux.offset_fs)


def test_a_qubit_without_a_flux_port_keeps_its_frequency(first_qubit, pair2):
    truth = first_qubit(pair2, flux_port=None, flux=None)
    assert build_chip(truth).qubits[0].frequency_hz(np.ones(2)).tolist() == [4.8213e9, 4.8213e9]


def test_coupling_starts_at_its_idle_value_and_falls_monotonically(chain5):
    for coupling in build_chip(chain5).couplings:
        strength = coupling.strength_rad_s(np.linspace(0, 1, 50)) / (2 * np.pi)
        assert strength[0] == pytest.approx(coupling.truth.g_idle)
        assert np.all(np.diff(strength) < 0)
        assert strength.min() < -9e6


def test_a_fixed_coupling_ignores_flux(pair2):
    document = pair2.model_dump(by_alias=True)
    document["edges"]["q0-q1"]["coupler"] = None
    (coupling,) = build_chip(type(pair2).model_validate(document)).couplings
    assert coupling.strength_rad_s(np.array([0.0, 1.0])) == pytest.approx(2 * np.pi * 6e4)


def test_a_coupler_that_reaches_its_qubits_is_refused(pair2):
    document = pair2.model_dump(by_alias=True)
    document["edges"]["q0-q1"]["coupler"]["period_fs"] = 2.2
    with pytest.raises(ConfigError, match="edge q0-q1: its coupler comes down to"):
        build_chip(type(pair2).model_validate(document))


def test_an_edge_without_a_coupler_has_no_coupler_frequency():
    with pytest.raises(ConfigError, match="no coupler"):
        coupler_frequency_hz(EdgeTruth(g_idle=1e5), np.zeros(1))


def test_no_neighbour_rests_on_a_collision_during_a_cz(chain5):
    """While the high qubit is |alpha| above one neighbour, its |11>-|20> with the other is at least 30 MHz away."""
    chip = build_chip(chain5)
    frequency = [qubit.truth.frequency for qubit in chip.qubits]
    for coupling in chip.couplings:
        low, high = sorted(coupling.qubits, key=lambda q: frequency[q])
        at_gate = frequency[low] - chip.qubits[high].truth.anharmonicity
        for other in chip.couplings:
            if high in other.qubits and low not in other.qubits:
                (spectator,) = set(other.qubits) - {high}
                gap = at_gate - frequency[spectator]
                assert min(gap, abs(gap + chip.qubits[high].truth.anharmonicity)) > 30e6


def test_given_frequencies_are_bare_unless_the_truth_says_so(chain5):
    assert not build_chip(chain5).dressing_hz(range(5)).any()


@pytest.mark.parametrize("present", [(0, 1), (1, 3), (0, 1, 2), (1, 3, 5), (0, 1, 2, 3)])
def test_dressed_frequencies_are_those_of_any_qubits_together(bench, heavyhex7, present):
    rig = bench(heavyhex7)
    given = np.array([heavyhex7.qubits[f"q{q}"].frequency for q in present])
    h = hamiltonians(rig.engine._chain.controls(rig.lines(1), 0, (0, 1), present), 2)[0] / (2 * np.pi)
    energies, states = np.linalg.eigh(h)
    for k in range(len(present)):
        one = np.argmax(np.abs(states[2 ** (len(present) - 1 - k)]))
        zero = np.argmax(np.abs(states[0]))
        found = energies[one] - energies[zero] + rig.engine._chain.reference_hz
        # Pairs are exact; further neighbours add g^4 / gap^3.
        assert found == pytest.approx(given[k], abs=1e-3 if len(present) == 2 else 400)


def test_dressed_frequencies_closer_than_their_coupling_allows_are_refused(heavyhex7):
    document = heavyhex7.model_dump(by_alias=True)
    document["qubits"]["q0"]["frequency"] = document["qubits"]["q1"]["frequency"] + 4e6
    with pytest.raises(ValueError, match=r"keeps them 4\.1e\+06 Hz apart"):
        type(heavyhex7).model_validate(document)
