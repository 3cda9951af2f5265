"""Which instruments stand on the bench, where they answer, and which cable goes to which line of the chip.

Read from the rack file of the host: the addresses, serial numbers and channels that it names are those of the bench.
Everything else in that file is the host's own and is not looked at.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from qctrl.errors import ConfigError
from qctrl.strict_yaml import parse_text, read_text, validate

_SOCKET: Final = re.compile(r"TCPIP\d*::([^:]+)::(\d+)::SOCKET", re.IGNORECASE)
_HISLIP: Final = re.compile(r"TCPIP\d*::([^:]+)::hislip0(?:,(\d+))?::INSTR", re.IGNORECASE)
_HISLIP_PORT: Final = 4880


class _Loose(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", strict=True)


class WiredPort(_Loose):
    """One line of the chip, as the wiring file has it."""

    kind: Literal["iq_drive", "flux", "iq_readout", "acquire"]
    sample_rate: float
    full_scale_v: float
    """Volts that amplitudes of the truth are fractions of."""


class _WiringFile(_Loose):
    ports: dict[str, WiredPort]


class BenchInstrument(_Loose):
    """One instrument."""

    kind: str
    address: str
    serial: str = ""
    channels: dict[str, tuple[int, ...]] = Field(default_factory=dict[str, tuple[int, ...]])
    """Lines of the chip, with the channels that feed or digitise them: I and Q, or one."""
    ports: tuple[str, ...] = ()
    """Lines that a source serves as a whole."""
    bias: dict[str, int] = Field(default_factory=dict[str, int])
    """Lines whose level an output of a source holds."""
    trigger_channel: int | None = None
    """Channel whose marker triggers everything else on the bench."""

    @property
    def endpoint(self) -> tuple[str, int]:
        """Host and TCP port.

        Raises:
            ConfigError: The address is not one that can be served here.
        """
        found = _SOCKET.fullmatch(self.address) or _HISLIP.fullmatch(self.address)
        if found is None:
            raise ConfigError(
                f"address {self.address!r} cannot be served here; use TCPIP0::127.0.0.1::PORT::SOCKET, "
                "or TCPIP0::127.0.0.1::hislip0,PORT::INSTR"
            )
        return found[1], int(found[2] or _HISLIP_PORT)

    def holds(self, port: str) -> bool:
        """Return whether a source holds the level of a line."""
        return port in self.ports or port in self.bias

    def output(self, port: str) -> int:
        """Return the output that a line is on."""
        return self.bias.get(port, 1)


class _DeviceEntry(_Loose):
    wiring: str


class _RackFile(_Loose):
    devices: dict[str, _DeviceEntry]
    instruments: dict[str, BenchInstrument]


@dataclass(frozen=True, slots=True, eq=False)
class Cabling:
    """A bench for one device."""

    device: str
    ports: dict[str, WiredPort]
    instruments: dict[str, BenchInstrument]


def load_cabling(path: Path) -> Cabling:
    """Return the bench that a rack file describes.

    Raises:
        ConfigError: The file cannot be used, or has not exactly one device.
    """
    rack = validate(parse_text(read_text(path, ConfigError), str(path), ConfigError), _RackFile, ConfigError)
    if len(rack.devices) != 1:
        raise ConfigError(f"{path}: devices: a bench has one device, this file {len(rack.devices)}")
    ((device, entry),) = rack.devices.items()
    file = path.parent / entry.wiring
    wiring = validate(parse_text(read_text(file, ConfigError), str(file), ConfigError), _WiringFile, ConfigError)
    return Cabling(device, wiring.ports, rack.instruments)
