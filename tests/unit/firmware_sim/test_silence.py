from __future__ import annotations

import math

import pytest

from firmware_sim.config import SlowTruth, Truth
from firmware_sim.physics.device import build_chip
from firmware_sim.silence import silenced, unrelaxed
from tests.unit.firmware_sim.test_signal_chain import TRUTH

NOISY = {"quasi_static": 1e3, "one_over_f": 2e3, "drift": 5.0}


def noisy() -> Truth:
    document = TRUTH.model_dump(by_alias=True)
    document["qubits"]["q0"] |= {"thermal_population": 0.02, "frequency_noise": NOISY, "flux_noise": NOISY}
    document["resonators"]["q0"]["t1_with_photons"] = [{"photons": 1.0, "factor": 0.5}]
    return Truth.model_validate(document)


def test_nothing_off_is_the_very_truth():
    truth = noisy()
    assert silenced(truth, ()) is truth


@pytest.mark.parametrize("kind", ["quasi_static", "one_over_f", "drift"])
def test_a_kind_of_slow_noise_goes_and_the_others_stay(kind):
    qubit = silenced(noisy(), [kind]).qubits["q0"]
    expected = SlowTruth(**{**NOISY, kind: 0.0})
    assert qubit.frequency_noise == qubit.flux_noise == expected


def test_without_relaxation_pure_dephasing_stays():
    before, after = (build_chip(truth).qubits[0] for truth in (TRUTH, silenced(TRUTH, ["relaxation"])))
    assert after.decay_per_s == (0.0, 0.0, 0.0, 0.0)
    assert after.dephasing_per_s == pytest.approx(before.dephasing_per_s)


def test_without_dephasing_relaxation_stays():
    before, after = (build_chip(truth).qubits[0] for truth in (TRUTH, silenced(TRUTH, ["dephasing"])))
    assert after.decay_per_s == before.decay_per_s
    assert after.dephasing_per_s == 0
    both = build_chip(silenced(TRUTH, ["dephasing", "relaxation"])).qubits[0]
    assert both.dephasing_per_s == both.decay_per_s[1] == 0


def test_temperature_and_photons_go():
    truth = silenced(noisy(), ["thermal", "photons"])
    assert truth.qubits["q0"].thermal_population == 0
    assert truth.resonators["q0"].t1_with_photons == ()
    assert truth.hash != noisy().hash


def test_the_longest_lived_qubit_says_what_a_short_delay_leaves():
    assert unrelaxed(TRUTH, 1e-4) == pytest.approx(math.exp(-1e-4 / 7.4e-5))
