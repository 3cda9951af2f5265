"""``qctrl compile``: what a circuit becomes, stage by stage."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from qctrl.cli.circuit_file import read_circuit
from qctrl.cli.device import Choice, ConfigOption, DeviceOption, fit, opened
from qctrl.cli.output import JsonOption, print_columns, print_json
from qctrl.cli.progress import Bar
from qctrl.errors import CompileError, ConfigError

if TYPE_CHECKING:
    from qiskit import QuantumCircuit

    from qctrl.compiler import CompiledProgram
    from qctrl.provider import Backend


class Stage(StrEnum):
    """What can be printed."""

    GATES = "gates"
    PULSES = "pulses"
    PROGRAM = "program"
    SAMPLES = "samples"
    Q1ASM = "q1asm"


def compile_file(  # noqa: PLR0913 - a command's options are its parameters
    file: Annotated[
        Path, typer.Argument(metavar="FILE.qasm", help="OpenQASM 2 or 3 program.", exists=True, dir_okay=False)
    ],
    *,
    dump: Annotated[Stage, typer.Option(help="The stage to print.")] = Stage.PROGRAM,
    device: DeviceOption = None,
    config: ConfigOption = None,
    port: Annotated[str | None, typer.Option(help="With --dump samples: every sample of this port.")] = None,
    out: Annotated[Path | None, typer.Option(dir_okay=False, help="Also write the packed program here.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Compile an OpenQASM file and print one stage; nothing is executed."""
    if port is not None and dump is not Stage.SAMPLES:
        raise typer.BadParameter("it goes with --dump samples", param_hint="--port")
    if dump is Stage.Q1ASM and config is None:
        raise typer.BadParameter("it goes with --config RACK.yaml of a Qblox cluster", param_hint="--dump q1asm")
    circuit = read_circuit(file)
    with opened(Choice(device, config)) as backend, Bar(f"compiling {file.name} for {backend.name}"):
        isa = fit(circuit, backend)
        program = backend.compile(isa)
        listing = _listing(dump, isa, backend, program, config)
        samples = _samples(program, port) if dump is Stage.SAMPLES else {}
    if out is not None:
        _write(out, program.to_bytes())
    if as_json:
        print_json(_document(file, dump, program, listing, samples))
    elif dump is not Stage.SAMPLES:
        typer.echo(listing.rstrip("\n"))
    elif port is None:
        _print_summary(program, samples)
    else:
        print_columns(_rows(samples[port]), header=_HEADERS[samples[port].dtype.kind])


def _listing(dump: Stage, isa: QuantumCircuit, backend: Backend, program: CompiledProgram, config: Path | None) -> str:
    if dump is Stage.Q1ASM and config is not None:
        return _q1asm(program, config)
    return _TEXTS[dump](isa, backend) if dump in _TEXTS else program.text()


def _q1asm(program: CompiledProgram, config: Path) -> str:
    """Return what the sequencers of a cluster get."""
    from qctrl.config import load_rack
    from qctrl.instruments.qblox import cluster_wiring, to_q1asm

    rack = load_rack(config)
    if rack.driver != "cluster":
        raise ConfigError(f"{config}: only a rack with driver: cluster has sequencers that take Q1ASM")
    return to_q1asm(program.program, program.setup, cluster_wiring(rack)[1]).text()


def _gates(isa: QuantumCircuit, backend: Backend) -> str:
    from qctrl.compiler import lower
    from qctrl.ir import gate_text

    return gate_text(lower(isa, backend.calibration))


def _pulses(isa: QuantumCircuit, backend: Backend) -> str:
    from qctrl.compiler import lower, schedule
    from qctrl.ir import pulse_text

    return pulse_text(schedule(lower(isa, backend.calibration), backend.calibration))


_TEXTS: Final[dict[Stage, Callable[[QuantumCircuit, Backend], str]]] = {Stage.GATES: _gates, Stage.PULSES: _pulses}
_HEADERS: Final = {"c": ("sample", "i", "q"), "f": ("sample", "level")}


def _samples(program: CompiledProgram, port: str | None) -> dict[str, Any]:
    """Return the samples of one port, or of every port that has a DAC."""
    outputs = [known.name for known in program.setup.ports if known.kind != "acquire"]
    if port is not None and port not in outputs:
        raise CompileError(f"{program.setup.device} has no output port {port}; known are {', '.join(outputs)}")
    return {name: program.samples(name) for name in ([port] if port is not None else outputs)}


def _rows(samples: Any) -> list[tuple[object, ...]]:
    if samples.dtype.kind == "c":
        return [(index, f"{value.real:+.6f}", f"{value.imag:+.6f}") for index, value in enumerate(samples)]
    return [(index, f"{value:+.6f}") for index, value in enumerate(samples)]


def _print_summary(program: CompiledProgram, samples: dict[str, Any]) -> None:
    rates = {port.name: port.sample_ticks for port in program.setup.ports}
    rows = [
        (
            name,
            len(values),
            f"{float(rates[name] * program.setup.tick_s) * 1e9:g} ns",
            f"{abs(values).max(initial=0.0):.6f}",
            f"{(abs(values) ** 2).mean() ** 0.5 if len(values) else 0.0:.6f}",
        )
        for name, values in samples.items()
    ]
    print_columns(rows, header=("port", "samples", "period", "peak", "rms"))


def _document(
    file: Path, dump: Stage, program: CompiledProgram, listing: str, samples: dict[str, Any]
) -> dict[str, Any]:
    document: dict[str, Any] = {
        "file": file,
        "device": program.setup.device,
        "calibration_id": program.calibration_id,
        "setup_hash": program.setup.hash,
        "program_hash": program.hash,
        "bytes": len(program.to_bytes()),
        "parameters": list(program.parameters),
        "duration_ticks": _duration_ticks(program),
        "memories": {use.memory: {"need": use.need, "have": use.have} for use in program.resources().memories},
        "dump": dump.value,
    }
    if dump is not Stage.SAMPLES:
        return document | {"text": listing}
    parts = {
        name: {"i": values.real, "q": values.imag} if values.dtype.kind == "c" else {"level": values}
        for name, values in samples.items()
    }
    return document | {"samples": parts}


def _duration_ticks(program: CompiledProgram) -> int | None:
    """Return the length of a shot, or ``None`` if it depends on what is measured."""
    return None if program.program.has_branches else int(program.program.blocks["length_ticks"].sum())


def _write(path: Path, data: bytes) -> None:
    try:
        path.write_bytes(data)
    except OSError as error:
        raise CompileError(f"{path}: the program cannot be written: {error.strerror}") from error
