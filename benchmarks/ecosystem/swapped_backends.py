"""A pytest plugin under which test modules of Qiskit's run on a device of ours; nothing in them is edited.

``ECOSYSTEM_PRIMITIVES=ours`` puts ``SamplerV2`` and ``EstimatorV2`` in the place of Qiskit's primitives too.
"""

from __future__ import annotations

import os
from functools import cache
from typing import Any

import pytest

import qctrl

DEVICE = "grid20"
"""Of the two-qubit gate that commutes with Z, and wide enough for every circuit of the tests."""
LEFT_OUT = {
    "test_empty_creg": "plays h untranspiled, which no device of ours has",
    "test_job_size_limit_backend_v2": "brings a backend of its own",
    "test_run_level1": "brings a backend of its own",
    "test_aer": "brings a backend of its own",
}


@cache
def _service() -> qctrl.ProviderService:
    return qctrl.ProviderService()


def _backend(*_args: Any, **_options: Any) -> Any:
    return _service().backend(DEVICE, noise=False, seed=7)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put our device, and maybe our primitives, where the modules name Qiskit's."""
    ours = os.environ.get("ECOSYSTEM_PRIMITIVES") == "ours"
    for module in {item.module for item in items}:  # type: ignore[attr-defined]
        module.BasicSimulator = module.GenericBackendV2 = _backend
        if ours:
            module.BackendSamplerV2, module.BackendEstimatorV2 = qctrl.SamplerV2, qctrl.EstimatorV2
    for item in items:
        for name, reason in LEFT_OUT.items():
            if item.name.startswith(name):
                item.add_marker(pytest.mark.skip(reason=reason))


def pytest_sessionfinish() -> None:
    """End the emulator."""
    _service().close()
