"""Backends and services that travel to other processes, and find a service there."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING
from weakref import WeakValueDictionary

from qctrl.access.switches import Switches

if TYPE_CHECKING:
    from qctrl.access.service import ProviderService
    from qctrl.provider import Backend

# A rack is played by one runner in a process, so a backend must come back to the service that has it.
_OPEN: WeakValueDictionary[Path, ProviderService] = WeakValueDictionary()
_MADE_HERE: list[ProviderService] = []


def note(rack: Path, service: ProviderService) -> None:
    """Remember the latest service of a rack in this process."""
    _OPEN[rack.resolve()] = service


def service_of(rack: Path) -> ProviderService:
    """Return the service that has the rack in this process; make one if there is none."""
    from qctrl.access.service import ProviderService

    service = _OPEN.get(rack.resolve())
    if service is None:
        service = ProviderService(config=rack)
        # Nobody else holds it, and its emulator must live as long as the process.
        _MADE_HERE.append(service)
        note(rack, service)
    return service


def reopen(rack: Path, name: str, chosen: Switches) -> Backend:
    """Return a backend of the service that has the rack in this process; make one if there is none.

    Args:
        rack: The rack file.
        name: Name of the device.
        chosen: Switches that the backend was made with.
    """
    return service_of(rack).reopened(name, chosen)
