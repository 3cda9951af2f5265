"""``Backend``: the device as Qiskit sees it."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any, overload

from qiskit import QuantumCircuit
from qiskit.providers import BackendV2, Options
from qiskit.transpiler import Target

from qctrl.calibration import Calibration, dump
from qctrl.compiler import (
    DEFAULT,
    CompileCache,
    CompiledProgram,
    CompileOptions,
    blame,
    check_gate,
    compile_circuit,
    make_gate,
)
from qctrl.errors import CompileError
from qctrl.execution import Runner
from qctrl.protocol import Setup
from qctrl.protocol.limits import MAX_REP_DELAY_TICKS
from qctrl.provider.configuration import Configuration, configuration_of
from qctrl.provider.custom import add_custom_gates, structural_of, with_custom_gate
from qctrl.provider.device import Device
from qctrl.provider.forecast import Forecast, forecast
from qctrl.provider.history import calibration_at, calibration_of
from qctrl.provider.isa import check_isa
from qctrl.provider.pickling import reduced, reopener
from qctrl.provider.plugin import SCHEDULING_PLUGIN
from qctrl.provider.properties import Properties
from qctrl.provider.request import Emulation, Request
from qctrl.provider.run_options import default_options
from qctrl.provider.status import BackendStatus, status_of
from qctrl.provider.submission import replay, submit
from qctrl.provider.target import build_target
from qctrl.pulse import CustomGates, Step
from qctrl.service import JobHandle, JobRecord, Jobs
from qctrl.units import to_seconds
from qctrl.version import __version__

if TYPE_CHECKING:
    from qctrl.provider.run_job import RunJob


class Backend(BackendV2):
    """A device: its Target, its compiler and its way to execute.

    Args:
        device: Calibration, setup, runner and job service.
        provider: The service that made the backend.
    """

    def __init__(self, device: Device, *, provider: object = None) -> None:
        calibration = device.calibration
        super().__init__(
            provider=provider,
            name=calibration.name,
            description=f"{calibration.name}, calibration {calibration.id}",
            backend_version=__version__,
        )
        self._device = device

    def __repr__(self) -> str:
        return f"<Backend {self.name}, {self.num_qubits} qubits, calibration {self.calibration.id}>"

    def __call__(self) -> Backend:
        """Return the backend: ``primitive.backend`` is a property in Qiskit, a method in its guide."""
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Backend:
        # The runner holds sockets and threads: a copy is another view of the same device.
        copied = Backend(self._device, provider=self._provider)
        copied._options = copy.copy(self._options)
        memo[id(self)] = copied
        return copied

    def __copy__(self) -> Backend:
        copied = object.__new__(type(self))
        vars(copied).update(vars(self))
        return copied

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle what makes the backend: it is opened again, with this very calibration and with its options.

        Raises:
            ConfigError: The backend was not made by a service.
        """
        return reduced(self)

    @property
    def device(self) -> Device:
        """What stands behind the backend."""
        return self._device

    @property
    def calibration(self) -> Calibration:
        """The measured device that Target and programs come from."""
        return self._device.calibration

    @property
    def setup(self) -> Setup:
        """What the rack is configured with for this calibration."""
        return self._device.setup

    @property
    def emulation(self) -> Emulation | None:
        """Switches of the emulator; ``None`` on hardware."""
        return self._device.emulation

    @property
    def runner(self) -> Runner:
        """Where jobs are executed."""
        return self._device.runner

    @property
    def jobs(self) -> Jobs:
        """Where jobs are kept."""
        return self._device.jobs

    @property
    def custom_gates(self) -> CustomGates:
        """Gates of the user's own, by name and qubits."""
        return self._device.custom_gates

    @property
    def compile_cache(self) -> CompileCache:
        """Programs compiled before; ``compile_cache.stats()`` says how often one was found again."""
        return self._device.compile_cache

    def with_gate(
        self, name: str, qubits: Sequence[int], params: Sequence[Any], pulses: Callable[..., Sequence[Step]]
    ) -> Backend:
        """Return a backend with one more gate; this one stays as it is.

        In a circuit it is ``Instruction(name, n_qubits, n_captures, arguments)``; arguments may be open parameters.
        Amplitudes, phases and frequencies are then bound without compiling again; for durations and parameters of
        envelopes, one program is compiled for each distinct value. Transpile with an ``initial_layout`` that puts the
        circuit's qubits on the gate's.

        Args:
            name: Name of the instruction.
            qubits: Qubits of the device, in order.
            params: Parameters, Qiskit's ``Parameter``.
            pulses: Called once, with ``params``; returns what the gate plays, in the verbs of ``qctrl.pulse``.

        Raises:
            CompileError: The name is taken, or a step cannot be played; the message says which and what to do.
            CalibrationError: A qubit is not usable.
        """
        gate = make_gate(name, qubits, params, pulses)
        gates = with_custom_gate(self.custom_gates, gate, self.target)
        check_gate(gate, self.calibration, self.setup)
        return self.viewing(dataclasses.replace(self._device, custom_gates=gates))

    def viewing(self, device: Device) -> Backend:
        """Return a backend like this one, options included, on what stands behind another."""
        made = copy.copy(self)
        _put(made, device)
        vars(made).update(_options=copy.copy(self._options))
        return made

    def refresh(self) -> None:
        """Read the calibration again; the Target is a new one.

        Raises:
            ConfigError: The backend was not made by a service, so nobody knows where its calibration is.
            CalibrationError: The calibration cannot be used; the backend stays as it is.
        """
        found = reopener(self)().device
        for gate in self.custom_gates.values():
            check_gate(gate, found.calibration, found.setup)
        _put(self, dataclasses.replace(found, custom_gates=self.custom_gates))

    def target_history(self, at: datetime | None = None, *, datetime: datetime | None = None) -> Target:
        """Return the Target of the calibration that jobs ran with at a time; without a time, the present one.

        Args:
            at: The time; one without a zone is local.
            datetime: The same, for code that was written for another provider.

        Raises:
            JobError: No job of the device had run by then, on this machine.
        """
        time = at or datetime
        return self.target if time is None else self._build_target(calibration_at(self, time))

    def calibration_of(self, calibration_hash: str) -> Calibration:
        """Return a calibration that jobs ran with.

        Args:
            calibration_hash: Its content hash, in hex.

        Raises:
            JobError: It was not kept.
        """
        return calibration_of(self, calibration_hash)

    @cached_property
    def calibration_text(self) -> str:
        """The calibration as YAML, as it is kept with the jobs that run with it."""
        return dump(self.calibration.document)

    @cached_property
    def _target(self) -> Target:
        target = self._build_target(self.calibration)
        add_custom_gates(target, self.custom_gates, self.calibration, self.setup)
        return target

    def _build_target(self, calibration: Calibration) -> Target:
        device = self._device
        return build_target(calibration, has_branches=device.has_branches, has_fractional=device.has_fractional)

    @property
    def target(self) -> Target:  # pyright: ignore[reportIncompatibleMethodOverride] Qiskit declares no result
        """What the device can do, how well and how fast."""
        return self._target

    @property
    def max_circuits(self) -> None:
        """No limit."""
        return

    @property
    def dtm(self) -> float:
        """Sample time of the digitiser, in seconds."""
        samples = [port.sample_ticks for port in self.setup.ports if port.kind == "acquire"]
        return float(min(samples, default=1) * self.setup.tick_s)

    @property
    def rep_delay_range(self) -> tuple[float, float]:
        """Shortest and longest idle time between shots, in seconds."""
        return 0.0, to_seconds(MAX_REP_DELAY_TICKS, self.setup.tick_s)

    @property
    def meas_map(self) -> list[list[int]]:
        """Qubits whose readout is multiplexed, group by group."""
        groups = self.target.concurrent_measurements or [list(range(self.num_qubits))]
        return [list(group) for group in groups]

    def get_scheduling_stage_plugin(self) -> str:
        """Return the scheduling stage that ``transpile`` takes by default."""
        return SCHEDULING_PLUGIN

    def status(self) -> BackendStatus:
        """Return whether the device takes jobs, and how many of this process wait or run."""
        return status_of(self)

    def properties(self, refresh: bool = False, datetime: datetime | None = None) -> Properties:
        """Return what was measured of the device, by the names of the older interface.

        Args:
            refresh: Read the calibration again first, as :meth:`refresh` does.
            datetime: Take the calibration that jobs ran with at this time; one without a zone is local.

        Raises:
            JobError: No job of the device had run by then, on this machine.
        """
        if refresh:
            self.refresh()
        return Properties(self.calibration if datetime is None else calibration_at(self, datetime))

    def configuration(self) -> Configuration:
        """Return the facts of the older interface."""
        return configuration_of(self)

    @classmethod
    def _default_options(cls) -> Options:  # pyright: ignore[reportIncompatibleMethodOverride] Qiskit declares no result
        return default_options()

    def check(self, circuit: QuantumCircuit) -> None:
        """Refuse a circuit that the device cannot run as it stands.

        Raises:
            ResourceError: The circuit has too many qubits.
            UnsupportedInstructionError: An instruction is not in the Target; the message says which.
        """
        check_isa(circuit, self.target, device=self.calibration.name)

    def structural_parameters(self, circuit: QuantumCircuit) -> dict[Any, str]:
        """Return the parameters of a circuit whose values change the structure of its program, each with the reason.

        They must be bound before compiling; primitives compile one program for each of their distinct values. All
        others are bound without compiling again.

        Args:
            circuit: An ISA circuit.
        """
        return structural_of(circuit, self.custom_gates)

    @overload
    def compile(
        self, circuits: QuantumCircuit, options: CompileOptions = ..., *, rep_delay_s: float | None = ...
    ) -> CompiledProgram: ...

    @overload
    def compile(
        self, circuits: Sequence[QuantumCircuit], options: CompileOptions = ..., *, rep_delay_s: float | None = ...
    ) -> list[CompiledProgram]: ...

    def compile(
        self,
        circuits: QuantumCircuit | Sequence[QuantumCircuit],
        options: CompileOptions = DEFAULT,
        *,
        rep_delay_s: float | None = None,
    ) -> CompiledProgram | list[CompiledProgram]:
        """Return the packed program of a circuit, or of each circuit of a list; see ``compile_cache``.

        Args:
            circuits: ISA circuits.
            options: How they are scheduled, and what idle qubits do.
            rep_delay_s: Silence behind every shot, which limits for how much of the time ports may play; ``None`` if
                it is not known yet.

        Raises:
            CompileError: The circuit cannot run on this device.
        """
        if not isinstance(circuits, QuantumCircuit):
            return [self.compile(circuit, options, rep_delay_s=rep_delay_s) for circuit in circuits]
        try:
            made = compile_circuit(
                circuits, self.calibration, self.setup, self.custom_gates, options=options, cache=self.compile_cache
            )
        except CompileError:
            # The compiler refuses all that the check refuses, but the check says better what to do, and costs more.
            self.check(circuits)
            raise
        if not self._device.has_fractional or not (self._device.has_branches or made.program.is_straight):
            # The compiler knows neither the rack nor what is wanted; the Target does.
            self.check(circuits)
        if rep_delay_s is not None:
            try:
                made.check_duty(rep_delay_s)
            except CompileError as error:
                raise blame(error, circuits) from error
        return made

    def forecast(self, circuit: QuantumCircuit, shots: int = 1024, bindings: int = 1) -> Forecast:
        """Return what the emulator will take for the shots of each parameter set of a circuit, without playing it.

        Raises:
            CompileError: The circuit cannot run on this device, or not within the emulator's memory.
            InstrumentError: The device is no emulator.
        """
        return forecast(self, circuit, shots, bindings)

    def run(self, run_input: QuantumCircuit | Sequence[QuantumCircuit], **options: Any) -> RunJob:  # pyright: ignore[reportIncompatibleMethodOverride] Qiskit declares no result
        """Execute circuits and return a job with counts and memory.

        Args:
            run_input: A circuit or a list of circuits, without free parameters.
            **options: ``shots``, ``memory``, ``seed_simulator``, ``meas_level``, ``meas_return``,
                ``rep_delay`` (s), ``init_qubits``, ``job_tags``; the defaults are ``backend.options``.

        Raises:
            AttributeError: An option is unknown.
            CompileError: A circuit cannot run on this device.
        """
        from qctrl.provider.run_job import submit_circuits

        circuits = [run_input] if isinstance(run_input, QuantumCircuit) else list(run_input)
        return submit_circuits(self, circuits, options)

    def submit(self, request: Request) -> JobHandle:
        """Store a job and start it.

        Raises:
            ValueError: ``rep_delay`` is out of the device's range.
            JobError: The job cannot be stored; then it is not executed.
            QctrlError: The runner refuses it.
        """
        return submit(self, request)

    def replay(self, record: JobRecord) -> JobHandle:
        """Play a stored job again, with the programs, the setup and the seed that it had.

        Raises:
            JobError: The job was stored without its programs, or is of another device.
            QctrlError: The runner refuses it.
        """
        return replay(self, record)


def _put(backend: Backend, device: Device) -> None:
    # Target and what Qiskit derives of it are made anew when they are first asked for.
    for name in ("_target", "calibration_text"):
        vars(backend).pop(name, None)
    description = f"{device.calibration.name}, calibration {device.calibration.id}"
    vars(backend).update(_device=device, _coupling_map=None, description=description)
