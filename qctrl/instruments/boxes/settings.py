"""A Setup as settings of boxes: clocks, amplitudes, carriers, levels."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from qctrl.instruments.boxes.base import GeneratorLimits, OutputSetting
from qctrl.instruments.boxes.shot import rest_levels
from qctrl.instruments.boxes.wired import Wired
from qctrl.protocol import Setup

_POWER_DBM: Final = 10.0
"""Of an oscillator, unless the rack file says otherwise."""
_TRIGGER: Final = OutputSetting(channel=0, full_scale_v=0.25, dac_bits=8, marked=True)
"""Of the channel that only gives the trigger: silence, and its marker."""


def apply(wired: Wired, setup: Setup) -> dict[str, GeneratorLimits]:
    """Set all boxes up, and return what each generator's memory takes.

    Args:
        wired: The boxes.
        setup: What they have to give.

    Raises:
        ConfigError: The ports of an oscillator need different carriers.
        ResourceError: A value is beyond a limit; it was not sent.
    """
    limits = {name: _configure(wired, setup, name) for name in wired.generators}
    for name, oscillator in wired.oscillators.items():
        lo_hz = wired.lo_hz(setup, name)
        power = wired.entries[name].power
        if lo_hz is not None:
            oscillator.configure(lo_hz, _POWER_DBM if power is None else power)
    rest = rest_levels(setup)
    ports = {port.name: port for port in setup.ports}
    for name, source in wired.sources.items():
        for port in wired.entries[name].held_ports:
            if port in ports:
                source.ramp(port, rest[port].real * ports[port].full_scale_v)
    return limits


def sample_rate_hz(setup: Setup) -> float:
    """Return the sample rate of all ports; see ``Wired.check``."""
    return round(1 / float(setup.tick_s * setup.ports[0].sample_ticks), 3)


def _configure(wired: Wired, setup: Setup, name: str) -> GeneratorLimits:
    entry, ports = wired.entries[name], {port.name: port for port in setup.ports}
    outputs = [
        OutputSetting(channel, ports[port].full_scale_v, ports[port].dac_bits)
        for port, channels in entry.channels.items()
        if port in ports
        for channel in channels
    ]
    if entry.trigger_channel is not None:
        outputs.append(replace(_TRIGGER, channel=entry.trigger_channel))
    return wired.generators[name].configure(sample_rate_hz(setup), outputs)
