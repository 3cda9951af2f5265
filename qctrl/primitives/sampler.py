"""``SamplerV2``: bits of every shot."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import numpy as np
from qiskit.primitives import BaseSamplerV2, DataBin, PrimitiveResult, SamplerPubLike, SamplerPubResult
from qiskit.primitives.containers.sampler_pub import SamplerPub

from qctrl.errors import RegisterNameError
from qctrl.execution import JobResult, WorkResult
from qctrl.primitives.job import Job, Recipe
from qctrl.primitives.metadata import Metadata
from qctrl.primitives.options import SamplerOptions
from qctrl.primitives.primitive import Primitive
from qctrl.primitives.pubs import decode_sampler_pubs, flat_values
from qctrl.primitives.randomizations import restore
from qctrl.primitives.session import Mode
from qctrl.primitives.spans import execution_spans
from qctrl.primitives.statistics import summary
from qctrl.primitives.tasks import Placement, Task, TaskResult, gather
from qctrl.protocol import CaptureMode
from qctrl.provider import Backend
from qctrl.readout import Register, check_register_names, to_data_bin, to_kerneled_bin
from qctrl.service import Blob

_CAPTURE_MODE: Mapping[str, CaptureMode] = {
    "classified": "bits",
    "kerneled": "iq",
    "avg_kerneled": "iq_mean",
    "classified+kerneled": "bits+iq",
}
_POINTS = "_iq"
"""Behind the name of a register: its IQ points, where bits and points are asked for."""


class SamplerV2(Primitive[SamplerOptions], BaseSamplerV2):
    """Samples the classical registers of ISA circuits.

    Args:
        backend: A backend of ``ProviderService``.
        options: Tree of options, or nested dicts: ``default_shots``, ``max_execution_time`` (s),
            ``execution.{chunk_shots, rep_delay (s), meas_type}``, ``dynamical_decoupling``, ``twirling``,
            ``simulator.seed_simulator``, ``environment.job_tags``.
        mode: A backend, session or batch, for code that was written for another provider; inside the context
            of a session it may be left out.
    """

    def __init__(
        self,
        backend: Backend | None = None,
        options: SamplerOptions | Mapping[str, Any] | None = None,
        *,
        mode: Mode | None = None,
    ) -> None:
        super().__init__(SamplerOptions, backend, options, mode)

    def run(self, pubs: Iterable[SamplerPubLike], *, shots: int | None = None) -> Job:  # pyright: ignore[reportUnknownParameterType] Qiskit gives its Rust half no types
        """Check and submit pubs.

        Args:
            pubs: Circuits, or tuples (circuit, values, shots); values broadcast into the shape of
                the result.
            shots: Shots of the pubs that bring none; the default is ``options.default_shots``, or the product of
                both numbers of ``options.twirling`` where they are given.

        Returns:
            The job; its result holds a ``BitArray`` per classical register of each pub.

        Raises:
            ConfigError: The session is closed.
            TypeError: A pub or ``shots`` is of a wrong type.
            ValueError: A pub or ``shots`` has a wrong value.
            CompileError: A circuit cannot run on the device.
        """
        self._check_open()
        default = self._options.shots() if shots is None else shots
        coerced = [SamplerPub.coerce(pub, default) for pub in pubs]
        for index, (pub, registers) in enumerate(zip(coerced, _registers(coerced), strict=True)):
            self._validate(index, pub, registers)
        execution = self._options.execution
        compile_options = self._options.dynamical_decoupling.compile_options()
        values = flat_values(coerced)
        tasks = [
            Task(
                circuit=pub.circuit,
                values=values[index],
                shots=int(pub.shots or default),
                capture_mode=_CAPTURE_MODE[execution.meas_type],
                pub_index=index,
                options=compile_options,
            )
            for index, pub in enumerate(coerced)
        ]
        return self._submit(RECIPE, coerced, values, tasks, self._options.twirling, {})

    def _validate(self, index: int, pub: SamplerPub, registers: Sequence[Register]) -> None:
        if not pub.circuit.cregs:
            warnings.warn(
                f"The {index}-th pub's circuit has no output classical registers and so the result "
                "will be empty. Did you mean to add measurement instructions?",
                UserWarning,
                stacklevel=3,
            )
        self._options.twirling.check(index, pub.shots or 0)
        if self._options.twirling.enable_measure and self._options.execution.meas_type != "classified":
            raise ValueError(
                f"twirling.enable_measure inverts bits, and meas_type is {self._options.execution.meas_type!r}, IQ "
                "points; choose 'classified', or do not twirl measurements"
            )
        if self._options.execution.meas_type == "classified+kerneled":
            _check_points_names(registers)
        check_register_names(registers)
        if pub.parameter_values.size == 0:
            # Nothing of it is compiled, and compiling is what refuses the others.
            self._backend.check(pub.circuit)


def _registers(pubs: Sequence[SamplerPub]) -> list[list[Register]]:
    """Return the registers of each pub; pubs of one circuit share them."""
    circuits = {id(pub.circuit): pub.circuit for pub in pubs}
    found: dict[int, list[Register]] = {
        key: [(register.name, tuple(circuit.find_bit(bit).index for bit in register)) for register in circuit.cregs]
        for key, circuit in circuits.items()
    }
    return [found[id(pub.circuit)] for pub in pubs]


def _check_points_names(registers: Sequence[Register]) -> None:
    names = {name for name, _ in registers}
    for name in sorted(names):
        if name + _POINTS in names:
            raise RegisterNameError(
                f"classical register {name + _POINTS!r} has the name that the IQ points of {name!r} get; rename it"
            )


def assemble(pubs: Sequence[SamplerPub], blob: Blob, result: JobResult) -> PrimitiveResult[SamplerPubResult]:
    """Return the result of a sampler job from its pubs, its stored blob and the raw result."""
    placements = _placements(blob)
    shapes = [(*pub.parameter_values.shape, pub.shots or 0) for pub in pubs]
    draws = [each.n_draws for each in restore(blob, len(pubs))]
    return PrimitiveResult(
        [each for each in pub_results(pubs, blob, result.works) if each is not None],
        metadata=Metadata(
            version=2,
            execution={"execution_spans": execution_spans(shapes, placements, result, draws)},
            qctrl={"statistics": summary(result.works)},
        ),
    )


def pub_results(
    pubs: Sequence[SamplerPub], blob: Blob, works: Sequence[WorkResult | None]
) -> list[SamplerPubResult | None]:
    """Return the result of each pub, of as many shots as there are; ``None`` while there is none."""
    meas_type = blob.document["options"]["execution"]["meas_type"]
    parts = gather(len(pubs), _placements(blob), works)
    return [
        None if part is None else _pub_result(pub, registers, randomization.merged(part), meas_type)
        for pub, registers, part, randomization in zip(
            pubs, _registers(pubs), parts, restore(blob, len(pubs)), strict=True
        )
    ]


def _placements(blob: Blob) -> list[Placement]:
    return [Placement.from_document(each) for each in blob.document["placements"]]


def _pub_result(pub: SamplerPub, registers: Sequence[Register], part: TaskResult, meas_type: str) -> SamplerPubResult:
    shots = pub.shots if part.bits is None else part.bits.shape[1]
    # Exactly the keys of Qiskit, whose own tests compare for equality.
    return SamplerPubResult(
        _data(pub, registers, part, meas_type), metadata={"shots": shots, "circuit_metadata": pub.circuit.metadata}
    )


def _data(pub: SamplerPub, registers: Sequence[Register], part: TaskResult, meas_type: str) -> DataBin:
    if meas_type == "classified":
        return _classified(pub, registers, part)
    points = _kerneled(pub, registers, part, averaged=meas_type == "avg_kerneled")
    if meas_type != "classified+kerneled":
        return points
    both = {**_classified(pub, registers, part), **{name + _POINTS: values for name, values in points.items()}}
    return DataBin(shape=pub.parameter_values.shape, **both)


def _classified(pub: SamplerPub, registers: Sequence[Register], part: TaskResult) -> DataBin:
    shape = pub.parameter_values.shape
    n_bytes = -(-pub.circuit.num_clbits // 8)
    bits = np.empty((0, pub.shots or 0, n_bytes), dtype=np.uint8) if part.bits is None else part.bits
    return to_data_bin(bits, registers, shape)


def _kerneled(pub: SamplerPub, registers: Sequence[Register], part: TaskResult, *, averaged: bool) -> DataBin:
    shape = pub.parameter_values.shape
    if part.iq is None:
        n_bindings = pub.parameter_values.size
        empty = np.empty((n_bindings, 0) if averaged else (n_bindings, pub.shots or 0, 0), dtype=np.complex64)
        return to_kerneled_bin(empty, registers, shape, {})
    return to_kerneled_bin(part.iq, registers, shape, part.columns)


RECIPE: Final = Recipe("sampler", assemble, pub_results, decode_sampler_pubs)
"""How jobs of this primitive become results."""
