"""From pulses to words, and every way in which a rack cannot play them."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter

from qctrl.compiler import assemble, compile_circuit, lower, schedule
from qctrl.errors import CompileError, ResourceError, TimingError
from qctrl.protocol import EventOp, Mixer
from qctrl.units import tuning_word
from tests.unit.compiler import trio

CALIBRATION = trio.calibration()


def circuit():
    made = QuantumCircuit(2, 2)
    made.sx(0)
    made.cz(0, 1)
    made.x(1)
    made.measure([0, 1], [1, 0])
    return made


def pulses(calibration=CALIBRATION, build=circuit):
    return schedule(lower(build(), calibration), calibration)


def refused(error, match, device=CALIBRATION, build=circuit, **setup):
    with pytest.raises(error, match=match) as caught:
        assemble(pulses(device, build), trio.setup(device, **setup))
    return caught.value


def test_frames_are_offsets_from_the_oscillators():
    program = assemble(pulses(), trio.setup()).program
    offsets = {program.frames["ftw"][k] for k in range(len(program.frames))}
    tick_s = program.tick_s
    assert offsets == {0, *(tuning_word(hz, tick_s) for hz in (-5e7, 1.5e8, -9e7, 5e7))}


def test_equal_samples_are_stored_once_after_quantisation():
    # The two shapes differ by less than a code.
    old = "duration: 2.6e-8, sigma: 6.0e-9, amp: 0.1, beta: 3.9e-10"
    calibration = trio.edited((old, "duration: 2.4e-8, sigma: 5.0e-9, amp: 0.1, beta: 4.10001e-10"))
    made = pulses(calibration)
    program = assemble(made, trio.setup(calibration)).program
    drags = [envelope for envelope in made.envelopes if envelope.shape == "drag"]
    assert len(drags) == 2
    assert len(program.envelopes) == len(made.envelopes) - 1


def test_an_envelope_is_sampled_at_the_rate_of_each_port():
    rates = {"f0__readout": {"sample_ticks": 2}, "q0__flux": {"sample_ticks": 4}}
    program = assemble(pulses(), trio.setup(**rates)).program
    lengths = {len(program.envelope(k)) for k in range(len(program.envelopes))}
    assert {200, 14, 48, 24, 26} == lengths


def test_a_finer_tick_scales_every_time():
    coarse = assemble(pulses(), trio.setup()).program
    changes = {
        name.replace(".", "__"): {"sample_ticks": 2, "granularity_ticks": 8} for name in (*trio.OUTPUTS, "f0.acquire")
    }
    fine = assemble(pulses(), trio.setup(tick_den=2 * 10**9, **changes)).program
    assert np.array_equal(fine.events["start_ticks"], 2 * coarse.events["start_ticks"])
    assert np.array_equal(fine.envelope_samples, coarse.envelope_samples)


def test_a_block_that_decides_a_branch_lasts_until_its_bit_is_readable():
    def build():
        made = QuantumCircuit(1)
        made.reset(0)
        return made

    program = assemble(pulses(build=build), trio.setup(latency_ticks=101)).program
    assert program.blocks["length_ticks"].tolist() == [664, 24, 24]


def test_captures_carry_bits_classes_and_order():
    program = assemble(pulses(), trio.setup()).program
    assert program.captures["clbit"].tolist() == [1, 0]
    assert program.captures["index"].tolist() == [0, 1]
    assert program.discriminators["n_classes"].tolist() == [2, 3]
    assert program.captures["weights"].tolist() == [-1, -1]


def test_events_are_in_the_order_of_the_wire_and_read_only():
    program = assemble(pulses(), trio.setup()).program
    program.verify()
    assert not program.events.flags.writeable
    assert np.count_nonzero(program.events["op"] == EventOp.CAPTURE) == 2


def test_a_setup_of_another_calibration_is_refused():
    other = trio.edited(("amp: 0.11,", "amp: 0.12,"))
    with pytest.raises(CompileError, match="derived from another calibration than cal-trio"):
        assemble(pulses(), trio.setup(other))


def test_a_port_that_is_not_wired_is_refused():
    setup = trio.setup()
    with pytest.raises(CompileError, match=r"no port q0\.flux; wire it"):
        assemble(pulses(), replace(setup, ports=tuple(port for port in setup.ports if port.name != "q0.flux")))


def test_a_tick_that_does_not_divide_dt_is_refused():
    refused(TimingError, "does not divide the calibration's dt", tick_den=3 * 10**8)


def test_an_event_off_its_ports_granularity_is_refused():
    error = refused(
        TimingError, r"instruction 0: an event on q0\.drive starts at tick", q0__drive={"granularity_ticks": 16}
    )
    assert error.instruction == 0


def test_a_frame_too_far_from_its_oscillator_is_refused():
    refused(
        ResourceError, r"port q1\.drive: 5\.1e\+09 Hz is \+6e\+08 Hz from the LO.*5e\+08", q1__drive={"lo_hz": 4.5e9}
    )


@pytest.mark.parametrize("correction", [{"matrix": (1.0, 0.2, 0.0, 1.0)}, {"offset_q": 0.06}])
def test_multiplexed_plays_that_add_up_beyond_the_limit_are_refused(correction):
    assemble(pulses(), trio.setup(f0__readout={"max_amplitude": 0.1181}))
    refused(
        ResourceError,
        r"port f0\.readout: plays at tick \d+ of block 0 may reach 0\.1\d+ of full scale, the limit is 0\.1181",
        f0__readout={"max_amplitude": 0.1181, "mixer": Mixer(**correction)},
    )


def test_a_flux_pulse_counts_from_its_idle_level():
    refused(
        ResourceError,
        r"port c01\.flux: .* may reach 0\.4000 .* the limit is 0\.3900",
        c01__flux={"max_amplitude": 0.39},
    )


def test_plays_in_a_row_do_not_add_up():
    def build():
        made = QuantumCircuit(1)
        for _ in range(20):
            made.x(0)
        return made

    assemble(pulses(build=build), trio.setup(q0__drive={"max_amplitude": 0.23}))


ROOT = Path(__file__).parents[3]
SCRIPT = """
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter
from qctrl.compiler import compile_circuit
from tests.unit.compiler import trio
a, b = Parameter("a"), Parameter("b")
circuit = QuantumCircuit(3, 2)
circuit.rz(a * b + 1, 0)
circuit.rz(a.sin(), 1)
circuit.x([0, 1])
circuit.cz(0, 1)
circuit.reset([0, 1, 2])
circuit.measure([0, 1], [0, 1])
print(compile_circuit(circuit, trio.calibration(), trio.setup()).hash.hex())
"""


def test_two_processes_compile_to_the_same_bytes():
    seeds = ("1", "2")
    hashes = [
        subprocess.run(
            [sys.executable, "-c", SCRIPT],
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT)},
            check=True,
            capture_output=True,
            text=True,
            timeout=120,
            cwd=ROOT,
        ).stdout
        for seed in seeds
    ]
    assert hashes[0] == hashes[1]
    assert len(hashes[0].strip()) == 64


def test_parametric_phases_are_rows_of_their_own():
    made = QuantumCircuit(1)
    made.rz(Parameter("a"), 0)
    made.sx(0)
    program = compile_circuit(made, CALIBRATION, trio.setup()).program
    assert program.n_slots == 2
    assert program.events["phase_row"].tolist() == [1]
