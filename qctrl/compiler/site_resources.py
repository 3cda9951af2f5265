"""What sites keep busy, as far as it can make another one wait."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


def waited_for(busy: Sequence[Sequence[int]], groups: Sequence[int], n_qubits: int) -> list[tuple[int, ...]]:
    """Return what each site keeps busy, without the frames for which nobody ever waits.

    If all sites that use a frame have a qubit in common, whoever waits for the frame waits for that qubit already. This
    holds for nearly every frame, and clocks are what the scheduler spends its time on. A frame of a qubit that is not
    among those in common stays: it says that this qubit is busy.

    Args:
        busy: Of each site its qubits, and ``n_qubits + frame`` for its frames.
        groups: Qubit of each frame, -1 for none.
        n_qubits: Qubits of the device.
    """
    common: dict[int, set[int]] = {}
    for used in busy:
        qubits = {each for each in used if each < n_qubits}
        for frame in used:
            if frame >= n_qubits:
                common[frame] = common.get(frame, qubits) & qubits
    idle = {frame for frame, qubits in common.items() if qubits and groups[frame - n_qubits] in qubits | {-1}}
    return [tuple(each for each in used if each not in idle) for used in busy]
