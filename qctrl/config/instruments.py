"""The boxes of a rack file: where each one is, what it is wired to, and what it may never exceed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field

from qctrl.strict_yaml import StrictModel, number, problem, within

_PortName = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]*\.(drive|flux|readout|acquire)$", max_length=64)]
_Slot = Annotated[str, Field(pattern=r"^([1-9]|1[0-9]|20)$")]
_Channel = Annotated[int, Field(ge=1, le=256)]


class InstrumentLimits(StrictModel):
    """What a driver refuses to exceed, whatever it is asked for."""

    max_vpp: Annotated[float, number("V"), within(0, 100, "V")] | None = None
    """Amplitude of a generator, peak to peak."""
    max_power: Annotated[float, Field(ge=-150, le=50)] | None = None
    """Level of an oscillator, dBm."""
    max_level: Annotated[float, number("V"), within(0, 100, "V")] | None = None
    """Largest level of a DC source, either sign."""
    max_slew: Annotated[float, number("V"), within(1e-6, 1e6, "V/s")] | None = None
    """Steepest ramp of a DC source, V/s."""


_Path = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_.{}:]*$", max_length=128)]
_Value = bool | int | float | str


class QcodesDriver(StrictModel):
    """A QCoDeS instrument: its class, and which of its parameters are what an oscillator or a DC source has."""

    driver: Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_.]*:[A-Za-z_][A-Za-z0-9_]*$", max_length=256)]
    """``package.module:Class``; it is called with a name, the address and ``settings``."""
    settings: dict[Annotated[str, Field(max_length=64)], _Value] = Field(
        default_factory=dict[str, _Value], max_length=64
    )
    frequency: _Path = "frequency"
    """Carrier of an oscillator, Hz."""
    power: _Path = "power"
    """Its level, dBm."""
    level: _Path = "voltage"
    """Level of a DC source, V; ``{output}`` stands for the output that ``bias`` names, as in ``ch{output:02}.v``."""
    output: _Path | None = "status"
    """What switches the output; ``null`` if nothing does."""
    switched_on: _Value = "on"
    switched_off: _Value = "off"


class RackInstrument(StrictModel):
    """One box."""

    kind: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$", max_length=64)]
    """Which driver: one of the stack's, or of an installed package's."""
    address: Annotated[str, Field(min_length=1, max_length=4096)]
    """As VISA names it."""
    serial: Annotated[str, Field(max_length=64)] = ""
    """Serial number that must answer; empty accepts any."""
    channels: dict[_PortName, Annotated[tuple[_Channel, ...], Field(min_length=1, max_length=2)]] = Field(
        default_factory=dict[str, tuple[int, ...]], max_length=256
    )
    """Ports with the channels that feed or digitise them: I and Q, or one."""
    ports: Annotated[tuple[_PortName, ...], Field(max_length=4096)] = ()
    """Ports that an oscillator or a DC source with one output serves."""
    bias: dict[_PortName, _Channel] = Field(default_factory=dict[str, int], max_length=256)
    """Ports that a DC source with several outputs holds the level of, with their outputs."""
    trigger_channel: _Channel | None = None
    """Of the generator that gives the trigger: a channel without a port, whose marker 1 is cabled to all others."""
    power: Annotated[float, Field(ge=-150, le=50)] | None = None
    """Level of an oscillator, dBm."""
    reference: Literal["external", "internal"] = "external"
    """Clock reference; only instruments on one reference stay in step."""
    verify: Literal["first", "never"] = "first"
    """Whether an uploaded waveform is read back and compared."""
    settle: Annotated[float, number("s"), within(0, 3600, "s")] = 0.0
    """How long it has to run after it was switched on, before a job may rely on it."""
    limits: InstrumentLimits = InstrumentLimits()
    qcodes: QcodesDriver | None = None
    """Of the kinds ``qcodes_oscillator`` and ``qcodes_source``."""
    modules: dict[_Slot, Literal["QCM", "QCM-RF", "QRM", "QRM-RF"]] = Field(
        default_factory=dict[str, Literal["QCM", "QCM-RF", "QRM", "QRM-RF"]], max_length=20
    )
    """Modules of a cluster, by slot; its channels are a slot and an output (or input), counted from 1."""

    @property
    def held_ports(self) -> tuple[str, ...]:
        """Ports that a DC source holds the level of."""
        return (*self.ports, *self.bias)


def check_instruments(instruments: Mapping[str, RackInstrument]) -> None:
    """Refuse boxes that cannot work together.

    Raises:
        PydanticCustomError: There are none, a port or a channel is taken twice, or not one generator gives the trigger.
    """
    if not instruments:
        raise problem("boxes are listed one by one", "add instruments:")
    fed: dict[str, str] = {}
    for name, box in instruments.items():
        taken = [channel for channels in box.channels.values() for channel in channels]
        taken += [] if box.trigger_channel is None else [box.trigger_channel]
        taken += box.bias.values()
        for channel in taken:
            if taken.count(channel) > 1:
                raise problem(f"channel {channel} is used twice", "use another", "instruments", name, "channels")
        for port in box.channels:
            if port in fed:
                at = ("instruments", name, "channels", port)
                raise problem(f"port {port} is already on {fed[port]}", "remove one of the two", *at)
            fed[port] = name
    triggers = [name for name, box in instruments.items() if box.trigger_channel is not None]
    if len(triggers) != 1:
        found = ", ".join(triggers) or "none"
        raise problem(f"one generator gives the trigger, here {found}", "give one a trigger_channel", "instruments")


def check_cluster(instruments: Mapping[str, RackInstrument]) -> None:
    """Refuse a cluster that cannot be used.

    Raises:
        PydanticCustomError: There is not exactly one, or a channel is not in one of its modules, or is taken twice.
    """
    if len(instruments) != 1:
        raise problem(f"a cluster is one instrument, here are {len(instruments)}", "list one", "instruments")
    for name, entry in instruments.items():
        if entry.kind != "qblox_cluster":
            raise problem(f"value {entry.kind!r} is no cluster", "write qblox_cluster", "instruments", name, "kind")
        taken: dict[tuple[tuple[int, ...], bool], str] = {}
        for port, place in entry.channels.items():
            at = ("instruments", name, "channels", port)
            if len(place) != 2 or str(place[0]) not in entry.modules:
                raise problem(f"{list(place)} is no slot and output of a module", "list its slot in modules", *at)
            line = (place, port.endswith(".acquire"))
            if line in taken:
                raise problem(f"{list(place)} is taken by {taken[line]}", "use another output", *at)
            taken[line] = port
