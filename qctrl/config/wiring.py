"""Schema ``qctrl.wiring/1``: which ports a device has and how they are fed. Numbers are SI."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from qctrl.errors import ConfigError
from qctrl.strict_yaml import StrictModel, number, parse_text, problem, read_text, validate, within

PortKind = Literal["iq_drive", "flux", "iq_readout", "acquire"]

_SUFFIX = {"iq_drive": "drive", "flux": "flux", "iq_readout": "readout", "acquire": "acquire"}

_Identifier = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]*$", max_length=64)]
_PortName = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]*\.(drive|flux|readout|acquire)$", max_length=64)]


class LocalOscillator(StrictModel):
    """A carrier shared by the ports that name it."""

    frequency: Annotated[float, number("Hz"), within(1e8, 5e10, "Hz")]


class WiringPort(StrictModel):
    """One analogue line and the converter behind it."""

    kind: PortKind
    lo: _Identifier | None = None
    sample_rate: Annotated[float, number("Hz"), within(1e6, 1e11, "Hz")]
    granularity: Annotated[int, Field(ge=1, le=4096)] = 1
    """Starts and lengths are multiples of this many samples."""
    full_scale_v: Annotated[float, number("V"), within(1e-6, 100, "V")]
    max_amplitude: Annotated[float, number(), within(0, 1, "of full scale")] = 1.0
    """Limit of the output; 0 keeps the line silent."""
    max_slew: Annotated[float, number("V/s"), within(1e-3, 1e15, "V/s")] | None = None
    """Limit of how fast the output changes."""
    max_duty: Annotated[float, number(), within(1e-6, 1, "of the time")] | None = None
    """Limit of the time during which the output plays: a part of a shot and the repetition delay behind it."""
    dac_bits: Annotated[int, Field(ge=4, le=24)] = 16
    """Resolution of the converter, DAC or ADC."""
    delay: Annotated[float, number("s"), within(0, 1e-3, "s")] = 0.0
    """A sample leaves this long after its time."""
    bandwidth: Annotated[float, number("Hz"), within(1e3, 1e11, "Hz")]
    """Largest distance of a carrier from the LO, or, of a flux line, its bandwidth."""

    @model_validator(mode="after")
    def _check_lo(self) -> WiringPort:
        if self.kind == "flux" and self.lo is not None:
            raise problem("a flux port has no LO", "remove it", "lo")
        if self.kind != "flux" and self.lo is None:
            raise problem(f"a port of kind {self.kind} needs an LO", "add lo: with a name from los")
        if self.kind == "acquire" and (self.max_slew is not None or self.max_duty is not None):
            raise problem("an acquire port puts nothing out", "remove max_slew and max_duty", "kind")
        return self


class Wiring(StrictModel):
    """Ports and local oscillators of one device."""

    schema_: Annotated[Literal["qctrl.wiring/1"], Field(alias="schema")]
    los: Annotated[dict[_Identifier, LocalOscillator], Field(default_factory=dict)]
    ports: Annotated[dict[_PortName, WiringPort], Field(min_length=1, max_length=65536)]

    @model_validator(mode="after")
    def _check_ports(self) -> Wiring:
        for name, port in self.ports.items():
            if port.lo is not None and port.lo not in self.los:
                raise problem(f"LO {port.lo} does not exist", f"known are {', '.join(self.los)}", "ports", name, "lo")
            if not name.endswith(f".{_SUFFIX[port.kind]}"):
                wanted = f"its name ends in .{_SUFFIX[port.kind]}"
                raise problem(f"port {name} cannot be of kind {port.kind}", wanted, "ports", name, "kind")
        return self

    def lo_hz(self, port: str) -> float:
        """Return the LO frequency of a port in Hz; 0 for a flux port.

        Args:
            port: Name of the port.

        Raises:
            ConfigError: There is no such port.
        """
        lo = self.port(port).lo
        return 0.0 if lo is None else self.los[lo].frequency

    def port(self, name: str) -> WiringPort:
        """Return a port.

        Args:
            name: Name of the port.

        Raises:
            ConfigError: There is no such port.
        """
        if name not in self.ports:
            raise ConfigError(f"port {name} is not wired; add it to the wiring file or correct the calibration")
        return self.ports[name]


def load_wiring(path: str | Path) -> Wiring:
    """Return the wiring in a YAML file.

    Args:
        path: The file.

    Raises:
        ConfigError: ``file:line:column: path.to.key: value ...; remedy``, one line per problem.
    """
    source = parse_text(read_text(Path(path), ConfigError), str(path), ConfigError)
    return validate(source, Wiring, ConfigError)
