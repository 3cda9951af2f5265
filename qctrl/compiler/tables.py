"""Sites as columns, so that the scheduler handles instructions in bulk."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final, TypeAlias

import numpy as np

from qctrl.compiler import _kernels
from qctrl.compiler.custom_sites import build_custom_site
from qctrl.compiler.identity_cache import IdentityCache
from qctrl.compiler.site import SiteCapture, SiteFrame, SitePlay, SiteTune
from qctrl.compiler.site_resources import waited_for
from qctrl.compiler.sites import block_grid_ticks, build_site
from qctrl.ir.expression import Expression
from qctrl.ir.pulse_program import DISCRIMINATOR, FRAME, TUNE, OpenValue, ValueKind, Voices

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from qctrl.calibration import Calibration
    from qctrl.compiler.site import Site, SiteAction
    from qctrl.ir.gate_program import GateSite
    from qctrl.signal.envelopes import Envelope

ActionRow: TypeAlias = tuple[int, int, int, int, int, int, int]

OPEN_AMPLITUDE: Final = 2.0
"""An amplitude of so much and more, which no play can have, stands for the number of a value."""
TUNE_MARK: Final = 2**32 - 1
"""A play of this envelope is a tune; its amplitude is the tune's number."""
_BACK_HZ: Final = -1.0
_PROGRAMS: Final = 256
"""Sets of sites that are remembered for each calibration."""


@dataclass(frozen=True, slots=True, eq=False)
class SiteTables:
    """What the sites of one program play, in order of first use; every array is read-only."""

    sites: NDArray[np.int64]
    """Shape ``(n_sites, 8)``, columns as named in ``_kernels``."""
    resources: NDArray[np.int64]
    """Qubits, then ``n_qubits + frame`` for the frames that somebody may wait for."""
    actions: NDArray[np.int64]
    """Shape ``(n_actions, 7)``, columns as named in ``_kernels``."""
    amplitudes: NDArray[np.float64]
    """By action."""
    frame_group: NDArray[np.int64]
    voices: Voices
    grid_ticks: int
    """Grid of the calibration's blocks."""
    n_groups: int
    """Qubits, then the own phases of custom gates."""
    custom: CustomTables | None
    """What only custom and fractional gates have; ``None`` if there are none."""


@dataclass(frozen=True, slots=True, eq=False)
class CustomTables:
    """Open numbers of custom and fractional gates, which kernels see as marks; see ``qctrl.compiler.custom_plays``."""

    expressions: tuple[Expression, ...]
    """Distinct ones, of the circuit's parameters."""
    values: tuple[OpenValue, ...]
    """They refer to these expressions."""
    tunes: NDArray[np.void]
    """dtype ``qctrl.ir.TUNE``: frequencies and values by number of the mark."""
    open_shifts: NDArray[np.int64]
    """Rows that each site opens."""
    has_open_shifts: bool
    """Whether any site opens one."""


def site_tables(gates: tuple[GateSite, ...], calibration: Calibration) -> SiteTables:
    """Return the tables of the sites that a program uses; remembered, because circuits come in families."""
    # The fast reader gives equal sites the same tuple, and to hash thousands of sites takes longer than to place them.
    return _SEEN.get((gates, calibration), lambda: _remembering(calibration)(gates))


_SEEN: Final[IdentityCache[SiteTables]] = IdentityCache(_PROGRAMS)


@lru_cache(maxsize=8)
def _remembering(calibration: Calibration) -> Callable[[tuple[GateSite, ...]], SiteTables]:
    """Return a function that makes tables for one calibration, and builds each of its sites once."""
    built: dict[GateSite, Site] = {}

    def site(gate: GateSite) -> Site:
        if gate.custom is not None:  # not kept: there is one for every set of arguments
            return build_custom_site(calibration, gate)
        if gate.arguments:  # nor these
            return build_site(calibration, gate)
        if gate not in built:
            built[gate] = build_site(calibration, gate)
        return built[gate]

    def make(gates: tuple[GateSite, ...]) -> SiteTables:
        return _make(gates, [site(gate) for gate in gates], calibration)

    return lru_cache(maxsize=_PROGRAMS)(make)


def _make(gates: tuple[GateSite, ...], sites: list[Site], calibration: Calibration) -> SiteTables:
    n_qubits = len(calibration.qubit_names)
    index = _Index(n_qubits)
    rows: list[tuple[int, ...]] = []
    busy: list[list[int]] = []
    kinds_of: list[list[int]] = []
    for gate, site in zip(gates, sites, strict=True):
        action = len(index.actions)
        index.begin(gate, site)
        for item in site.actions:
            index.add(item)
        busy.append([*gate.qubits, *(n_qubits + index.frame(frame) for frame in site.frames)])
        kinds = [row[_kernels.KIND] for row in index.actions[action:]]
        kinds_of.append(kinds)
        counts = (kinds.count(_kernels.PLAY), kinds.count(_kernels.CAPTURE))
        rows.append((site.duration_ticks, site.alignment_ticks, 0, 0, action, len(index.actions), *counts))
    resources = waited_for(busy, [frame.group for frame in index.frames], n_qubits)
    columns = np.array(rows, dtype=np.int64).reshape(-1, 8)
    ends = np.cumsum([0, *map(len, resources)])
    columns[:, _kernels.FIRST_RESOURCE], columns[:, _kernels.LAST_RESOURCE] = ends[:-1], ends[1:]
    has_open = any(gate.custom is not None or gate.arguments for gate in gates)
    tables = SiteTables(
        sites=columns,
        resources=np.array([each for used in resources for each in used], dtype=np.int64),
        actions=np.array(index.actions, dtype=np.int64).reshape(-1, 7),
        amplitudes=np.array(index.amplitudes, dtype=np.float64),
        frame_group=np.array([frame.group for frame in index.frames], dtype=np.int64),
        voices=index.voices(),
        grid_ticks=block_grid_ticks(calibration),
        n_groups=n_qubits + index.n_own_groups,
        custom=index.custom_tables(kinds_of) if has_open else None,
    )
    for column in (tables.sites, tables.resources, tables.actions, tables.amplitudes, tables.frame_group):
        column.flags.writeable = False
    return tables


class _Index:
    """Distinct ports, frames, envelopes and discriminators, numbered in order of first use."""

    def __init__(self, n_qubits: int) -> None:
        self.ports: dict[str, int] = {}
        self.frames: dict[SiteFrame, int] = {}
        self.envelopes: dict[Envelope, int] = {}
        self.discriminators: dict[tuple[tuple[float, ...], ...], int] = {}
        self.actions: list[ActionRow] = []
        self.amplitudes: list[float] = []
        self.n_own_groups = 0
        self._n_qubits = n_qubits
        self._gate: GateSite | None = None
        self._expressions: dict[Expression, int] = {}
        self._values: dict[tuple[ValueKind, int, int], int] = {}
        self._open: list[OpenValue] = []
        self._tunes: dict[tuple[float, int], int] = {}

    def begin(self, gate: GateSite, site: Site) -> None:
        """Begin a site: own phases of the gate begin at 0."""
        self._gate = gate
        n_own = site.n_own_groups
        self.n_own_groups = max(self.n_own_groups, n_own)
        for group in range(n_own):
            self.actions.append((_kernels.CLEAR, -1, self._n_qubits + group, -1, 0, 0, 0))
            self.amplitudes.append(0.0)

    def frame(self, frame: SiteFrame) -> int:
        self.ports.setdefault(frame.port, len(self.ports))
        return self.frames.setdefault(frame, len(self.frames))

    def add(self, action: SiteAction) -> None:
        row, amplitude = self._row(action)
        self.actions.append(row)
        self.amplitudes.append(amplitude)

    def _row(self, action: SiteAction) -> tuple[ActionRow, float]:
        match action:
            case SitePlay(frame=frame, envelope=envelope):
                shape = self.envelopes.setdefault(envelope, len(self.envelopes))
                times = (action.offset_ticks, action.length_ticks)
                group = frame.group if action.own_group < 0 else self._n_qubits + action.own_group
                row = (_kernels.PLAY, self.frame(frame), group, shape, *times, action.phase)
                if isinstance(action.amplitude, Expression):
                    return row, OPEN_AMPLITUDE + self._value(ValueKind.GAIN, action.amplitude, frame)
                return row, action.amplitude
            case SiteCapture(frame=frame, coefficients=coefficients):
                shape = self.discriminators.setdefault(coefficients, len(self.discriminators))
                times = (action.offset_ticks, action.length_ticks)
                return (_kernels.CAPTURE, self.frame(frame), -1, shape, *times, 0), 0.0
            case SiteTune(frame=frame, frequency=frequency):
                return (_kernels.PLAY, self.frame(frame), -1, TUNE_MARK, action.offset_ticks, 0, 0), self._tune(
                    frame, frequency
                )
            case _:
                group = self._n_qubits + action.group if action.is_own else action.group
                if isinstance(action.phase, Expression):
                    return (_kernels.OPEN_SHIFT, -1, group, self._expression(action.phase), 0, 0, 0), 0.0
                return (_kernels.SHIFT, -1, group, -1, 0, 0, action.phase), 0.0

    def _expression(self, expression: Expression) -> int:
        return self._expressions.setdefault(expression, len(self._expressions))

    def _value(self, kind: ValueKind, expression: Expression, frame: SiteFrame) -> int:
        self.frame(frame)
        key = (kind, self._expression(expression), self.ports[frame.port])
        if key not in self._values:
            gate = self._gate
            name = "" if gate is None else f" in {gate.name} on qubits {gate.qubits}"
            what = "amplitude of a play" if kind == ValueKind.GAIN else "frequency"
            self._values[key] = len(self._open)
            self._open.append(OpenValue(*key, f"{what} on {frame.port}{name}"))
        return self._values[key]

    def _tune(self, frame: SiteFrame, frequency: float | Expression | None) -> int:
        if isinstance(frequency, Expression):
            key = (0.0, self._value(ValueKind.FREQUENCY, frequency, frame))
        else:
            key = (_BACK_HZ if frequency is None else frequency, -1)
        return self._tunes.setdefault(key, len(self._tunes))

    def custom_tables(self, kinds: list[list[int]]) -> CustomTables:
        tunes = np.zeros(len(self._tunes), dtype=TUNE)
        for row, (frequency_hz, value) in zip(tunes, self._tunes, strict=True):
            row["frequency_hz"], row["value"] = math.nan if frequency_hz == _BACK_HZ else frequency_hz, value
        open_shifts = [each.count(_kernels.OPEN_SHIFT) for each in kinds]
        return CustomTables(
            expressions=tuple(self._expressions),
            values=tuple(self._open),
            tunes=tunes,
            open_shifts=np.array(open_shifts, dtype=np.int64),
            has_open_shifts=any(open_shifts),
        )

    def voices(self) -> Voices:
        plays = [
            row for row in self.actions if row[_kernels.KIND] == _kernels.PLAY and row[_kernels.SHAPE] != TUNE_MARK
        ]
        pairs = sorted({(row[_kernels.SHAPE], row[_kernels.FRAME]) for row in plays})
        rows = [(self.ports[frame.port], frame.group, frame.frequency_hz) for frame in self.frames]
        voices = Voices(
            ports=tuple(self.ports),
            frames=np.array(rows, dtype=FRAME),
            envelopes=tuple(self.envelopes),
            pairs=np.array(pairs, dtype=np.int64).reshape(-1, 2),
            discriminators=self._discriminator_column(),
        )
        for column in (voices.frames, voices.pairs, voices.discriminators):
            column.flags.writeable = False
        return voices

    def _discriminator_column(self) -> NDArray[np.void]:
        column = np.zeros(len(self.discriminators), dtype=DISCRIMINATOR)
        for row, coefficients in zip(column, self.discriminators, strict=True):
            row["n_classes"] = len(coefficients)
            row["coef"][: len(coefficients)] = coefficients
        return column
