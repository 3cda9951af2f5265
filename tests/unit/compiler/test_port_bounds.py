"""What compiles can be played: predistortion, crosstalk and slew are within the bound."""

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from qiskit import QuantumCircuit
from qiskit.circuit import Gate, Parameter

from qctrl.compiler import compile_circuit, make_gate
from qctrl.errors import ResourceError
from qctrl.protocol import Crosstalk, Mixer
from qctrl.pulse import constant, delay, play, set_frequency, square
from tests.unit.compiler import trio

CALIBRATION = trio.calibration()
FLUX = ("q0.flux", "q1.flux", "c01.flux")
DRIVES = ("q0.drive", "q1.drive")
A = Parameter("a")


def setup(crosstalk=(), **ports):
    made = trio.setup(**ports)
    object.__setattr__(made, "crosstalk", tuple(crosstalk))
    made.verify()
    return made


def matrix(names, rows, imag=None):
    zeros = [[0.0] * len(names)] * len(names)
    return Crosstalk(names, tuple(map(tuple, rows)), tuple(map(tuple, imag or zeros)))


def flux_gate(amplitude=0.5, params=()):
    steps = [
        play("q0.flux", square(40e-9, amplitude, 8e-9)),
        delay("q0.flux", 4e-9),
        play("q0.flux", constant(20e-9, amplitude)),
    ]
    gate = make_gate("park", (0,), list(params), lambda *_: steps)
    made = QuantumCircuit(1)
    made.append(Gate("park", 1, list(params)), [0])
    return made, {("park", (0,)): gate}


def refused(match, crosstalk=(), **ports):
    circuit, gates = flux_gate()
    with pytest.raises(ResourceError, match=match) as caught:
        compile_circuit(circuit, CALIBRATION, setup(crosstalk, **ports), gates)
    assert (caught.value.instruction, caught.value.gate) == (0, "park")


def test_predistortion_counts():
    circuit, gates = flux_gate()
    compile_circuit(circuit, CALIBRATION, setup(q0__flux={"iir": ((-0.2, 1e-6),), "max_amplitude": 0.751}), gates)
    refused(
        r"instruction 0: park on qubits \(0,\): port q0\.flux: .* may reach 0\.7500 of full scale after predistortion, "
        r"the limit is 0\.7490; lower",
        q0__flux={"iir": ((-0.2, 1e-6),), "max_amplitude": 0.749},
    )
    refused(r"may reach 1\.0000", q0__flux={"fir": (1.5, -0.5), "max_amplitude": 0.9})


def test_crosstalk_from_other_ports_counts():
    mixed = matrix(("q1.flux", "q0.flux"), [[1.0, -0.4], [0.0, 1.0]])
    refused(
        r"port q1\.flux: plays may reach 0\.2000 of full scale after crosstalk correction, the most of it from "
        r"q0\.flux, the limit is 0\.19; lower",
        [mixed],
        q1__flux={"max_amplitude": 0.19},
    )
    circuit, gates = flux_gate()
    compile_circuit(circuit, CALIBRATION, setup([mixed], q1__flux={"max_amplitude": 0.201}), gates)


def test_what_the_matrix_leaves_of_the_own_plays_counts():
    circuit, gates = flux_gate()
    mixed = matrix(("q1.flux", "q0.flux"), [[1.0, 0.0], [0.0, 0.5]])
    compile_circuit(circuit, CALIBRATION, setup([mixed], q0__flux={"max_amplitude": 0.26}), gates)
    refused(r"q0\.flux: plays at tick .* may reach 0\.2500", [mixed], q0__flux={"max_amplitude": 0.24})


def test_an_edge_that_is_too_steep_is_refused():
    circuit, gates = flux_gate()
    assert compile_circuit(circuit, CALIBRATION, setup(q0__flux={"max_step": 0.501}), gates).samples("q0.flux").any()
    refused(
        r"port q0\.flux: plays may change the output by 0\.5 of full scale from one sample to the next, the limit is "
        r"0\.499; lower their amplitudes, or lengthen",
        q0__flux={"max_step": 0.499},
    )


def test_crosstalk_and_filters_make_edges_steeper():
    mixed = matrix(("q1.flux", "q0.flux"), [[1.0, -0.4], [0.0, 1.0]])
    refused(r"port q1\.flux: .* by 0\.2 of full scale .* from q0\.flux", [mixed], q1__flux={"max_step": 0.19})
    refused(r"port q0\.flux: .* by 1 of full scale", q0__flux={"max_step": 0.9, "fir": (1.5, -0.5)})


def test_a_carrier_changes_fast():
    made = QuantumCircuit(1)
    made.sx(0)
    # 50 MHz at 1 GS/s: 2 sin(pi / 20) of the peak of 0.11, and the envelope's own step
    with pytest.raises(ResourceError, match=r"q0\.drive: plays may change the output by 0\.04"):
        compile_circuit(made, CALIBRATION, setup(q0__drive={"max_step": 0.03}))
    gate = make_gate(
        "fast", (0,), [], lambda: [set_frequency("q0.drive", 5.4e9), play("q0.drive", constant(24e-9, 0.1))]
    )
    made = QuantumCircuit(1)
    made.append(Gate("fast", 1, []), [0])
    with pytest.raises(ResourceError, match=r"by 0\.3 of full scale"):
        compile_circuit(made, CALIBRATION, setup(q0__drive={"max_step": 0.29}), {("fast", (0,)): gate})


@pytest.mark.parametrize(
    ("ports", "match"),
    [
        (
            {"q0__flux": {"max_step": 0.4}},
            r"binding 1: port q0\.flux: plays may change the output by 0\.41 .* 0\.4; bind",
        ),
        (
            {"q1__flux": {"max_amplitude": 0.2}},
            r"binding 1: port q1\.flux: plays may reach 0\.2050 of full scale after",
        ),
    ],
)
def test_open_amplitudes_are_checked_when_they_are_bound(ports, match):
    circuit, gates = flux_gate(A, [A])
    mixed = matrix(("q1.flux", "q0.flux"), [[1.0, -0.5], [0.0, 1.0]])
    program = compile_circuit(circuit, CALIBRATION, setup([mixed], **ports), gates)
    program.bind([[0.3], [-0.39]])
    with pytest.raises(ResourceError, match=match):
        program.bind([[0.3], [0.41]])


small = st.floats(-0.2, 0.2)
limits = {"max_amplitude": st.floats(0.25, 1.0), "max_step": st.floats(0.05, 2.0)}
filters = {
    "iir": st.lists(st.tuples(st.floats(-0.3, 0.5), st.floats(2e-9, 1e-6)), max_size=2).map(tuple),
    "fir": st.lists(st.floats(-0.6, 1.2), max_size=3).map(tuple),
}
mixers = st.builds(lambda a, b, c: Mixer((1 + a, b, c, 1 - a), c / 4, a / 4), small, small, small)


@st.composite
def racks(draw):
    fields = {}
    for name in (*FLUX, *DRIVES, "f0.readout"):
        changes = {key: draw(value) for key, value in (limits | filters).items()}
        if not name.endswith("flux"):
            changes |= {"mixer": draw(mixers), "iir": (), "lo_hz": draw(st.sampled_from([4.95e9, 4.8e9, 5.05e9]))}
        if name.endswith("readout"):
            changes["lo_hz"] = 7.1e9
        fields[name.replace(".", "__")] = changes
    groups = []
    for names, is_flux in ((FLUX, True), (DRIVES, False)):
        rows = [[draw(small) + (row == column) for column in names] for row in names]
        imag = None if is_flux else [[draw(small) for _ in names] for _ in names]
        groups.append(matrix(names, rows, imag))
    return setup(groups[: draw(st.integers(0, 2))], **fields)


@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
@given(racks(), st.lists(st.sampled_from(["sx0", "x1", "cz", "measure"]), min_size=1, max_size=6))
def test_what_compiles_can_be_played(rack, names):
    made = QuantumCircuit(2, 2)
    for name in names:
        {"sx0": lambda: made.sx(0), "x1": lambda: made.x(1), "cz": lambda: made.cz(0, 1)}.get(
            name, lambda: made.measure([0, 1], [0, 1])
        )()
    try:
        program = compile_circuit(made, CALIBRATION, rack)
    except ResourceError:
        assume(False)
    for port in trio.OUTPUTS:
        program.samples(port)


def test_a_loop_that_plays_for_too_long_is_refused_by_the_compiler():
    made = QuantumCircuit(2, 1)
    made.x(0)
    with made.while_loop((made.clbits[0], 0)):
        made.sx(0)
        made.cz(0, 1)
        made.measure(0, 0)
    compile_circuit(made, CALIBRATION, setup(q0__flux={"max_duty": 0.2}))
    with pytest.raises(ResourceError, match=r"while_loop on .*: port q0\.flux: a loop keeps it on .* 0\.01 ") as caught:
        compile_circuit(made, CALIBRATION, setup(q0__flux={"max_duty": 0.01}))
    assert caught.value.instruction == 1


def test_a_shot_that_is_too_short_for_its_plays_names_the_longest_of_them():
    made = QuantumCircuit(2, 1)
    made.sx(1)
    made.cz(0, 1)
    made.measure(0, 0)
    compiled = compile_circuit(made, CALIBRATION, setup(q0__flux={"max_duty": 0.01}))
    compiled.check_duty(1e-5)
    with pytest.raises(ResourceError, match=r"port q0\.flux: it plays for .* set rep_delay to") as caught:
        compiled.check_duty(1e-6)
    assert caught.value.instruction == 1
    compile_circuit(made, CALIBRATION, setup()).check_duty(0.0)
