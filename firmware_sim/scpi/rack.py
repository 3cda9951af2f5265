"""``EmulatedRack``: a bench, each of its instruments on its own TCP port."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType

from firmware_sim.scpi.bench import Bench
from firmware_sim.scpi.cabling import load_cabling
from firmware_sim.scpi.wire import Wire
from firmware_sim.search import find_truth
from qctrl.errors import ConfigError


class EmulatedRack:
    """Serves until closed.

    Args:
        path: Rack file of the host.
        truth: Hidden truth; the device's own unless given.
        seed: Seed of all random numbers; drawn unless given.
        any_port: Whether free ports of this machine are used, instead of those in the file.

    Raises:
        ConfigError: A file cannot be used, or a port is taken.
    """

    def __init__(
        self, path: Path, truth: Path | None = None, seed: int | None = None, *, any_port: bool = False
    ) -> None:
        cabling = load_cabling(path)
        self.device = cabling.device
        self.bench = Bench(cabling, truth or find_truth(cabling.device), seed)
        self.wires: dict[str, Wire] = {}
        try:
            for name, entry in cabling.instruments.items():
                host, port = ("127.0.0.1", 0) if any_port else entry.endpoint
                self.wires[name] = Wire(self.bench.instruments[name], host, port)
        except (OSError, ConfigError) as error:
            self.close()
            raise ConfigError(f"{path}: an instrument cannot be served: {error}") from error
        self.bench.warm_up()

    def power_cycle(self, name: str) -> None:
        """Let an instrument lose its power, its memory and its connections."""
        self.wires[name].drop_all()
        self.bench.instruments[name].power_cycle()

    def close(self) -> None:
        """End every port and the bench."""
        for wire in self.wires.values():
            wire.close()
        self.bench.close()

    def __enter__(self) -> EmulatedRack:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
