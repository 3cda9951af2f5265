"""Photons in the readout resonators, as the qubits feel them: Stark shift, dephasing, and what a readout leaves behind.

A resonator whose qubit is in level m holds the classical field alpha_m; it is driven by the whole feedline as sent, so
the tones of neighbours are included. The coherence of levels m and n obeys (Gambetta et al., Phys. Rev. A 74, 042318
(2006), eq. 5.9; Blais et al., Rev. Mod. Phys. 93, 025005 (2021), section V.C)

    d ln rho_mn / dt = -i (chi_m - chi_n) alpha_m alpha_n^*,

exactly, if nothing else acts. Part of this is entanglement with photons that are still inside, ``<alpha_n|alpha_m>``,
and comes back as they leave. It is divided out (the polaron frame of Gambetta et al., Phys. Rev. A 77, 012112 (2008)),
so that any stretch of time is a channel: dephasing by what left, ``kappa |alpha_m - alpha_n|^2 / 2``, and a shift. Once
a resonator is empty the two are the same.

Fields follow the level that a qubit has had since it was last measured: a pulse among photons does not swap them. A
measured qubit rests in its level until a line acts on it or on a neighbour; then all its levels go on from one field,
of the mean photon number of levels 0 and 1. Photons are felt when the DAC sends them: the delay of a feedline lies
behind the chip.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from firmware_sim.physics import _kernels
from firmware_sim.physics.cache import OperatorCache, content_key

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from firmware_sim.physics.blocks import Block
    from firmware_sim.physics.branches import Branch
    from firmware_sim.physics.device import Chip
    from firmware_sim.physics.segments import Segment
    from qctrl.protocol import Setup

Felt: TypeAlias = "Mapping[int, NDArray[np.complex128]]"
"""By qubit, ``ln`` of the factor of each of its coherences, shape ``(levels, levels)``."""

_TURN = 2 * np.pi
_EMPTY_PHOTONS = 1e-4
"""Photons that a resonator may be left with and count as empty: they turn a phase by as many rad."""
_GONE_PHOTONS = 1e-8
"""Photons below which a free field is not followed any more."""
_LARGE_BYTES = 2**24
"""Responses that are not worth their place in the memory of operators."""
_SILENT = 1e-12
_UNFELT = 1e-9


@dataclass(frozen=True, slots=True)
class _Line:
    port: int
    """Index of the readout port."""
    scale: float
    """Amplitude of a full-scale sample, sqrt(photons/s)."""
    held: int
    """Steps for which its converter holds a sample."""
    qubits: tuple[int, ...]


class Photons:
    """The resonators of a chip behind a Setup.

    Args:
        chip: The device.
        setup: Ports and clocks; a feedline whose readout port it lacks stays dark.
        cache: Memory of responses.
        levels: Levels of the states.
        sample_ticks: Grid of all segments.
    """

    def __init__(self, chip: Chip, setup: Setup, cache: OperatorCache, levels: int, sample_ticks: int) -> None:
        self._cache = cache
        ports = {port.name: index for index, port in enumerate(setup.ports)}
        wired = {name: line for name, line in chip.truth.feedlines.items() if line.readout_port in ports}
        clocks = [setup.ports[ports[line.readout_port]].sample_ticks for line in wired.values()]
        step_ticks = int(np.gcd.reduce([sample_ticks, *clocks]))
        self.steps = sample_ticks // step_ticks
        """Steps, in which fields are followed, per sample of the segments."""
        self.step_s = step_ticks * float(setup.tick_s)
        n_qubits = len(chip.names)
        self.kappa = np.zeros(n_qubits)
        self.shifts = np.zeros((n_qubits, levels))
        """By qubit and level, rad/s."""
        self.poles = np.ones((n_qubits, levels), dtype=np.complex128)
        """Likewise: a free field falls as ``exp(-pole t)``."""
        self._lines: list[_Line] = []
        for name, feedline in wired.items():
            port = ports[feedline.readout_port]
            known = {chip.names.index(q): r for q, r in chip.truth.resonators.items() if r.feedline == name}
            for q, resonator in known.items():
                self.kappa[q] = _TURN * resonator.kappa
                self.shifts[q] = _TURN * np.array(resonator.shifts[:levels])
                detuning = _TURN * (resonator.frequency - setup.ports[port].lo_hz) + self.shifts[q]
                self.poles[q] = self.kappa[q] / 2 - 1j * detuning
            held = setup.ports[port].sample_ticks // step_ticks
            self._lines.append(_Line(port, feedline.input_scale, held, tuple(known)))
        self._key = content_key("photons", self.step_s, self.kappa, self.poles, self.shifts, str(self._lines))
        pairs = [coupling.qubits for coupling in chip.couplings]
        self._near = {q: {q, *(x for pair in pairs if q in pair for x in pair)} for q in range(n_qubits)}

    def read(self, block: Block, branches: Sequence[Branch], end: int) -> Ringing | None:
        """Return the resonators up to a sample of a block; None if all are and stay empty."""
        known = {} if block.plays is None else block.plays.memory
        key = ("ringing", self._key, end)
        found: Ringing = known.get(key) or self._ringing(block, end)
        if found.inputs.nbytes <= _LARGE_BYTES:
            known[key] = found
        return found if found.loud or any(branch.fields is not None for branch in branches) else None

    def _ringing(self, block: Block, end: int) -> Ringing:
        sent = [block.lines[line.port][: -(-end * self.steps // line.held)] for line in self._lines]
        loud = any(bool(np.any(np.abs(samples) > _SILENT)) for samples in sent)
        inputs = np.zeros((len(self.kappa), end * self.steps), dtype=np.complex128)
        for line, samples in zip(self._lines, sent, strict=True):
            drive = line.scale * np.repeat(samples, line.held)[: inputs.shape[1]]
            rows = list(line.qubits)
            inputs[rows, : len(drive)] = np.sqrt(self.kappa[rows])[:, None] * drive
        return Ringing(self, inputs, self._driven(inputs), loud)

    def near(self, qubits: frozenset[int]) -> set[int]:
        """Return some qubits and their neighbours."""
        return {x for q in qubits for x in self._near[q]}

    def _driven(self, inputs: NDArray[np.complex128]) -> NDArray[np.complex128]:
        def build() -> tuple[NDArray[np.complex128]]:
            fields = np.zeros((*self.poles.shape, inputs.shape[1] + 1), dtype=np.complex128)
            decays = np.exp(-self.poles * self.step_s)
            gains = (1 - decays) / self.poles
            for q in np.flatnonzero(inputs.any(axis=1)).tolist():
                for s in range(fields.shape[1]):
                    _kernels.cavity(inputs[q], complex(decays[q, s]), complex(gains[q, s]), fields[q, s])
            return (fields,)

        if inputs.nbytes > _LARGE_BYTES:
            return build()[0]
        return self._cache.get(content_key("driven", self._key, inputs), build)[0]


@dataclass(frozen=True, slots=True, eq=False)
class Ringing:
    """The resonators during a block."""

    photons: Photons
    inputs: NDArray[np.complex128]
    """``sqrt(kappa) b`` by qubit and step."""
    driven: NDArray[np.complex128]
    """Fields that began empty, by qubit, level and step, shape ``(n_qubits, levels, n_steps + 1)``."""
    loud: bool
    """Whether anything is sent to them."""
    known: dict[tuple[int, int, int, bytes], NDArray[np.complex128]] = field(default_factory=dict)
    """Exponents by qubit, span and fields at its start."""

    def follow(
        self, branch: Branch, block: Block, stretch: Sequence[Segment], quiet: Sequence[frozenset[int] | None]
    ) -> tuple[Branch, list[Felt]]:
        """Return a branch with its fields after segments, and what its qubits feel in each of them.

        Args:
            branch: With its fields at the start of the first segment.
            block: The block.
            stretch: The segments.
            quiet: By segment, qubits whose state is their readout's to decide.
        """
        steps = self.photons.steps
        fields = np.zeros_like(self.photons.poles) if branch.fields is None else branch.fields
        resting, felt = branch.resting, list[Felt]()
        for segment, silent in zip(stretch, quiet, strict=True):
            span = (segment.first * steps, segment.last * steps)
            moved = resting & self.photons.near(block.acted(segment)) if resting else resting
            live = set(branch.state.qubits) - resting - (silent or frozenset())
            feels = {q: self._exponents(q, span, fields[q]) for q in sorted(live)}
            after = self._after(fields, span)
            if moved:
                # It leaves its level in the middle of the segment.
                rows, late = sorted(moved), (sum(span) // 2, span[1])
                begun = _merged(self._after(fields, (span[0], late[0])), rows)
                after[rows] = self._after(begun, late)[rows]
                feels |= {q: self._exponents(q, late, begun[q]) for q in rows if q not in (silent or ())}
                resting -= moved
            felt.append({q: found for q, found in feels.items() if found is not None})
            fields = after
        return replace(branch, fields=fields, resting=resting), felt

    def _after(self, fields: NDArray[np.complex128], span: tuple[int, int]) -> NDArray[np.complex128]:
        free = fields - self.driven[:, :, span[0]]
        return self.driven[:, :, span[1]] + free * np.exp(
            -self.photons.poles * (self.photons.step_s * (span[1] - span[0]))
        )

    def _exponents(self, q: int, span: tuple[int, int], start: NDArray[np.complex128]) -> NDArray[np.complex128] | None:
        first, last = span
        inputs = self.inputs[q, first:last]
        if np.abs(start).max() ** 2 < _GONE_PHOTONS and not inputs.any():
            return None
        key = (q, first, last, start.tobytes())
        if key not in self.known:
            pole, step_s = self.photons.poles[q], self.photons.step_s
            free = (start - self.driven[q, :, first])[:, None] * np.exp(
                -np.outer(pole, np.arange(last - first + 1)) * step_s
            )
            fields = self.driven[q, :, first : last + 1] + free
            self.known[key] = exponents(inputs, fields, pole, self.photons.shifts[q], step_s)
        found = self.known[key]
        return found if np.abs(found).max() > _UNFELT else None


def exponents(
    inputs: NDArray[np.complex128],
    fields: NDArray[np.complex128],
    poles: NDArray[np.complex128],
    shifts: NDArray[np.float64],
    step_s: float,
) -> NDArray[np.complex128]:
    """Return ``ln`` of what each coherence of a qubit is multiplied with, shape ``(levels, levels)``.

    Args:
        inputs: ``sqrt(kappa) b`` of each step, shape ``(n,)``.
        fields: Of each level, at the start of each step and at the end, shape ``(levels, n + 1)``.
        poles: Of each level, 1/s.
        shifts: Of the resonator by each level, rad/s.
        step_s: Length of a step.
    """
    steady = inputs / poles[:, None]
    moving = fields[:, :-1] - steady
    left, right = np.conj(poles)[:, None], poles[None, :]
    # Readout turns as exp(+i w t), qubits as exp(-i w t): the field of the papers is the conjugate.
    product = steady.conj() @ steady.T * step_s
    product += steady.conj() @ moving.T * _integral(right, step_s)
    product += moving.conj() @ steady.T * _integral(left, step_s)
    product += moving.conj() @ moving.T * _integral(left + right, step_s)
    inside = _log_overlap(fields[:, -1]) - _log_overlap(fields[:, 0])
    return -1j * (shifts[:, None] - shifts[None, :]) * product - inside


def emptied(branch: Branch) -> Branch:
    """Return a branch without fields, and without qubits that rest, if its resonators are about empty."""
    empty = branch.fields is None and not branch.resting
    if empty or (branch.fields is not None and np.abs(branch.fields).max() ** 2 > _EMPTY_PHOTONS):
        return branch
    return replace(branch, fields=None, resting=frozenset[int]())


def _integral(rate: NDArray[np.complex128], time_s: float) -> NDArray[np.complex128]:
    return -np.expm1(-rate * time_s) / rate


def _log_overlap(alpha: NDArray[np.complex128]) -> NDArray[np.complex128]:
    """Return ``ln <alpha_n|alpha_m>`` of the conjugate fields."""
    photons = np.abs(alpha) ** 2
    return alpha.conj()[:, None] * alpha[None, :] - (photons[:, None] + photons[None, :]) / 2


def _merged(fields: NDArray[np.complex128], qubits: Sequence[int]) -> NDArray[np.complex128]:
    result = fields.copy()
    low = fields[qubits, :2]
    size = np.sqrt((np.abs(low) ** 2).mean(axis=1))
    result[qubits] = (size * np.exp(1j * np.angle(low.sum(axis=1))))[:, None]
    return result
