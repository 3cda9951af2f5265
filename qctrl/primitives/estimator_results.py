"""Results of estimator jobs, from the pubs, what the store keeps beside them, and measured bits."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from qiskit.primitives import DataBin, PrimitiveResult, PubResult
from qiskit.primitives.containers.estimator_pub import EstimatorPub

from qctrl.errors import ProtocolError
from qctrl.execution import JobResult, WorkResult
from qctrl.primitives.commuting import StoredGroups
from qctrl.primitives.correlated_readout import estimate_correlated, measured_sets, reference_shots
from qctrl.primitives.estimate import Estimate, estimate, estimate_in_groups
from qctrl.primitives.job import Recipe
from qctrl.primitives.metadata import Metadata
from qctrl.primitives.mitigation import Mitigation
from qctrl.primitives.observables import Grouping, single_terms
from qctrl.primitives.plan import Measurement, Plan, pauli_shots, plan_pub
from qctrl.primitives.pubs import decode_estimator_pubs
from qctrl.primitives.randomizations import restore
from qctrl.primitives.statistics import summary
from qctrl.primitives.tasks import Placement, TaskResult, gather
from qctrl.primitives.zne import Zne, extrapolate_all
from qctrl.readout import to_bit_array
from qctrl.service import Blob


def assemble(pubs: Sequence[EstimatorPub], blob: Blob, result: JobResult) -> PrimitiveResult[PubResult]:
    """Return the result of an estimator job from its pubs, its stored blob and the raw result."""
    found = [each for each in pub_results(pubs, blob, result.works) if each is not None]
    return PrimitiveResult(found, metadata=Metadata(version=2, qctrl={"statistics": summary(result.works)}))


def pub_results(pubs: Sequence[EstimatorPub], blob: Blob, works: Sequence[WorkResult | None]) -> list[PubResult | None]:
    """Return the result of each pub; ``None`` while a measurement of it is missing."""
    # Jobs of release 0.1.0 know of no mitigation.
    mitigation = Mitigation.from_document(blob.document.get("assignments", {}))
    zne = Zne.from_document(blob.document["zne"]) if "zne" in blob.document else None
    placements = [Placement.from_document(each) for each in blob.document["placements"]]
    grouping = _grouping(blob.document.get("groups"))
    plans = [plan_pub(pub, mitigation, grouping) for pub in pubs]
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
    if zne is None or len(factors) == 1:
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


def _grouping(kept: Any) -> Grouping | None:
    if kept is None:
        return None
    return single_terms if kept == "none" else StoredGroups(kept)


def _metadata(pub: EstimatorPub, plan: Plan, n_factors: int) -> Metadata:
    """Return Qiskit's keys as Qiskit fills them, and all of ours under one more."""
    return Metadata(
        target_precision=pub.precision,
        shots=pauli_shots(pub.precision or math.nan),
        circuit_metadata=pub.circuit.metadata,
        qctrl={
            "total_shots": plan.total_shots * n_factors,
            "groups": [_group(each) for each in plan.measurements],
            "measure_mitigation": bool(plan.mitigation.assignments),
        },
    )


def _group(measurement: Measurement) -> dict[str, Any]:
    found: dict[str, Any] = {
        "basis": dict(measurement.basis),
        "shots": measurement.shots,
        "points": len(measurement.rows),
    }
    # Only groups that commute as wholes have gates, and only with them is the basis not that of the observables.
    return {**found, "gates": [list(gate) for gate in measurement.gates]} if measurement.gates else found


def _words(part: TaskResult, measurement: Measurement, n_clbits: int) -> NDArray[np.uint8]:
    """Return the bits of the basis register, which stands behind the circuit's own bits."""
    if part.bits is None:
        raise ProtocolError("a measured basis has no result")
    clbits = range(n_clbits, n_clbits + len(measurement.basis))
    return to_bit_array(part.bits, clbits, (len(measurement.rows),)).array


RECIPE: Final = Recipe("estimator", assemble, pub_results, decode_estimator_pubs)
"""How jobs of this primitive become results."""
