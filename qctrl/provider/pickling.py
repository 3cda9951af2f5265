"""Backends in other processes: opened again, with the very calibration, gates and options that they had."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from qctrl.calibration import Calibration, Document
from qctrl.errors import ConfigError
from qctrl.protocol import Setup
from qctrl.pulse import CustomGates

if TYPE_CHECKING:
    from qctrl.provider.backend import Backend


def reopener(backend: Backend) -> Callable[[], Backend]:
    """Return what makes the backend anew, from the files as they are.

    Raises:
        ConfigError: The backend was not made by a service.
    """
    if backend.device.reopen is None:
        raise ConfigError(f"backend {backend.name} was not made by ProviderService, so it cannot be opened again")
    return backend.device.reopen


def reduced(backend: Backend) -> tuple[Any, ...]:
    """Return a backend as ``pickle`` takes it: what makes it, for sockets and threads stay where they are.

    Raises:
        ConfigError: The backend was not made by a service.
    """
    calibration = backend.calibration
    return _unpickled, (
        reopener(backend),
        calibration.document,
        calibration.source,
        backend.setup,
        dict(backend.custom_gates),
        dict(vars(backend.options)),
    )


def _unpickled(
    reopen: Callable[[], Backend],
    document: Document,
    source: str,
    setup: Setup,
    custom_gates: dict[Any, Any],
    options: dict[str, Any],
) -> Backend:
    backend = reopen()
    calibration = Calibration.from_document(document, source)
    gates: CustomGates = MappingProxyType(custom_gates)
    made = backend.viewing(
        dataclasses.replace(backend.device, calibration=calibration, setup=setup, custom_gates=gates)
    )
    made.set_options(**options)
    return made
