"""A pytest plugin under which tests of Qiskit's statevector primitives run on a device of ours; nothing is edited.

Their circuits were never transpiled, so that is done first; else pubs go to ``SamplerV2`` and ``EstimatorV2`` as they
are.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import Any

import pytest
from qiskit import generate_preset_pass_manager
from qiskit.primitives.containers.estimator_pub import EstimatorPub
from qiskit.primitives.containers.sampler_pub import SamplerPub

import qctrl

_EXACT = "compares with exact values, where a device has shots"
LEFT_OUT = {
    "TestStatevectorSampler::test_run_errors": "expects that control flow is refused, and devices of ours have it",
    "TestStatevectorSampler::test_run_numpy_params": "compares the two shots of a rare outcome with two others",
    "TestStatevectorEstimator::test_estimator_run": _EXACT,
    "TestStatevectorEstimator::test_estimator_run_no_params": _EXACT,
    "TestStatevectorEstimator::test_estimator_with_pub": _EXACT,
    "TestStatevectorEstimator::test_iter_pub": _EXACT,
    "TestStatevectorEstimator::test_run_single_circuit_observable": _EXACT,
    "TestStatevectorEstimator::test_precision_seed": "compares with the random numbers of NumPy",
    "TestStatevectorEstimator::test_metadata": "compares with metadata of a primitive without shots",
}


@cache
def _service() -> qctrl.ProviderService:
    return qctrl.ProviderService()


def _isa(circuit: Any, backend: Any) -> Any:
    return generate_preset_pass_manager(1, backend=backend, seed_transpiler=1).run(circuit)


class Sampler:
    """``SamplerV2``, with the constructor of ``StatevectorSampler``."""

    def __init__(self, *, default_shots: int = 1024, seed: Any = None) -> None:
        self.seed, self.default_shots = seed, default_shots
        self._backend = _service().backend("grid20", noise=False, seed=7)
        # A generator seeds Qiskit's; what it draws next is no seed that a job could be stored with.
        options = {"default_shots": default_shots, "seed_simulator": seed if isinstance(seed, int) else None}
        self._sampler = qctrl.SamplerV2(self._backend, options)

    def run(self, pubs: Iterable[Any], *, shots: int | None = None) -> Any:
        """Transpile and submit."""
        coerced = [SamplerPub.coerce(pub, shots) for pub in pubs]
        isa = [SamplerPub(_isa(pub.circuit, self._backend), pub.parameter_values, pub.shots) for pub in coerced]
        return self._sampler.run(isa, shots=shots)


class Estimator:
    """``EstimatorV2``, with the constructor of ``StatevectorEstimator``."""

    def __init__(self, *, default_precision: float = 0.0, seed: Any = None) -> None:
        self._backend = _service().backend("grid20", noise=False, seed=7)
        self._estimator = qctrl.EstimatorV2(
            self._backend, {"default_precision": default_precision or 0.02, "seed_simulator": seed}
        )

    def run(self, pubs: Iterable[Any], *, precision: float | None = None) -> Any:
        """Transpile and submit."""
        isa: list[EstimatorPub] = []
        for pub in [EstimatorPub.coerce(pub, precision) for pub in pubs]:
            circuit = _isa(pub.circuit, self._backend)
            observables = pub.observables.apply_layout(circuit.layout)
            isa.append(EstimatorPub(circuit, observables, pub.parameter_values, pub.precision))
        return self._estimator.run(isa, precision=precision)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put our primitives where the modules name Qiskit's."""
    for item in items:
        module = item.module  # type: ignore[attr-defined]
        module.StatevectorSampler, module.StatevectorEstimator = Sampler, Estimator
        for name, reason in LEFT_OUT.items():
            if item.nodeid.endswith(name):
                item.add_marker(pytest.mark.skip(reason=reason))


def pytest_sessionfinish() -> None:
    """End the emulator."""
    _service().close()
