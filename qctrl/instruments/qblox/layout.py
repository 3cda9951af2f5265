"""Which sequencer of which module serves which frame, and what must be set on it before it runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from qctrl.config import Rack
from qctrl.errors import ConfigError, ResourceError, UnsupportedInstructionError
from qctrl.instruments.qblox import limits
from qctrl.instruments.qblox.limits import MODULES, ModuleKind
from qctrl.instruments.qblox.words import ticks_per_ns
from qctrl.protocol import EventOp, Port, Program, Setup
from qctrl.protocol.setup import Mixer

_PLAIN: Final = Mixer()


@dataclass(frozen=True, slots=True, eq=False)
class ClusterWiring:
    """What is plugged into a cluster, and where."""

    modules: Mapping[int, str]
    """Model of module by slot, as the vendor names it."""
    ports: Mapping[str, tuple[int, int]]
    """Slot and output (or input, for acquire ports) of every port, counted from 1."""

    def kind(self, slot: int) -> ModuleKind:
        """Return the model in a slot."""
        return MODULES[self.modules[slot]]


@dataclass(frozen=True, slots=True)
class Voice:
    """One sequencer in the service of one frame: it has one NCO, and plays one waveform at a time."""

    slot: int
    sequencer: int
    """From 0."""
    frame: int
    port: int
    """Index in the Setup."""
    output: int
    """From 1."""
    kind: ModuleKind
    modulated: bool
    """Whether its samples turn with a carrier; flux is played as it is."""
    acquires: bool
    delay_ns: int

    @property
    def who(self) -> str:
        """Name for errors."""
        return f"slot {self.slot} sequencer {self.sequencer}"


def cluster_wiring(rack: Rack) -> tuple[str, ClusterWiring]:
    """Return name and wiring of the cluster of a rack."""
    (name,) = rack.instruments
    entry = rack.instruments[name]
    ports = {port: (place[0], place[1]) for port, place in entry.channels.items()}
    return name, ClusterWiring({int(slot): kind for slot, kind in entry.modules.items()}, ports)


def voices(program: Program, setup: Setup, wiring: ClusterWiring) -> tuple[Voice, ...]:
    """Return a sequencer for every frame that plays or captures.

    Raises:
        ConfigError: A port is not wired, or to something that cannot serve it.
        ResourceError: A module has too few sequencers.
        UnsupportedInstructionError: The Setup needs what a cluster does not do.
    """
    check_setup(setup, wiring)
    used: dict[int, int] = dict.fromkeys(wiring.modules, 0)
    found: list[Voice] = []
    sounding = program.events["op"] <= EventOp.CAPTURE
    for frame in np.unique(program.events["frame"][sounding]).tolist():
        port = int(program.frames["port"][frame])
        name = setup.ports[port].name
        slot, output = wiring.ports[name]
        kind = wiring.kind(slot)
        if used[slot] == kind.sequencers:
            raise ResourceError(
                f"Qblox slot {slot} ({kind.name}), memory sequencers: the program uses more than {kind.sequencers} "
                f"frames on its ports, {name} among them; wire some of them to another module"
            )
        found.append(_voice(setup, slot, used[slot], (frame, port, output), kind))
        used[slot] += 1
    return tuple(found)


def check_setup(setup: Setup, wiring: ClusterWiring) -> None:
    """Refuse a Setup that a cluster cannot realise.

    Raises:
        ConfigError: A port is not wired, or to something that cannot serve it.
        UnsupportedInstructionError: It corrects what no sequencer corrects.
    """
    if setup.crosstalk:
        ports = ", ".join(setup.crosstalk[0].ports)
        raise _lacks("crosstalk", f"the Setup mixes {ports}, and outputs of a cluster are not mixed")
    for port in setup.ports:
        if port.name not in wiring.ports:
            raise ConfigError(f"port {port.name} is on no module of the cluster; add it to channels in the rack file")
        _check_port(port, setup, wiring.kind(wiring.ports[port.name][0]), wiring.ports[port.name])


def _check_port(port: Port, setup: Setup, kind: ModuleKind, place: tuple[int, int]) -> None:
    slot, output = place
    where = f"slot {slot} ({kind.name}) output {output}"
    period_ticks = ticks_per_ns(setup) * limits.SAMPLE_NS
    if port.sample_ticks % period_ticks:
        raise _lacks("sample rate", f"{port.name} has {port.sample_ticks} ticks per sample, 1 GS/s has {period_ticks}")
    if port.iir or port.fir:
        raise _lacks("predistortion", f"{port.name} has {len(port.iir)} exponential terms and {len(port.fir)} taps")
    if port.mixer != _PLAIN:
        raise _lacks("mixer correction", f"{port.name} has one; RF modules calibrate their own")
    if isinstance(port.max_step, float) or isinstance(port.max_duty, float):
        raise _lacks("slew and duty limits", f"{port.name} has one, and it is not checked before a sequencer plays")
    if port.delay_ticks % (period_ticks * limits.NCO_GRID_NS):
        raise _lacks("NCO grid", f"the delay of {port.name} is no multiple of {limits.NCO_GRID_NS} ns")
    if port.kind == "acquire" and not kind.acquires:
        raise ConfigError(f"port {port.name} is wired to {where}, which acquires nothing; wire it to a QRM")
    if (port.kind == "flux") == kind.is_rf:
        need = "a baseband module" if port.kind == "flux" else "an RF module, which brings the oscillator"
        raise ConfigError(f"port {port.name} is wired to {where}; {port.kind} needs {need}")
    if output > kind.outputs:
        raise ConfigError(f"port {port.name} is wired to {where}, which has {kind.outputs}; use one of them")
    if kind.is_rf and not limits.LO_HZ[0] <= port.lo_hz <= limits.LO_HZ[1]:
        raise _lacks("oscillator", f"{port.name} needs {port.lo_hz:g} Hz, {where} gives 2 to 18 GHz")


def _voice(setup: Setup, slot: int, sequencer: int, place: tuple[int, int, int], kind: ModuleKind) -> Voice:
    frame, port, output = place
    entry = setup.ports[port]
    return Voice(
        slot=slot,
        sequencer=sequencer,
        frame=frame,
        port=port,
        output=output,
        kind=kind,
        modulated=entry.kind != "flux",
        acquires=entry.kind == "acquire",
        delay_ns=entry.delay_ticks // ticks_per_ns(setup),
    )


def _lacks(capability: str, why: str) -> UnsupportedInstructionError:
    return UnsupportedInstructionError(
        f"Qblox cluster, capability {capability}: {why}; change the wiring file or use another rack"
    )
