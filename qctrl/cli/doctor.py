"""``qctrl doctor``: whether this installation can work, and what to do if not."""

import os
import platform
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import Final

import typer

from qctrl.cli import failure
from qctrl.cli.output import JsonOption, print_columns, print_json
from qctrl.errors import QctrlError
from qctrl.version import __version__

_DISTRIBUTION: Final = "qctrl-stack"
_LIBRARIES: Final = (
    "qiskit",
    "numpy",
    "numba",
    "scipy",
    "pyzmq",
    "ruamel.yaml",
    "pydantic",
    "msgspec",
)
_MIN_PYTHON: Final = (3, 11)


@dataclass(frozen=True, slots=True)
class Finding:
    """Outcome of one check."""

    check: str
    ok: bool
    detail: str
    remedy: str = ""


def doctor(*, as_json: JsonOption = False) -> None:
    """Check versions, caches, devices, the job store and the wire; exit with 1 if something is wrong."""
    found = [finding for check in _CHECKS for finding in check()]
    healthy = all(finding.ok for finding in found)
    if as_json:
        print_json({"ok": healthy, "checks": [asdict(finding) for finding in found]})
    else:
        print_columns(("ok" if finding.ok else "FAIL", finding.check, finding.detail) for finding in found)
        for finding in found:
            if not finding.ok:
                typer.echo(f"{finding.check}: {finding.remedy}")
    if not healthy:
        raise typer.Exit(failure.CHECK_FAILED)


def check_python() -> Iterator[Finding]:
    """Check the interpreter."""
    yield Finding(
        "python",
        sys.version_info >= _MIN_PYTHON,
        f"{platform.python_version()} on {platform.system()} {platform.machine()}",
        f"use Python {'.'.join(str(part) for part in _MIN_PYTHON)} or newer",
    )


def check_libraries() -> Iterator[Finding]:
    """Check that every library is here, and that Qiskit is of a series that this release knows."""
    yield Finding("qctrl", ok=True, detail=f"{__version__} in {Path(__file__).resolve().parents[1]}")
    for name in _LIBRARIES:
        try:
            version = metadata.version(name)
        except metadata.PackageNotFoundError:
            yield Finding(name, ok=False, detail="not installed", remedy=f"pip install --upgrade {_DISTRIBUTION}")
            continue
        fits = name != "qiskit" or (2, 6) <= _release(version) < (3,)
        yield Finding(name, fits, version, "pip install 'qiskit>=2.6,<3'")


def check_foreign_package() -> Iterator[Finding]:
    """Find the client of the company Q-CTRL: its distribution is named qctrl and installs the same folder."""
    owners = {name.lower().replace("_", "-") for name in metadata.packages_distributions().get("qctrl", [])}
    foreign = sorted(owners - {_DISTRIBUTION})
    yield Finding(
        "package folder",
        not foreign,
        f"also owned by {', '.join(foreign)}" if foreign else "no other distribution owns qctrl",
        f"pip uninstall {' '.join(foreign)}; pip install --force-reinstall {_DISTRIBUTION}; "
        "keep the two in separate environments",
    )


def check_kernel_cache() -> Iterator[Finding]:
    """Check that compiled kernels can be kept; without, every start compiles them again."""
    named = os.environ.get("NUMBA_CACHE_DIR")
    package = Path(__file__).resolve().parents[1] / "signal" / "__pycache__"
    folders = [Path(named)] if named else [package, Path.home() / ".cache" / "numba"]
    usable = next((folder for folder in folders if _can_write(folder)), None)
    yield Finding(
        "kernel cache",
        usable is not None,
        f"{usable or folders[0]} {'is writable' if usable else 'cannot be written'}",
        "set NUMBA_CACHE_DIR to a folder that you may write to",
    )


def check_devices() -> Iterator[Finding]:
    """Load the calibration of every device that is found."""
    from qctrl.calibration import list_devices, load

    devices = list_devices()
    if not devices:
        yield Finding("devices", ok=False, detail="none found", remedy="set QCTRL_CALIBRATIONS to a folder of devices")
    for name, path in devices.items():
        try:
            calibration = load(path)
        except QctrlError as error:
            detail = str(error).splitlines()[0]
            yield Finding(f"device {name}", ok=False, detail=detail, remedy=f"qctrl cal check {path}")
            continue
        detail = f"{calibration.id}, {len(calibration.live_qubits)} of {len(calibration.qubits)} qubits, {path}"
        yield Finding(f"device {name}", ok=True, detail=detail)


def check_jobs() -> Iterator[Finding]:
    """Check that jobs can be stored."""
    from qctrl.service import JobStore

    store = JobStore()
    try:
        store.list(limit=1)
    except QctrlError as error:
        yield Finding("job store", ok=False, detail=str(error), remedy="set QCTRL_JOBS to a file that you may write")
        return
    finally:
        store.close()
    usable = os.access(store.path, os.W_OK)
    yield Finding("job store", usable, str(store.path), "make the file writable, or set QCTRL_JOBS to another")


def check_wire() -> Iterator[Finding]:
    """Start the emulator of a device, ask for its health over ipc, and take it down again."""
    from qctrl.calibration import list_devices
    from qctrl.execution import Emulator
    from qctrl.transport import Client

    device = next(iter(list_devices()), None)
    if device is None:
        return
    try:
        emulator = Emulator(device)
        try:
            client = Client(emulator.address, name=device, peer_failure=emulator.failure)
            try:
                client.request("health", deadline_s=5.0)
            finally:
                client.close()
        finally:
            emulator.close()
    except QctrlError as error:
        remedy = "check that TMPDIR is a short path on a local disk"
        yield Finding("emulator over ipc", ok=False, detail=_summary(error), remedy=remedy)
        return
    yield Finding("emulator over ipc", ok=True, detail=f"answers at {emulator.address}")


_CHECKS: Final[tuple[Callable[[], Iterator[Finding]], ...]] = (
    check_python,
    check_libraries,
    check_foreign_package,
    check_kernel_cache,
    check_devices,
    check_jobs,
    check_wire,
)


def _release(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".")[:2] if part.isdigit())


def _can_write(folder: Path) -> bool:
    """Say whether the folder, or the nearest one above it that exists, can be written to."""
    nearest = next((path for path in (folder, *folder.parents) if path.exists()), folder)
    return nearest.is_dir() and os.access(nearest, os.W_OK | os.X_OK)


def _summary(error: QctrlError) -> str:
    """Return first and last line of a message: what failed, and the reason that the process gave last."""
    lines = str(error).strip().splitlines()
    return "; ".join(dict.fromkeys((lines[0], lines[-1])))
