"""``EstimatorV2``: expectation values, from sampler work."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from qiskit import QuantumCircuit
from qiskit.primitives import BaseEstimatorV2, EstimatorPubLike
from qiskit.primitives.containers.estimator_pub import EstimatorPub

from qctrl.primitives.bases import measured
from qctrl.primitives.commuting import CommutingGroups
from qctrl.primitives.correlated_readout import measured_sets, reference_circuit, reference_shots
from qctrl.primitives.estimator_results import RECIPE
from qctrl.primitives.job import Job
from qctrl.primitives.mitigation import NONE, Mitigation
from qctrl.primitives.observables import Grouping, observable_terms, single_terms
from qctrl.primitives.options import EstimatorOptions
from qctrl.primitives.plan import Plan, pauli_shots, plan_pub
from qctrl.primitives.primitive import Primitive
from qctrl.primitives.pubs import flat_values
from qctrl.primitives.session import Mode
from qctrl.primitives.tasks import Task
from qctrl.primitives.zne import Amplified, Zne, amplify, can_amplify
from qctrl.provider import Backend


class EstimatorV2(Primitive[EstimatorOptions], BaseEstimatorV2):
    """Estimates expectation values on ISA circuits to a target precision.

    Every result has a standard error of at most the precision, whatever the state: shots follow from
    the coefficients of the observables, ``1 / precision**2`` for one Pauli. ``stds`` is the standard
    error that the shots show. ``metadata["shots"]`` is that of one Pauli, as in Qiskit; what each
    group got, and the total, are in ``metadata["qctrl"]``. Terms that commute qubit by qubit are a group; with
    ``options.grouping = "commuting"`` terms that commute as wholes are, where that takes fewer shots.

    With ``resilience_level`` 1, the readout of each qubit is corrected by the assignment matrix of the
    calibration; that takes more shots, and ``stds`` include the uncertainty of the matrices. With 2, results are
    extrapolated to zero noise as well: the precision is then that of every noise factor, ``stds`` are those of the
    fits and larger, and ``evs_noise_factors`` and ``stds_noise_factors`` hold what was measured. A circuit that has
    nothing to fold is left out of that with a warning, and refused where ``resilience.zne_mitigation`` is True.

    Args:
        backend: A backend of ``ProviderService``.
        options: Tree of options, or nested dicts: ``default_precision`` or ``default_shots``, ``grouping``,
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
                ``options.default_precision``, or what ``options.default_shots``, or both numbers of
                ``options.twirling``, give.

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
            self._options.twirling.check(index, pauli_shots(_precision(index, pub)))
            self._backend.check(pub.circuit)
        mitigation = self._mitigation(coerced)
        grouping = self._grouping()
        plans = [plan_pub(pub, mitigation, grouping) for pub in coerced]
        values = flat_values(coerced)
        variants = [self._variants(index, pub) for index, pub in enumerate(coerced)]
        tasks = [
            task
            for index, plan in enumerate(plans)
            for variant in variants[index]
            for task in _tasks(index, values[index], plan, variant)
        ]
        twirling = self._options.twirling
        if self._options.correlates_readout():
            tasks += _references(plans)
            twirling = replace(twirling, enable_measure=True)
        notes: dict[str, Any] = {
            "assignments": mitigation.to_document(),
            "correlated": self._options.correlates_readout(),
        }
        if grouping is not None:
            notes["groups"] = grouping.to_document() if isinstance(grouping, CommutingGroups) else "none"
        if self._options.extrapolates():
            factors = tuple(tuple(variant.factor for variant in each) for each in variants)
            zne = self._options.resilience.zne
            notes["zne"] = Zne(factors, zne.amplifier, zne.extrapolators).to_document()
        return self._submit(RECIPE, coerced, values, tasks, twirling, notes)

    def _grouping(self) -> CommutingGroups | Grouping | None:
        if self._options.grouping == "none":
            return single_terms
        return CommutingGroups(self._backend.target) if self._options.entangles() else None

    def _variants(self, index: int, pub: EstimatorPub) -> list[Amplified]:
        options = self._options.dynamical_decoupling.compile_options()
        if not self._options.extrapolates():
            return [Amplified(pub.circuit, options, 1.0)]
        zne = self._options.resilience.zne
        if not self._options.insists_on_extrapolation() and not can_amplify(pub.circuit, zne):
            warnings.warn(
                f"the {index}-th pub's circuit has no gates of two qubits to fold, so its values are not extrapolated; "
                "resilience.zne.amplifier='pulse_stretching' needs none",
                UserWarning,
                stacklevel=4,
            )
            return [Amplified(pub.circuit, options, 1.0)]
        return amplify(index, pub.circuit, options, zne)

    def _mitigation(self, pubs: Sequence[EstimatorPub]) -> Mitigation:
        options = self._options
        if not options.mitigates_readout():
            return NONE
        observed = {
            qubit
            for pub in pubs
            for observable in pub.observables.sparse_observables_array().ravel()
            for term in observable_terms(observable)
            for qubit, _ in term
        }
        # A job that measures its own readout needs no matrices; where there are some, they say how many shots it takes.
        measures = options.correlates_readout()
        found = Mitigation.from_calibration(self._backend.calibration, observed, known_only=measures)
        return found.twirled() if measures or options.twirling.enable_measure else found


def _precision(index: int, pub: EstimatorPub) -> float:
    if isinstance(pub.precision, bool):
        raise TypeError(f"The {index}-th pub has precision {pub.precision}; it must be a real number.")
    if pub.precision is not None and pub.precision > 0 and math.isfinite(pub.precision):
        return pub.precision
    raise ValueError(
        f"The {index}-th pub has precision {pub.precision}. But precision should be larger than 0, "
        "and finite: shots are."
    )


def _tasks(index: int, values: NDArray[np.float64], plan: Plan, variant: Amplified) -> list[Task]:
    return [
        Task(
            circuit=measured(variant.circuit, each.basis, each.gates),
            values=values[list(each.rows)],
            shots=each.shots,
            pub_index=index,
            options=variant.options,
        )
        for each in plan.measurements
    ]


def _references(plans: Sequence[Plan]) -> list[Task]:
    """Return what shows how the qubits of a job are misread together."""
    return [
        Task(reference_circuit(qubits), np.empty((1, 0)), reference_shots(plans, qubits), pub_index=len(plans) + index)
        for index, qubits in enumerate(measured_sets(plans))
    ]
