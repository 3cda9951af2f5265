"""Which box does what for which port, and whether a Setup can be played on them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar

from qctrl.config import RackInstrument
from qctrl.errors import ConfigError
from qctrl.instruments.boxes.base import Box, DcSource, Digitizer, Generator, Oscillator
from qctrl.protocol import Port, Setup

_Role = TypeVar("_Role")
_OUTPUTS = ("iq_drive", "flux", "iq_readout")


@dataclass(frozen=True, slots=True, eq=False)
class Wired:
    """The boxes of a rack by role."""

    entries: Mapping[str, RackInstrument]
    generators: dict[str, Generator]
    digitizers: dict[str, Digitizer]
    oscillators: dict[str, Oscillator]
    sources: dict[str, DcSource]
    trigger: str
    """Name of the generator that gives the trigger."""

    def biased(self, port: str) -> str | None:
        """Return which DC source holds the level of a port, if one does."""
        return next((name for name in self.sources if port in self.entries[name].held_ports), None)

    def lo_hz(self, setup: Setup, oscillator: str) -> float | None:
        """Return the carrier that an oscillator has to give; ``None`` if none of its ports is in use.

        Raises:
            ConfigError: Its ports need different ones.
        """
        wanted = {port.name: port.lo_hz for port in setup.ports if port.name in self.entries[oscillator].ports}
        if len(set(wanted.values())) > 1:
            said = ", ".join(f"{name} {lo_hz:.10g} Hz" for name, lo_hz in wanted.items())
            raise ConfigError(f"instruments.{oscillator}: its ports need different carriers: {said}; use another one")
        return next(iter(wanted.values()), None)

    def check(self, setup: Setup) -> None:
        """Refuse a Setup that these boxes cannot play.

        Raises:
            ConfigError: A port has no channels, or the wrong number of them, or no oscillator, or a delay of no whole
                number of samples; or the ports differ in sample rate.
        """
        fed = {port: (name, channels) for name, e in self.entries.items() for port, channels in e.channels.items()}
        for port in setup.ports:
            self._check_port(port, fed.get(port.name))
        if len({port.sample_ticks for port in setup.ports}) > 1:
            raise ConfigError("all ports of a rack of boxes share one sample rate; make them equal in the wiring file")

    def _check_port(self, port: Port, feed: tuple[str, tuple[int, ...]] | None) -> None:
        if port.delay_ticks % port.sample_ticks:
            raise ConfigError(f"port {port.name}: its delay is no whole number of samples; round it in the wiring file")
        if feed is None:
            raise ConfigError(f"port {port.name} is on no box; add it to the channels of one in the rack file")
        name, channels = feed
        wanted = self.generators if port.kind in _OUTPUTS else self.digitizers
        if name not in wanted:
            role = "generator" if port.kind in _OUTPUTS else "digitizer"
            raise ConfigError(f"instruments.{name}: port {port.name} needs a {role}; wire it to one")
        if len(channels) != (1 if port.kind == "flux" else 2):
            need = "one channel" if port.kind == "flux" else "two channels, I and Q"
            raise ConfigError(f"instruments.{name}.channels.{port.name}: {port.kind} needs {need}")
        if port.kind != "flux" and not any(port.name in self.entries[lo].ports for lo in self.oscillators):
            raise ConfigError(f"port {port.name} has no oscillator; add it to the ports of one in the rack file")


def wire(entries: Mapping[str, RackInstrument], boxes: Mapping[str, Box]) -> Wired:
    """Return the boxes by role.

    Raises:
        ConfigError: A box has channels or ports that its role has no use for, or no role.
    """
    generators, digitizers = _having(boxes, Generator, "upload"), _having(boxes, Digitizer, "acquired")
    oscillators, sources = _having(boxes, Oscillator, "switch_on"), _having(boxes, DcSource, "ramp")
    for name in boxes:
        found = [role for role in (generators, digitizers, oscillators, sources) if name in role]
        if len(found) != 1:
            raise ConfigError(f"instruments.{name}: its driver has {len(found)} roles, not one")
        entry = entries[name]
        given = {key for key in ("channels", "ports", "bias") if getattr(entry, key)}
        wanted = {"channels"} if name in generators or name in digitizers else {"ports"}
        if given != wanted and not (name in sources and given == {"bias"}):
            keys = "ports: or bias:" if name in sources else f"{next(iter(wanted))}:"
            raise ConfigError(f"instruments.{name}: a {entry.kind} names its lines in {keys}, and there only")
        if name in sources and len(entry.ports) > 1:
            raise ConfigError(
                f"instruments.{name}: one level cannot hold {len(entry.ports)} ports; use bias: PORT: OUTPUT"
            )
    trigger = next(name for name, entry in entries.items() if entry.trigger_channel is not None)
    if trigger not in generators:
        raise ConfigError(f"instruments.{trigger}: only a generator has a trigger_channel")
    return Wired(entries, generators, digitizers, oscillators, sources, trigger)


def _having(boxes: Mapping[str, Box], role: type[_Role], verb: str) -> dict[str, _Role]:
    return {name: box for name, box in boxes.items() if hasattr(box, verb) and isinstance(box, role)}
