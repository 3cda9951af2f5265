"""What a port is for, as the calibration says, and which carrier it has by default."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NoReturn, TypeAlias

from qctrl.compiler.site import SiteFrame
from qctrl.errors import CompileError

if TYPE_CHECKING:
    from qctrl.calibration import Calibration
    from qctrl.ir.gate_program import GateSite
    from qctrl.pulse import Frame

Kind: TypeAlias = Literal["drive", "flux", "readout", "acquire"]


@dataclass(frozen=True, slots=True)
class Role:
    """What a port is for, seen from one gate."""

    kind: Kind
    qubits: tuple[int, ...]
    """Of the gate where it has a say, else all that the port serves."""

    def reads(self, frame: Frame) -> int:
        """Return the qubit whose readout a frame of the port is part of."""
        return self.qubits[0] if frame.qubit is None else frame.qubit


def role_of(calibration: Calibration, site: GateSite, port: str) -> Role:
    """Return what a port is for.

    Raises:
        CompileError: The calibration knows no such port.
    """
    ports = _ports(calibration)
    if port not in ports:
        raise CompileError(f"{_name(site)}: {calibration.name} has no port {port!r}; it has {', '.join(ports)}")
    kind, qubits = ports[port]
    mine = tuple(qubit for qubit in site.qubits if qubit in qubits)
    return Role(kind, mine or tuple(qubits))


def _ports(calibration: Calibration) -> dict[str, tuple[Kind, list[int]]]:
    """Return the kind of every port, and the qubits that it serves."""
    found: dict[str, tuple[Kind, list[int]]] = {}
    for index, qubit in enumerate(calibration.qubits):
        if qubit is not None:
            ports = qubit.ports
            kinds: dict[Kind, str | None] = {
                "drive": ports.drive,
                "flux": ports.flux,
                "readout": ports.readout,
                "acquire": ports.acquire,
            }
            for kind, name in kinds.items():
                if name is not None:
                    found.setdefault(name, (kind, []))[1].append(index)
    for pair in calibration.edge_names:
        edge = calibration.edge(*pair)
        if edge is not None and edge.coupler is not None:
            found.setdefault(edge.coupler.port, ("flux", []))[1].extend(pair)
    return found


def resolve_frame(calibration: Calibration, site: GateSite, frame: Frame) -> SiteFrame:
    """Return the carrier that a frame stands for.

    Raises:
        CompileError: The port does not exist, has no carrier, or serves several qubits and none is named.
    """
    role = role_of(calibration, site, frame.port)
    if role.kind == "flux":
        if frame.qubit is not None or frame.frequency is not None:
            _refuse(site, f"frame on {frame.port}: a flux port has no carrier; use the port's name alone")
        return SiteFrame(frame.port, 0.0, -1)
    if frame.frequency is not None:
        return SiteFrame(frame.port, frame.frequency, -1)
    if frame.qubit is None and len(role.qubits) > 1:
        _refuse(
            site,
            f"{frame.port} serves qubits {', '.join(map(str, role.qubits))}; say which with "
            f"frame({frame.port!r}, qubit={role.qubits[0]})",
        )
    qubit = role.reads(frame)
    frequency_hz = _carrier_hz(calibration, role.kind, qubit)
    if frequency_hz is None:
        _refuse(site, f"qubit {qubit} has no {role.kind} frequency in the calibration; give the frame a frequency")
    return SiteFrame(frame.port, frequency_hz, qubit if role.kind == "drive" else -1)


def _carrier_hz(calibration: Calibration, kind: Kind, qubit: int) -> float | None:
    model = calibration.qubits[qubit] if qubit < len(calibration.qubits) else None
    if model is None:
        return None
    if kind == "drive":
        return None if model.frequency is None else model.frequency.value
    return None if model.readout is None else model.readout.frequency.value


def _refuse(site: GateSite, why: str) -> NoReturn:
    raise CompileError(f"{_name(site)}: {why}", gate=site.name, qubits=site.qubits)


def _name(site: GateSite) -> str:
    return f"custom gate {site.name} on qubits {site.qubits}"
