"""Every memory that can be too small, and the instruction that is named."""

import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import Gate, Parameter

from qctrl.compiler import assemble, compile_circuit, lower, make_gate, schedule
from qctrl.errors import CompileError, ResourceError
from qctrl.protocol import limits
from qctrl.pulse import constant, play
from tests.unit.compiler import trio

CALIBRATION = trio.calibration()


def straight():
    """Instruction 3 is the first that plays on q1.drive; 2 and 5 the flux; 4 and 6 measure."""
    made = QuantumCircuit(2, 2)
    made.sx(0)
    made.rz(0.1, 0)
    made.cz(0, 1)
    made.x(1)
    made.measure(0, 0)
    made.cz(0, 1)
    made.measure(1, 1)
    return made


def refused(circuit, match, instruction, gate, **setup):
    with pytest.raises(ResourceError, match=match) as caught:
        compile_circuit(circuit, CALIBRATION, trio.setup(**setup))
    assert (caught.value.instruction, caught.value.gate) == (instruction, gate)
    return caught.value


@pytest.mark.parametrize(
    ("memory", "have", "match", "instruction"),
    [
        ("MAX_EVENTS", 0, r"needs 11 events, the sequencer has 0", 0),
        ("MAX_EVENTS", 1, r"split the circuit there", 2),
        ("MAX_EVENTS", 2, r"first instruction without room", 2),
        ("MAX_EVENTS", 3, r"needs 11 events, the sequencer has 3", 3),
        ("MAX_EVENTS", 5, r"needs 11 events, the sequencer has 5", 4),
        ("MAX_EVENTS", 10, r"needs 11 events, the sequencer has 10", 6),
        ("MAX_FRAMES", 3, r"needs \d frames, the sequencer has 3; or|use fewer qubits", 3),
        ("MAX_FRAMES", 4, r"use fewer qubits, or fewer frames", 4),
        ("MAX_ENVELOPES", 1, r"needs \d envelopes, the sequencer has 1.*use fewer different pulses", 2),
        ("MAX_ENVELOPE_SAMPLES", 23, r"needs \d+ envelope samples, the sequencer has 23.*use shorter", 0),
        ("MAX_ENVELOPE_SAMPLES", 24, r"the sequencer has 24", 2),
        ("MAX_ENVELOPE_SAMPLES", 67, r"needs 108 envelope samples, the sequencer has 67", 4),
        ("MAX_CAPTURES", 1, r"needs 2 captures, the sequencer has 1.*measure less often", 6),
        ("MAX_DISCRIMINATORS", 1, r"needs 2 discriminators, the sequencer has 1.*measure fewer qubits", 6),
        ("MAX_CLBITS", 1, r"needs 2 classical bits, the sequencer has 1.*measure into fewer bits", 6),
    ],
)
def test_the_first_instruction_without_room_is_named(memory, have, match, instruction, monkeypatch):
    monkeypatch.setattr(limits, memory, have)
    gate = straight().data[instruction].name
    error = refused(straight(), match, instruction, gate)
    qubits = tuple(straight().find_bit(bit).index for bit in straight().data[instruction].qubits)
    assert str(error).startswith(
        f"instruction {instruction}: {gate} on qubits ({str(qubits)[1:-1]}): the program needs"
    )
    assert error.qubits == qubits


def test_without_the_circuit_the_index_is_named(monkeypatch):
    monkeypatch.setattr(limits, "MAX_EVENTS", 3)
    pulses = schedule(lower(straight(), CALIBRATION), CALIBRATION)
    with pytest.raises(ResourceError, match=r"^instruction 3: the program needs 11 events"):
        assemble(pulses, trio.setup())


def test_bits_that_nothing_writes_are_nobodys_fault(monkeypatch):
    monkeypatch.setattr(limits, "MAX_CLBITS", 1)
    refused(QuantumCircuit(1, 2), "^the program needs 2 classical bits, the sequencer has 1; measure", None, None)


def test_open_angles_beyond_the_rows_name_their_rz(monkeypatch):
    monkeypatch.setattr(limits, "MAX_SLOTS", 3)
    made = QuantumCircuit(2)
    for name in "abc":
        made.sx(0)
        made.rz(Parameter(name), 0)
    refused(made, r"needs 4 parameter rows, the sequencer has 3.*bind some of the parameters", 5, "rz")


def custom(names):
    a = Parameter("a")
    gate = make_gate("mine", (0,), [a], lambda a: [play("q0.drive", constant(20e-9, a))])
    made = QuantumCircuit(1)
    for name in names:
        made.append(Gate("mine", 1, [Parameter(name)]), [0])
    return made, {("mine", (0,)): gate}


def test_open_amplitudes_beyond_the_rows_name_their_gate(monkeypatch):
    monkeypatch.setattr(limits, "MAX_SLOTS", 3)
    circuit, gates = custom("abc")
    with pytest.raises(ResourceError, match=r"instruction 2: mine on qubits \(0,\): .* 4 parameter rows"):
        compile_circuit(circuit, CALIBRATION, trio.setup(), gates)


@pytest.mark.parametrize(("delay", "instruction"), [(50, 2), (70, 2), (100, 1)])
def test_a_block_that_lasts_too_long_names_whoever_cannot_end_in_time(delay, instruction, monkeypatch):
    monkeypatch.setattr(limits, "MAX_TICKS", 99)
    made = QuantumCircuit(2)
    made.sx(0)
    made.delay(delay, 0, unit="dt")
    made.delay(80, 0, unit="dt") if delay < 100 else made.x(0)
    refused(made, r"needs \d+ ticks in one block, the sequencer has 99", instruction, "delay")


def test_a_barrier_passes_on_who_is_late(monkeypatch):
    monkeypatch.setattr(limits, "MAX_TICKS", 99)
    made = QuantumCircuit(2)
    made.delay(80, 0, unit="dt")
    made.barrier()
    made.rz(0.1, 1)
    made.x(1)
    refused(made, "ticks in one block", 3, "x")


def test_a_wait_for_a_bit_is_nobodys_fault(monkeypatch):
    monkeypatch.setattr(limits, "MAX_TICKS", 700)
    made = QuantumCircuit(1)
    made.reset(0)
    refused(made, r"^the program needs \d+ ticks in one block", None, None, latency_ticks=1000)


def resets(n):
    made = QuantumCircuit(1)
    for _ in range(n):
        made.reset(0)
        made.x(0)
    return made


@pytest.mark.parametrize(
    ("memory", "have", "instruction"), [("MAX_BLOCKS", 4, 2), ("MAX_BLOCKS", 5, 3), ("MAX_FLOW", 7, 2)]
)
def test_blocks_and_flow_name_the_reset(memory, have, instruction, monkeypatch):
    monkeypatch.setattr(limits, memory, have)
    refused(resets(3), "use fewer branches, loops", instruction, resets(3).data[instruction].name)


def test_a_flow_of_decisions_names_the_control_flow(monkeypatch):
    monkeypatch.setattr(limits, "MAX_FLOW", 8)
    made = QuantumCircuit(1, 1)
    made.measure(0, 0)
    for _ in range(4):
        with made.if_test((made.clbits[0], 1)):
            made.x(0)
    with pytest.raises(CompileError, match=r"more than 8 flow instructions; use fewer branches") as caught:
        compile_circuit(made, CALIBRATION, trio.setup())
    assert caught.value.instruction == 4
