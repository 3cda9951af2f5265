"""The indexed, frozen view of a calibration that the other rooms read."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from types import MappingProxyType
from typing import Any, TypeAlias

from qctrl.calibration.coherence import Coherence, coherence_limit, coherence_of
from qctrl.calibration.cross_resonance import CrossResonance
from qctrl.calibration.document import Document, Edge, Qubit, Timing
from qctrl.calibration.durations import cross_resonance_ticks, gate_ticks, measure_ticks, reset_ticks
from qctrl.calibration.edge_gates import EdgeGate
from qctrl.calibration.gates import ComposedGate, FractionalGate, QubitGate, VirtualZ
from qctrl.calibration.liveness import demoted
from qctrl.calibration.staleness import stale
from qctrl.errors import CalibrationError
from qctrl.units import clock_period

_NOT_IDENTITY_OF_VALUE = frozenset({"at", "by"})
_NOT_IDENTITY = {"id", "parent", "status", "created", "author", "message"}

Pair: TypeAlias = tuple[int, int]


@dataclass(frozen=True, slots=True, eq=False)
class Calibration:
    """One calibration, indexed by qubit number; equal contents have equal ``hash``."""

    document: Document
    """The file as validated; not to be changed in place."""
    source: str
    """Path it was read from, for messages."""
    hash: bytes
    """32 bytes of blake2b over the canonical content, without ids, status, times and authors."""
    dt_s: Fraction
    qubit_names: tuple[str | None, ...]
    """By index; ``None`` where no qubit has this index."""
    qubits: tuple[Qubit | None, ...]
    live_qubits: tuple[int, ...]
    """Ascending."""
    live_edges: tuple[Pair, ...]
    """Pairs in the order of their names, ascending."""
    demoted: Mapping[str, str]
    """Reason for each unusable qubit and edge, by name."""
    edge_names: Mapping[Pair, str]
    coherences: tuple[Coherence, ...]
    notes: tuple[str, ...]
    """What was adjusted, e.g. a T2 clamped to 2 T1."""

    @classmethod
    def from_document(cls, document: Document, source: str = "") -> Calibration:
        """Return the view of a validated document.

        Args:
            document: The calibration file.
            source: Path it was read from, for messages.
        """
        by_index = {qubit.index: name for name, qubit in document.qubits.items()}
        names = tuple(by_index.get(index) for index in range(max(by_index) + 1))
        qubits = tuple(None if name is None else document.qubits[name] for name in names)
        reasons = demoted(document)
        pairs = {_pair(document, name): name for name in document.edges}
        coherences = tuple(Coherence(None, None) if qubit is None else coherence_of(qubit) for qubit in qubits)
        return cls(
            document=document,
            source=source,
            hash=content_hash(document),
            dt_s=clock_period(document.timing.dt),
            qubit_names=names,
            qubits=qubits,
            live_qubits=tuple(i for i, name in enumerate(names) if name is not None and name not in reasons),
            live_edges=tuple(sorted(pair for pair, name in pairs.items() if name not in reasons)),
            demoted=MappingProxyType(reasons),
            edge_names=MappingProxyType(dict(sorted(pairs.items()))),
            coherences=coherences,
            notes=tuple(f"{name}: {c.note}" for name, c in zip(names, coherences, strict=True) if c.note),
        )

    @property
    def name(self) -> str:
        """Name of the device."""
        return self.document.device.name

    @property
    def id(self) -> str:
        """Label of this calibration; its identity is ``hash``."""
        return self.document.id

    @property
    def timing(self) -> Timing:
        """The device's time grid."""
        return self.document.timing

    @property
    def num_qubits(self) -> int:
        """Number of qubit indices, holes and dead qubits included."""
        return len(self.qubits)

    @property
    def warnings(self) -> tuple[str, ...]:
        """Values that contradict each other: an impossible T2, a gate error below the coherence limit."""
        found = [f"{name}: {c.warning}" for name, c in zip(self.qubit_names, self.coherences, strict=True) if c.warning]
        for name, qubits in self.operations():
            if (text := self._below_limit(name, qubits)) is not None:
                found.append(text)
        return tuple(found)

    def operations(self) -> tuple[tuple[str, tuple[int, ...]], ...]:
        """Return (gate, qubits) of every live gate, in index order, each pair in the gate's own direction."""
        found: list[tuple[str, tuple[int, ...]]] = []
        for index in self.live_qubits:
            found += [(name, (index,)) for name in sorted(self.live_qubit(index).gates)]
        for pair in self.live_edges:
            table: dict[str, EdgeGate] = {**self.document.edges[self.edge_names[pair]].gates}
            found += [(name, self._direction(table[name], pair)) for name in sorted(table)]
        return tuple(found)

    def live_qubit(self, index: int) -> Qubit:
        """Return a qubit that can be used.

        Args:
            index: Qubit number.

        Raises:
            CalibrationError: There is no such qubit, or it is dead.
        """
        qubit = self.qubits[index] if 0 <= index < len(self.qubits) else None
        name = self.qubit_names[index] if qubit is not None else None
        if qubit is None or name is None:
            raise CalibrationError(f"{self._start()} has no qubit {index}; indices are {self._shown_live()}")
        if name in self.demoted:
            raise CalibrationError(
                f"{self._start()}: qubit {index} ({name}) is not usable, {self.demoted[name]}; "
                f"use one of {self._shown_live()} or calibrate it"
            )
        return qubit

    def edge(self, first: int, second: int) -> Edge | None:
        """Return the edge between two qubits, in either order, dead ones too; ``None`` if there is none."""
        name = self.edge_names.get((first, second)) or self.edge_names.get((second, first))
        return None if name is None else self.document.edges[name]

    def gate(self, name: str, qubits: tuple[int, ...]) -> QubitGate | EdgeGate:
        """Return how a live gate is played.

        Args:
            name: ``rz``, ``sx``, ``x``, ``rx``, ``cz``, ``ecr``, ``cx``, ``rzx`` or ``rzz``.
            qubits: Its qubits, in order.

        Raises:
            CalibrationError: The gate does not exist there, or a qubit or the edge is dead.
        """
        gate: QubitGate | EdgeGate | None = None
        if len(qubits) == 1:
            table: dict[str, QubitGate] = {**self.live_qubit(qubits[0]).gates}
            gate = table.get(name)
        elif len(qubits) == 2:
            gate = self._edge_gate(name, (qubits[0], qubits[1]))
        if gate is None:
            raise CalibrationError(
                f"{self._start()} has no {name} on qubits {list(qubits)}; transpile the circuit for its target"
            )
        return gate

    def duration_ticks(self, name: str, qubits: tuple[int, ...]) -> int:
        """Return how long an operation occupies its qubits, in ticks on the device's grid.

        Args:
            name: A gate, ``measure`` or ``reset``.
            qubits: Its qubits, in order.

        Raises:
            CalibrationError: The operation does not exist there.
        """
        if name not in ("measure", "reset"):
            gate = self.gate(name, qubits)
            if isinstance(gate, CrossResonance):
                known = self.document.qubits
                return cross_resonance_ticks(gate, name, (known[gate.control], known[gate.target]), self.timing)[1]
            parts = self.live_qubit(qubits[0]).gates if len(qubits) == 1 else {}
            return gate_ticks(gate, {**parts}, self.timing)
        qubit = self.live_qubit(qubits[0])
        found = measure_ticks(qubit, self.timing) if name == "measure" else reset_ticks(qubit, self.timing)
        if found is None:
            raise CalibrationError(f"{self._start()} has no {name} on qubit {qubits[0]}; add it to the calibration")
        return found

    def angle_bounds(self, name: str, qubits: tuple[int, ...]) -> tuple[float, float] | None:
        """Return the lowest and highest angle of a live gate, in rad; ``None`` if it takes no bounded angle.

        Raises:
            CalibrationError: The gate does not exist there.
        """
        gate = self.gate(name, qubits)
        return gate.angle_bounds if isinstance(gate, FractionalGate | CrossResonance) else None

    def error(self, name: str, qubits: tuple[int, ...]) -> float | None:
        """Return the error of an operation: measured, else composed, else the coherence limit, else ``None``."""
        return self._error(name, qubits)[0]

    def error_source(self, name: str, qubits: tuple[int, ...]) -> str | None:
        """Return where ``error`` comes from.

        One of the value's ``method``, ``measured``, ``exact`` (virtual Z), ``assignment``, ``composed`` and
        ``coherence-limit``; ``None`` if the error is unknown.
        """
        return self._error(name, qubits)[1]

    def coherence(self, index: int) -> Coherence:
        """Return T1 and T2 of a qubit as they may be used."""
        return self.coherences[index]

    def stale(self, now: datetime) -> tuple[str, ...]:
        """Return the path of every value older than its time to live; none if ``on_stale`` is ``ignore``.

        Args:
            now: The present, with a time zone.
        """
        return stale(self.document, now)

    def _error(self, name: str, qubits: tuple[int, ...]) -> tuple[float | None, str | None]:
        if name == "measure":
            readout = self.live_qubit(qubits[0]).readout
            if readout is None or readout.assignment is None:
                return None, None
            rows = readout.assignment.value
            return (rows[1][0] + rows[0][1]) / 2, "assignment"
        if name == "reset":
            reset = self.live_qubit(qubits[0]).reset
            value = None if reset is None else reset.error
            return (None, None) if value is None else (value.value, value.method or "measured")
        gate = self.gate(name, qubits)
        if isinstance(gate, VirtualZ):
            return 0.0, "exact"
        if gate.error is not None:
            return gate.error.value, gate.error.method or "measured"
        if isinstance(gate, ComposedGate):
            return self._composed_error(gate, qubits)
        limit = self.coherence_limit(name, qubits)
        return limit, None if limit is None else "coherence-limit"

    def _composed_error(self, gate: ComposedGate, qubits: tuple[int, ...]) -> tuple[float | None, str | None]:
        fidelity = 1.0
        for part in gate.of:
            error = self.error(part, qubits)
            if error is None:
                return None, None
            fidelity *= 1 - error
        return 1 - fidelity, "composed"

    def coherence_limit(self, name: str, qubits: tuple[int, ...]) -> float | None:
        """Return the error that coherence alone gives a gate; ``None`` if a T1 or T2 is unknown."""
        times: list[tuple[float, float]] = []
        for index in qubits:
            found = self.coherences[index]
            if found.t1_s is None or found.t2_s is None:
                return None
            times.append((found.t1_s, found.t2_s))
        return coherence_limit(times, float(self.duration_ticks(name, qubits) * self.dt_s))

    def _below_limit(self, name: str, qubits: tuple[int, ...]) -> str | None:
        gate = self.gate(name, qubits)
        value = None if isinstance(gate, VirtualZ) else gate.error
        limit = self.coherence_limit(name, qubits)
        if value is None or limit is None or value.value >= limit - 2 * (value.unc or 0.0):
            return None
        return (
            f"{name}{list(qubits)}: error {value.value:g} is below its coherence limit {limit:g}; measure T1, T2, error"
        )

    def _edge_gate(self, name: str, pair: Pair) -> EdgeGate | None:
        for ordered in (pair, (pair[1], pair[0])):
            edge_name = self.edge_names.get(ordered)
            if edge_name is None:
                continue
            if edge_name in self.demoted:
                raise CalibrationError(
                    f"{self._start()}: edge {edge_name} is not usable, {self.demoted[edge_name]}; "
                    "transpile the circuit for its target"
                )
            table: dict[str, EdgeGate] = {**self.document.edges[edge_name].gates}
            gate = table.get(name)
            serves = gate is not None and (gate.symmetric or self._direction(gate, ordered) == pair)
            return gate if serves else None
        return None

    def _direction(self, gate: EdgeGate, pair: Pair) -> Pair:
        """Return the qubits of a gate in its own order: control and target, else as in the name of the edge."""
        if not isinstance(gate, CrossResonance):
            return pair
        return self.document.qubits[gate.control].index, self.document.qubits[gate.target].index

    def _start(self) -> str:
        return f"device {self.name} ({self.id})"

    def _shown_live(self) -> str:
        return ", ".join(str(index) for index in self.live_qubits) or "none"


def content_hash(document: Document) -> bytes:
    """Return 32 bytes of blake2b over the canonical JSON of a document.

    Ids, status, message, times and authors are left out, those of single values too: the same numbers are the same
    calibration, whoever measured them and when.
    """
    body = document.model_dump(mode="json", by_alias=True, exclude=_NOT_IDENTITY, exclude_none=True)
    text = json.dumps(_anonymous(body), sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.blake2b(text.encode(), digest_size=32).digest()


def _anonymous(node: Any) -> Any:
    if isinstance(node, list):
        return [_anonymous(entry) for entry in node]
    if not isinstance(node, dict):
        return node
    left_out = _NOT_IDENTITY_OF_VALUE if "value" in node else frozenset[str]()
    return {key: _anonymous(entry) for key, entry in node.items() if key not in left_out}


def _pair(document: Document, name: str) -> Pair:
    first, second = name.split("-")
    return document.qubits[first].index, document.qubits[second].index
