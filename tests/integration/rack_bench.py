"""An emulated rack on free ports, in this process, and the host's side of it."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from firmware_sim.scpi.control import inject
from firmware_sim.scpi.faults import WireFaults
from firmware_sim.scpi.rack import EmulatedRack
from qctrl.config import load_rack
from qctrl.instruments import open_boxes
from qctrl.signal import Player

CONFIGS = Path(__file__).resolve().parents[2] / "configs"
RACKS = {"pair2": "rack_visa.yaml", "chain5": "rack_visa_chain5.yaml"}
PORT = re.compile(r"(?<=::)(hislip0,)?\d+(?=::(SOCKET|INSTR))")


def with_ports(text, ports):
    """Return a rack file with other ports, in the order of its instruments."""
    left = iter(ports)
    return PORT.sub(lambda found: f"{found[1] or ''}{next(left)}", text)


def assert_dac_plays(bench, program, setup):
    """Every line of the last run is what the program says, within one LSB of its converter, in I and in Q."""
    player = Player(program, setup)
    for port in setup.ports:
        if port.kind == "acquire":
            continue
        expected, played = player.render(port.name), bench.emulated.bench.lines[port.name]
        lsb = 2.0 ** (1 - port.dac_bits)
        for part in (np.real, np.imag):
            assert np.abs(part(played[: len(expected)]) - part(expected)).max() <= lsb, port.name


def shipped(device):
    """Return the shipped rack file of a device, to be emulated here."""
    text = (CONFIGS / RACKS[device]).read_text().replace("wiring_", f"{CONFIGS}/wiring_")
    return text.replace("address: embedded\n", "")


class RackBench:
    """Emulated rack; ``path`` is the rack file that leads to it."""

    def __init__(self, folder: Path, device: str = "pair2", seed: int = 11, text: str = "") -> None:
        text = text or shipped(device)
        self.path = folder / f"rack_{device}.yaml"
        self.path.write_text(text)
        self.emulated = EmulatedRack(self.path, seed=seed, any_port=True)
        self.path.write_text(with_ports(text, [wire.port for wire in self.emulated.wires.values()]))
        self.device = device

    @property
    def instruments(self):
        return self.emulated.bench.instruments

    def driver(self):
        return open_boxes(load_rack(self.path), self.device)

    def inject(self, name, fault, value):
        instrument = self.instruments[name]
        if fault == "loose_marker":
            # The cable between the trigger's marker and everything else is loose.
            for waveform in instrument.waveforms.values():
                waveform.markers[:] = 0
        elif fault == "many_errors":
            for _ in range(value):
                instrument.push(-222, "Data out of range")
        else:
            inject(self.emulated, name, fault, value)

    def cure(self, name):
        """Take everything back that was injected into an instrument."""
        self.emulated.wires[name].faults = WireFaults()
        instrument = self.instruments[name]
        healthy = {"stuck_state": None, "misses_triggers": False, "frames_short": 0, "reference_locked": True}
        for attribute, value in (healthy | {"corrupts": False, "identity": None}).items():
            if hasattr(instrument, attribute):
                setattr(instrument, attribute, value)

    def assert_safe(self, but=None):
        instruments = self.instruments
        for name in {"awg1", "awg2"} - {but}:
            assert instruments[name].outputs_on() == [], name
            assert instruments[name].state == 0
        assert not instruments["lo_drive"].on
        assert not instruments["lo_readout"].on
        assert not instruments["digitizer"].running
        assert instruments["bias"].on  # a flux bias is held

    def settings(self):
        """Return what a job that is refused leaves as it is: levels, carriers, amplitudes, memories."""
        boxes = self.instruments
        generators = [boxes[name] for name in ("awg1", "awg2")]
        levels = [boxes["bias"].levels_v[-1], *(boxes[name].frequency_hz for name in ("lo_drive", "lo_readout"))]
        return levels, [({k: c.vpp for k, c in one.channels.items()}, set(one.waveforms)) for one in generators]

    def outputs(self):
        """Return which outputs are on."""
        return {name: one.outputs_on() for name, one in self.instruments.items()}

    def close(self):
        self.emulated.close()
