"""Values of the noisy emulator, extrapolated to no noise."""

import numpy as np
from qiskit import QuantumCircuit

from qctrl import ProviderService
from qctrl.primitives import EstimatorV2
from tests.unit.primitives.test_zne import bell, hadamard


def test_noise_of_the_emulator_is_extrapolated_away():
    """Five standard errors: false alarm 6e-7 for each value; what was measured is off by ten and more."""
    waiting = QuantumCircuit(2)
    hadamard(waiting, 0)
    waiting.delay(5000, 0, "ns")
    with ProviderService() as service:
        backend = service.backend("pair2", seed=3)
        estimator = EstimatorV2(backend, {"resilience_level": 2, "default_precision": 0.01})
        folded = estimator.run([(bell(11), ["ZZ", "XX"])]).result()[0].data
        estimator.options.resilience.zne.amplifier = "pulse_stretching"
        stretched = estimator.run([(waiting, "IX")]).result()[0].data
    for data in (folded, stretched):
        assert np.all(np.abs(data.evs - 1) < 5 * data.stds)
        assert np.all(data.stds < 0.03)
    assert np.all(1 - stretched.evs_noise_factors > 6 * stretched.stds_noise_factors)
    assert np.all(np.diff(folded.evs_noise_factors, axis=-1) < 0)
