"""Bins in, integrated values and classical registers out: the host plays the firmware's part."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qctrl.errors import InstrumentError
from qctrl.instruments.boxes.receive import Received
from qctrl.instruments.qblox.sequences import ClusterProgram
from qctrl.protocol import Program
from qctrl.signal import discriminate


def receive(program: Program, cluster: ClusterProgram, bins: Mapping[int, Mapping[str, Any]]) -> Received:
    """Return the bits and integrated values of all shots.

    Bits that a condition depended on are those that the cluster decided with; every other is decided here.

    Args:
        program: What was played.
        cluster: As it was played.
        bins: By frame: ``in_phase``, ``quadrature``, ``threshold`` and ``count``, shot after shot.

    Raises:
        InstrumentError: An acquisition is missing.
    """
    n_shots, tree = cluster.n_shots, cluster.structure
    values = np.zeros((n_shots, len(tree.captures)), dtype=np.complex128)
    bits = np.zeros((len(tree.captures), n_shots), dtype=np.int64)
    iq = np.zeros((n_shots, len(program.captures)), dtype=np.complex64)
    for k, capture in enumerate(tree.captures):
        place = cluster.bins[k]
        found, per_shot = bins[place.frame], cluster.per_shot[place.frame]
        taken = np.array(found["count"])[place.place :: per_shot] > 0
        if cluster.certain[k] and not (len(taken) == n_shots and taken.all()):
            raise InstrumentError(
                f"a sequencer recorded {int(taken.sum())} of {n_shots} shots; check the cluster's state"
            )
        parts = (np.array(found[name], dtype=float)[place.place :: per_shot] for name in ("in_phase", "quadrature"))
        in_phase, quadrature = (np.where(taken, part, 0.0) for part in parts)
        values[:, k] = (in_phase + 1j * quadrature) / place.length_ns
        if k in tree.decisive:
            bits[k] = np.where(taken, np.array(found["threshold"], dtype=float)[place.place :: per_shot] > 0, 0)
        else:
            row = program.captures[capture]
            discriminator = program.discriminators[int(row["discriminator"])]
            bits[k] = (discriminate(values[:, k], discriminator["coef"], int(discriminator["n_classes"])) > 0) & taken
        column = int(program.captures["index"][capture])
        iq[:, column] = np.where(taken, values[:, k], iq[:, column])
    return Received(np.packbits(_registers(cluster, bits), axis=1, bitorder="little"), iq, None)


def _registers(cluster: ClusterProgram, bits: NDArray[np.int64]) -> NDArray[np.uint8]:
    """Return the final classical bits of every shot, shape ``(shots, n_clbits)``."""
    columns = np.zeros((cluster.n_shots, len(cluster.structure.final)), dtype=np.uint8)
    for clbit, value in enumerate(cluster.structure.final):
        index = np.zeros(cluster.n_shots, dtype=np.int64)
        for j, k in enumerate(value.bits):
            index += bits[k] << j
        columns[:, clbit] = np.array(value.table)[index]
    return columns
