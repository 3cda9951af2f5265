"""Choice of a device on the command line, and circuits made to fit it."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from qctrl.errors import CompileError

if TYPE_CHECKING:
    from qiskit import QuantumCircuit

    from qctrl.provider import Backend

DEFAULT_DEVICE: Final = "chain5"

DeviceOption = Annotated[
    str | None,
    typer.Option("--device", "-d", help=f"Name of the device; default {DEFAULT_DEVICE}, or the only one of the rack."),
]
ConfigOption = Annotated[
    Path | None,
    typer.Option("--config", help="Rack file; the default is the embedded emulator.", dir_okay=False),
]


@dataclass(frozen=True, slots=True)
class Choice:
    """Which device, behind which rack, with which switches of the emulator."""

    device: str | None = None
    """``None`` is the default, or the only device of the rack."""
    config: Path | None = None
    seed: int | None = None
    noise: bool = True


@contextmanager
def opened(choice: Choice) -> Generator[Backend]:
    """Give the backend, and close what it started at the end."""
    from qctrl.access import ProviderService

    switches: dict[str, Any] = {}
    # Hardware refuses the emulator's switches, so only those that were asked for are passed on.
    if choice.seed is not None:
        switches["seed"] = choice.seed
    if not choice.noise:
        switches["noise"] = False
    service = ProviderService(config=choice.config)
    try:
        yield service.backend(choice.device or _only_device(choice.config), **switches)
    finally:
        service.close()


def _only_device(config: Path | None) -> str:
    from qctrl.config import find_rack, load_rack

    devices = load_rack(config or find_rack()).devices
    return devices[0] if len(devices) == 1 else DEFAULT_DEVICE


def fit(circuit: QuantumCircuit, backend: Backend, *, seed: int | None = None) -> QuantumCircuit:
    """Return the circuit in the device's own gates, on its qubits.

    Args:
        circuit: Any circuit.
        backend: The device.
        seed: Seed of the transpiler; equal seeds give equal circuits.

    Raises:
        CompileError: The circuit does not fit the device.
    """
    from qiskit import generate_preset_pass_manager
    from qiskit.exceptions import QiskitError

    have = backend.num_qubits
    if circuit.num_qubits > have:
        raise CompileError(
            f"{circuit.name}: the circuit has {circuit.num_qubits} qubits, {backend.name} has {have}; "
            "use fewer qubits or a larger device"
        )
    passes = generate_preset_pass_manager(
        optimization_level=2, backend=backend, seed_transpiler=0 if seed is None else seed
    )
    try:
        return passes.run(circuit)
    except QiskitError as error:
        raise CompileError(f"{circuit.name}: cannot be transpiled for {backend.name}: {error.message}") from error


def check_runnable(circuit: QuantumCircuit) -> None:
    """Refuse a circuit that would give no counts.

    Raises:
        CompileError: A parameter has no value, or nothing is measured.
    """
    if circuit.parameters:
        names = ", ".join(parameter.name for parameter in circuit.parameters)
        raise CompileError(
            f"{circuit.name}: input {names} has no value; write numbers into the file, "
            "or sweep it from Python with SamplerV2"
        )
    if not _measures(circuit):
        raise CompileError(
            f"{circuit.name}: the circuit measures nothing, so there are no counts; "
            "add 'c = measure q;' (OpenQASM 2: 'measure q -> c;')"
        )


def _measures(circuit: QuantumCircuit) -> bool:
    return any(
        instruction.name == "measure" or any(_measures(block) for block in _blocks(instruction.operation))
        for instruction in circuit.data
    )


def _blocks(operation: Any) -> tuple[QuantumCircuit, ...]:
    return getattr(operation, "blocks", ())
