"""Which driver serves which kind of instrument."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from qctrl.config import Rack
from qctrl.errors import ConfigError
from qctrl.instruments.base import Driver
from qctrl.instruments.sequencer import Sequencer
from qctrl.transport import Client

if TYPE_CHECKING:
    from qctrl.instruments.boxes import BoxRack
    from qctrl.instruments.qblox.driver import QbloxCluster


def _open_sequencer(address: str, device: str, peer_failure: Callable[[], str | None]) -> Driver:
    return Sequencer(Client(address, name=device, peer_failure=peer_failure), device=device)


_OPENERS: Final = {"sequencer": _open_sequencer}


def open_driver(kind: str, address: str, device: str, peer_failure: Callable[[], str | None] = lambda: None) -> Driver:
    """Return a driver; nothing is sent before its ``connect``.

    Args:
        kind: Driver named by the rack file.
        address: Where the instrument is.
        device: Name of the device that it must be wired to.
        peer_failure: Says why the instrument's process is gone, ``None`` while it lives or is remote.

    Raises:
        ConfigError: There is no such driver, or the address is not allowed.
    """
    if kind not in _OPENERS:
        raise ConfigError(f"driver {kind!r} does not exist; known: {', '.join(sorted(_OPENERS))}")
    return _OPENERS[kind](address, device, peer_failure)


def open_boxes(rack: Rack, device: str, *, run_slack_s: float = 120.0) -> BoxRack | QbloxCluster:
    """Return the driver of a rack of ordinary instruments or of a cluster; nothing is sent before its ``connect``.

    Args:
        rack: A rack whose driver is ``boxes`` or ``cluster``.
        device: Name of the device that it is wired to.
        run_slack_s: How much longer than its shots a run may take; an emulated rack computes them.

    Raises:
        ConfigError: A kind of instrument is unknown, or they cannot work together.
    """
    if rack.driver == "cluster":
        from qctrl.instruments.qblox.driver import QbloxCluster

        return QbloxCluster(rack, device)
    from qctrl.instruments.boxes import BoxRack, open_box

    boxes = {name: open_box(name, entry) for name, entry in rack.instruments.items()}
    return BoxRack(rack, device, boxes, run_slack_s=run_slack_s)
