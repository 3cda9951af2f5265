"""The corpus: every circuit becomes Q1ASM that the vendor's assembler takes and that plays the packed program."""

import random

import numpy as np
import pytest
from qiskit import QuantumCircuit, generate_preset_pass_manager

from qctrl.errors import ConfigError, ProtocolError, ResourceError, TimingError, UnsupportedInstructionError
from qctrl.instruments.qblox import ClusterWiring, to_q1asm
from qctrl.protocol import Crosstalk, FlowOp, Mixer, flow
from tests.unit.instruments.qblox import assembler, toys
from tests.unit.instruments.qblox.comparison import compare
from tests.unit.instruments.qblox.conftest import CHAIN5, PAIR2


def compiled(circuit, backend):
    passes = generate_preset_pass_manager(0, backend=backend, seed_transpiler=1)
    return backend.compile(passes.run(circuit)).program


def ghz(n):
    circuit = QuantumCircuit(n, n)
    circuit.h(0)
    for k in range(n - 1):
        circuit.cx(k, k + 1)
    circuit.measure(range(n), range(n))
    return circuit


def benchmarking(n_cliffords):
    chance, circuit = random.Random(7), QuantumCircuit(2, 2)
    for _ in range(n_cliffords):
        for qubit in range(2):
            for _ in range(chance.randrange(3)):
                circuit.rz(chance.randrange(4) * np.pi / 2, qubit)
                circuit.sx(qubit)
    circuit.measure([0, 1], [0, 1])
    return circuit


def relaxation(delay_us):
    circuit = QuantumCircuit(2, 2)
    circuit.x(0)
    circuit.delay(delay_us, 0, unit="us")
    circuit.measure(0, 0)
    return circuit


def active_reset():
    circuit = QuantumCircuit(2, 2)
    circuit.h(0)
    circuit.reset(0)
    circuit.sx(0)
    circuit.measure(0, 0)
    return circuit


def teleported_correction():
    circuit = QuantumCircuit(2, 2)
    circuit.h(0)
    circuit.cx(0, 1)
    circuit.measure(0, 0)
    with circuit.if_test((0, 1)) as otherwise:
        circuit.x(1)
        circuit.rz(0.3, 1)
    with otherwise:
        circuit.rz(0.7, 1)
        circuit.sx(1)
    circuit.sx(1)
    circuit.measure(1, 1)
    return circuit


def repeated_feedback():
    circuit = QuantumCircuit(2, 2)
    with circuit.for_loop(range(20)):
        circuit.sx(0)
        circuit.measure(0, 0)
        with circuit.if_test((0, 1)):
            circuit.x(1)
            circuit.rz(0.1, 0)
    with circuit.for_loop(range(300)):
        circuit.sx(1)
        circuit.rz(0.11, 1)
    circuit.measure(1, 1)
    return circuit


def both_bits():
    circuit = QuantumCircuit(2, 2)
    circuit.h(0)
    circuit.measure(0, 0)
    circuit.barrier()
    circuit.h(1)
    circuit.measure(1, 1)
    with circuit.if_test((circuit.cregs[0], 3)):
        circuit.x(0)
        with circuit.if_test((circuit.cregs[0], 0)):
            circuit.x(1)
    return circuit


def layers(n_layers):
    chance, circuit = random.Random(3), QuantumCircuit(5, 5)
    for layer in range(n_layers):
        for qubit in range(5):
            circuit.rz(chance.random(), qubit)
            circuit.sx(qubit)
        for qubit in range(layer % 2, 4, 2):
            circuit.cz(qubit, qubit + 1)
    circuit.measure(range(5), range(5))
    return circuit


@pytest.mark.parametrize(
    ("circuit", "n_shots"),
    [
        (ghz(2), 2),
        (benchmarking(60), 1),
        (relaxation(500), 2),
        (active_reset(), 4),
        (teleported_correction(), 4),
        (repeated_feedback(), 2),
        (both_bits(), 5),
    ],
    ids=["bell", "rb", "t1", "active reset", "if else", "loops", "both bits"],
)
def test_corpus_on_two_qubits(circuit, n_shots, pair2, tmp_path, rng):
    program = compiled(circuit, pair2)
    cluster = to_q1asm(program, pair2.setup, PAIR2, n_shots=n_shots, rep_delay_ticks=100_000)
    outcomes = {}
    compare(cluster, program, [0], lambda *key: outcomes.setdefault(key, int(rng.integers(2))))
    assembler.accept(cluster, tmp_path)


@pytest.mark.parametrize("circuit", [ghz(5), layers(20)], ids=["ghz", "twenty layers"])
def test_corpus_on_five_qubits(circuit, chain5, tmp_path):
    program = compiled(circuit, chain5)
    cluster = to_q1asm(program, chain5.setup, CHAIN5)
    compare(cluster, program, [0], lambda *key: 0)
    assembler.accept(cluster, tmp_path)


def test_a_straight_program_keeps_every_time_of_the_packed_one(pair2):
    program = compiled(ghz(2), pair2)
    cluster = to_q1asm(program, pair2.setup, PAIR2)
    assert [(played.block, played.at_ns) for played in cluster.timeline] == [(0, 0)]


def test_parameters_are_numbers_of_their_binding(tmp_path):
    setup = toys.setup()
    program = toys.program(setup, [([toys.play(0, phase_row=1, gain_row=2)], 24)])
    texts = set()
    for words in (toys.words(1 << 30, toys.ONE // 4), toys.words(1 << 31, -toys.ONE)):
        cluster = to_q1asm(program, setup, toys.WIRING, words)
        compare(cluster, program, words.tolist(), lambda *key: 0)
        assembler.accept(cluster, tmp_path)
        texts.add(cluster.text())
    assert len(texts) == 2
    with pytest.raises(ProtocolError, match="2 open slots and no words"):
        to_q1asm(program, setup, toys.WIRING)


def test_a_changed_frequency_is_coherent_with_the_shot(tmp_path):
    setup = toys.setup()
    events = [
        toys.play(0),
        toys.tune(24, toys.hz(33.3e6)),
        toys.play(40),
        toys.tune(64, toys.hz(-78.7e6)),
        toys.play(88),
    ]
    program = toys.program(setup, [(events, 112)])
    cluster = to_q1asm(program, setup, toys.WIRING, toys.words(), n_shots=2)
    compare(cluster, program, [0, 0, 0], lambda *key: 0)
    assembler.accept(cluster, tmp_path)


def test_real_weights_and_windows_of_several_lengths(tmp_path):
    setup = toys.setup()
    captures = [(toys.ACQUIRE, weights, 0, 0, k, 0) for k, weights in enumerate((-1, 2, -1))]
    events = [toys.capture(500 * k, k, length) for k, length in enumerate((400, 400, 200))]
    program = toys.program(setup, [(events, 1200)], captures=captures)
    cluster = to_q1asm(program, setup, toys.WIRING, toys.words())
    compare(cluster, program, [0, 0, 0], lambda *key: 0)
    assembler.accept(cluster, tmp_path)
    assert [len(each["data"]) for each in cluster.sequences[0].weights.values()] == [400, 200]


@pytest.mark.parametrize("hold", [3071, 3072, 3073, 20_000])
def test_a_long_plateau_is_a_short_waveform_played_again_and_again(hold, tmp_path):
    setup, length = toys.setup(), 32 + hold
    envelopes = [(0, 32, 12, hold), (24, 1, 0, length - 1)]
    events = [toys.play(0, 0, length=length), toys.play(0, 1, length=length, frame=toys.FLUX)]
    program = toys.program(setup, [(events, length), ([toys.play(0, 2)], 24)], envelopes=[*envelopes, (0, 24, 0, 0)])
    cluster = to_q1asm(program, setup, toys.WIRING, toys.words(), n_shots=2)
    compare(cluster, program, [0, 0, 0], lambda *key: 0)
    assembler.accept(cluster, tmp_path)
    assert all(sum(len(each["data"]) for each in one.waveforms.values()) < 11_000 for one in cluster.sequences)


def test_loops_in_loops_carry_the_phase_on(tmp_path):
    setup, one = toys.setup(), flow.instruction
    steps = [one(FlowOp.LOAD, 1, 2), one(FlowOp.LOAD, 3, 0), one(FlowOp.PLAY_BLOCK, 0), one(FlowOp.LOAD, 4, 1)]
    steps += [one(FlowOp.PLAY_BLOCK, 1), one(FlowOp.SUB, 1, 1, 64, 2), one(FlowOp.BRANCH_IF, 1, 4, 1)]
    steps += [one(FlowOp.SUB, 0, 0, 64, 2), one(FlowOp.BRANCH_IF, 0, 2, 1), one(FlowOp.END)]
    blocks = [([toys.play(0, frame=f), toys.shift(24, 12345678 * (f + 1), f)], 1000 + 4 * f) for f in (0, 1)]
    program = toys.program(setup, blocks, steps)
    cluster = to_q1asm(program, setup, toys.WIRING, toys.words(), n_shots=2)
    compare(cluster, program, [0, 0, 0], lambda *key: 0)
    blocks[1][0].append(toys.play(0))
    program = toys.program(setup, blocks, steps)
    cluster = to_q1asm(program, setup, toys.WIRING, toys.words(), n_shots=2)
    compare(cluster, program, [0, 0, 0], lambda *key: 0)
    assembler.accept(cluster, tmp_path)


def test_a_capture_on_a_way_that_no_outcome_takes_is_not_waited_for(tmp_path):
    setup, one = toys.setup(), flow.instruction
    steps = [
        one(FlowOp.PLAY_BLOCK, 0),
        one(FlowOp.BRANCH_BIT, 1, 5, 1),
        one(FlowOp.BRANCH_BIT, 1, 4, 0),
        one(FlowOp.PLAY_BLOCK, 1),
        one(FlowOp.BRANCH_BIT, 0, 5, 1),
        one(FlowOp.END),
    ]
    blocks = [([toys.capture(0, k, frame=toys.ACQUIRE + k)], 400) for k in (1, 0)]
    program = toys.program(setup, blocks, steps)
    cluster = to_q1asm(program, setup, toys.WIRING, toys.words(), n_shots=4)
    compare(cluster, program, [0, 0, 0], lambda shot, k: shot >> k & 1)
    assembler.accept(cluster, tmp_path)


def test_thresholds_are_the_line_between_two_classes(pair2):
    cluster = to_q1asm(compiled(active_reset(), pair2), pair2.setup, PAIR2)
    program = compiled(active_reset(), pair2)
    (deciding,) = [each for each in cluster.sequences if each.threshold is not None]
    coef = program.discriminators[0]["coef"]
    angle = np.deg2rad(deciding.threshold.rotation_deg)
    for point in np.random.default_rng(1).normal(size=(50, 2)):
        scores = coef[:2] @ [*point, 1.0]
        beyond = point @ [np.cos(angle), np.sin(angle)] > deciding.threshold.level
        assert beyond == (scores[1] > scores[0])


def program_of(*events, length=4000, steps=None, **changes):
    setup = toys.setup()
    return toys.program(setup, [(list(events), length)], steps, **changes), setup


def branch(bit=0):
    return [
        flow.instruction(FlowOp.PLAY_BLOCK, 0),
        flow.instruction(FlowOp.BRANCH_BIT, bit, 3, 0),
        flow.instruction(FlowOp.PLAY_BLOCK, 1),
        flow.instruction(FlowOp.END),
    ]


def whole(events, steps, **changes):
    setup = toys.setup()
    return toys.program(setup, [(events, 2000), ([toys.play(0)], 24)], steps, **changes), setup


WHILE = [
    flow.instruction(FlowOp.PLAY_BLOCK, 0),
    flow.instruction(FlowOp.BRANCH_BIT, 0, 0, 1),
    flow.instruction(FlowOp.END),
]
BOTH = [
    flow.instruction(FlowOp.PLAY_BLOCK, 0),
    flow.instruction(FlowOp.BRANCH_BIT, 0, 3, 0),
    flow.instruction(FlowOp.PLAY_BLOCK, 1),
    flow.instruction(FlowOp.BRANCH_BIT, 1, 5, 0),
    flow.instruction(FlowOp.PLAY_BLOCK, 1),
    flow.instruction(FlowOp.END),
]
LONG = {"envelopes": [(0, 17_000, 0, 0)], "samples": np.ones((17_000, 2), dtype=np.int16)}
SAMPLES = np.stack([np.arange(1025), np.zeros(1025)], axis=1).astype(np.int16)
TWICE = [(toys.ACQUIRE, -1, 0, k, k, 0) for k in (0, 1)]
COMPLEX_WEIGHTS = {"captures": [(toys.ACQUIRE, 0, 0, 0, 0, 0)]}


@pytest.mark.parametrize(
    ("made", "error", "name"),
    [
        (
            program_of(*(toys.play(k, length=2, frame=toys.FLUX) for k in (0, 2)), envelopes=[(0, 2, 0, 0)]),
            TimingError,
            "two events lie 2 ns apart at 0 ns of the shot, the shortest real-time instruction takes 4 ns",
        ),
        (
            program_of(toys.play(0), toys.play(25, phase=1 << 30)),
            TimingError,
            "capability NCO grid: a phase must change at 25 ns",
        ),
        (program_of(toys.play(0, length=17_000), length=17_000, **LONG), ResourceError, "waveforms: needs 17000"),
        (
            program_of(
                *(toys.play(24 * k, k, length=1, frame=toys.FLUX) for k in range(1025)),
                length=25_000,
                envelopes=[(k, 1, 0, 0) for k in range(1025)],
                samples=SAMPLES,
            ),
            ResourceError,
            "memory waveforms: needs more than 1024",
        ),
        (
            program_of(*(toys.play(24 * k, phase=k << 18) for k in range(9000)), length=216_000),
            ResourceError,
            "memory instructions: needs 18009, has 16384",
        ),
        (
            program_of(*(toys.play(4 * k, 0, (-1) ** k * toys.ONE, k << 20, length=4) for k in range(400)),
                length=1600, envelopes=[(0, 4, 0, 0)]),
            ResourceError,
            "memory real-time queue",
        ),
        (program_of(toys.play(0), toys.play(26), toys.play(51)), None, ""),
        (program_of(toys.capture(0, 0, 402)), ResourceError, "a window of 402 ns is no multiple of 4"),
        (program_of(toys.capture(0, 0, 100), toys.capture(200, 1, 100), captures=[(toys.ACQUIRE, -1, 0, 0, 0, 0)] * 2),
         ResourceError, "begin 200 ns apart, at least 300"),
        (program_of(toys.capture(0, 0, 24), **COMPLEX_WEIGHTS), UnsupportedInstructionError, "capability weights"),
        (whole([toys.capture(0, 0)], WHILE), UnsupportedInstructionError, "capability loops"),
        (whole([toys.capture(0, 0)], branch(), n_classes=3), UnsupportedInstructionError, "capability thresholds"),
        (
            whole([toys.capture(0, 0), toys.capture(100, 1, frame=toys.ACQUIRE_2)], BOTH),
            UnsupportedInstructionError,
            "capability trigger network: two measured bits that matter are sent 100 ns apart",
        ),
        (
            whole([toys.capture(0, 0), toys.capture(600, 1)], branch(), captures=TWICE),
            UnsupportedInstructionError,
            "capability trigger latches",
        ),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused_by_the_name_of_what_is_lacking(made, error, name, tmp_path):
    program, setup = made
    if error is None:
        assembler.accept(to_q1asm(program, setup, toys.WIRING, toys.words()), tmp_path)
        return
    with pytest.raises(error, match=name) as caught:
        to_q1asm(program, setup, toys.WIRING, toys.words())
    assert str(caught.value).startswith("Qblox ")


def test_too_many_shots_for_the_bins_are_refused():
    program, setup = program_of(toys.capture(0, 0))
    with pytest.raises(
        ResourceError, match="memory bins: 200000 shots with 1 acquisitions each need 200000, it has 131072"
    ):
        to_q1asm(program, setup, toys.WIRING, toys.words(), n_shots=200_000)


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"iq_drive": {"mixer": Mixer(offset_i=0.01)}}, "capability mixer correction: q0.drive"),
        ({"flux": {"iir": ((0.1, 1e-7),)}}, "capability predistortion: q0.flux has 1 exponential"),
        ({"flux": {"max_step": 0.1}}, "capability slew and duty limits"),
        ({"crosstalk": (Crosstalk(("q0.flux",), ((1.0,),), ((0.0,),)),)}, "capability crosstalk"),
    ],
)
def test_a_setup_that_no_sequencer_realises_is_refused(changes, name):
    setup = toys.setup(**changes)
    program = toys.program(setup, [([toys.play(0)], 24)])
    with pytest.raises(UnsupportedInstructionError, match=name):
        to_q1asm(program, setup, toys.WIRING, toys.words())


@pytest.mark.parametrize(
    ("modules", "ports", "name"),
    [
        ({}, {"q0.flux": (2, 1)}, "flux needs a baseband module"),
        ({}, {"q0.drive": (4, 1)}, "iq_drive needs an RF module"),
        ({}, {"f0.acquire": (2, 1)}, "which acquires nothing"),
        ({}, {"q0.drive": (2, 3)}, "which has 2; use one of them"),
    ],
)
def test_a_wrong_wiring_is_refused(modules, ports, name):
    setup = toys.setup()
    wiring = ClusterWiring({**toys.WIRING.modules, **modules}, {**toys.WIRING.ports, **ports})
    with pytest.raises(ConfigError, match=name):
        to_q1asm(toys.program(setup, [([toys.play(0)], 24)]), setup, wiring, toys.words())


def test_a_port_without_a_module_and_a_foreign_setup_are_refused():
    setup = toys.setup()
    program = toys.program(setup, [([toys.play(0)], 24)])
    with pytest.raises(ConfigError, match=r"port q0.drive is on no module"):
        to_q1asm(program, setup, ClusterWiring({2: "QCM"}, {}), toys.words())
    with pytest.raises(ProtocolError, match="assembled for another Setup"):
        to_q1asm(program, toys.setup(granularity=4), toys.WIRING, toys.words())


def test_a_module_has_six_sequencers(chain5):
    crowded = ClusterWiring({**CHAIN5.modules}, {**CHAIN5.ports, "f0.acquire": (7, 1)})
    with pytest.raises(ResourceError, match="memory sequencers: the program uses more than 6 frames"):
        to_q1asm(compiled(ghz(5), chain5), chain5.setup, crowded)
