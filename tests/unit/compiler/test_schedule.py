"""Times and phases of small circuits, by hand."""

import math

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter

from qctrl.compiler import lower, schedule
from qctrl.protocol import FlowOp
from qctrl.units import phase_word
from tests.unit.compiler import trio

CALIBRATION = trio.calibration()


def scheduled(circuit, **options):
    return schedule(lower(circuit, CALIBRATION), CALIBRATION, **options)


def starts(pulses, port):
    frames = [k for k, frame in enumerate(pulses.frames) if pulses.ports[frame["port"]] == port]
    return sorted(pulses.plays["start_ticks"][np.isin(pulses.plays["frame"], frames)].tolist())


def test_gates_wait_in_the_ground_state_and_measurements_end_together():
    circuit = QuantumCircuit(2, 2)
    circuit.sx(0)
    circuit.sx(1)
    circuit.sx(1)
    circuit.measure([0, 1], [0, 1])
    pulses = scheduled(circuit)
    assert pulses.block_ticks.tolist() == [616]
    assert starts(pulses, "q0.drive") == [32]
    assert starts(pulses, "q1.drive") == [0, 28]
    assert starts(pulses, "f0.readout") == [56, 56]
    assert pulses.captures["start_ticks"].tolist() == [216, 216]


def test_gates_start_as_soon_as_possible_on_request():
    circuit = QuantumCircuit(2, 2)
    circuit.sx(0)
    circuit.sx(1)
    circuit.delay(3, 1)
    circuit.sx(1)
    circuit.measure([0, 1], [0, 1])
    pulses = scheduled(circuit, method="asap")
    pulses.verify()
    assert starts(pulses, "q0.drive") == [0]
    assert starts(pulses, "q1.drive") == [0, 32]
    assert starts(pulses, "f0.readout") == [24, 64]
    assert pulses.captures["start_ticks"].tolist() == [184, 224]
    assert pulses.block_ticks.tolist() == [624]


def test_delays_keep_their_length_and_barriers_align():
    circuit = QuantumCircuit(2)
    circuit.x(0)
    circuit.delay(100, 0)
    circuit.barrier(0, 1)
    circuit.sx(0)
    circuit.sx(1)
    pulses = scheduled(circuit)
    assert pulses.block_ticks.tolist() == [152]
    assert starts(pulses, "q0.drive") == [0, 128]
    assert starts(pulses, "q1.drive") == [124]


def test_a_gate_before_a_delay_off_the_grid_ends_on_the_grid_earlier():
    circuit = QuantumCircuit(1)
    circuit.sx(0)
    circuit.delay(3, 0)
    circuit.sx(0)
    assert starts(scheduled(circuit), "q0.drive") == [4, 32]


def test_virtual_z_adds_to_the_phase_of_later_plays_only():
    circuit = QuantumCircuit(1)
    circuit.sx(0)
    circuit.rz(math.pi / 2, 0)
    circuit.sx(0)
    circuit.rz(-math.pi, 0)
    assert scheduled(circuit).plays["phase"].tolist() == [0, 2**30]


def test_the_shifts_of_a_cz_come_after_its_pulse():
    circuit = QuantumCircuit(2)
    circuit.sx(0)
    circuit.cz(0, 1)
    circuit.x(0)
    pulses = scheduled(circuit)
    drive = pulses.plays[pulses.plays["frame"] == 0]
    assert drive["phase"].tolist() == [0, (phase_word(1.3322) + phase_word(0.25)) % 2**32]
    assert starts(pulses, "q0.flux") == starts(pulses, "c01.flux") == [24 + 4]


def test_plays_between_two_open_angles_share_a_row():
    a, b = Parameter("a"), Parameter("b")
    circuit = QuantumCircuit(1)
    circuit.sx(0)
    circuit.rz(a, 0)
    circuit.sx(0)
    circuit.sx(0)
    circuit.rz(b, 0)
    circuit.sx(0)
    pulses = scheduled(circuit)
    assert pulses.plays["phase_row"].tolist() == [0, 1, 1, 2]
    assert pulses.rows.tolist() == [(0, -1), (0, 0), (1, 1)]


def test_a_straight_line_has_one_block_and_no_shifts():
    circuit = QuantumCircuit(1, 1)
    circuit.rz(1.0, 0)
    circuit.sx(0)
    circuit.rz(1.0, 0)
    circuit.measure(0, 0)
    circuit.rz(1.0, 0)
    pulses = scheduled(circuit)
    assert len(pulses.block_ticks) == 1
    assert len(pulses.shifts) == 0
    assert pulses.flow["op"].tolist() == [FlowOp.PLAY_BLOCK, FlowOp.END]


@pytest.mark.parametrize("n_qubits", [0, 1])
def test_an_empty_circuit_is_one_empty_block(n_qubits):
    pulses = scheduled(QuantumCircuit(n_qubits))
    assert pulses.block_ticks.tolist() == [0]
    assert len(pulses.plays) == 0


def test_a_block_leaves_its_shifts_to_the_frames():
    circuit = QuantumCircuit(2)
    circuit.sx(0)
    circuit.rz(Parameter("a"), 0)
    circuit.rz(0.5, 0)
    circuit.sx(1)
    circuit.reset(1)
    circuit.sx(0)
    pulses = scheduled(circuit)
    assert pulses.shifts.tolist() == [(0, 0, phase_word(0.5), 1)]
    later = pulses.plays[pulses.plays["block"] == len(pulses.block_ticks) - 1]
    assert later["phase"].tolist() == [0]
    assert pulses.plays["phase_row"].max() == 0


def test_resets_share_a_capture_block_and_their_idle_blocks():
    circuit = QuantumCircuit(2, 1)
    circuit.reset([0, 1])
    circuit.reset([0, 1])
    circuit.measure(0, 0)
    pulses = scheduled(circuit)
    assert pulses.n_clbits == 3
    assert pulses.captures["clbit"].tolist() == [1, 2, 1, 2, 0]
    # capture, x0, idle 24, x1, idle 56, capture, body
    assert pulses.block_ticks.tolist() == [560, 24, 24, 56, 56, 560, 560]
    branches = pulses.flow[pulses.flow["op"] == FlowOp.BRANCH_BIT]
    assert branches["operand"].tolist() == [1, 2, 1, 2]
    for branch in branches:
        flip = pulses.flow[int(branch["target"])]["operand"]
        assert np.count_nonzero(pulses.plays["block"] == flip) == (1 if branch["operand"] == 1 else 2)


def test_a_passive_reset_only_waits():
    circuit = QuantumCircuit(3)
    circuit.sx(2)
    circuit.reset(2)
    circuit.sx(2)
    pulses = scheduled(circuit)
    assert pulses.block_ticks.tolist() == [100_064]
    assert starts(pulses, "q2.drive") == [4, 100_036]
