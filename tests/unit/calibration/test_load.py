from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from qctrl.calibration import find_device, load, loads
from qctrl.errors import CalibrationError

NOMINAL = Path(__file__).parents[3] / "calibrations" / "pair2" / "nominal.yaml"
TEXT = NOMINAL.read_text()


def edited(old: str, new: str) -> str:
    assert old in TEXT
    return TEXT.replace(old, new, 1)


def refusal(text: str) -> str:
    with pytest.raises(CalibrationError) as caught:
        loads(text, "f.yaml")
    return str(caught.value)


@pytest.mark.parametrize("device", ["pair2", "chain5", "heavyhex7", "grid20"])
def test_shipped_design_values_load_with_every_qubit_live(device):
    calibration = load(find_device(device, file="nominal.yaml"))
    assert calibration.name == device
    assert len(calibration.live_qubits) == calibration.num_qubits
    assert len(calibration.live_edges) == (31 if device == "grid20" else calibration.num_qubits - 1)
    assert calibration.demoted == {}


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("    index: 0", "    indx: 0", "f.yaml:11:5: qubits.q0.indx: unknown key; did you mean 'index'?"),
        ("frequency: 4.82e9", "frequency: 4.82", "value 4.82 Hz is outside [1e+08, 5e+10] Hz"),
        ("frequency: 4.82e9", "frequency: 24 ns", "value '24 ns' is not a number in Hz; write a plain number, or one"),
        (
            "frequency: 4.82e9",
            "frequency: true",
            "qubits.q0.frequency: value True is not a number; write a number in Hz",
        ),
        ("frequency: 4.82e9", "frequency: [1]", "qubits.q0.frequency: value (1,) is not a number"),
        ("frequency: 4.82e9", "frequency: {value: 1 GHz, unc: x}", "f.yaml:13:36: qubits.q0.frequency.unc: value 'x'"),
        ("frequency: 4.82e9", "frequency: {value: 5e9, at: yesterday}", "value 'yesterday' is not a UTC time"),
        ("frequency: 4.82e9", 'frequency: {value: 5e9, at: "2026-11-22T20:11:04+01:00"}', "is not a UTC time"),
        ("frequency: 4.82e9", "frequency: .nan", "f.yaml:13:16: qubits.q0.frequency: value .nan is not finite"),
        ("frequency: 4.82e9", "frequency: 1e999", "value 1e999 is not finite"),
        ("frequency: 4.82e9", f"frequency: {'9' * 400}", "is too long; write"),
        ("amp: 0.18", "amp: 1.8", "qubits.q0.gates.sx.waveform.amp: value 1.8 is outside [-1, 1]"),
        ("duration: 2.4e-8", "duration: 24", "value 24 s is outside [1e-11, 0.001] s"),
        (
            "duration: 2.4e-8",
            "duration: 2.43e-8",
            "is 24.3 ticks of 1e-09 s; write a whole number of ticks, 2.4e-08 or",
        ),
        (
            "kind: virtual_z",
            "kind: cr",
            "f.yaml:18:18: qubits.q0.gates.rz.kind: kind 'cr' is not supported; supported:",
        ),
        ("kind: flux_cz", "kind: iswap", "kind 'iswap' is not supported; supported: flux_cz, coupler_cz, cr"),
        ("kind: flux_cz", "kind: coupler_cz", "actuate: port q1.flux is not that of the edge's coupler; use c01.flux"),
        ("kind: flux_cz", "symmetric: true", "key 'kind' is missing; add it"),
        ("{kind: virtual_z}", "{}", "key 'kind' is missing; add it"),
        ("{kind: virtual_z}", "3", "is not a mapping"),
        ("rz: {kind: virtual_z}", "h: {kind: virtual_z}", "value 'h' is not one of 'rz', 'sx', 'x' or 'rx'"),
        ("sx: {kind: pulse,", "sx: {kind: compose, of: [x],", "unknown key; known are kind, of, error"),
        ("sigma: 6.0e-9, ", "", "qubits.q0.gates.sx.waveform: shape drag needs sigma; add it"),
        ("shape: drag", "shape: constant", "shape constant has no parameter sigma; remove it"),
        ("shape: drag", "shape: dragg", "value 'dragg' is not one of 'drag', 'gaussian'"),
        ("rise: 1.0e-8", "rise: 4.0e-8", "value 4e-08 s exceeds half the duration, 3e-08 s"),
        (
            "shape: flat_top_cosine",
            "theta_i: 0.1, shape: flat_top_cosine",
            "shape flat_top_cosine has no parameter theta_i",
        ),
        ("shape: flat_top_cosine", "shape: slepian", "shape slepian has no parameter rise; remove it"),
        (
            "shape: flat_top_cosine, duration: 6.0e-8, rise: 1.0e-8",
            "shape: slepian, duration: 6.0e-8, theta_i: 0.9, theta_f: 0.8",
            "theta_f is not above theta_i, 0.9 rad",
        ),
        ("actuate: q1.flux", "actuate: q1.drive", "port q1.drive is not a flux port"),
        ("shape: flat_top_cosine", "phase: 1.0, shape: flat_top_cosine", "a flux port is real"),
        ("    coupler: {port: c01.flux}\n", "", "edge has no coupler to play this on; add coupler"),
        ("port: c01.flux", "port: c01.drive", "port c01.drive is not a flux port"),
        ("drive: q0.drive", "drive: q0.flux", "qubits.q0.ports.drive: port q0.flux is not of kind drive"),
        ("index: 0", "index: 1", "qubits.q1.index: index 1 is also that of q0"),
        ("q0-q1:", "q0-q7:", "edges.q0-q7: qubit q7 does not exist; known are q0, q1"),
        ("q0-q1:", "q0-q0:", "edges.q0-q0: an edge joins two qubits"),
        ("virtual_z: {q0:", "virtual_z: {q5:", "qubit q5 is not of this edge; use q0 or q1"),
        ("schema: qctrl.calibration/1", "schema: qctrl.calibration/2", "'qctrl.calibration/2' is not one of 'qctrl.c"),
        ("schema: qctrl.calibration/1\n", "", "document: key 'schema' is missing; add it"),
        ("angle: 0.0, threshold: 0.0", "angle: 0.0, threshold: 7.0", "value 7 is outside [-1, 1]"),
        ("kind: linear, angle: 0.0, threshold: 0.0", "kind: classes, coef: [[1, 2, 3], [1, 2]]", "row has 2 numbers"),
        ("kind: linear", "kind: lda", "kind 'lda' is not supported; supported: 'linear', 'classes'"),
        ("delay: 0.0", "delay: 0.5 ns", "readout.acquisition.delay: value 5e-10 s is 0.5 ticks"),
        ("min_length: 1", "min_length: 30", "is 24 ticks of 1e-09 s, below min_length 30; write at least 3e-08"),
        ("    reset:", "    reset: &a", "anchors and aliases are not accepted"),
    ],
)
def test_bad_entry_is_refused_with_its_place_and_a_remedy(old, new, expected):
    message = refusal(edited(old, new))
    assert expected in message
    assert message.startswith("f.yaml:")
    assert ";" in message


@pytest.mark.parametrize(
    ("matrix", "expected"),
    [
        ("[[0.9, 0.1], [0.2, 0.9]]", "column 0 sums to 1.1; columns sum to 1"),
        ("[[0.9, 0.1]]", "matrix is not 2 by 2"),
        ("[[1.5, 0.1], [-0.5, 0.9]]", "an entry is outside [0, 1]"),
        ("7", "qubits.q0.readout.assignment: value 7 is not a mapping"),
    ],
)
def test_assignment_must_be_a_stochastic_matrix(matrix, expected):
    assert expected in refusal(
        edited("    reset: {kind: active}", f"      assignment: {matrix}\n    reset: {{kind: active}}")
    )


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ("ports: {q0.drive: {mixer: {matrix: [[1, 0]]}}}", "ports.q0.drive.mixer.matrix: matrix is not 2 by 2"),
        ("ports: {q0.laser: {}}", "ports.q0.laser: value 'q0.laser' "),
        ("crosstalk: {z: {ports: [q0.flux, q0.flux], matrix: [[1, 0], [0, 1]]}}", "a port is named twice"),
        ("crosstalk: {z: {ports: [q0.flux, q0.drive], matrix: [[1, 0], [0, 1]]}}", "ports are of different kinds"),
        ("crosstalk: {z: {ports: [q0.flux, q1.flux], matrix: [[1, 0]]}}", "crosstalk.z.matrix: matrix is not 2 by 2"),
        ("crosstalk: {z: {ports: [q0.flux], matrix: [[1]], imag: []}}", "crosstalk.z.imag: matrix is not 1 by 1"),
    ],
)
def test_bad_line_correction_is_refused(lines, expected):
    assert expected in refusal(TEXT + lines + "\n")


def test_line_corrections_are_read():
    extra = (
        "ports: {q0.drive: {mixer: {offset_i: 0.01}}, q0.flux: {filters: {iir: [{amp: -0.02, tau: 120 ns}]}}}\n"
        "crosstalk: {flux: {ports: [q0.flux, q1.flux], matrix: [[1, 0.02], [0.01, 1]], imag: [[0, 0], [0, 0]]}}\n"
    )
    document = loads(TEXT + extra).document
    mixer, filters = document.ports["q0.drive"].mixer, document.ports["q0.flux"].filters
    assert mixer is not None
    assert filters is not None
    assert mixer.matrix.value == ((1.0, 0.0), (0.0, 1.0))
    assert mixer.offset_i.value == 0.01
    assert filters.iir[0].tau == 1.2e-7
    assert document.crosstalk["flux"].matrix[0][1] == 0.02


def test_composed_gate_needs_a_pulse_gate_of_the_same_qubit():
    text = edited(
        "sx: {kind: pulse, waveform: {shape: drag, duration: 2.4e-8, sigma: 6.0e-9, amp: 0.18, beta: 0.0}}",
        "sx: {kind: compose, of: [x, sx]}",
    )
    assert "qubits.q0.gates.sx.of[1]: 'sx' is no pulse gate of this qubit" in refusal(text)


def test_rz_cannot_be_a_pulse():
    text = edited("rz: {kind: virtual_z}", "rz: {kind: pulse, waveform: {shape: constant, duration: 24 ns, amp: 0.1}}")
    assert "gate rz cannot be of kind pulse; supported: virtual_z" in refusal(text)


def test_every_problem_is_listed_in_file_order():
    text = edited("frequency: 4.82e9", "frequency: 4.82").replace("amp: 0.36", "amp: 36")
    lines = refusal(text).splitlines()
    assert [line.split(":")[1] for line in lines] == ["13", "20", "38"]


def test_long_lists_of_problems_are_cut():
    text = TEXT.replace("duration: 2.4e-8", "duration: 1").replace("angle: 0.0", "angle: x").replace("e9\n", "e3\n")
    lines = refusal(text).splitlines()
    assert len(lines) == 9
    assert lines[-1].startswith("... and ")


def test_hand_written_quantities_become_exact_si_floats():
    text = edited("frequency: 4.82e9", "frequency: {value: 4.82 GHz, unc: 1.2 kHz}").replace("2.4e-8", "24 ns")
    calibration = loads(text)
    frequency = calibration.live_qubit(0).frequency
    assert frequency is not None
    assert (frequency.value, frequency.unc) == (4.82e9, 1.2e3)
    gate = calibration.gate("sx", (0,))
    assert gate.kind == "pulse"
    assert gate.waveform.duration == 2.4e-8


def test_missing_file_folder_and_binary_file_are_calibration_errors(tmp_path):
    with pytest.raises(CalibrationError, match=r"absent.yaml:1:1: document: does not exist"):
        load(tmp_path / "absent.yaml")
    with pytest.raises(CalibrationError, match=r":1:1: document: is a folder"):
        load(tmp_path)
    binary = tmp_path / "binary.yaml"
    binary.write_bytes(b"a: 1\nb: \xff\xfe")
    with pytest.raises(CalibrationError, match=r"binary.yaml:2:4: document: byte 0xff is not UTF-8"):
        load(binary)


def test_five_qubits_load_within_150_ms_of_processor_time():
    path = find_device("chain5", file="nominal.yaml")
    load(path)
    spent = []
    for _ in range(3):
        start = time.process_time()
        load(path)
        spent.append(time.process_time() - start)
    assert min(spent) < 0.15


def test_import_leaves_heavy_libraries_alone():
    code = "import sys, qctrl.calibration, qctrl.config; print({'qiskit', 'scipy', 'numba'} & set(sys.modules))"
    found = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert found.stdout.strip() == "set()"
