"""``EstimatorV2``: expectation values, from sampler work."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from qiskit import QuantumCircuit
from qiskit.primitives import BaseEstimatorV2, DataBin, EstimatorPubLike, PrimitiveResult, PubResult
from qiskit.primitives.containers.estimator_pub import EstimatorPub

from qctrl.errors import ProtocolError
from qctrl.execution import JobResult, WorkResult
from qctrl.primitives.bases import measured
from qctrl.primitives.correlated_readout import (
    estimate_correlated,
    measured_sets,
    reference_circuit,
    reference_shots,
)
from qctrl.primitives.estimate import Estimate, estimate, estimate_in_groups
from qctrl.primitives.job import Job, Recipe
from qctrl.primitives.mitigation import NONE, Mitigation
from qctrl.primitives.observables import observable_terms
from qctrl.primitives.options import EstimatorOptions
from qctrl.primitives.plan import Measurement, Plan, plan_pub
from qctrl.primitives.primitive import Primitive
from qctrl.primitives.pubs import decode_estimator_pubs, flat_values
from qctrl.primitives.randomizations import restore
from qctrl.primitives.session import Mode
from qctrl.primitives.tasks import Placement, Task, TaskResult, gather
from qctrl.primitives.zne import Amplified, Zne, amplify, extrapolate_all
from qctrl.provider import Backend
from qctrl.readout import to_bit_array
from qctrl.service import Blob


class EstimatorV2(Primitive[EstimatorOptions], BaseEstimatorV2):
    """Estimates expectation values on ISA circuits to a target precision.

    Every result has a standard error of at most the precision, whatever the state: shots follow from
    the coefficients of the observables, ``1 / precision**2`` for one Pauli. ``stds`` is the standard
    error that the shots show. ``metadata["shots"]`` is that of one Pauli, as in Qiskit; what each
    basis got, and the total, are in ``metadata["qctrl"]``.

    With ``resilience_level`` 1, the readout of each qubit is corrected by the assignment matrix of the
    calibration; that takes more shots, and ``stds`` include the uncertainty of the matrices. With 2, results are
    extrapolated to zero noise as well: the precision is then that of every noise factor, ``stds`` are those of the
    fits and larger, and ``evs_noise_factors`` and ``stds_noise_factors`` hold what was measured.

    Args:
        backend: A backend of ``ProviderService``.
        options: Tree of options, or nested dicts: ``default_precision`` or ``default_shots``,
            ``resilience_level`` or ``resilience.{measure_mitigation, zne_mitigation, zne}``,
            ``max_execution_time`` (s),
            ``execution.chunk_shots``, ``execution.rep_delay`` (s), ``dynamical_decoupling``, ``twirling``,
            ``simulator.seed_simulator``, ``environment.job_tags``.
        mode: A backend, session or batch, for code that was written for another provider; inside the context
            of a session it may be left out.
    """

    def __init__(
        self,
        backend: Backend | None = None,
        options: EstimatorOptions | Mapping[str, Any] | None = None,
        *,
        mode: Mode | None = None,
    ) -> None:
        super().__init__(EstimatorOptions, backend, options, mode)

    def run(self, pubs: Iterable[EstimatorPubLike], *, precision: float | None = None) -> Job:  # pyright: ignore[reportUnknownParameterType] Qiskit gives its Rust half no types
        """Check and submit pubs.

        Args:
            pubs: Tuples (circuit, observables, values, precision); observables and values broadcast
                as NumPy arrays. Apply the circuit's layout to the observables first.
            precision: Target precision of the pubs that bring none; the default is
                ``options.default_precision``, or what ``options.default_shots`` give.

        Returns:
            The job; its result holds ``evs`` and ``stds`` of each pub's broadcast shape.

        Raises:
            ConfigError: The session is closed.
            TypeError: A pub or ``precision`` is of a wrong type.
            ValueError: A pub or ``precision`` has a wrong value; 0 is one, shots are finite.
            CompileError: A circuit cannot run on the device.
        """
        self._check_open()
        default = self._options.precision() if precision is None else precision
        # A circuit is iterable: taken for pubs it would fail with a message about its first gate.
        listed: Iterable[Any] = [pubs] if isinstance(pubs, QuantumCircuit) else pubs
        coerced = [EstimatorPub.coerce(pub, default) for pub in listed]
        for index, pub in enumerate(coerced):
            _check_precision(index, pub)
            self._backend.check(pub.circuit)
        mitigation = self._mitigation(coerced)
        variants = [self._variants(index, pub) for index, pub in enumerate(coerced)]
        tasks = [
            task
            for index, pub in enumerate(coerced)
            for variant in variants[index]
            for task in _tasks(index, pub, variant, mitigation)
        ]
        twirling = self._options.twirling
        if self._options.correlates_readout():
            tasks += _references(coerced, mitigation)
            twirling = replace(twirling, enable_measure=True)
        notes: dict[str, Any] = {
            "assignments": mitigation.to_document(),
            "correlated": self._options.correlates_readout(),
        }
        if self._options.extrapolates():
            factors = tuple(tuple(variant.factor for variant in each) for each in variants)
            zne = self._options.resilience.zne
            notes["zne"] = Zne(factors, zne.amplifier, zne.extrapolators).to_document()
        return self._submit(RECIPE, coerced, tasks, twirling, notes)

    def _variants(self, index: int, pub: EstimatorPub) -> list[Amplified]:
        options = self._options.dynamical_decoupling.compile_options()
        if not self._options.extrapolates():
            return [Amplified(pub.circuit, options, 1.0)]
        return amplify(index, pub.circuit, options, self._options.resilience.zne)

    def _mitigation(self, pubs: Sequence[EstimatorPub]) -> Mitigation:
        if not self._options.mitigates_readout():
            return NONE
        observed = {
            qubit
            for pub in pubs
            for observable in pub.observables.sparse_observables_array().ravel()
            for term in observable_terms(observable)
            for qubit, _ in term
        }
        return Mitigation.from_calibration(self._backend.calibration, observed)


def shots_of(pub: EstimatorPub) -> int:
    """Return the shots that one Pauli takes per parameter point."""
    return math.ceil(1.0 / (pub.precision or math.nan) ** 2)


def _check_precision(index: int, pub: EstimatorPub) -> None:
    if not (pub.precision is not None and pub.precision > 0 and math.isfinite(pub.precision)):
        raise ValueError(
            f"The {index}-th pub has precision {pub.precision}. But precision should be larger than 0, "
            "and finite: shots are."
        )


def _tasks(index: int, pub: EstimatorPub, variant: Amplified, mitigation: Mitigation) -> list[Task]:
    values = flat_values(pub)
    return [
        Task(
            circuit=measured(variant.circuit, each.basis),
            values=values[list(each.rows)],
            shots=each.shots,
            pub_index=index,
            options=variant.options,
        )
        for each in plan_pub(pub, mitigation).measurements
    ]


def _references(pubs: Sequence[EstimatorPub], mitigation: Mitigation) -> list[Task]:
    """Return what shows how the qubits of a job are misread together."""
    plans = [plan_pub(pub, mitigation) for pub in pubs]
    return [
        Task(reference_circuit(qubits), np.empty((1, 0)), reference_shots(plans, qubits), pub_index=len(pubs) + index)
        for index, qubits in enumerate(measured_sets(plans))
    ]


def assemble(pubs: Sequence[EstimatorPub], blob: Blob, result: JobResult) -> PrimitiveResult[PubResult]:
    """Return the result of an estimator job from its pubs, its stored blob and the raw result."""
    found = [each for each in pub_results(pubs, blob, result.works) if each is not None]
    return PrimitiveResult(found, metadata={"version": 2})


def pub_results(pubs: Sequence[EstimatorPub], blob: Blob, works: Sequence[WorkResult | None]) -> list[PubResult | None]:
    """Return the result of each pub; ``None`` while a measurement of it is missing."""
    # Jobs of release 0.1.0 know of no mitigation.
    mitigation = Mitigation.from_document(blob.document.get("assignments", {}))
    zne = Zne.from_document(blob.document["zne"]) if "zne" in blob.document else None
    placements = [Placement.from_document(each) for each in blob.document["placements"]]
    plans = [plan_pub(pub, mitigation) for pub in pubs]
    factors = [(1.0,) for _ in pubs] if zne is None else zne.factors
    sets = measured_sets(plans) if blob.document.get("correlated", False) else []
    n_tasks = len(sets) + sum(len(plan.measurements) * len(each) for plan, each in zip(plans, factors, strict=True))
    spread = zip(gather(n_tasks, placements, works), restore(blob, n_tasks), strict=True)
    merged = [None if part is None else (each.merged(part), each.n_draws) for part, each in spread]
    how = _how(sets, merged[n_tasks - len(sets) :])
    gathered = iter(merged)
    results: list[PubResult | None] = []
    for pub, plan, strengths in zip(pubs, plans, factors, strict=True):
        parts = [[next(gathered) for _ in plan.measurements] for _ in strengths]
        whole = [[part for part in each if part is not None] for each in parts]
        is_whole = all(len(each) == len(plan.measurements) for each in whole)
        made = _pub_result(pub, plan, whole, (strengths, zne), how) if is_whole and how is not None else None
        if made is not None and sets:
            shots = sum(reference_shots(plans, qubits) for qubits in sets)
            made.metadata["qctrl"].update(measure_mitigation="correlated", reference_shots=shots)
        results.append(made)
    return results


def _how(sets: Sequence[tuple[int, ...]], parts: Sequence[tuple[TaskResult, int] | None]) -> Estimate | None:
    """Return what makes values of words; ``None`` while a reference of the readout is missing."""
    if not sets:
        return estimate
    references: dict[tuple[int, ...], NDArray[np.uint8]] = {}
    for qubits, part in zip(sets, parts, strict=True):
        if part is None or part[0].bits is None:
            return None
        references[qubits] = to_bit_array(part[0].bits, range(len(qubits)), (1,)).array
    return partial(estimate_correlated, references=references)


def _pub_result(
    pub: EstimatorPub,
    plan: Plan,
    parts: Sequence[Sequence[tuple[TaskResult, int]]],
    strengths: tuple[Sequence[float], Zne | None],
    how: Estimate,
) -> PubResult:
    """Return the result of one pub from its parts, each with its number of twirls, by noise factor."""
    factors, zne = strengths
    pairs: list[tuple[NDArray[np.float64], NDArray[np.float64]]] = []
    for run in parts:
        measured_parts = zip(run, plan.measurements, strict=True)
        words = [_words(part, each, pub.circuit.num_clbits) for (part, _), each in measured_parts]
        pairs.append(estimate_in_groups(plan, words, [n_draws for _, n_draws in run], how))
    metadata = _metadata(pub, plan, len(factors))
    if zne is None:
        ((evs, stds),) = pairs
        return PubResult(DataBin(evs=evs, stds=stds, shape=plan.shape), metadata=metadata)
    all_evs, all_stds = (np.stack(each, axis=-1) for each in zip(*pairs, strict=True))
    found = extrapolate_all(factors, all_evs, all_stds, zne.extrapolators)
    metadata["qctrl"]["zne"] = {
        "noise_factors": list(factors),
        "amplifier": zne.amplifier,
        "extrapolators": found.models,
    }
    data = DataBin(
        evs=found.evs, stds=found.stds, evs_noise_factors=all_evs, stds_noise_factors=all_stds, shape=plan.shape
    )
    return PubResult(data, metadata=metadata)


def _metadata(pub: EstimatorPub, plan: Plan, n_factors: int) -> dict[str, Any]:
    """Return Qiskit's keys as Qiskit fills them, and all of ours under one more."""
    groups = [{"basis": dict(each.basis), "shots": each.shots, "points": len(each.rows)} for each in plan.measurements]
    return {
        "target_precision": pub.precision,
        "shots": shots_of(pub),
        "circuit_metadata": pub.circuit.metadata,
        "qctrl": {
            "total_shots": plan.total_shots * n_factors,
            "groups": groups,
            "measure_mitigation": bool(plan.mitigation.assignments),
        },
    }


def _words(part: TaskResult, measurement: Measurement, n_clbits: int) -> NDArray[np.uint8]:
    """Return the bits of the basis register, which stands behind the circuit's own bits."""
    if part.bits is None:
        raise ProtocolError("a measured basis has no result")
    clbits = range(n_clbits, n_clbits + len(measurement.basis))
    return to_bit_array(part.bits, clbits, (len(measurement.rows),)).array


RECIPE: Final = Recipe("estimator", assemble, pub_results, decode_estimator_pubs)
"""How jobs of this primitive become results."""
