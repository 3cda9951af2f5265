"""Groups of terms that commute as wholes, each with the gates that bring all of them to Z at once."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final

from qctrl.primitives.observables import Gate, Group, Reading, Term, group_terms

if TYPE_CHECKING:
    from qiskit import QuantumCircuit
    from qiskit.quantum_info import Clifford, PauliList
    from qiskit.transpiler import Target

_ENTANGLING: Final = ("cz", "ecr", "cx")
"""Clifford gates of two qubits that a diagonalisation may use."""
_PAULIS: Final = frozenset("XYZ")
_SEED: Final = 0


class CommutingGroups:
    """A grouping for one device; it remembers what it found, so that a stored job is read as it was measured.

    Args:
        target: The device; gates act on coupled qubits of a group's own only.
    """

    def __init__(self, target: Target) -> None:
        self._target = target
        self._known: dict[frozenset[Term], tuple[Group, ...]] = {}

    def __call__(self, terms: frozenset[Term]) -> tuple[Group, ...]:
        """Return groups of terms; those that no gates of this device bring to Z are split qubit by qubit."""
        if terms not in self._known:
            paulis = sorted(term for term in terms if term and all(letter in _PAULIS for _, letter in term))
            found = [group for members in _commuting(paulis) for group in self._groups(members)]
            self._known[terms] = (*found, *group_terms(terms - set(paulis)))
        return self._known[terms]

    def _groups(self, members: Sequence[Term]) -> tuple[Group, ...]:
        split = group_terms(members)
        if len(split) == 1:
            return split
        found = _diagonalised(members, self._target)
        return split if found is None else (found,)

    def to_document(self) -> list[Any]:
        """Return all groupings that were found, as JSON can say them."""
        return [
            [
                {
                    "basis": group.basis,
                    "readings": [(each.term, each.read, each.sign) for each in group.readings],
                    "gates": group.gates,
                    "contrast": group.contrast,
                }
                for group in groups
            ]
            for groups in self._known.values()
        ]


class StoredGroups:
    """The grouping that :meth:`CommutingGroups.to_document` described.

    Args:
        document: The description.
    """

    def __init__(self, document: Iterable[Any]) -> None:
        found = [tuple(_group(each) for each in groups) for groups in document]
        self._known = {frozenset(one.term for each in groups for one in each.readings): groups for groups in found}

    def __call__(self, terms: frozenset[Term]) -> tuple[Group, ...]:
        """Return the groups of terms that were measured."""
        return self._known[terms - {()}]


def _group(document: Any) -> Group:
    readings = tuple(Reading(_term(term), _term(read), sign) for term, read, sign in document["readings"])
    gates = tuple((name, tuple(qubits), tuple(angles)) for name, qubits, angles in document["gates"])
    return Group(_term(document["basis"]), readings, gates, document["contrast"])


def _term(pairs: Iterable[Any]) -> Term:
    return tuple((qubit, letter) for qubit, letter in pairs)


def _commuting(terms: Sequence[Term]) -> list[list[Term]]:
    """Return the terms in as few commuting sets as colouring their graph finds."""
    if not terms:
        return []
    labels = _labels(terms, _support(terms))
    places = {str(label): term for label, term in zip(labels.to_labels(), terms, strict=True)}
    return [[places[label] for label in group.to_labels()] for group in labels.group_commuting()]


def _support(terms: Iterable[Term]) -> list[int]:
    return sorted({qubit for term in terms for qubit, _ in term})


def _labels(terms: Sequence[Term], qubits: Sequence[int]) -> PauliList:
    from qiskit.quantum_info import PauliList

    return PauliList(["".join(dict(term).get(qubit, "I") for qubit in reversed(qubits)) for term in terms])


def _diagonalised(members: Sequence[Term], target: Target) -> Group | None:
    """Return commuting terms as one group; ``None`` if their qubits are not coupled among themselves."""
    qubits = _support(members)
    edges = _edges(target, qubits)
    if not _connected(qubits, edges):
        return None
    labels = _labels(members, qubits)
    logical, n_bits = _clifford_circuit(labels)
    made = _on_device(logical, n_bits, qubits, edges, target)
    places = {
        made.find_bit(each.clbits[0]).index: qubits[made.find_bit(each.qubits[0]).index]
        for each in made.data
        if each.name == "measure"
    }
    gates = tuple(
        (each.name, tuple(qubits[made.find_bit(one).index] for one in each.qubits), tuple(map(float, each.params)))
        for each in made.data
        if each.name not in ("measure", "barrier")
    )
    readings = tuple(
        Reading(term, tuple(sorted((places[bit], "Z") for bit in bits)), sign)
        for term, (bits, sign) in zip(members, _diagonals(labels, logical), strict=True)
    )
    basis = tuple((qubit, "Z") for qubit in sorted(places.values()))
    return Group(basis, readings, gates, _contrast(gates, target))


def _clifford_circuit(labels: PauliList) -> tuple[QuantumCircuit, int]:
    """Return a circuit that makes each of the Paulis a product of Z, and on how many qubits, the first, these are."""
    from qiskit.synthesis import synth_circuit_from_stabilizers

    chosen: list[str] = []
    rows: list[int] = []
    for label in sorted(labels.to_labels(), key=lambda label: (len(label) - label.count("I"), label)):
        row = int("".join({"I": "00", "X": "10", "Y": "11", "Z": "01"}[letter] for letter in label), 2)
        for known in rows:
            row = min(row, row ^ known)
        if row:
            rows.append(row)
            chosen.append(label)
    return synth_circuit_from_stabilizers(chosen, allow_underconstrained=True, invert=True), len(chosen)


def _diagonals(labels: PauliList, logical: QuantumCircuit) -> list[tuple[list[int], int]]:
    """Return of each Pauli the bits whose Z its image is the product of, and its sign."""
    from qiskit.quantum_info import Clifford

    clifford: Clifford = Clifford(logical)
    images = labels.evolve(clifford, frame="s")
    return [([bit for bit, on in enumerate(image.z.tolist()) if on], 1 - int(image.phase)) for image in images]


def _on_device(
    logical: QuantumCircuit, n_bits: int, qubits: Sequence[int], edges: Sequence[tuple[int, int]], target: Target
) -> QuantumCircuit:
    """Return the circuit with its measurements in gates of the device, qubit ``k`` the ``k``-th of its qubits."""
    from qiskit import ClassicalRegister
    from qiskit.transpiler import CouplingMap, generate_preset_pass_manager

    place = {qubit: index for index, qubit in enumerate(qubits)}
    circuit = logical.copy()
    circuit.add_register(ClassicalRegister(n_bits))
    circuit.measure(range(n_bits), range(n_bits))
    passes = generate_preset_pass_manager(
        optimization_level=2,
        basis_gates=["rz", "sx", "x", *(name for name in _ENTANGLING if name in target.operation_names)],
        coupling_map=CouplingMap([(place[a], place[b]) for a, b in edges]),
        initial_layout=list(range(len(qubits))),
        seed_transpiler=_SEED,
    )
    return passes.run(circuit)


def _edges(target: Target, qubits: Sequence[int]) -> list[tuple[int, int]]:
    names = [name for name in _ENTANGLING if name in target.operation_names]
    pairs = {pair for name in names for pair in (target[name] or ())}
    return sorted(pair for pair in pairs if set(pair) <= set(qubits))


def _connected(qubits: Sequence[int], edges: Sequence[tuple[int, int]]) -> bool:
    reached, left = {qubits[0]}, list(edges)
    while step := [pair for pair in left if reached & set(pair)]:
        left = [pair for pair in left if pair not in step]
        reached |= {qubit for pair in step for qubit in pair}
    return reached == set(qubits)


def _contrast(gates: Sequence[Gate], target: Target) -> float:
    errors = [properties.error for name, qubits, _ in gates if (properties := target[name][qubits]) is not None]
    return math.prod(1 - (error or 0.0) for error in errors)
