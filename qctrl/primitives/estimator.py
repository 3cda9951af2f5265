"""``EstimatorV2``: expectation values, from sampler work."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from qiskit import QuantumCircuit
from qiskit.primitives import BaseEstimatorV2, DataBin, EstimatorPubLike, PrimitiveResult, PubResult
from qiskit.primitives.containers.estimator_pub import EstimatorPub

from qctrl.errors import ProtocolError
from qctrl.execution import JobResult
from qctrl.primitives.bases import measured
from qctrl.primitives.job import Job
from qctrl.primitives.observables import Basis, Plan, estimate, plan_pub
from qctrl.primitives.options import EstimatorOptions, make_options
from qctrl.primitives.pubs import decode_estimator_pubs, encode_pubs, flat_values
from qctrl.primitives.require import require_backend
from qctrl.primitives.submission import to_request
from qctrl.primitives.tasks import Placement, Task, TaskResult, build_works, gather
from qctrl.provider import Backend
from qctrl.readout import to_bit_array


class EstimatorV2(BaseEstimatorV2):
    """Estimates expectation values on ISA circuits to a target precision.

    The precision is that of one Pauli: each measured basis gets ``ceil(1 / precision**2)`` shots at
    each parameter point. ``stds`` is the standard error of what was asked for.

    Args:
        backend: A backend of ``ProviderService``.
        options: Tree of options, or nested dicts: ``default_precision``, ``max_execution_time`` (s),
            ``execution.chunk_shots``, ``execution.rep_delay`` (s), ``simulator.seed_simulator``,
            ``environment.job_tags``.
        mode: The same as ``backend``, for code that was written for another provider.
    """

    def __init__(
        self,
        backend: Backend | None = None,
        options: EstimatorOptions | Mapping[str, Any] | None = None,
        *,
        mode: Backend | None = None,
    ) -> None:
        self._backend = require_backend(backend, mode, "EstimatorV2")
        self._options = make_options(EstimatorOptions, options)

    @property
    def backend(self) -> Backend:
        """The backend that measures."""
        return self._backend

    @property
    def mode(self) -> Backend:
        """The backend that measures."""
        return self._backend

    @property
    def options(self) -> EstimatorOptions:
        """Options of the next jobs; assign to its attributes."""
        return self._options

    def run(self, pubs: Iterable[EstimatorPubLike], *, precision: float | None = None) -> Job:  # pyright: ignore[reportUnknownParameterType] Qiskit gives its Rust half no types
        """Check and submit pubs.

        Args:
            pubs: Tuples (circuit, observables, values, precision); observables and values broadcast
                as NumPy arrays. Apply the circuit's layout to the observables first.
            precision: Target precision of the pubs that bring none; the default is
                ``options.default_precision``.

        Returns:
            The job; its result holds ``evs`` and ``stds`` of each pub's broadcast shape.

        Raises:
            TypeError: A pub or ``precision`` is of a wrong type.
            ValueError: A pub or ``precision`` has a wrong value; 0 is one, shots are finite.
            CompileError: A circuit cannot run on the device.
        """
        default = self._options.default_precision if precision is None else precision
        # A circuit is iterable: taken for pubs it would fail with a message about its first gate.
        listed: Iterable[Any] = [pubs] if isinstance(pubs, QuantumCircuit) else pubs
        coerced = [EstimatorPub.coerce(pub, default) for pub in listed]
        for index, pub in enumerate(coerced):
            _check_precision(index, pub)
            self._backend.check(pub.circuit)
        tasks = [task for index, pub in enumerate(coerced) for task in _tasks(index, pub)]
        works, placements = build_works(tasks, self._backend.compile, self._backend.structural_parameters)
        request = to_request("estimator", works, placements, encode_pubs(coerced), self._options)
        backend = self._backend
        return Job(backend.submit(request), assemble, decode_estimator_pubs, lambda: backend, coerced)


def shots_of(pub: EstimatorPub) -> int:
    """Return the shots per basis and parameter point."""
    return math.ceil(1.0 / (pub.precision or math.nan) ** 2)


def _check_precision(index: int, pub: EstimatorPub) -> None:
    if not (pub.precision is not None and pub.precision > 0 and math.isfinite(pub.precision)):
        raise ValueError(
            f"The {index}-th pub has precision {pub.precision}. But precision should be larger than 0, "
            "and finite: shots are."
        )


def _tasks(index: int, pub: EstimatorPub) -> list[Task]:
    plan = plan_pub(pub)
    values = flat_values(pub)
    return [
        Task(
            circuit=measured(pub.circuit, basis),
            values=values[list(rows)],
            shots=shots_of(pub),
            pub_index=index,
        )
        for basis, rows in zip(plan.bases, plan.rows, strict=True)
    ]


def assemble(pubs: Sequence[EstimatorPub], blob: Any, result: JobResult) -> PrimitiveResult[PubResult]:
    """Return the result of an estimator job from its pubs, its stored blob and the raw result."""
    placements = [Placement.from_document(each) for each in blob.document["placements"]]
    plans = [plan_pub(pub) for pub in pubs]
    parts = iter(gather(sum(len(plan.bases) for plan in plans), placements, result))
    results = [_pub_result(pub, plan, [next(parts) for _ in plan.bases]) for pub, plan in zip(pubs, plans, strict=True)]
    return PrimitiveResult(results, metadata={"version": 2})


def _pub_result(pub: EstimatorPub, plan: Plan, parts: Sequence[TaskResult]) -> PubResult:
    words = [
        _words(part, basis, rows, pub.circuit.num_clbits)
        for part, basis, rows in zip(parts, plan.bases, plan.rows, strict=True)
    ]
    evs, stds = estimate(plan, words, shots_of(pub))
    return PubResult(
        DataBin(evs=evs, stds=stds, shape=plan.shape),
        # Exactly Qiskit's keys: its own tests compare for equality; ours are in job.metrics().
        metadata={
            "target_precision": pub.precision,
            "shots": shots_of(pub),
            "circuit_metadata": pub.circuit.metadata,
        },
    )


def _words(part: TaskResult, basis: Basis, rows: Sequence[int], n_clbits: int) -> NDArray[np.uint8]:
    """Return the bits of the basis register, which stands behind the circuit's own bits."""
    if part.bits is None:
        raise ProtocolError("a measured basis has no result")
    clbits = range(n_clbits, n_clbits + len(basis))
    return to_bit_array(part.bits, clbits, (len(rows),)).array
