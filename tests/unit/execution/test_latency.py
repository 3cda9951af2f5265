"""What all ports play at one tick reaches the chip at one time."""

import re
from pathlib import Path

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import Instruction

from qctrl.calibration import load
from qctrl.compiler import compile_circuit, make_gate
from qctrl.config import load_wiring
from qctrl.errors import TimingError
from qctrl.execution.setup import build_setup
from qctrl.pulse import capture, frame, gaussian, play
from tests.reference import player as reference

ROOT = Path(__file__).parents[3]
CALIBRATION = (ROOT / "calibrations" / "pair2" / "nominal.yaml").read_text()
WIRING = (ROOT / "configs" / "wiring_pair2.yaml").read_text()
LATENCY_NS = {"q0.drive": 7, "q0.flux": 3, "c01.flux": 12, "f0.readout": 5, "f0.acquire": 9}
MAIN_TAP = {"q0.flux": 2, "c01.flux": 1}
LINES = """
ports:
  q0.drive: {latency: 7 ns}
  q0.flux: {latency: 3e-9, filters: {fir: [0.01, -0.05, 1.1, -0.06], iir: [{amp: -0.02, tau: 1.2e-7}]}}
  c01.flux: {latency: 1.2e-8, filters: {fir: [-0.02, 1.02]}}
  f0.readout: {latency: 5e-9}
  f0.acquire: {latency: 9e-9}
"""


@pytest.fixture
def built(tmp_path):
    def make(lines=LINES, wiring=WIRING):
        (tmp_path / "c.yaml").write_text(CALIBRATION + lines)
        (tmp_path / "w.yaml").write_text(wiring)
        calibration = load(tmp_path / "c.yaml")
        return calibration, build_setup(calibration, load_wiring(tmp_path / "w.yaml"))

    return make


def delays(setup):
    return {port.name: port.delay_ticks for port in setup.ports}


def test_the_slowest_line_sets_the_time(built):
    # The coupler's line: 12 ns and one tap of 1 ns.
    assert delays(built()[1]) == {
        "q0.drive": 6,
        "q1.drive": 13,
        "q0.flux": 8,
        "q1.flux": 13,
        "c01.flux": 0,
        "f0.readout": 8,
        "f0.acquire": 22,
    }


def test_pulses_of_one_tick_meet_at_the_chip(built):
    calibration, setup = built()
    ports = [name for name in LATENCY_NS if not name.endswith("acquire")]
    of_qubit = {name: frame(name, qubit=0) for name in ("f0.readout", "f0.acquire")}
    steps = [play(of_qubit.get(name, name), gaussian(41e-9, 0.2, 6e-9)) for name in ports]
    gate = make_gate("all", (0, 1), [], lambda: [*steps, capture(of_qubit["f0.acquire"], 40e-9)])
    made = QuantumCircuit(2, 1)
    made.append(Instruction("all", 2, 1, []), [0, 1], [0])
    program = compile_circuit(made, calibration, setup, {("all", (0, 1)): gate}).program
    codes = reference.dac(setup, reference.baseband(program, setup, [0] * program.n_slots, [(0, 0)]))
    arrival = {}
    for port, samples in zip(setup.ports, codes, strict=True):
        if port.name in ports:
            peak = int(np.argmax(np.abs(np.array(samples) - (samples[0] if port.kind == "flux" else 0))))
            arrival[port.name] = peak + port.delay_ticks + LATENCY_NS[port.name]
    assert set(arrival) == set(ports)
    assert len(set(arrival.values())) == 1
    acquire = setup.ports[setup.port_index("f0.acquire")]
    start = int(program.events["start_ticks"][program.events["op"] == 1][0])
    middle = 20  # of the Gaussian of 41 samples
    assert start + acquire.delay_ticks == next(iter(arrival.values())) - middle + LATENCY_NS["f0.acquire"]


def test_without_latencies_only_the_wired_delay_counts(built):
    wiring = re.sub(r"(q0\.drive: \{)", r"\1delay: 4 ns, ", WIRING)
    assert delays(built("", wiring)[1]) == {name: 4 * (name == "q0.drive") for name in delays(built("")[1])}


def test_what_is_off_the_tick_is_refused(built):
    with pytest.raises(
        TimingError, match=r"latency of port q0\.drive, so that it waits for the slowest: .* whole number"
    ):
        built("\nports:\n  q0.drive: {latency: 1.5e-9}\n  q1.drive: {latency: 3e-9}\n")
