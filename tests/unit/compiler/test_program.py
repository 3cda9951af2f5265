"""What users see of a compiled program."""

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter

from qctrl.compiler import compile_circuit, compile_many
from qctrl.errors import CompileError
from qctrl.protocol import Program
from tests.unit.compiler import trio

CALIBRATION, SETUP = trio.calibration(), trio.setup()


def parametric():
    circuit = QuantumCircuit(2, 2)
    circuit.sx(0)
    circuit.rz(Parameter("a"), 0)
    circuit.x(0)
    circuit.cz(0, 1)
    circuit.measure([0, 1], [0, 1])
    return compile_circuit(circuit, CALIBRATION, SETUP)


def test_it_knows_its_interface():
    compiled = parametric()
    assert compiled.parameters == ("a",)
    assert compiled.cregs == (("c", (0, 1)),)
    assert compiled.n_circuit_clbits == 2
    assert compiled.calibration_id == "cal-trio"
    assert compiled.program.calibration_hash == CALIBRATION.hash
    assert compiled.program.setup_hash == SETUP.hash


def test_its_bytes_are_the_program_on_the_wire():
    compiled = parametric()
    assert Program.from_bytes(compiled.to_bytes()).hash == compiled.hash
    assert compiled.text() == compiled.program.text()


def test_it_introduces_itself_in_a_line():
    compiled = parametric()
    shown = repr(compiled)
    assert shown.startswith(
        f"<CompiledProgram for trio: {len(compiled.program.events)} events in 1 blocks, parameters "
    )
    assert shown.endswith(f"{compiled.hash.hex()[:12]}>")


def test_resources_count_memories_and_ports():
    resources = parametric().resources()
    ports = {use.port: use for use in resources.ports}
    assert (ports["q0.drive"].plays, ports["q0.drive"].envelope_samples) == (2, 24)
    assert (ports["f0.acquire"].captures, ports["f0.readout"].plays) == (2, 2)
    memories = {use.memory: use for use in resources.memories}
    assert memories["parameter rows"].need == 2
    assert all(use.need <= use.have for use in resources.memories)
    assert "q0.drive: 2 plays, 0 captures, 1 frames, 24 samples, 44 words" in resources.text()
    assert "parameter rows: 2 of 1048576" in resources.text()
    assert resources.parameters == parametric().parameters
    assert f"bound without compiling again: {', '.join(resources.parameters)}" in resources.text()


def test_samples_depend_on_the_values():
    compiled = parametric()
    one, two = (compiled.samples("q0.drive", [value]) for value in (0.0, 1.0))
    n_samples = int(compiled.program.blocks["length_ticks"].sum())
    assert one.shape == two.shape == (n_samples,)
    assert one.dtype == np.complex128
    differ = np.flatnonzero(one != two)
    second = np.flatnonzero(np.abs(one) > 0)[-1]
    assert differ.size
    assert differ.min() > 20
    assert differ.max() <= second


def test_samples_of_a_flux_port_are_real_and_idle_at_their_level():
    samples = parametric().samples("c01.flux", [0.0])
    assert samples.dtype == np.float64
    assert samples[-1] == pytest.approx(0.1, abs=2**-15)
    assert samples.max() == pytest.approx(0.4, abs=2**-14)


def test_samples_of_a_program_without_parameters_need_no_values():
    circuit = QuantumCircuit(1)
    circuit.sx(0)
    assert compile_circuit(circuit, CALIBRATION, SETUP).samples("q0.drive").shape == (24,)


def test_samples_without_values_are_refused():
    with pytest.raises(CompileError, match="need values for the parameters a"):
        parametric().samples("q0.drive")


def test_samples_of_an_unknown_port_are_refused():
    with pytest.raises(CompileError, match=r"no port q9\.drive"):
        parametric().samples("q9.drive", [0.0])


def test_samples_of_a_branching_program_are_refused():
    circuit = QuantumCircuit(1)
    circuit.reset(0)
    with pytest.raises(CompileError, match="differ from shot to shot"):
        compile_circuit(circuit, CALIBRATION, SETUP).samples("q0.drive")


def test_compile_many_keeps_the_order():
    circuits = []
    for n_gates in range(3):
        circuit = QuantumCircuit(1)
        for _ in range(n_gates):
            circuit.sx(0)
        circuits.append(circuit)
    compiled = compile_many(circuits, CALIBRATION, SETUP)
    assert [len(program.program.events) for program in compiled] == [0, 1, 2]
