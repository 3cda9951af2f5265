"""The chip's ends of the lines: gains, local oscillators, tuning curves.

The frame of the physics turns with the drive LO of the Setup, common to all qubits, so a held DAC sample is an exactly
constant Hamiltonian. A line whose LO differs (another LO, or a physical LO error) turns in that frame; its samples
carry ``exp(2 pi i df t)`` at mid-sample, and samples are cut finely enough that the turn within one is small.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

import numpy as np

from firmware_sim.physics.propagators import Controls, runs
from firmware_sim.wires import Wires
from qctrl.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from firmware_sim.config import LineTruth
    from firmware_sim.physics.device import Chip
    from qctrl.protocol import Setup

_TURN = 2 * np.pi
_COARSE_TURNS = 1e-3
"""Turn per sample up to which one step is enough; the error in an angle is its square times 1.6."""
_STEPS_PER_TURN = 200
_SILENT = 1e-12


@dataclass(frozen=True, slots=True, eq=False)
class _Drive:
    port: int
    truth: LineTruth
    offset_hz: float
    """Physical LO minus the frame."""


class SignalChain:
    """Turns what reaches the chip (see ``wires``) into what it feels."""

    def __init__(self, chip: Chip, setup: Setup) -> None:
        """Match the ports of the truth with those of the Setup.

        Args:
            chip: The device.
            setup: Ports, LOs and clocks; a port that it lacks stays silent.

        Raises:
            ConfigError: No drive port is wired, or the wires of truth and Setup do not fit.
        """
        self._chip = chip
        self._setup = setup
        ports = {port.name: index for index, port in enumerate(setup.ports)}
        used = [qubit.truth.drive_port for qubit in chip.qubits if qubit.truth.drive_port in ports]
        if not used:
            raise ConfigError(
                f"the setup of {setup.device} has none of the drive ports of {chip.truth.device}; wire one"
            )
        self.reference_hz = setup.ports[ports[used[0]]].lo_hz
        self._drives = [self._drive(ports.get(qubit.truth.drive_port), qubit.truth.drive_port) for qubit in chip.qubits]
        self._flux = [ports.get(qubit.truth.flux_port or "") for qubit in chip.qubits]
        self._coupler = [
            None if pair.truth.coupler is None else ports.get(pair.truth.coupler.port) for pair in chip.couplings
        ]
        self._rest = Wires(chip.truth, setup).rest
        self._sample_ticks = self._common_grid()
        turns = max((abs(drive.offset_hz) for drive in self._drives if drive), default=0.0) * self.sample_s
        self._substeps = 1 if turns <= _COARSE_TURNS else int(np.ceil(turns * _STEPS_PER_TURN))

    @property
    def sample_s(self) -> float:
        """Length of a sample of the common grid."""
        return float(self._setup.tick_s) * self._sample_ticks

    @property
    def sample_ticks(self) -> int:
        """Ticks per sample of the common grid of all drive and flux ports."""
        return self._sample_ticks

    def activity(self, lines: Sequence[NDArray[Any]]) -> tuple[NDArray[np.bool_], tuple[tuple[int, ...], ...]]:
        """Return when each line acts, shape ``(n_lines, n_samples)``, and which qubits each line touches.

        A drive line acts where it drives, a flux line where it is off its idle level.
        """
        rows: list[NDArray[np.bool_]] = []
        touched: list[tuple[int, ...]] = []
        for qubit, drive in enumerate(self._drives):
            if drive is not None:
                rows.append(np.abs(self._held(lines, drive.port)) > _SILENT)
                touched.append((qubit,))
        for qubit, port in enumerate(self._flux):
            if port is not None:
                rows.append(self._off_idle(lines, port))
                touched.append((qubit,))
        for pair, port in zip(self._chip.couplings, self._coupler, strict=True):
            if port is not None:
                rows.append(self._off_idle(lines, port))
                touched.append(pair.qubits)
        return np.array(rows), tuple(touched)

    def coupler_acts(self, lines: Sequence[NDArray[Any]], coupling: int, first: int, last: int) -> bool:
        """Return whether a coupler leaves its idle level between two samples."""
        port = self._coupler[coupling]
        return port is not None and bool(np.any(self._off_idle(lines, port)[first:last]))

    def slopes_hz(self, lines: Sequence[NDArray[Any]], span: tuple[int, int]) -> NDArray[np.float64]:
        """Return each qubit's mean slope of frequency over flux between two samples, Hz per full scale."""
        levels = [self._level(lines, port, span) for port in self._flux]
        return np.array([q.slope_hz(x).mean() for q, x in zip(self._chip.qubits, levels, strict=True)])

    @property
    def nbytes(self) -> int:
        """Size in memory, about."""
        return 2**14

    @property
    def line_ports(self) -> tuple[list[int | None], list[int | None], list[int | None]]:
        """Ports of each qubit's drive, each qubit's flux and each coupling's coupler."""
        return [None if drive is None else drive.port for drive in self._drives], self._flux, self._coupler

    def rest(self, port: int) -> complex:
        """Return what a line holds at the chip while nothing plays."""
        return self._rest[port]

    @property
    def acting_ports(self) -> list[int]:
        """Port of each line of ``activity``."""
        return [port for ports in self.line_ports for port in ports if port is not None]

    def samples_held(self, port: int) -> int:
        """Return for how many samples of the common grid a port's converter holds one of its own."""
        return self._setup.ports[port].sample_ticks // self._sample_ticks

    def dac_step(self, port: int) -> float:
        """Return the step of a port's converter, in full scales."""
        return 2.0 ** (1 - self._setup.ports[port].dac_bits)

    def offset_hz(self, qubit: int) -> float:
        """Return by how much the physical LO of a qubit's drive exceeds the frame."""
        drive = self._drives[qubit]
        return 0.0 if drive is None else drive.offset_hz

    @cached_property
    def identity(self) -> bytes:
        """Hash of all that turns a line's samples into controls."""
        parts = (self._chip.hash, self.reference_hz, self.sample_s, self._substeps, self._rest, self._drives)
        return blake2b(repr(parts).encode(), digest_size=16).digest()

    def at_rest(self, qubits: Sequence[int]) -> Controls:
        """Return the controls of a cluster over one sample in which nothing plays or drives."""
        pairs = [c for c, pair in enumerate(self._chip.couplings) if set(pair.qubits) <= set(qubits)]
        ports = [*(self._flux[qubit] for qubit in qubits), *(self._coupler[pair] for pair in pairs)]
        levels = [0j] * len(qubits) + [0j if port is None else self._rest[port] for port in ports]
        count = np.ones(1, dtype=np.int64)
        return self._to_controls(np.array([levels]), count, self.sample_s, (list(qubits), pairs))

    def controls(
        self, lines: Sequence[NDArray[Any]], start_ticks: int, span: tuple[int, int], qubits: Sequence[int]
    ) -> Controls:
        """Return the controls of a cluster of qubits.

        Args:
            lines: What reaches the chip from all ports over a block.
            start_ticks: First tick of the block, from the start of the shot.
            span: First sample and one past the last, on the common grid.
            qubits: Chip indices, ascending; couplings among them are included.
        """
        pairs = [c for c, pair in enumerate(self._chip.couplings) if set(pair.qubits) <= set(qubits)]
        raw = [self._drive_samples(lines, qubit, span) for qubit in qubits]
        raw += [self._level(lines, self._flux[qubit], span) for qubit in qubits]
        raw += [self._level(lines, self._coupler[pair], span) for pair in pairs]
        if self._turns(raw, qubits):
            raw = [np.repeat(column, self._substeps) for column in raw]
            step_s = self.sample_s / self._substeps
            begin_s = start_ticks * float(self._setup.tick_s) + span[0] * self.sample_s
            times_s = begin_s + (np.arange(len(raw[0])) + 0.5) * step_s
            for column, qubit in enumerate(qubits):
                drive = self._drives[qubit]
                if drive is not None and drive.offset_hz:
                    raw[column] = raw[column] * np.exp(1j * _TURN * drive.offset_hz * times_s)
        else:
            step_s = self.sample_s
        starts, counts = runs(raw)
        return self._to_controls(np.stack([x[starts] for x in raw], axis=1), counts, step_s, (list(qubits), pairs))

    def _to_controls(
        self,
        columns: NDArray[Any],
        counts: NDArray[np.int64],
        step_s: float,
        which: tuple[list[int], list[int]],
    ) -> Controls:
        qubits, pairs = which
        n_qubits = len(qubits)
        chip = self._chip
        shift_hz = chip.dressing_hz(qubits) + self.reference_hz
        detuning = [
            _TURN * (chip.qubits[q].frequency_hz(np.real(columns[:, n_qubits + k])) - shift_hz[k])
            for k, q in enumerate(qubits)
        ]
        coupling = [
            chip.couplings[c].strength_rad_s(np.real(columns[:, 2 * n_qubits + k])) for k, c in enumerate(pairs)
        ]
        return Controls(
            counts=counts,
            detuning_rad_s=np.stack(detuning, axis=1),
            drive_rad_s=np.ascontiguousarray(columns[:, :n_qubits]),
            coupling_rad_s=np.array(coupling).reshape(len(pairs), len(counts)).T,
            pairs=tuple((qubits.index(a), qubits.index(b)) for a, b in (chip.couplings[c].qubits for c in pairs)),
            anharmonicity_rad_s=np.array([chip.qubits[q].anharmonicity_rad_s for q in qubits]),
            dt_s=step_s,
        )

    def _drive(self, port: int | None, name: str) -> _Drive | None:
        if port is None:
            return None
        line = self._chip.truth.lines[name]
        return _Drive(port, line, self._setup.ports[port].lo_hz + line.lo_error - self.reference_hz)

    def _drive_samples(
        self, lines: Sequence[NDArray[Any]], qubit: int, span: tuple[int, int]
    ) -> NDArray[np.complex128]:
        drive = self._drives[qubit]
        if drive is None:
            return np.zeros(span[1] - span[0], dtype=np.complex128)
        samples = self._held(lines, drive.port, span)
        return _TURN * drive.truth.rabi_hz_per_fs * np.exp(1j * drive.truth.phase) * samples

    def _turns(self, columns: Sequence[NDArray[Any]], qubits: Sequence[int]) -> bool:
        drives = zip(columns, (self._drives[qubit] for qubit in qubits), strict=False)
        return any(drive is not None and drive.offset_hz != 0 and bool(np.any(x)) for x, drive in drives)

    def _level(self, lines: Sequence[NDArray[Any]], port: int | None, span: tuple[int, int]) -> NDArray[np.float64]:
        if port is None:
            return np.zeros(span[1] - span[0])
        return self._held(lines, port, span)

    def _held(self, lines: Sequence[NDArray[Any]], port: int, span: tuple[int, int] | None = None) -> NDArray[Any]:
        repeat = self.samples_held(port)
        if span is None:
            return lines[port] if repeat == 1 else np.repeat(lines[port], repeat)
        if repeat == 1:
            return lines[port][span[0] : span[1]]
        return lines[port][np.arange(*span) // repeat]

    def _off_idle(self, lines: Sequence[NDArray[Any]], port: int) -> NDArray[np.bool_]:
        return np.abs(self._held(lines, port) - self._rest[port]) > 1.5 * self.dac_step(port)

    def _common_grid(self) -> int:
        grid = [port.sample_ticks for port in self._setup.ports if port.kind in ("iq_drive", "flux")]
        return int(np.gcd.reduce(grid))
