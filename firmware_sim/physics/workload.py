"""What a program asks of the physics, counted on its tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from firmware_sim.physics.choice import Job
from qctrl.protocol import EventOp

if TYPE_CHECKING:
    from firmware_sim.physics.device import Chip
    from qctrl.protocol import Program, Setup


def job_of(chip: Chip, setup: Setup, program: Program, measured: frozenset[int], shots: int, *, noise: bool) -> Job:
    """Return what the choice of an engine depends on.

    Loops count once: how often they turn is not known before.

    Args:
        chip: The device.
        setup: Ports and clocks.
        program: What is played.
        measured: Chip indices of the qubits that its captures read.
        shots: Shots per binding of the whole pub.
        noise: Whether shots jump.
    """
    events = program.events
    qubits = driven_qubits(chip, setup, program) | measured
    block = np.repeat(np.arange(len(program.blocks), dtype=np.int64), program.blocks["n_events"]) << 32
    starts = block + events["start_ticks"]
    marks = np.unique(np.concatenate([starts, starts + events["length_ticks"]]))
    duration_s = float(program.blocks["length_ticks"].sum()) * float(setup.tick_s)
    rate = sum(chip.qubits[q].decay_per_s[1] / 2 + chip.qubits[q].dephasing_per_s / 2 for q in qubits)
    return Job(
        n_qubits=len(qubits),
        n_segments=max(len(marks), 1),
        shots=shots,
        records=_records(program),
        jumps_per_shot=rate * duration_s if noise else 0.0,
        readings=_readings(program),
        is_open=program.n_slots > 1,
    )


def driven_qubits(chip: Chip, setup: Setup, program: Program) -> frozenset[int]:
    """Return the chip indices of qubits whose lines a program uses."""
    used = {setup.ports[k].name for k in np.unique(program.frames["port"][program.events["frame"]]).tolist()}
    found = {
        index
        for index, qubit in enumerate(chip.qubits)
        if qubit.truth.drive_port in used or (qubit.truth.flux_port or "") in used
    }
    for coupling in chip.couplings:
        if coupling.truth.coupler is not None and coupling.truth.coupler.port in used:
            found.update(coupling.qubits)
    return frozenset(found)


def reach(chip: Chip, setup: Setup, program: Program, measured: frozenset[int]) -> frozenset[int] | None:
    """Return the qubits whose state a program can change or read; None, all of them, if lines talk to each other."""
    crosstalk = chip.truth.crosstalk
    if crosstalk.drive or crosstalk.flux or setup.crosstalk:
        return None
    return driven_qubits(chip, setup, program) | measured


def _readings(program: Program) -> int:
    """Return how many captures begin before the last ones do."""
    owner = np.repeat(np.arange(len(program.blocks), dtype=np.int64), program.blocks["n_events"]) << 32
    begin = (owner + program.events["start_ticks"])[program.events["op"] == EventOp.CAPTURE]
    return int(np.count_nonzero(begin < begin.max())) if len(begin) else 0


def _records(program: Program) -> int:
    """Return how many captures are not in the last block that is played."""
    owner = np.repeat(np.arange(len(program.blocks)), program.blocks["n_events"])
    holding = owner[program.events["op"] == EventOp.CAPTURE]
    return int(np.count_nonzero(holding != holding.max())) if len(holding) else 0
