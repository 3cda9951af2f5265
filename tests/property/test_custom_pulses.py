"""Random custom gates: binding equals compiling with numbers, sample for sample and capture for capture."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from qiskit import QuantumCircuit
from qiskit.circuit import Instruction, Parameter

from qctrl import pulse
from qctrl.compiler import compile_circuit, make_gate
from qctrl.protocol import Patch, Program
from qctrl.signal import Player
from tests.unit.compiler import trio

CALIBRATION, SETUP = trio.calibration(), trio.setup()
NAMES = ("a", "p", "f")
FORMAL = tuple(map(Parameter, NAMES))
OPEN = tuple(map(Parameter, ("x", "y", "z")))

FRAMES = {
    "own": "q0.drive",
    "other": pulse.frame("q0.drive", qubit=1),
    "free": pulse.frame("q0.drive", frequency=4.97e9),
    "tone": "f0.readout",
}
frames = st.sampled_from(sorted(FRAMES))
steps = st.one_of(
    st.tuples(st.just("play"), frames, st.sampled_from([8, 24, 40]), st.booleans()),
    st.tuples(st.just("constant"), frames, st.floats(-0.2, 0.2)),
    st.tuples(st.just("delay"), frames, st.integers(0, 5).map(lambda n: 4 * n)),
    st.tuples(st.just("shift"), st.sampled_from(["own", "other", "free", "tone"]), st.floats(-9, 9), st.booleans()),
    st.tuples(st.just("tune"), frames, st.booleans()),
    st.tuples(st.just("barrier")),
)


def build(chosen, captures):
    """Return what the gate plays as a function of an amplitude, a phase and a shift of frequency."""

    def pulses(a, p, f):
        made = []
        for kind, *rest in chosen:
            where = FRAMES[rest[0]] if rest else None
            lo_hz = 7.02e9 if where == "f0.readout" else 4.94e9
            match kind:
                case "play":
                    made.append(pulse.play(where, pulse.gaussian(rest[1] * 1e-9, a / 5, 7e-9, p if rest[2] else 0.3)))
                case "constant":
                    made.append(pulse.play(where, pulse.constant(16e-9, rest[1])))
                case "delay":
                    made.append(pulse.delay(where, rest[1] * 1e-9))
                case "shift":
                    made.append(pulse.shift_phase(where, rest[1] * p if rest[2] else rest[1]))
                case "tune":
                    made.append(pulse.set_frequency(where, lo_hz + f if rest[1] else lo_hz))
                case _:
                    made.append(pulse.barrier())
        if captures:
            made += [pulse.set_frequency("f0.acquire", 7.0e9 + f), pulse.capture("f0.acquire", 80e-9)]
        return made

    return pulses


def circuit_of(gate, others):
    circuit = QuantumCircuit(3, 2)
    for name in others:
        if name == "mine":
            clbits = [1] if gate.n_captures else []
            arguments = [OPEN[0] * 2 - 0.5, OPEN[1] / 3, OPEN[2]]
            circuit.append(Instruction("mine", 1, gate.n_captures, arguments), [0], clbits)
        elif name == "rz":
            circuit.rz(OPEN[1] + 0.25, 0)
        elif name == "again":
            circuit.append(Instruction("mine", 1, gate.n_captures, [0.5, OPEN[0], 1e6]), [0], [0] * gate.n_captures)
        elif name == "measure":
            circuit.measure(0, 0)
        else:
            getattr(circuit, name)(0)
    return circuit


def heard(program, words):
    """Return the samples of every port, and the carrier of every capture."""
    player = Player(program, SETUP, words)
    samples = player.play_block(0, 0)
    return samples, [(each.first_tick, each.length_ticks, each.ftw, each.phase_word) for each in player.captures]


@given(
    chosen=st.lists(steps, min_size=1, max_size=8),
    captures=st.booleans(),
    others=st.lists(st.sampled_from(["mine", "mine", "again", "rz", "sx", "measure"]), min_size=1, max_size=5),
    values=st.tuples(st.floats(-0.25, 0.75), st.floats(-7, 7), st.floats(-3e7, 3e7)),
)
@settings(deadline=None, max_examples=60)
def test_binding_equals_compiling_with_numbers(chosen, captures, others, values):
    gate = make_gate("mine", [0], FORMAL, build(chosen, captures))
    gates = {("mine", (0,)): gate}
    circuit = circuit_of(gate, others)
    by_parameter = dict(zip(OPEN, values, strict=True))
    used = {parameter: by_parameter[parameter] for parameter in circuit.parameters}
    program = compile_circuit(circuit, CALIBRATION, SETUP, gates)
    patch = program.bind([list(used.values())])
    fixed = compile_circuit(circuit.assign_parameters(used), CALIBRATION, SETUP, gates)

    restored = Program.from_bytes(program.to_bytes())
    assert restored.to_bytes() == program.to_bytes()
    patch.verify_for(restored)
    assert Patch.from_bytes(patch.to_bytes()).to_bytes() == patch.to_bytes()
    samples, windows = heard(restored, patch.words[0])
    expected, expected_windows = heard(Program.from_bytes(fixed.to_bytes()), fixed.bind(np.empty((1, 0))).words[0])
    for found, wanted in zip(samples, expected, strict=True):
        assert np.array_equal(found, wanted)
    assert windows == expected_windows
