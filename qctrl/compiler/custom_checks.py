"""Check custom gates before they are part of any program: what the rack can play, on its grids."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from qctrl.compiler.custom_gates import structural_parameters
from qctrl.compiler.custom_sites import build_custom_site, build_template, named
from qctrl.compiler.identity_cache import IdentityCache
from qctrl.compiler.site import SitePlay, SiteShift, SiteTune
from qctrl.errors import CompileError, TimingError
from qctrl.ir.gate_program import GateSite
from qctrl.signal.envelopes import evaluate

if TYPE_CHECKING:
    from collections.abc import Iterable

    from qctrl.calibration import Calibration
    from qctrl.compiler.site import Site
    from qctrl.protocol import Port, Setup
    from qctrl.pulse import CustomGate

_MOST_CHECKED: Final = 4096
_CHECKED: Final[IdentityCache[set[GateSite]]] = IdentityCache(8)


def check_gate(gate: CustomGate, calibration: Calibration, setup: Setup) -> int | None:
    """Check a gate as far as that is possible before its arguments are known.

    Args:
        gate: The gate.
        calibration: What it is built on.
        setup: The rack it is to be played on.

    Returns:
        Its duration in ticks; ``None`` if that depends on its arguments.

    Raises:
        CompileError: It cannot be played, whatever its arguments.
    """
    for qubit in gate.qubits:
        calibration.live_qubit(qubit)
    site, built = build_template(calibration, gate)
    if structural_parameters(gate):
        for frame in built.frames:
            _wired(site, {port.name: port for port in setup.ports}, frame.port)
        return None
    check_custom_site(site, built, setup)
    return built.duration_ticks


def check_custom_sites(sites: Iterable[GateSite], calibration: Calibration, setup: Setup) -> None:
    """Check that the rack can play the custom gates among the sites of a program.

    Raises:
        CompileError: It cannot.
    """
    checked = _CHECKED.get((calibration, setup), set[GateSite])
    for site in sites:
        if site.custom is not None and site not in checked:
            check_custom_site(site, build_custom_site(calibration, site), setup)
            if len(checked) >= _MOST_CHECKED:
                checked.clear()
            checked.add(site)


def check_custom_site(site: GateSite, built: Site, setup: Setup) -> None:
    """Check that the rack can play a custom gate, before it is part of any program.

    Args:
        site: The gate.
        built: What it plays.
        setup: Ports with their grids; its tick divides that of the calibration.

    Raises:
        CompileError: A port is not wired, or an envelope cannot be evaluated.
        TimingError: A time is off a port's grid.
        ResourceError: An envelope exceeds full scale or the sequencer's memory.
    """
    ports = {port.name: port for port in setup.ports}
    for action in built.actions:
        if isinstance(action, SiteShift):
            continue
        port = _wired(site, ports, action.frame.port)
        times = {"start": action.offset_ticks}
        if not isinstance(action, SiteTune):
            times["duration"] = action.length_ticks
        for what, ticks in times.items():
            _check_grid(site, port, what, ticks)
        if isinstance(action, SitePlay):
            evaluate(action.envelope, float(1 / (port.sample_ticks * setup.tick_s)))


def _wired(site: GateSite, ports: dict[str, Port], name: str) -> Port:
    if name not in ports:
        raise CompileError(f"{named(site)}: port {name} is not wired; the rack has {', '.join(ports)}", gate=site.name)
    return ports[name]


def _check_grid(site: GateSite, port: Port, what: str, ticks: int) -> None:
    grid = port.granularity_ticks
    if ticks % grid:
        below = ticks // grid * grid
        raise TimingError(
            f"{named(site)}: a {what} of {ticks} ticks on {port.name} is off the port's grid of {grid} ticks; "
            f"use {below} or {below + grid} ticks",
            gate=site.name,
            qubits=site.qubits,
        )
