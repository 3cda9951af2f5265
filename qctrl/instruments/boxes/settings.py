"""A Setup as settings of boxes: clocks, amplitudes, carriers, levels.

What is announced and what is set is one value, so an operator can rely on the first.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

from qctrl.instruments.boxes.base import GeneratorLimits, OutputSetting
from qctrl.instruments.boxes.shot import rest_levels
from qctrl.instruments.boxes.wired import Wired
from qctrl.protocol import Setup

_POWER_DBM: Final = 10.0
"""Of an oscillator, unless the rack file says otherwise."""
_TRIGGER: Final = OutputSetting(channel=0, full_scale_v=0.25, dac_bits=8, marked=True)
"""Of the channel that only gives the trigger: silence, and its marker."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What all boxes of a rack are told for a Setup."""

    sample_rate_hz: float
    """Of all generators and digitizers."""
    outputs: Mapping[str, tuple[OutputSetting, ...]]
    """By generator."""
    carriers: Mapping[str, tuple[float, float]]
    """Hz and dBm by oscillator, of those in use."""
    levels_v: Mapping[str, Mapping[str, float]]
    """By DC source and port."""


def settings(wired: Wired, setup: Setup) -> Settings:
    """Return what the boxes have to be told for a Setup.

    Args:
        wired: The boxes.
        setup: What they have to give.

    Raises:
        ConfigError: The ports of an oscillator need different carriers.
    """
    rest, ports = rest_levels(setup), {port.name: port for port in setup.ports}
    carriers: dict[str, tuple[float, float]] = {}
    for name in wired.oscillators:
        lo_hz, power = wired.lo_hz(setup, name), wired.entries[name].power
        if lo_hz is not None:
            carriers[name] = lo_hz, _POWER_DBM if power is None else power
    levels_v = {
        name: {
            port: rest[port].real * ports[port].full_scale_v for port in wired.entries[name].held_ports if port in ports
        }
        for name in wired.sources
    }
    outputs = {name: _outputs(wired, setup, name) for name in wired.generators}
    return Settings(sample_rate_hz(setup), outputs, carriers, levels_v)


def apply(wired: Wired, chosen: Settings) -> dict[str, GeneratorLimits]:
    """Set all boxes up, and return what each generator's memory takes.

    Args:
        wired: The boxes.
        chosen: What they are told.

    Raises:
        ResourceError: A value is beyond a limit; it was not sent.
    """
    limits = {
        name: wired.generators[name].configure(chosen.sample_rate_hz, outputs)
        for name, outputs in chosen.outputs.items()
    }
    for name, (lo_hz, power_dbm) in chosen.carriers.items():
        wired.oscillators[name].configure(lo_hz, power_dbm)
    for name, levels_v in chosen.levels_v.items():
        for port, level_v in levels_v.items():
            wired.sources[name].ramp(port, level_v)
    return limits


def announced(wired: Wired, chosen: Settings) -> Iterator[str]:
    """Yield, line by line, what the boxes will put out once they are told ``chosen`` and a run begins.

    Args:
        wired: The boxes.
        chosen: What they are told.
    """
    for name, levels_v in chosen.levels_v.items():
        for port, level_v in levels_v.items():
            yield f"{name}: {level_v:g} V, held from now on ({port})"
    for name, (lo_hz, power_dbm) in chosen.carriers.items():
        yield f"{name}: {lo_hz:.10g} Hz at {power_dbm:g} dBm ({', '.join(wired.entries[name].ports)})"
    for name, outputs in chosen.outputs.items():
        fed = {channel: port for port, channels in wired.entries[name].channels.items() for channel in channels}
        for output in outputs:
            reach = f"within {output.full_scale_v:g} V of 0 V, at {chosen.sample_rate_hz:.10g} samples/s"
            what = f"{reach} ({fed[output.channel]})" if output.channel in fed else "0 V, and the trigger at marker 1"
            yield f"{name} channel {output.channel}: {what}"


def sample_rate_hz(setup: Setup) -> float:
    """Return the sample rate of all ports; see ``Wired.check``."""
    return round(1 / float(setup.tick_s * setup.ports[0].sample_ticks), 3)


def _outputs(wired: Wired, setup: Setup, name: str) -> tuple[OutputSetting, ...]:
    entry, ports = wired.entries[name], {port.name: port for port in setup.ports}
    outputs = [
        OutputSetting(channel, ports[port].full_scale_v, ports[port].dac_bits)
        for port, channels in entry.channels.items()
        if port in ports
        for channel in channels
    ]
    if entry.trigger_channel is not None:
        outputs.append(replace(_TRIGGER, channel=entry.trigger_channel))
    return tuple(outputs)
