"""Pubs as the job store keeps them: QPY circuits, arrays of values, observables as lists."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from qiskit import QuantumCircuit
from qiskit.primitives import BindingsArray, ObservablesArray
from qiskit.primitives.containers.estimator_pub import EstimatorPub
from qiskit.primitives.containers.sampler_pub import SamplerPub
from qiskit.quantum_info import SparseObservable

from qctrl.service import Blob, decode_circuits, encode_circuits


def flat_values(pubs: Sequence[SamplerPub] | Sequence[EstimatorPub]) -> list[NDArray[np.float64]]:
    """Return the values of each pub as ``(n_bindings, n_parameters)``, in the order of its circuit's parameters."""
    circuits = {id(pub.circuit): pub.circuit for pub in pubs}
    names = {key: tuple([each.name for each in circuit.parameters]) for key, circuit in circuits.items()}
    return [_flat(pub.parameter_values, names[id(pub.circuit)]) for pub in pubs]


def _flat(values: BindingsArray, names: tuple[str, ...]) -> NDArray[np.float64]:
    # What was given as one array stands under the names of all parameters at once.
    known = values.data.get(names)
    whole = values.as_array(names) if known is None else np.asarray(known, dtype=np.float64)
    return whole.reshape(values.size, len(names))


def encode_pubs(pubs: Sequence[SamplerPub] | Sequence[EstimatorPub], values: Sequence[NDArray[np.float64]]) -> Blob:
    """Return pubs as a document and arrays; a circuit that several pubs share is stored once.

    Args:
        pubs: The pubs.
        values: What :func:`flat_values` says of them.
    """
    places: dict[int, int] = {}
    circuits: list[QuantumCircuit] = []
    rows: list[dict[str, Any]] = []
    arrays: dict[str, NDArray[Any]] = {}
    for index, pub in enumerate(pubs):
        if id(pub.circuit) not in places:
            places[id(pub.circuit)] = len(circuits)
            circuits.append(pub.circuit)
        row: dict[str, Any] = {"circuit": places[id(pub.circuit)], "shape": list(pub.parameter_values.shape)}
        if isinstance(pub, SamplerPub):
            row["shots"] = pub.shots
        else:
            row["precision"] = pub.precision
            row["observables"] = _encode_observables(pub.observables)
        arrays[f"values{index}"] = values[index]
        rows.append(row)
    arrays["circuits"] = encode_circuits(circuits)
    return Blob({"pubs": rows}, arrays)


def decode_sampler_pubs(blob: Blob) -> list[SamplerPub]:
    """Return the pubs of a sampler job."""
    circuits = decode_circuits(blob.arrays["circuits"])
    return [
        SamplerPub(circuits[row["circuit"]], _bindings(circuits[row["circuit"]], row, values), row["shots"])
        for row, values in _rows(blob)
    ]


def decode_estimator_pubs(blob: Blob) -> list[EstimatorPub]:
    """Return the pubs of an estimator job."""
    circuits = decode_circuits(blob.arrays["circuits"])
    return [
        EstimatorPub(
            circuits[row["circuit"]],
            _decode_observables(row["observables"]),
            _bindings(circuits[row["circuit"]], row, values),
            row["precision"],
        )
        for row, values in _rows(blob)
    ]


def _rows(blob: Blob) -> list[tuple[Mapping[str, Any], NDArray[np.float64]]]:
    return [(row, blob.arrays[f"values{index}"]) for index, row in enumerate(blob.document["pubs"])]


def _bindings(circuit: QuantumCircuit, row: Mapping[str, Any], values: NDArray[np.float64]) -> BindingsArray:
    names = tuple(parameter.name for parameter in circuit.parameters)
    shape = tuple(row["shape"])
    if not names:
        return BindingsArray(shape=shape)
    return BindingsArray({names: values.reshape(*shape, len(names))}, shape=shape)


def _encode_observables(observables: ObservablesArray) -> dict[str, Any]:
    terms = [
        [[letters, list(indices), float(coeff.real)] for letters, indices, coeff in each.to_sparse_list()]
        for each in observables.sparse_observables_array().ravel()
    ]
    return {"shape": list(observables.shape), "num_qubits": observables.num_qubits, "terms": terms}


def _decode_observables(document: Mapping[str, Any]) -> ObservablesArray:
    flat = np.empty(len(document["terms"]), dtype=object)
    for index, terms in enumerate(document["terms"]):
        triples = [(letters, indices, coeff) for letters, indices, coeff in terms]
        flat[index] = SparseObservable.from_sparse_list(triples, num_qubits=document["num_qubits"])
    return ObservablesArray(flat.reshape(document["shape"]), num_qubits=document["num_qubits"])
