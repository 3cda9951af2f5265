"""Find the calibration files of devices."""

from __future__ import annotations

import os
import re
from pathlib import Path

from qctrl.errors import CalibrationError

WORKING = "working.yaml"
NOMINAL = "nominal.yaml"

_PACKAGE = Path(__file__).resolve().parents[1]
_DEVICE_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,63}")


def default_search() -> tuple[Path, ...]:
    """Return the folders that hold devices, the first wins.

    ``QCTRL_CALIBRATIONS`` (folders as in ``PATH``), ``./calibrations``, the checkout's, the installed package's.
    """
    named = os.environ.get("QCTRL_CALIBRATIONS", "")
    folders = [Path(part) for part in named.split(os.pathsep) if part]
    folders += [Path("calibrations"), _PACKAGE.parent / "calibrations", _PACKAGE / "_data" / "calibrations"]
    return tuple(folders)


def list_devices(search: tuple[Path, ...] | None = None, *, file: str = WORKING) -> dict[str, Path]:
    """Return the calibration file of every device found, by name, sorted.

    Args:
        search: Folders, the first wins; ``default_search()`` if absent.
        file: Name of the file in the device's folder.
    """
    found: dict[str, Path] = {}
    for folder in default_search() if search is None else search:
        for path in sorted(folder.glob(f"*/{file}")):
            if _DEVICE_NAME.fullmatch(path.parent.name):
                found.setdefault(path.parent.name, path)
    return dict(sorted(found.items()))


def find_device(name: str, search: tuple[Path, ...] | None = None, *, file: str = WORKING) -> Path:
    """Return the calibration file of a device.

    Args:
        name: Name of the device.
        search: Folders, the first wins; ``default_search()`` if absent.
        file: Name of the file in the device's folder, ``working.yaml`` or ``nominal.yaml``.

    Raises:
        CalibrationError: No folder holds it.
    """
    folders = default_search() if search is None else search
    known = list_devices(folders, file=file)
    if name in known:
        return known[name]
    if file == WORKING and name in list_devices(folders, file=NOMINAL):
        raise CalibrationError(f"device {name!r} is not calibrated yet; run 'qctrl cal bootstrap {name}'")
    raise CalibrationError(
        f"device {name!r} is unknown; known are {', '.join(known) or 'none'}, "
        f"searched {', '.join(str(folder) for folder in folders)}; check the name or set QCTRL_CALIBRATIONS"
    )
