"""``qctrl demo``: a Bell pair through the whole stack, with what happened at each stage."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, Final, TypeVar

import typer

from qctrl.cli.device import Choice, fit, opened
from qctrl.cli.output import JsonOption, print_counts, print_json
from qctrl.cli.progress import Bar
from qctrl.cli.run import counts_of

if TYPE_CHECKING:
    from qiskit import QuantumCircuit

    from qctrl.compiler import CompiledProgram
    from qctrl.provider import Backend

T = TypeVar("T")

_DEVICE: Final = "pair2"


@dataclass(slots=True)
class Story:
    """Collects stage after stage, and tells each one as soon as it is over."""

    quiet: bool
    stages: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])

    def tell(self, stage: str, work: Callable[[], T], describe: Callable[[T], str]) -> T:
        """Do the work of one stage, keep its time, and print what came of it."""
        begin = time.perf_counter()
        with Bar(stage):
            result = work()
        duration_s = time.perf_counter() - begin
        detail = describe(result)
        self.stages.append({"stage": stage, "detail": detail, "duration_s": round(duration_s, 6)})
        if not self.quiet:
            typer.echo(f"{len(self.stages):2d} {stage:10s} {duration_s:8.3f} s  {detail}")
        return result


def demo(
    *,
    shots: Annotated[int, typer.Option(min=1, help="Number of shots.")] = 2000,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the emulator.")] = 7,
    as_json: JsonOption = False,
) -> None:
    """Run a Bell pair on the emulated device pair2 and tell what each stage of the stack did."""
    story = Story(quiet=as_json)
    with ExitStack() as stack:
        backend = story.tell("device", lambda: stack.enter_context(opened(Choice(_DEVICE, seed=seed))), _device)
        circuit = story.tell("circuit", _bell, _ops)
        isa = story.tell("transpile", lambda: fit(circuit, backend), _ops)
        program = _compile(story, isa, backend)
        counts, execution = _execute(story, isa, backend, shots)
    if as_json:
        hashes = {"setup_hash": program.setup.hash, "program_hash": program.hash}
        print_json({"device": _DEVICE, "shots": shots, "seed": seed, "stages": story.stages, **hashes, **execution})
        return
    print_counts(counts)


def _bell() -> QuantumCircuit:
    from qiskit import QuantumCircuit

    circuit = QuantumCircuit(2, name="bell")
    circuit.h(0)
    circuit.cx(0, 1)
    circuit.measure_all()
    return circuit


def _ops(circuit: QuantumCircuit) -> str:
    counted = Counter(instruction.name for instruction in circuit.data)
    return ", ".join(f"{count} {name}" for name, count in counted.items())


def _device(backend: Backend) -> str:
    setup = backend.setup
    return f"{backend.name}, calibration {backend.calibration.id}, {len(setup.ports)} ports, setup {_short(setup.hash)}"


def _compile(story: Story, isa: QuantumCircuit, backend: Backend) -> CompiledProgram:
    from qctrl.compiler import assemble, lower, schedule

    calibration = backend.calibration
    gates = story.tell(
        "lower", lambda: lower(isa, calibration), lambda ir: f"{len(ir.instructions)} instructions at gate level"
    )
    pulses = story.tell(
        "schedule",
        lambda: schedule(gates, calibration),
        lambda ir: (
            f"{len(ir.plays)} plays and {len(ir.captures)} captures on {len(ir.ports)} ports, "
            f"{float(ir.block_ticks.sum() * ir.tick_s) * 1e6:.3f} us"
        ),
    )
    return story.tell("assemble", lambda: assemble(pulses, backend.setup), _packed)


def _packed(compiled: CompiledProgram) -> str:
    program = compiled.program
    return (
        f"{len(program.to_bytes())} bytes: {len(program.events)} events, {len(program.envelopes)} envelopes with "
        f"{len(program.envelope_samples)} samples, program {_short(program.hash)}"
    )


def _execute(
    story: Story, isa: QuantumCircuit, backend: Backend, shots: int
) -> tuple[dict[str, dict[str, int]], dict[str, Any]]:
    from qctrl.primitives import SamplerV2

    job = story.tell(
        "submit", lambda: SamplerV2(backend).run([isa], shots=shots), lambda job: f"job {job.job_id()} is stored"
    )
    result = story.tell("execute", job.result, lambda _: _played(job.metrics()["qctrl"]["execution"], shots))
    counts = story.tell("read out", lambda: counts_of(result[0].data), lambda found: f"registers {', '.join(found)}")
    return counts, {"job_id": job.job_id(), "registers": counts}


def _played(execution: dict[str, Any], shots: int) -> str:
    instrument = execution["instrument"]
    where = instrument.get("address", "ipc")
    return f"{shots} shots on {instrument['kind']} {instrument['version']} over ZeroMQ at {where}"


def _short(digest: bytes) -> str:
    return digest.hex()[:12]
