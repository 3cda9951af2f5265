"""A pytest plugin under which qiskit-ibm-runtime's tests of its local mode run on a device of ours; nothing is edited.

Test modules make their backends while they are imported, so ours takes its place before.
"""

from __future__ import annotations

from typing import Any

from qiskit_ibm_runtime import fake_provider

import qctrl

_SERVICE = qctrl.ProviderService()


def _backend() -> Any:
    return _SERVICE.backend("chain5", seed=7)


fake_provider.FakeManilaV2 = _backend


def pytest_sessionfinish() -> None:
    """End the emulator."""
    _SERVICE.close()
