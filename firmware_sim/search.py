"""Where the hidden truth of a device is found by its name."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Final

from qctrl.errors import ConfigError

VARIABLE: Final = "QCTRL_TRUTH"
"""Environment variable with folders to search first, separated as in PATH."""
_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_]*")


def search_path() -> tuple[Path, ...]:
    """Return the folders that are searched: the environment's, the checkout's, the installed package's."""
    package = Path(__file__).resolve().parent
    chosen = [Path(folder) for folder in os.environ.get(VARIABLE, "").split(os.pathsep) if folder]
    return (*chosen, package.parent / "configs" / "truth", package / "_data" / "truth")


def find_truth(device: str) -> Path:
    """Return the truth file of a device.

    Raises:
        ConfigError: The name is malformed or no folder has the file.
    """
    if not _NAME.fullmatch(device):
        raise ConfigError(f"device name {device!r} must be letters, digits and underscores")
    folders = search_path()
    for folder in folders:
        candidate = folder / f"{device}.yaml"
        if candidate.is_file():
            return candidate
    known = sorted({path.stem for folder in folders for path in folder.glob("*.yaml")})
    raise ConfigError(
        f"there is no truth for device {device!r}; known: {', '.join(known) or 'none'}; "
        f"pass --truth FILE or set {VARIABLE} (searched {', '.join(str(folder) for folder in folders)})"
    )
