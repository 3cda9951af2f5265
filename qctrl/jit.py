"""The one dict of Numba options, so that every kernel is compiled alike."""

from __future__ import annotations

from typing import Any, Final

JIT: Final[dict[str, Any]] = {"cache": True, "nogil": True}
"""Options of every ``numba.njit``; never ``fastmath``, which breaks NaN checks and reproducibility."""
