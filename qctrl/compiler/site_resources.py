"""What sites keep busy, as far as it can make another one wait."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


def waited_for(busy: Sequence[Sequence[int]], n_qubits: int) -> list[tuple[int, ...]]:
    """Return what each site keeps busy, without the frames for which nobody ever waits.

    If all sites that use a frame have a qubit in common, whoever waits for the frame waits for that qubit already. This
    holds for nearly every frame, and clocks are what the scheduler spends its time on.

    Args:
        busy: Of each site its qubits, and ``n_qubits + frame`` for its frames.
        n_qubits: Qubits of the device.
    """
    common: dict[int, set[int]] = {}
    for used in busy:
        qubits = {each for each in used if each < n_qubits}
        for frame in used:
            if frame >= n_qubits:
                common[frame] = common.get(frame, qubits) & qubits
    return [tuple(each for each in used if each < n_qubits or not common[each]) for used in busy]
