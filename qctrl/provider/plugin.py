"""The scheduling stage of Qiskit's transpiler for our devices, found by its entry point."""

from __future__ import annotations

from typing import Final

from qiskit.transpiler import PassManager
from qiskit.transpiler.passmanager_config import PassManagerConfig
from qiskit.transpiler.preset_passmanagers.plugin import PassManagerStagePlugin

from qctrl.provider.scheduling import RoundDelays

SCHEDULING_PLUGIN: Final = "qctrl"
"""Name of the entry point in the group ``qiskit.transpiler.scheduling``."""


class SchedulingPlugin(PassManagerStagePlugin):
    """Rounds delays to the device's grid, and leaves scheduling to the pulse compiler.

    The backend names it as its default, so ``transpile(circuit, backend)`` takes any delay, and one with an open
    parameter keeps its unit, in which it can be bound. It does not see ``transpile(circuit, target=...)``: without the
    backend Qiskit cannot know it.

    ``scheduling_method="alap"`` and ``"asap"``, and dynamical decoupling, stay Qiskit's own, with their limits: no
    control flow, boxes or stretches, and durations between two ``dt`` are rounded with a warning. Where
    ``acquire_alignment`` is coarser than ``pulse_alignment``, ``ConstrainedReschedule`` of Qiskit 2.6 exchanges the two
    (Qiskit/qiskit#16186); gates then wait longer than they must, and measurements are put on their own grid by the
    compiler.
    """

    def pass_manager(
        self,
        pass_manager_config: PassManagerConfig,
        optimization_level: int | None = None,  # noqa: ARG002  (Qiskit's interface)
    ) -> PassManager | None:
        """Return the passes of the stage; ``None`` if there is no ``Target`` to take a grid from.

        Args:
            pass_manager_config: What is transpiled for.
            optimization_level: Without effect: a wait is the same at every level.
        """
        target = pass_manager_config.target
        return None if target is None else PassManager([RoundDelays(target)])
