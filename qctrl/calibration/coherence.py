"""Coherence times as one may use them, and the gate error that they alone would give."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from qctrl.calibration.document import Qubit
from qctrl.calibration.values import Value


@dataclass(frozen=True, slots=True)
class Coherence:
    """T1 and T2 of one qubit in s, ``None`` where unknown or impossible, and what was done to them."""

    t1_s: float | None
    t2_s: float | None
    note: str = ""
    warning: str = ""


def coherence_of(qubit: Qubit) -> Coherence:
    """Return T1 and T2 (echo, else star), with T2 never above 2 T1.

    A T2 above 2 T1 by at most two standard deviations is clamped; one further off is dropped.

    Args:
        qubit: The qubit's calibration.
    """
    t1, t2 = qubit.t1, qubit.t2_echo or qubit.t2_star
    if t1 is None or t2 is None or t2.value <= 2 * t1.value:
        return Coherence(t1.value if t1 else None, t2.value if t2 else None)
    sigma = math.hypot(_sigma(t2), 2 * _sigma(t1))
    text = f"T2 {t2.value:g} s exceeds 2 T1 = {2 * t1.value:g} s"
    if t2.value - 2 * t1.value <= 2 * sigma:
        return Coherence(t1.value, 2 * t1.value, note=f"{text}, within 2 sigma; clamped")
    return Coherence(t1.value, None, warning=f"{text} by more than 2 sigma; T2 is ignored, measure both again")


def coherence_limit(times: Sequence[tuple[float, float]], duration_s: float) -> float:
    """Return the average gate error that relaxation and dephasing alone cause.

    For ``n`` qubits over time ``t``: ``Fp = prod((1 + exp(-t/T1) + 2 exp(-t/T2)) / 4)`` and
    ``r = 1 - (d Fp + 1) / (d + 1)``, ``d = 2**n``. The first is the process fidelity of amplitude and phase
    damping, the second Nielsen, Phys. Lett. A 303, 249 (2002), eq. 3; the same as ``coherence_limit`` in
    qiskit-experiments' ``RBUtils``.

    Args:
        times: (T1, T2) of each qubit in s; T2 is clamped to 2 T1.
        duration_s: Duration of the gate in s.
    """
    dimension = 2 ** len(times)
    fidelity = 1.0
    for t1_s, t2_s in times:
        decay_1, decay_2 = math.exp(-duration_s / t1_s), math.exp(-duration_s / min(t2_s, 2 * t1_s))
        fidelity *= (1 + decay_1 + 2 * decay_2) / 4
    return 1 - (dimension * fidelity + 1) / (dimension + 1)


def _sigma(value: Value) -> float:
    return value.unc or 0.0
