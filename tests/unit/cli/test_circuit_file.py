"""OpenQASM files, good and bad."""

import pytest

from qctrl.cli.circuit_file import read_circuit
from qctrl.errors import CompileError

QASM2 = 'OPENQASM 2.0;\ninclude "qelib1.inc";\n'
QASM3 = 'OPENQASM 3.0;\ninclude "stdgates.inc";\n'


def read(tmp_path, text):
    path = tmp_path / "case.qasm"
    path.write_text(text)
    return read_circuit(path)


def message(tmp_path, text):
    with pytest.raises(CompileError) as caught:
        read(tmp_path, text)
    return str(caught.value).removeprefix(f"{tmp_path}/")


def test_version_2_is_read(tmp_path):
    circuit = read(tmp_path, QASM2 + "qreg q[2];\ncreg c[2];\nh q[0];\nsx q[1];\nmeasure q -> c;\n")
    assert circuit.count_ops() == {"h": 1, "sx": 1, "measure": 2}
    assert circuit.name == "case"


def test_version_3_is_read(tmp_path):
    circuit = read(tmp_path, "// comment\n" + QASM3 + "qubit[2] q;\nh q[0];\nbit[2] c = measure q;\n")
    assert circuit.count_ops() == {"h": 1, "measure": 2}


def test_file_without_version_is_version_3(tmp_path):
    assert read(tmp_path, 'include "stdgates.inc";\nqubit q;\nh q;\n').num_qubits == 1


def test_comment_before_the_version_does_not_hide_it(tmp_path):
    assert read(tmp_path, "// one\n// OPENQASM 3;\n" + QASM2 + "qreg q[3];\n").num_qubits == 3


def test_include_beside_the_file_is_found(tmp_path):
    (tmp_path / "mine.inc").write_text("gate twice a { }\n")
    circuit = read(tmp_path, 'OPENQASM 2.0;\ninclude "mine.inc";\nqreg q[1];\ntwice q[0];\n')
    assert circuit.count_ops() == {"twice": 1}


def test_bits_declared_one_by_one_get_a_register(tmp_path):
    circuit = read(tmp_path, QASM3 + "qubit[2] q;\nbit[1] c;\nbit a;\nbit b;\na = measure q[0];\nb = measure q[1];\n")
    assert [(register.name, register.size) for register in circuit.cregs] == [("c", 1), ("bits", 2)]


@pytest.mark.parametrize(
    ("text", "start"),
    [
        (QASM2 + "qreg q[2];\nh q[0]\ncx q[0],q[1];\n", "case.qasm:5:1: needed ';'"),
        (QASM2 + "qreg q[2];\n  foo q[0];\n", "case.qasm:4:3: 'foo' is not defined"),
        ('OPENQASM 2.0;\ninclude "nope.inc";\n', "case.qasm:2:9: unable to find 'nope.inc'"),
        (QASM3 + "qubit[2] q;\nh q[0]\ncx q[0], q[1];\n", "case.qasm:5:1: syntax error at 'cx'"),
        (QASM3 + "qubit q;\nh(", "case.qasm:4:3: syntax error at end of file"),
        (QASM3 + "qubit q;\n §;\n", "case.qasm:4:2: token recognition error"),
        (QASM3 + "qubit q;\nfoo q;\n", "case.qasm:4:1: gate 'foo' is not defined"),
        (QASM3 + "def f(qubit a) -> bit { return measure a; }\n", "case.qasm:3:1: node of type SubroutineDefinition"),
        ("", "case.qasm: the file is empty"),
        ("// nothing\n", "case.qasm: the file is empty"),
        ("OPENQASM 4.1;\nqubit q;\n", "case.qasm: OpenQASM version 4 is unknown"),
    ],
)
def test_error_names_the_place(tmp_path, capsys, text, start):
    assert message(tmp_path, text).startswith(start)
    assert capsys.readouterr().err == ""


def test_error_inside_an_include_names_the_include(tmp_path):
    (tmp_path / "mine.inc").write_text("\ngate bad a { nope a; }\n")
    assert message(tmp_path, 'OPENQASM 2.0;\ninclude "mine.inc";\n').startswith("mine.inc:2:14: 'nope' is not defined")


def test_importer_defect_is_reported_as_unsupported(tmp_path, monkeypatch):
    def loads(source):
        raise AttributeError("no attribute 'line'")

    monkeypatch.setattr("qiskit.qasm3.loads", loads)
    found = message(tmp_path, QASM3 + "qubit q;\n")
    assert found == "case.qasm: not supported by the OpenQASM 3 importer (AttributeError: no attribute 'line')"


def test_binary_file_is_refused(tmp_path):
    path = tmp_path / "case.qasm"
    path.write_bytes(b"QCTL\xff\xfe\x00")
    with pytest.raises(CompileError, match="byte 4 is not UTF-8 text"):
        read_circuit(path)


def test_missing_file_is_refused(tmp_path):
    with pytest.raises(CompileError, match="cannot be read: No such file"):
        read_circuit(tmp_path / "none.qasm")
