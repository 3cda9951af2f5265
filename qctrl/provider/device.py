"""What stands behind a backend."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from qctrl.calibration import Calibration
from qctrl.compiler import CompileCache
from qctrl.execution import Runner
from qctrl.protocol import Setup
from qctrl.provider.custom import NO_CUSTOM_GATES
from qctrl.provider.request import Emulation
from qctrl.pulse import CustomGates
from qctrl.service import Jobs

if TYPE_CHECKING:
    from qctrl.provider.backend import Backend


@dataclass(frozen=True, slots=True)
class Device:
    """What stands behind a backend."""

    calibration: Calibration
    setup: Setup
    runner: Runner
    jobs: Jobs
    emulation: Emulation | None
    """``None`` on hardware."""
    custom_gates: CustomGates = field(default_factory=lambda: NO_CUSTOM_GATES)
    """Gates of the user's own, beside those of the calibration."""
    compile_cache: CompileCache = field(default_factory=CompileCache)
    """Programs compiled before, for every view of the device."""
    has_branches: bool = True
    """Whether the rack can decide on measured bits."""
    has_fractional: bool = True
    """Whether gates by any angle are wanted, where they are calibrated."""
    reopen: Callable[[], Backend] | None = None
    """Makes the backend anew, from the files as they are, in any process; ``None`` if nobody can."""
