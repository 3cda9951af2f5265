"""Find the rack file."""

from __future__ import annotations

import os
from pathlib import Path

from qctrl.errors import ConfigError

DEFAULT_RACK = "emulator.yaml"

_PACKAGE = Path(__file__).resolve().parents[1]


def default_racks() -> tuple[Path, ...]:
    """Return where the default rack is looked for, the first wins: ``./configs``, the checkout's, the package's."""
    folders = (Path("configs"), _PACKAGE.parent / "configs", _PACKAGE / "_data" / "configs")
    return tuple(folder / DEFAULT_RACK for folder in folders)


def find_rack(path: str | Path | None = None) -> Path:
    """Return the rack file to use: ``path``, else ``QCTRL_CONFIG``, else the first default rack.

    Args:
        path: A rack file that the user named.

    Raises:
        ConfigError: The named file does not exist, or there is no default one.
    """
    named = path if path is not None else os.environ.get("QCTRL_CONFIG") or None
    if named is not None:
        if not Path(named).is_file():
            source = "" if path is not None else "QCTRL_CONFIG: "
            raise ConfigError(f"{source}rack file {named} does not exist; check the path")
        return Path(named)
    return find_default_rack()


def find_default_rack() -> Path:
    """Return the rack file of the emulated devices.

    Raises:
        ConfigError: There is none.
    """
    for candidate in default_racks():
        if candidate.is_file():
            return candidate
    searched = ", ".join(str(candidate) for candidate in default_racks())
    raise ConfigError(f"no rack file found, searched {searched}; name one or set QCTRL_CONFIG")
