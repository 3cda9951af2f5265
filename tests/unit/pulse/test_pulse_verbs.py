"""The verbs of custom pulses: what they make, and what they refuse."""

import math
from dataclasses import replace

import numpy as np
import pytest
from qiskit.circuit import Parameter

from qctrl import pulse
from qctrl.errors import CompileError
from qctrl.pulse.gate import CustomGate, map_quantities

A = Parameter("a")


def test_numbers_of_every_kind_become_floats():
    made = pulse.play("q0.drive", pulse.gaussian(np.float32(0.5), amp=1, sigma=np.int64(2), phase=(A - A) + 0.25))
    shape = made.waveform
    found = (shape.duration, shape.amp, dict(shape.parameters)["sigma"])
    assert found == (0.5, 1.0, 2.0)
    assert all(type(value) is float for value in found)


def test_parameters_stay_as_they_are():
    assert pulse.shift_phase("q0.drive", 2 * A).phase == 2 * A
    assert pulse.delay("q0.drive", A).duration is A


@pytest.mark.parametrize(
    ("shape", "parameters"),
    [
        (pulse.drag(1e-8, 0.5, sigma=2e-9, beta=1e-10), {"sigma": 2e-9, "beta": 1e-10}),
        (pulse.gaussian(1e-8, 0.5, sigma=2e-9), {"sigma": 2e-9}),
        (pulse.constant(1e-8, 0.5), {}),
        (pulse.square(1e-8, 0.5), {"rise": 0.0}),
        (pulse.flat_top_cosine(1e-8, 0.5, rise=2e-9), {"rise": 2e-9}),
        (pulse.flat_top_gaussian(1e-8, 0.5, rise=2e-9), {"rise": 2e-9}),
        (pulse.slepian(1e-8, 0.5, theta_i=0.1, theta_f=0.9), {"theta_i": 0.1, "theta_f": 0.9, "lambda2": 0.0}),
    ],
)
def test_waveforms_carry_their_parameters(shape, parameters):
    assert (shape.duration, shape.amp, shape.phase, dict(shape.parameters)) == (1e-8, 0.5, 0.0, parameters)


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda: pulse.constant("24 ns", 0.1), "duration of constant is '24 ns'; give a finite real number"),
        (lambda: pulse.constant(1e-8, math.nan), "amp of constant is nan"),
        (lambda: pulse.constant(1e-8, 0.1j), "amp of constant is 0.1j"),
        (lambda: pulse.drag(1e-8, 0.1, sigma=None, beta=0), "sigma of drag is None"),
        (lambda: pulse.play("q0.drive", 0.5), "0.5 is no waveform; give drag"),
        (lambda: pulse.play(0, pulse.constant(1e-8, 0.1)), "play: 0 is no port; give its name"),
        (lambda: pulse.barrier("q0.drive", None), "barrier: None is no port"),
        (lambda: pulse.frame("q0.drive", frequency=5e9, qubit=1), "give a frequency or a qubit, not both"),
        (lambda: pulse.frame("q0.drive", qubit=True), "qubit is True; give the index"),
        (lambda: pulse.frame("q0.drive", qubit=-1), "qubit is -1; give the index"),
        (lambda: pulse.frame("q0.drive", frequency=A), "vary it with set_frequency"),
        (lambda: pulse.frame(7), "frame: 7 is no port"),
        (lambda: pulse.set_frequency("q0.drive", math.inf), "frequency of set_frequency on q0.drive is inf"),
    ],
)
def test_what_is_no_number_and_no_port_is_refused_where_it_is_written(make, match):
    with pytest.raises(CompileError, match=match):
        make()


STEPS = (
    pulse.set_frequency("q0.drive", 5e9),
    pulse.shift_phase(pulse.frame("q0.drive", qubit=1), 0.5),
    pulse.play(pulse.frame("q0.drive", frequency=5.1e9), pulse.drag(1e-8, 0.1, sigma=2e-9, beta=1e-10)),
    pulse.barrier("q0.drive", "f0.acquire"),
    pulse.delay("f0.acquire", 1e-8),
    pulse.capture("f0.acquire", 1e-6),
    pulse.barrier(),
)


def test_equal_contents_are_equal_gates_and_any_change_is_another():
    gate = CustomGate("g", (0,), (), STEPS)
    same = CustomGate("g", (0,), (), tuple(STEPS))
    assert gate == same
    assert hash(gate) == hash(same)
    assert gate.n_captures == 1
    others = [
        replace(gate, name="h"),
        replace(gate, qubits=(1,)),
        replace(gate, parameters=("a",)),
        replace(gate, steps=STEPS[:-1]),
        replace(gate, steps=tuple(map_quantities(step, lambda value: value * (1 + 1e-15)) for step in STEPS)),
    ]
    assert len({gate, *others}) == 6
    assert gate != "g"


def test_the_text_has_a_line_for_every_step():
    assert CustomGate("g", (0, 1), (), STEPS).text.splitlines() == [
        "g() on qubits 0, 1",
        "  set_frequency q0.drive 5000000000.0 Hz",
        "  shift_phase q0.drive (carrier of qubit 1) 0.5 rad",
        "  play q0.drive (5100000000.0 Hz) drag 1e-08 s amp 0.1 phase 0.0 rad sigma 2e-09 s beta 1e-10 s",
        "  barrier q0.drive f0.acquire",
        "  delay f0.acquire 1e-08 s",
        "  capture f0.acquire 1e-06 s",
        "  barrier",
    ]
