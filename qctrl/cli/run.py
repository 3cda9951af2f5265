"""``qctrl run``: an OpenQASM file to counts."""

from pathlib import Path
from typing import Annotated, Any

import typer

from qctrl.cli.circuit_file import read_circuit
from qctrl.cli.device import Choice, ConfigOption, DeviceOption, check_runnable, fit, opened
from qctrl.cli.output import JsonOption, print_counts, print_json
from qctrl.cli.progress import Bar

FileArgument = Annotated[
    Path,
    typer.Argument(metavar="FILE.qasm", help="OpenQASM 2 or 3 program.", exists=True, dir_okay=False),
]


def run(  # noqa: PLR0913 - a command's options are its parameters
    file: FileArgument,
    *,
    device: DeviceOption = None,
    config: ConfigOption = None,
    shots: Annotated[int, typer.Option(min=1, help="Number of shots.")] = 1024,
    seed: Annotated[int | None, typer.Option(min=0, help="Seed of the emulator and the transpiler.")] = None,
    noise: Annotated[bool, typer.Option(help="Emulate random processes.")] = True,
    as_json: JsonOption = False,
) -> None:
    """Transpile, compile and execute an OpenQASM file, and print the counts."""
    circuit = read_circuit(file)
    check_runnable(circuit)
    with opened(Choice(device, config, seed, noise)) as backend, Bar(f"{file.name} on {backend.name}") as bar:
        from qctrl.primitives import SamplerV2

        job = SamplerV2(backend).run([fit(circuit, backend, seed=seed)], shots=shots)
        bar.follow(job.progress)
        try:
            pub_result = job.result()[0]
        except KeyboardInterrupt:
            job.cancel()
            typer.echo(f"job {job.job_id()} was cancelled", err=True)
            raise
        calibration_id = backend.calibration.id
        name = backend.name
    registers = counts_of(pub_result.data)
    if as_json:
        print_json(
            {
                "file": file,
                "device": name,
                "calibration_id": calibration_id,
                "job_id": job.job_id(),
                "shots": shots,
                "seed": seed,
                "noise": noise,
                "registers": registers,
            }
        )
        return
    typer.echo(f"{file.name} on {name}, calibration {calibration_id}, job {job.job_id()}")
    print_counts(registers)


def counts_of(data: Any) -> dict[str, dict[str, int]]:
    """Return the counts of every register of a ``DataBin``."""
    return {name: dict(sorted(bits.get_counts().items())) for name, bits in data.items()}
