"""Schema ``qctrl.rack/1``: how the instruments are reached and which devices they drive."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from qctrl.config.instruments import RackInstrument, check_cluster, check_instruments
from qctrl.config.wiring import Wiring, load_wiring
from qctrl.errors import ConfigError
from qctrl.strict_yaml import StrictModel, parse_text, problem, read_text, validate

EMBEDDED = "embedded"
"""Address of an emulator that the stack starts and stops itself."""


def _check_address(address: str) -> str:
    scheme, separator, rest = address.partition("://")
    if address == EMBEDDED or (separator and scheme in ("ipc", "tcp") and rest):
        return address
    raise problem(f"value {address[:60]!r} is not an address", "write embedded, ipc://PATH or tcp://HOST:PORT")


class RackEntry(StrictModel):
    """One device of a rack."""

    wiring: Annotated[str, Field(min_length=1, max_length=4096)]
    """Wiring file, relative to the rack's own."""


class RackDocument(StrictModel):
    """A rack file."""

    schema_: Annotated[Literal["qctrl.rack/1"], Field(alias="schema")]
    driver: Literal["sequencer", "boxes", "cluster"]
    """``sequencer`` speaks the packed format; ``boxes`` are ordinary instruments that the host plays on; a ``cluster``
    has a vendor's sequencers, for which the host writes programs."""
    address: Annotated[str, Field(max_length=4096), AfterValidator(_check_address)] | None = None
    devices: Annotated[
        dict[Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]*$", max_length=64)], RackEntry],
        Field(min_length=1, max_length=4096),
    ]
    instruments: dict[Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]*$", max_length=64)], RackInstrument] = Field(
        default_factory=dict[str, RackInstrument], max_length=4096
    )

    @model_validator(mode="after")
    def _check_driver(self) -> RackDocument:
        if self.driver == "sequencer":
            if self.address is None:
                raise problem("a sequencer has an address", "add address: embedded, ipc://PATH or tcp://HOST:PORT")
            if self.instruments:
                raise problem("a sequencer has no instruments", "remove them, or write driver: boxes", "instruments")
            return self
        if self.driver == "cluster":
            if self.address is not None:
                raise problem("a cluster has its address among the instruments", "remove this one", "address")
            if len(self.devices) != 1:
                raise problem("a cluster is wired to one device", "write a rack file per device", "devices")
            check_cluster(self.instruments)
            return self
        if self.address not in (None, EMBEDDED):
            raise problem("boxes have an address each", "remove this one, or write embedded to emulate them", "address")
        if len(self.devices) != 1:
            raise problem("boxes are wired to one device", "write a rack file per device", "devices")
        check_instruments(self.instruments)
        return self


@dataclass(frozen=True, slots=True, eq=False)
class Rack:
    """A rack whose file names are resolved."""

    path: Path
    driver: str
    address: str
    """Empty for boxes, which have one each, unless they are emulated by the stack itself."""
    wiring_paths: Mapping[str, Path]
    """Wiring file of each device, by name."""
    instruments: Mapping[str, RackInstrument] = field(default_factory=dict[str, RackInstrument])
    """Boxes, by name."""

    @property
    def embedded(self) -> bool:
        """Whether the stack starts and stops the emulator itself."""
        return self.address == EMBEDDED

    @property
    def has_switches(self) -> bool:
        """Whether it certainly takes the emulator's switches (seed, noise, levels); ordinary instruments have none."""
        return self.embedded and self.driver == "sequencer"

    @property
    def has_branches(self) -> bool:
        """Whether flow on measured bits is possible; boxes play one shot after the other, all alike."""
        return self.driver != "boxes"

    @property
    def devices(self) -> tuple[str, ...]:
        """Names of the devices, in file order."""
        return tuple(self.wiring_paths)

    def wiring(self, device: str) -> Wiring:
        """Return the wiring of a device, read now.

        Args:
            device: Name of the device.

        Raises:
            ConfigError: The rack does not drive it, or its wiring file cannot be used.
        """
        if device not in self.wiring_paths:
            raise ConfigError(
                f"{self.path}:1:1: devices: device {device!r} is not in this rack; "
                f"known are {', '.join(self.wiring_paths)}; add it with its wiring file"
            )
        return load_wiring(self.wiring_paths[device])


def load_rack(path: str | Path) -> Rack:
    """Return the rack in a YAML file.

    Args:
        path: The file.

    Raises:
        ConfigError: ``file:line:column: path.to.key: value ...; remedy``, one line per problem.
    """
    place = Path(path)
    document = validate(parse_text(read_text(place, ConfigError), str(path), ConfigError), RackDocument, ConfigError)
    wirings = {name: place.parent / entry.wiring for name, entry in document.devices.items()}
    return Rack(place, document.driver, document.address or "", wirings, document.instruments)
