"""OpenQASM files as circuits, with errors that name line and column."""

from __future__ import annotations

import contextlib
import io
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NoReturn

from qctrl.errors import CompileError

if TYPE_CHECKING:
    from qiskit import QuantumCircuit

_COMMENT: Final = re.compile(r"//[^\n]*|/\*.*?\*/", re.DOTALL)
_HEADER: Final = re.compile(r"\s*OPENQASM\s+(\d+)(?:\.\d+)?\s*;")
_PLACE: Final = re.compile(r"^(?:(.*?):)?L?(\d+)(?:,|:C)(\d+): (.*)$", re.DOTALL)


def read_circuit(path: Path) -> QuantumCircuit:
    """Return the circuit in an OpenQASM 2 or 3 file; without a version line it is read as OpenQASM 3.

    Args:
        path: The file.

    Raises:
        CompileError: The file cannot be read or parsed; the message starts with ``file:line:column``.
    """
    source = _read(path)
    code = _COMMENT.sub(" ", source)
    if not code.strip():
        raise CompileError(f"{path}: the file is empty; it must hold an OpenQASM 2 or 3 program")
    header = _HEADER.match(code)
    version = header[1] if header else "3"
    if version == "2":
        circuit = _parse_2(path, source)
    elif version == "3":
        circuit = _parse_3(path, source)
    else:
        raise CompileError(f"{path}: OpenQASM version {version} is unknown; versions 2 and 3 can be read")
    circuit.name = path.stem
    return _with_loose_bits_named(circuit)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise CompileError(f"{path}: the file cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise CompileError(f"{path}: byte {error.start} is not UTF-8 text; is this an OpenQASM file?") from error


def _parse_2(path: Path, source: str) -> QuantumCircuit:
    from qiskit import qasm2

    try:
        return qasm2.loads(
            source,
            # What most files in the wild rely on: sx, swap, rzz and others that the paper's qelib1.inc lacks.
            include_path=(*qasm2.LEGACY_INCLUDE_PATH, path.parent),
            custom_instructions=qasm2.LEGACY_CUSTOM_INSTRUCTIONS,
            custom_classical=qasm2.LEGACY_CUSTOM_CLASSICAL,
        )
    except qasm2.QASM2ParseError as error:
        _refuse(path, str(error.message), error)


def _parse_3(path: Path, source: str) -> QuantumCircuit:
    from openqasm3.parser import QASM3ParsingError
    from qiskit import qasm3
    from qiskit.exceptions import QiskitError

    try:
        # The lexer also writes its complaint to stderr by itself.
        with contextlib.redirect_stderr(io.StringIO()):
            return qasm3.loads(source)
    except QASM3ParsingError as error:
        _refuse(path, str(error) or _syntax_error(error.__cause__), error)
    except QiskitError as error:
        _refuse(path, str(error.message), error)
    except (AttributeError, KeyError, TypeError, ValueError, RecursionError) as error:
        # The importer meets some constructs that it does not support with a bare Python error.
        _refuse(path, f"not supported by the OpenQASM 3 importer ({type(error).__name__}: {error})", error)


def _syntax_error(cause: Any) -> str:
    """Return place and text of the token at which the parser gave up."""
    inner = cause.args[0] if cause is not None and cause.args else None
    token = getattr(inner, "offendingToken", None)
    if token is None:
        return "syntax error"
    found = "end of file" if token.text == "<EOF>" else repr(token.text)
    return f"{token.line},{token.column}: syntax error at {found}; is a ';' or a bracket missing before it?"


def _refuse(path: Path, message: str, error: Exception) -> NoReturn:
    found = _PLACE.match(message.strip("\"'"))
    if found is None:
        raise CompileError(f"{path}: {message}") from error
    included, line, column, text = found.groups()
    file = path if included in (None, "<input>") else included
    # Parsers count columns from 0, editors from 1.
    raise CompileError(f"{file}:{line}:{int(column) + 1}: {text}") from error


def _with_loose_bits_named(circuit: QuantumCircuit) -> QuantumCircuit:
    """Put bits that were declared one by one (``bit c;``) into a register: results are kept by register."""
    from qiskit.circuit import ClassicalRegister

    held = {bit for register in circuit.cregs for bit in register}
    loose = [bit for bit in circuit.clbits if bit not in held]
    if loose:
        names = {register.name for register in circuit.cregs}
        name = next(name for name in ("c", "bits", "loose_bits") if name not in names)
        circuit.add_register(ClassicalRegister(name=name, bits=loose))
    return circuit
