"""The open rack behind a runner, and the emulator's process if there is one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from qctrl.config import Rack
from qctrl.errors import ConfigError, QctrlError
from qctrl.execution.embedded import Emulator
from qctrl.instruments import Driver, Identity, OpenRack, open_boxes, open_driver

if TYPE_CHECKING:
    from qctrl.instruments.boxes import BoxHealth


@dataclass(frozen=True, slots=True)
class Opened:
    """A connected driver and the epoch of this connection."""

    driver: Driver
    identity: Identity
    epoch: int


class Connection:
    """Opens the rack when it is first needed, and again after ``drop``. Belongs to the runner's thread."""

    def __init__(self, rack: Rack, device: str, truth: Path | None) -> None:
        if truth is not None and not rack.embedded:
            raise ConfigError(f"a truth file was given, but {rack.address} is no emulator that is started here")
        self._rack = rack
        self._device = device
        self._truth = truth
        self._emulator: Emulator | None = None
        self._open_rack: OpenRack | None = None
        self._opened: Opened | None = None

    @property
    def emulator(self) -> Emulator | None:
        """The child process, while there is one."""
        return self._emulator

    def open(self) -> Opened:
        """Return the connected driver.

        Raises:
            InstrumentError: The rack cannot be reached, or the emulator does not start.
        """
        if self._opened is not None and (self._emulator is None or self._emulator.failure() is None):
            return self._opened
        self.drop()
        try:
            self._opened = self._connect()
        except BaseException:
            self.drop()
            raise
        return self._opened

    def is_at_rest(self) -> bool:
        """Return whether nothing plays, as far as it can be known; true if nothing is open."""
        if self._opened is None:
            return True
        try:
            return self._opened.driver.health().state != "running"
        except QctrlError:
            return False

    def drop(self) -> None:
        """Forget the connection and end the emulator: its state cannot be trusted any more."""
        if self._open_rack is not None:
            self._open_rack.close()
        if self._emulator is not None:
            self._emulator.close()
        self._emulator = self._open_rack = self._opened = None

    def close(self) -> None:
        """Reach the safe state, then ``drop``."""
        alive = self._emulator is None or self._emulator.failure() is None
        try:
            if self._open_rack is not None and alive:
                self._open_rack.safe_state()
        finally:
            self.drop()

    def _connect(self) -> Opened:
        address, failure = self._rack.address, _never
        if self._rack.embedded:
            boxes = self._rack.path if self._rack.instruments else None
            self._emulator = Emulator(self._device, self._truth, boxes)
            address, failure = self._emulator.address, self._emulator.failure
        driver: Driver
        if self._rack.instruments:
            driver = open_boxes(self._boxes(), self._device)
        else:
            driver = open_driver(self._rack.driver, address, self._device, failure)
        self._open_rack = OpenRack({self._device: driver})
        identity = self._open_rack.identities[self._device]
        return Opened(driver, identity, identity.epoch + 1)

    def _boxes(self) -> Rack:
        """Return the rack, with the ports of the emulated instruments if they are emulated here."""
        if self._emulator is None:
            return self._rack
        return at_ports(self._rack, self._emulator.ready)


def at_ports(rack: Rack, ready: Sequence[str]) -> Rack:
    """Return a rack whose boxes are at the ports that an emulator announced.

    Args:
        rack: The rack.
        ready: The words of its ready line: the device, then ``NAME=PORT`` for every box.
    """
    ports = dict(word.split("=", 1) for word in ready[1:])
    boxes = {
        name: box.model_copy(update={"address": f"TCPIP0::127.0.0.1::{_end(box.address, ports[name])}"})
        for name, box in rack.instruments.items()
    }
    return replace(rack, instruments=boxes)


def _end(address: str, port: str) -> str:
    return f"hislip0,{port}::INSTR" if "::HISLIP" in address.upper() else f"{port}::SOCKET"


def check_boxes(rack: Rack) -> dict[str, BoxHealth | QctrlError]:
    """Ask every box of a rack how it is; switches nothing.

    Args:
        rack: A rack of boxes, or of a cluster; emulated ones are started for it.

    Raises:
        InstrumentError: Another process uses the rack, or the emulator does not start.
    """
    (device,) = rack.devices
    emulator = Emulator(device, None, rack.path) if rack.embedded else None
    try:
        driver = open_boxes(rack if emulator is None else at_ports(rack, emulator.ready), device)
        try:
            return driver.check()
        finally:
            driver.close()
    finally:
        if emulator is not None:
            emulator.close()


def _never() -> str | None:
    return None
