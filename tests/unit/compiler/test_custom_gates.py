"""Custom gates in the compiler: what they play, when they are compiled anew, and what is refused."""

import math

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import Instruction, Parameter

from qctrl.compiler import (
    _bind_kernels,
    _kernels,
    _order_kernels,
    _pack_kernels,
    check_gate,
    compile_circuit,
    lower,
    make_gate,
    schedule,
    structural_parameters,
)
from qctrl.errors import CalibrationError, CompileError, ResourceError, TimingError
from qctrl.ir import gate_text, pulse_text
from qctrl.protocol import EventOp, Program, RowKind
from qctrl.pulse import (
    barrier,
    capture,
    constant,
    delay,
    drag,
    flat_top_cosine,
    frame,
    gaussian,
    play,
    set_frequency,
    shift_phase,
    square,
)
from tests.unit.compiler import trio

A, B, T = Parameter("a"), Parameter("b"), Parameter("t")
SX = {"duration": 24e-9, "sigma": 5e-9, "beta": 4.1e-10}


def gates(*made):
    return {(gate.name, gate.qubits): gate for gate in made}


def gate(pulses, params=(), qubits=(0,), name="mine"):
    return make_gate(name, qubits, list(params), pulses)


def compiled(circuit, *made):
    return compile_circuit(circuit, trio.calibration(), trio.setup(), gates(*made))


def one(made, arguments=(), clbits=()):
    circuit = QuantumCircuit(3, 1)
    circuit.append(Instruction(made.name, len(made.qubits), len(clbits), list(arguments)), made.qubits, clbits)
    return circuit


def test_a_copy_of_the_calibrations_gates_gives_the_same_bytes():
    copies = [
        gate(lambda: [play("q0.drive", drag(amp=0.11, **SX))], name="my_sx"),
        gate(
            lambda: [
                play("f0.readout", square(400e-9, 0.06, rise=20e-9)),
                delay("f0.acquire", 160e-9),
                capture("f0.acquire", 400e-9),
            ],
            name="my_measure",
        ),
        gate(
            lambda: [
                play("q0.flux", flat_top_cosine(56e-9, 0.28, rise=8e-9)),
                play("c01.flux", flat_top_cosine(56e-9, 0.4, rise=8e-9)),
            ],
            qubits=(0, 1),
            name="my_pulse",
        ),
    ]
    mine, theirs = QuantumCircuit(3, 1), QuantumCircuit(3, 1)
    for circuit, names in ((mine, ("my_sx", "my_measure")), (theirs, ("sx", "measure"))):
        circuit.rz(0.5, 0)
        circuit.append(Instruction(names[0], 1, 0, []), [0])
        circuit.sx(0)
        circuit.append(Instruction(names[1], 1, 1, []), [0], [0])
    assert compiled(mine, *copies).to_bytes() == compiled(theirs).to_bytes()
    assert len(compiled(one(copies[2]), *copies).program.events) == 2


def test_an_amplitude_is_one_row_and_one_program_for_all_values():
    rabi = gate(lambda a: [play("q0.drive", drag(amp=a / 2, **SX)), play("q0.drive", drag(amp=a / 2, **SX))], [A])
    circuit = one(rabi, [2 * B])
    program = compiled(circuit, rabi)
    assert program.parameters == ("b",)
    assert program.program.rows["kind"].tolist() == [RowKind.PHASE, RowKind.GAIN]
    words = program.bind([[0.25], [-0.5]]).words
    assert words[:, 1].view(np.int32).tolist() == [2**28, -(2**29)]
    Program.from_bytes(program.to_bytes())


def test_shifts_on_a_qubits_frame_are_virtual_z_and_others_end_with_the_gate():
    own = frame("q0.drive", frequency=5.0e9)
    made = gate(
        lambda: [
            shift_phase("q0.drive", math.pi / 2),
            shift_phase(own, math.pi),
            play(own, constant(24e-9, 0.1)),
            shift_phase("f0.readout", 1.0),
        ]
    )
    circuit = one(made)
    circuit.append(Instruction("mine", 1, 0, []), [0])
    circuit.sx(0)
    plays = schedule(lower(circuit, trio.calibration(), gates(made)), trio.calibration()).plays
    assert plays["phase"].tolist() == [2**31, 2**31, 2**31], "pi, pi again, and twice pi/2"
    assert len(set(plays["frame"].tolist())) == 2


def test_an_open_phase_of_a_play_leaves_nothing_behind():
    made = gate(lambda p: [play("q0.drive", constant(24e-9, 0.1, phase=p)), shift_phase("q0.drive", 2 * p)], [A])
    circuit = one(made, [A])
    circuit.sx(0)
    program = compiled(circuit, made)
    value = 0.7
    bound = compiled(circuit.assign_parameters({A: value}), made)
    assert np.array_equal(program.samples("q0.drive", [value]), bound.samples("q0.drive"))
    twice = QuantumCircuit(3, 1)
    twice.append(Instruction("mine", 1, 0, [0.0]), [0])
    twice.rz(2 * value, 0)
    twice.sx(0)
    assert np.array_equal(program.samples("q0.drive", [value])[24:], compiled(twice, made).samples("q0.drive")[24:])


def test_a_frequency_returns_when_the_gate_ends():
    made = gate(lambda f: [set_frequency("q0.drive", f), play("q0.drive", gaussian(40e-9, 0.2, sigma=1e-8))], [A])
    circuit = one(made, [5e9 + B])
    circuit.sx(0)
    program = compiled(circuit, made)
    tunes = program.program.events[program.program.events["op"] == EventOp.SET_FREQUENCY]
    assert tunes["start_ticks"].tolist() == [0, 40]
    assert tunes["value_row"].tolist() == [1, 0]
    assert "set_frequency" in program.text()
    fixed = compiled(circuit.assign_parameters({B: 12.5e6}), made)
    assert np.array_equal(program.samples("q0.drive", [12.5e6]), fixed.samples("q0.drive"))
    alone = QuantumCircuit(3, 1)
    alone.delay(40, 0)
    alone.sx(0)
    assert np.array_equal(fixed.samples("q0.drive")[40:], compiled(alone).samples("q0.drive")[40:])


def test_frames_run_together_until_a_barrier():
    made = gate(
        lambda: [
            play("q0.drive", constant(24e-9, 0.1)),
            play(frame("q0.drive", qubit=1), constant(40e-9, 0.1)),
            barrier("q0.drive", "q0.flux"),
            play("q0.flux", constant(8e-9, 0.1)),
            barrier(),
            play("q1.flux", constant(8e-9, 0.1)),
        ],
        qubits=(0, 1),
    )
    circuit = one(made)
    plays = schedule(lower(circuit, trio.calibration(), gates(made)), trio.calibration()).plays
    assert plays["start_ticks"].tolist() == [0, 0, 24, 40]
    assert check_gate(made, trio.calibration(), trio.setup()) == 48


def test_a_gate_keeps_the_frames_of_other_qubits_busy():
    made = gate(lambda: [play("q1.drive", constant(24e-9, 0.1))])
    circuit = one(made)
    circuit.sx(1)
    plays = schedule(lower(circuit, trio.calibration(), gates(made)), trio.calibration()).plays
    assert plays["start_ticks"].tolist() == [4, 28], "one after the other"


def test_the_listings_show_open_numbers():
    made = gate(lambda a, f: [set_frequency("q0.drive", f), play("q0.drive", constant(24e-9, a))], [A, B])
    program = lower(one(made, [A, 5e9]), trio.calibration(), gates(made))
    assert "mine(a, 5000000000.0) q0" in gate_text(program)
    text = pulse_text(schedule(program, trio.calibration()))
    assert "value 0 = x0: amplitude of a play on q0.drive in mine on qubits (0,)" in text
    assert "set_frequency q0.drive f0 5000000000.0 Hz" in text
    assert "set_frequency q0.drive f0 back" in text
    assert "amplitude value 0" in text


def test_durations_and_envelopes_are_compiled_in_and_resources_say_so():
    made = gate(lambda t, s, a: [play("q0.drive", gaussian(2 * t, a, sigma=s))], [T, B, A])
    assert structural_parameters(made) == {0, 1}
    assert check_gate(made, trio.calibration(), trio.setup()) is None
    lines = compiled(one(made, [20e-9, 5e-9, A]), made).resources().text()
    assert "compiled for mine on qubits (0,): t = 2e-08; another value is another program" in lines
    assert "b = 5e-09" in lines
    with pytest.raises(CompileError, match=r"duration of play on q0.drive depends on a parameter.*bind it: SamplerV2"):
        compiled(one(made, [T, 5e-9, 0.1]), made)
    with pytest.raises(CompileError, match=r"sigma of gaussian depends on a parameter"):
        compiled(one(made, [20e-9, B, 0.1]), made)
    with pytest.raises(TimingError, match=r"mine on qubits \(0,\): a duration of 42 ticks .* grid of 4 ticks; use 40"):
        compiled(one(made, [21e-9, 5e-9, 0.1]), made)


def test_two_templates_of_one_name_never_mix():
    first = gate(lambda a: [play("q0.drive", constant(24e-9, a))], [A])
    second = gate(lambda a: [play("q0.drive", constant(24e-9, a / 2))], [A])
    circuit = one(first, [0.5])
    found = [compiled(circuit, each).to_bytes() for each in (first, second, first)]
    assert found[0] == found[2]
    assert found[0] != found[1]
    assert compiled(circuit, gate(lambda a: [play("q0.drive", constant(24e-9, a))], [A])).to_bytes() == found[0]


DRIVE = "q0.drive"
WAVE = constant(24e-9, 0.1)


@pytest.mark.parametrize(
    ("pulses", "error", "match"),
    [
        (lambda: [play("q9.drive", WAVE)], CompileError, "trio has no port 'q9.drive'; it has q0.drive"),
        (lambda: [play("f0.acquire", WAVE)], CompileError, "an acquire port plays nothing; use capture"),
        (lambda: [capture(DRIVE, 1e-7)], CompileError, "it is no acquire port"),
        (lambda: [capture("f0.acquire", 1e-7)] * 2, CompileError, "2 captures; a gate captures once"),
        (lambda: [play("q0.flux", drag(amp=0.1, **SX))], CompileError, "a flux port is real"),
        (lambda: [play("q0.flux", constant(24e-9, 0.1, phase=1))], CompileError, "a flux port is real"),
        (lambda: [play(frame("q0.flux", qubit=0), WAVE)], CompileError, "a flux port has no carrier"),
        (lambda: [shift_phase("q0.flux", 1)], CompileError, "shift_phase on q0.flux: a flux port has no carrier"),
        (lambda: [shift_phase("f0.acquire", 1)], CompileError, "takes the phase of its readout tone"),
        (lambda: [set_frequency("q0.flux", 1e8)], CompileError, "set_frequency on q0.flux"),
        (lambda: [play(frame(DRIVE, qubit=7), WAVE)], CompileError, "qubit 7 has no drive frequency"),
        (
            lambda: [play(DRIVE, constant(24e-9, 1.5))],
            ResourceError,
            "amp 1.5 of play on q0.drive is beyond full scale",
        ),
        (lambda: [play(DRIVE, constant(24.5e-9, 0.1))], TimingError, "24.5.* ticks of 1e-09 s; it must be a whole"),
        (
            lambda: [play(DRIVE, constant(26e-9, 0.1))],
            TimingError,
            "a duration of 26 ticks.*grid of 4 ticks; use 24 or 28",
        ),
        (lambda: [delay(DRIVE, 2e-9), play(DRIVE, WAVE)], TimingError, "a start of 2 ticks on q0.drive is off"),
        (lambda: [play(DRIVE, constant(0, 0.1))], TimingError, "is 0 ticks, the least is 4; lengthen it"),
        (lambda: [play(DRIVE, constant(1.0, 0.1))], TimingError, "is 1000000000 ticks, the limit is 16777216; shorten"),
        (lambda: [delay(DRIVE, 5.0)], TimingError, "lasts 5000000000 ticks, the limit is"),
        (lambda: [delay(DRIVE, -1e-9)], TimingError, "it must be finite and 0 or more"),
        (lambda: [play(DRIVE, drag(24e-9, 0.1, 5e-9, 1e-7))], ResourceError, "the imaginary part of sample"),
        (lambda: [play(DRIVE, gaussian(24e-9, 0.1, sigma=-1e-9))], CompileError, "sigma is -1e-09 s; it must be posi"),
    ],
)
def test_what_cannot_be_played_is_refused_when_the_gate_is_made(pulses, error, match):
    with pytest.raises(error, match=match):
        check_gate(gate(pulses), trio.calibration(), trio.setup())


def test_a_shared_feedline_needs_a_qubit():
    pulses = lambda: [play("f0.readout", square(400e-9, 0.06)), capture("f0.acquire", 400e-9)]  # noqa: E731
    with pytest.raises(
        CompileError, match=r"f0.readout serves qubits 0, 1; say which with frame\('f0.readout', qubit=0"
    ):
        check_gate(gate(pulses, qubits=(0, 1)), trio.calibration(), trio.setup())
    named = lambda: [capture(frame("f0.acquire", qubit=1), 400e-9)]  # noqa: E731
    made = gate(named, qubits=(0, 1))
    program = compiled(one(made, clbits=[0]), made).program
    assert program.discriminators["n_classes"].tolist() == [3], "that of qubit 1"


def test_a_port_without_wires_and_a_dead_qubit_are_refused():
    made = gate(lambda t: [play("q0.drive", constant(t, 0.1))], [T])
    setup = trio.setup()
    bare = type(setup)(**{name: getattr(setup, name) for name in setup.__slots__} | {"ports": setup.ports[1:]})
    with pytest.raises(CompileError, match=r"port q0.drive is not wired; the rack has q1.drive"):
        check_gate(made, trio.calibration(), bare)
    with pytest.raises(CalibrationError, match=r"has no qubit 8"):
        check_gate(gate(list, qubits=(8,)), trio.calibration(), setup)


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        (("2x", [0], [], list), "gate name '2x'"),
        (("g", [], [], list), r"gate g: qubits \[\]"),
        (("g", [0, 0], [], list), r"gate g: qubits \[0, 0\]"),
        (("g", ["q0"], [], list), r"gate g: qubits \['q0'\]"),
        (("g", [0], [A, A], lambda *a: []), "give a list of different Parameter objects"),
        (("g", [0], [0.5], lambda a: []), "give a list of different Parameter objects"),
        (("g", [0], [], lambda: WAVE), "pulses returned Waveform.* return a list of steps"),
        (("g", [0], [], lambda: [WAVE]), "return a list of steps"),
        (
            ("g", [0], [A], lambda a: [delay(DRIVE, a + B)]),
            "depends on parameter b, its params are a; add it to params",
        ),
    ],
)
def test_a_gate_that_is_no_gate_is_refused(arguments, match):
    with pytest.raises(CompileError, match=match):
        make_gate(*arguments)


def test_an_unsupported_operation_is_named(monkeypatch):
    monkeypatch.setattr("qctrl.compiler.parameters.UNARY", {})
    with pytest.raises(CompileError, match=r"gate g: operation sin in sin\(a\) is not supported; use another form"):
        make_gate("g", [0], [A], lambda a: [shift_phase(DRIVE, a.sin())])
    made = gate(lambda a: [shift_phase(DRIVE, a)], [A])
    with pytest.raises(CompileError, match=r"operation sin in a = sin\(b\) is not supported; bind it first"):
        compiled(one(made, [B.sin()]), made)


def test_an_instruction_of_another_form_is_refused():
    made = gate(lambda a: [play(DRIVE, constant(24e-9, a))], [A])
    with pytest.raises(CompileError, match=r"instruction 0: mine on qubits \(0,\): 2 arguments, it takes 1: a"):
        compiled(one(made, [0.1, 0.2]), made)
    with pytest.raises(CompileError, match=r"argument a is nan; bind a finite number"):
        compiled(one(made, [math.nan]), made)
    with pytest.raises(CompileError, match=r"1 classical bits, it captures 0 times; append Instruction\('mine', 1, 0"):
        compiled(one(made, [0.1], [0]), made)
    inverse = gate(lambda a: [shift_phase(DRIVE, 1 / a)], [A])
    with pytest.raises(CompileError, match=r"is inf with a = 0.0; bind other values"):
        compiled(one(inverse, [0.0]), inverse)


def test_bounds_are_checked_after_binding_and_name_parameter_value_and_limit():
    made = gate(lambda a, f: [set_frequency(DRIVE, f), play(DRIVE, constant(24e-9, a))], [A, B])
    program = compiled(one(made, [2 * A, B]), made)
    program.bind([[0.5, 4.5e9], [-0.5, 5.4e9]])
    with pytest.raises(
        ResourceError,
        match=r"1: amplitude of a play on q0.drive in mine on qubits \(0,\) is 1.02 with a = 0.51; the limit is 1 ",
    ):
        program.bind([[0.5, 5e9], [0.51, 5e9]])
    with pytest.raises(ResourceError, match=r"is 5460000000.0 with b = 5460000000.0; the limit is 500000000 Hz from"):
        program.bind([[0.5, 5.46e9]])
    with pytest.raises(CompileError, match=r"parameter a is nan"):
        program.bind([[math.nan, 5e9]])
    with pytest.raises(
        ResourceError, match=r"instruction 0: mine on .*: frequency on q0.drive is 5500000000.0 Hz; the"
    ):
        compiled(one(made, [0.1, 5.5e9]), made)
    inverse = gate(lambda a: [play(DRIVE, constant(24e-9, 1 / a))], [A])
    with pytest.raises(CompileError, match=r"binding 0: amplitude.*is inf with a = 0.0; it must be finite"):
        compiled(one(inverse, [A]), inverse).bind([[0.0]])


def test_the_limit_of_a_port_holds_after_binding_as_before():
    made = gate(lambda a: [play(DRIVE, constant(24e-9, a))], [A])
    setup = trio.setup(q0__drive={"max_amplitude": 0.5})
    build = lambda value: compile_circuit(one(made, [value]), trio.calibration(), setup, gates(made))  # noqa: E731
    build(A).bind([[0.5]])
    build(0.5)
    with pytest.raises(ResourceError, match=r"the limit is 0.5 of full scale, bind a smaller value"):
        build(A).bind([[0.51]])
    with pytest.raises(ResourceError, match=r"may reach 0.51"):
        build(0.51)


def test_amplitudes_that_overlap_are_bounded_together():
    own = [frame(DRIVE, frequency=4.9e9 + 1e7 * k) for k in range(2)]
    tones = gate(
        lambda a, b: [
            play(own[0], constant(40e-9, a)),
            play(own[1], constant(24e-9, b)),
            play(DRIVE, constant(8e-9, 0.2)),
        ],
        [A, B],
    )
    circuit = one(tones, [A, B])
    circuit.append(Instruction("mine", 1, 0, [0.1, B]), [0])
    program = compiled(circuit, tones)
    program.bind([[0.4, -0.4], [-0.8, 0.0], [0.0, 0.7]])
    with pytest.raises(
        ResourceError, match=r"binding 1: port q0.drive: .* may reach 1.1000 of full scale.* limit is 1; bind"
    ):
        program.bind([[0.4, 0.4], [-0.5, 0.4]])
    with pytest.raises(ResourceError, match=r"may reach 1.1000 of full scale"):
        compiled(circuit.assign_parameters({A: -0.5, B: 0.4}), tones)
    in_turn = gate(lambda a: [play(DRIVE, constant(8e-9, a)), play(DRIVE, constant(8e-9, a))], [A])
    assert compiled(one(in_turn, [A]), in_turn).bounds == ()


def test_phases_across_blocks_are_carried_on():
    made = gate(lambda p: [shift_phase(DRIVE, p), play(DRIVE, constant(24e-9, 0.1))], [A])
    circuit = one(made, [A])
    circuit.reset(0)
    circuit.sx(0)
    program = compiled(circuit, made).program
    shifts = program.events[program.events["op"] == EventOp.SHIFT_PHASE]
    assert shifts["phase_row"].tolist() == [1]


def test_kernels_do_the_same_as_plain_python(monkeypatch):
    own = frame("q0.drive", frequency=5.0e9)
    made = gate(
        lambda a, p: [
            set_frequency(own, 4.9e9 + 1e6 * a),
            shift_phase(own, p),
            play(own, constant(24e-9, a)),
            set_frequency(DRIVE, 4.9e9),
            shift_phase(DRIVE, p / 2),
            play(DRIVE, drag(amp=0.1, **SX)),
        ],
        [A, B],
    )
    circuit = one(made, [A, B])
    circuit.rz(B, 0)
    circuit.append(Instruction("mine", 1, 0, [0.2, A]), [0])
    circuit.sx(0)
    circuit.reset(0)
    circuit.measure(0, 0)
    program = compiled(circuit, made)
    words = program.bind([[0.1, 0.2]]).words
    for module in (_kernels, _order_kernels, _pack_kernels, _bind_kernels):
        for name, kernel in list(vars(module).items()):
            if hasattr(kernel, "py_func"):
                monkeypatch.setattr(module, name, _interpreted(kernel.py_func))
    slowly = compiled(circuit, made)
    assert slowly.to_bytes() == program.to_bytes()
    assert np.array_equal(slowly.bind([[0.1, 0.2]]).words, words)


def _interpreted(function):
    """Return a kernel's Python, which reads fields as attributes as Numba does."""

    def call(*columns):
        return function(
            *(each.view(np.recarray) if getattr(each, "dtype", None) and each.dtype.names else each for each in columns)
        )

    return call
