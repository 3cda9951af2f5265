"""What is set on modules and sequencers beside their programs, by the names of the vendor's parameters."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from qctrl.instruments.qblox.layout import ClusterWiring
from qctrl.instruments.qblox.sequences import SequencerProgram
from qctrl.protocol import Setup

_ALL_MARKERS: Final = 15
_INPUTS: Final = {"QRM": "in0", "QRM-RF": "in0"}


def module_values(setup: Setup, wiring: ClusterWiring) -> dict[int, dict[str, Any]]:
    """Return oscillators and idle levels, by slot.

    Args:
        setup: What it is configured with; an RF module's ports on one output share their oscillator.
        wiring: Modules, and which port is on which.
    """
    found: dict[int, dict[str, Any]] = {slot: {} for slot in wiring.modules}
    for port in setup.ports:
        slot, output = wiring.ports[port.name]
        kind, place = wiring.kind(slot), f"out{output - 1}"
        if not kind.is_rf:
            found[slot][f"{place}_offset"] = port.idle * port.full_scale_v
        else:
            oscillator = f"{place}_in{output - 1}" if kind.acquires else place
            found[slot] |= {f"{oscillator}_lo_freq": int(port.lo_hz), f"{oscillator}_lo_en": True}
    return found


def oscillators_off(wiring: ClusterWiring) -> dict[int, dict[str, Any]]:
    """Return what switches every oscillator off, by slot."""
    found: dict[int, dict[str, Any]] = {}
    for slot in wiring.modules:
        kind = wiring.kind(slot)
        if kind.is_rf:
            places = [f"out{k}_in{k}" if kind.acquires else f"out{k}" for k in range(kind.outputs)]
            found[slot] = {f"{place}_lo_en": False for place in places}
    return found


def sequencer_values(sequence: SequencerProgram, triggers: Iterable[int]) -> dict[str, Any]:
    """Return what a sequencer needs to know beside its program.

    Args:
        sequence: The program.
        triggers: Addresses that somebody listens to.
    """
    voice = sequence.voice
    values: dict[str, Any] = {"sync_en": True, "gain_awg_path0": 1.0, "gain_awg_path1": 1.0}
    signal = "IQ" if voice.modulated else "I"
    for output in range(1, voice.kind.outputs + 1):
        wanted = output == voice.output and not voice.acquires
        values[f"connect_out{output - 1}"] = signal if wanted else "off"
    if voice.kind.is_rf:
        # Markers drive the switches of RF outputs, which stay open otherwise.
        values |= {"marker_ovr_en": True, "marker_ovr_value": _ALL_MARKERS}
    values["mod_en_awg"] = voice.modulated and not voice.acquires
    if voice.modulated:
        values["nco_freq"] = sequence.nco_hz
    if voice.kind.acquires:
        values["connect_acq"] = _INPUTS[voice.kind.name] if voice.acquires else "off"
        values["demod_en_acq"] = voice.acquires
    if sequence.integration_ns:
        values["integration_length_acq"] = sequence.integration_ns
    if sequence.threshold is not None:
        # The vendor compares the sum over the window, not its mean.
        values["thresholded_acq_rotation"] = sequence.threshold.rotation_deg
        values["thresholded_acq_threshold"] = sequence.threshold.level * sequence.integration_ns
    if voice.kind.acquires:
        values["thresholded_acq_trigger_en"] = sequence.trigger_address > 0
        values["thresholded_acq_trigger_address"] = max(1, sequence.trigger_address)
    for address in triggers:
        values |= {f"trigger{address}_count_threshold": 1, f"trigger{address}_threshold_invert": False}
    return values
