"""Schema ``qctrl.calibration/1``: all that was measured about one device.

Every number is SI (Hz, s, V, rad); amplitudes are fractions of the port's full scale.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Final, Literal

from pydantic import Field, model_validator

from qctrl.calibration.edge_gates import AnyEdgeGate, EdgeGateName, check_edge_gate, check_ends
from qctrl.calibration.gates import (
    AnyQubitGate,
    ComposedGate,
    FluxCz,
    FractionalGate,
    Padding,
    PulseGate,
    QubitGate,
    Waveform,
)
from qctrl.calibration.grid import grid_fault
from qctrl.calibration.lines import CrosstalkMatrix, PortLine
from qctrl.calibration.readout import ActiveReset, PassiveReset, Readout
from qctrl.calibration.values import (
    Amplitude,
    Frequency,
    Identifier,
    Label,
    Lifetime,
    Number,
    PortName,
    Probability,
    Row,
    Seconds,
    Shift,
    Timestamp,
    Value,
)
from qctrl.strict_yaml import StrictModel, Text, number, problem, within
from qctrl.units import clock_period

MAX_QUBITS = 4096

Grid = Annotated[int, Field(ge=1, le=1_000_000)]
_KINDS: dict[str, tuple[str, ...]] = {"rz": ("virtual_z",), "rx": ("fractional",)}
_PLAYED = ("pulse", "compose")


class Device(StrictModel):
    """Which chip, in which cooldown."""

    name: Identifier
    serial: Text = ""
    cooldown: Text = ""


class Timing(StrictModel):
    """The time grid of the device; all but ``dt`` and ``bit_latency`` in units of ``dt``."""

    dt: Annotated[float, number("s"), within(1e-12, 1e-6, "s")]
    granularity: Grid = 1
    min_length: Grid = 1
    pulse_alignment: Grid = 1
    acquire_alignment: Grid = 1
    bit_latency: Seconds = 4.0e-7
    """From the end of a capture until its bit can steer the program, in s."""


class Validity(StrictModel):
    """Time to live by class of parameter, in s; a value's own ``ttl`` overrides it."""

    default: Annotated[float, number("s"), within(0, 1e9, "s")] = 86400.0
    frequency: Annotated[float, number("s"), within(0, 1e9, "s")] = 21600.0
    readout: Annotated[float, number("s"), within(0, 1e9, "s")] = 43200.0
    coherence: Annotated[float, number("s"), within(0, 1e9, "s")] = 172800.0
    fidelity: Annotated[float, number("s"), within(0, 1e9, "s")] = 172800.0
    on_stale: Literal["ignore", "warn"] = "ignore"


class QubitPorts(StrictModel):
    """Ports that reach a qubit."""

    drive: PortName | None = None
    flux: PortName | None = None
    readout: PortName | None = None
    acquire: PortName | None = None

    @model_validator(mode="after")
    def _check_kinds(self) -> QubitPorts:
        for kind in ("drive", "flux", "readout", "acquire"):
            name: str | None = getattr(self, kind)
            if name is not None and not name.endswith(f".{kind}"):
                raise problem(f"port {name} is not of kind {kind}", f"name one like q0.{kind}", kind)
        return self


class Flux(StrictModel):
    """How the qubit answers to its flux line."""

    idle: Amplitude = Value(value=0.0)
    """Idle level, fraction of full scale."""
    offset: Number | None = None
    """V at the sweet spot."""
    period: Number | None = None
    """V per flux quantum."""
    max_frequency: Frequency | None = None
    asymmetry: Number | None = None


class Resonator(StrictModel):
    """Readout resonator; ``chi`` is half the shift between qubit states."""

    frequency: Frequency | None = None
    chi: Shift | None = None
    kappa: Shift | None = None


class Qubit(StrictModel):
    """One qubit; what is absent demotes it, see ``Calibration.demoted``."""

    index: Annotated[int, Field(ge=0, lt=MAX_QUBITS)]
    position: Annotated[Row, Field(min_length=2, max_length=2)] | None = None
    operational: bool = True
    frequency: Frequency | None = None
    anharmonicity: Shift | None = None
    t1: Lifetime | None = None
    t2_echo: Lifetime | None = None
    t2_star: Lifetime | None = None
    thermal_population: Probability | None = None
    flux: Flux = Flux()
    ports: QubitPorts = QubitPorts()
    resonator: Resonator = Resonator()
    gates: Annotated[dict[Literal["rz", "sx", "x", "rx"], AnyQubitGate], Field(default_factory=dict)]
    readout: Readout | None = None
    reset: Annotated[PassiveReset | ActiveReset, Field(discriminator="kind")] | None = None

    @model_validator(mode="after")
    def _check_gates(self) -> Qubit:
        for name, gate in self.gates.items():
            supported = _KINDS.get(name, _PLAYED)
            if gate.kind not in supported:
                remedy = f"supported: {', '.join(supported)}"
                raise problem(f"gate {name} cannot be of kind {gate.kind}", remedy, "gates", name, "kind")
            if isinstance(gate, ComposedGate):
                self._check_parts(name, gate)
        return self

    def _check_parts(self, name: str, gate: ComposedGate) -> None:
        gates: dict[str, QubitGate] = {**self.gates}
        for place, part in enumerate(gate.of):
            found = gates.get(part)
            if found is None or isinstance(found, ComposedGate | FractionalGate):
                raise problem(
                    f"{part!r} is no pulse gate of this qubit",
                    "name sx or x with a pulse",
                    "gates",
                    name,
                    "of",
                    place,
                )


class Coupler(StrictModel):
    """Tunable coupler of an edge."""

    port: PortName
    idle_bias: Amplitude = Value(value=0.0)
    """Idle level, fraction of full scale."""
    frequency_idle: Frequency | None = None

    @model_validator(mode="after")
    def _check_port(self) -> Coupler:
        if not self.port.endswith(".flux"):
            raise problem(f"port {self.port} is not a flux port", "name one like c01.flux", "port")
        return self


class Edge(StrictModel):
    """A pair of coupled qubits."""

    operational: bool = True
    coupler: Coupler | None = None
    zz: Shift | None = None
    gates: Annotated[dict[EdgeGateName, AnyEdgeGate], Field(default_factory=dict)]

    @model_validator(mode="after")
    def _check_gates(self) -> Edge:
        for name, gate in self.gates.items():
            check_edge_gate(name, gate, self.coupler)
        return self


_BEFORE_A_START: Final = ("before", "delay")
"""Keys of durations behind which a play or a capture starts, which is possible on the granularity only."""

EdgeName = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]*-[A-Za-z][A-Za-z0-9_]*$", max_length=129)]


class Document(StrictModel):
    """A calibration file."""

    schema_: Annotated[Literal["qctrl.calibration/1"], Field(alias="schema")]
    device: Device
    id: Label
    parent: Label | None = None
    status: Literal["draft", "candidate", "promoted", "retired", "invalid"] = "draft"
    created: Timestamp | None = None
    author: Text = ""
    message: Text = ""
    timing: Timing
    validity: Validity = Validity()
    qubits: Annotated[dict[Identifier, Qubit], Field(min_length=1, max_length=MAX_QUBITS)]
    edges: Annotated[dict[EdgeName, Edge], Field(default_factory=dict)]
    ports: Annotated[dict[PortName, PortLine], Field(default_factory=dict)]
    crosstalk: Annotated[dict[Identifier, CrosstalkMatrix], Field(default_factory=dict)]

    @model_validator(mode="after")
    def _check_indices(self) -> Document:
        seen: dict[int, str] = {}
        for name, qubit in self.qubits.items():
            if qubit.index in seen:
                raise problem(
                    f"index {qubit.index} is also that of {seen[qubit.index]}",
                    "give each its own",
                    "qubits",
                    name,
                    "index",
                )
            seen[qubit.index] = name
        return self

    @model_validator(mode="after")
    def _check_grid(self) -> Document:
        dt_s, shortest = clock_period(self.timing.dt), self.timing.min_length
        for duration_s, is_pulse, path in _durations(self):
            step_ticks = self.timing.granularity if path[-1] in _BEFORE_A_START else 1
            fault = grid_fault(duration_s, dt_s, shortest if is_pulse else 0, step_ticks)
            if fault is not None:
                raise problem(*fault, *path)
        return self

    @model_validator(mode="after")
    def _check_edges(self) -> Document:
        for name, edge in self.edges.items():
            ends = name.split("-")
            for end in ends:
                if end not in self.qubits:
                    raise problem(f"qubit {end} does not exist", f"known are {', '.join(self.qubits)}", "edges", name)
            if ends[0] == ends[1] or "-".join(reversed(ends)) in self.edges:
                raise problem("an edge joins two qubits and stands once", "remove this one", "edges", name)
            for gate_name, gate in edge.gates.items():
                qubits = {end: self.qubits[end] for end in ends}
                check_ends(gate_name, gate, qubits, ("edges", name, "gates", gate_name))
        return self


def _durations(document: Document) -> Iterator[tuple[float, bool, tuple[str, ...]]]:
    """Yield every duration that is played or captured: in s, whether it is a pulse, and its path."""
    for name, qubit in document.qubits.items():
        start = ("qubits", name)
        for gate_name, gate in qubit.gates.items():
            if isinstance(gate, PulseGate | FractionalGate):
                yield from _pulse(gate.waveform, gate.padding, (*start, "gates", gate_name))
        if qubit.readout is not None:
            readout, path = qubit.readout, (*start, "readout")
            yield readout.waveform.duration, True, (*path, "waveform", "duration")
            yield readout.acquisition.delay, False, (*path, "acquisition", "delay")
            yield readout.acquisition.duration, True, (*path, "acquisition", "duration")
            yield readout.ring_down, False, (*path, "ring_down")
    for name, edge in document.edges.items():
        for gate_name, edge_gate in edge.gates.items():
            path = ("edges", name, "gates", gate_name)
            yield from _pulse(edge_gate.waveform, edge_gate.padding, path)
            if isinstance(edge_gate, FluxCz) and edge_gate.coupler_waveform is not None:
                yield edge_gate.coupler_waveform.duration, True, (*path, "coupler_waveform", "duration")


def _pulse(
    waveform: Waveform, padding: Padding, path: tuple[str, ...]
) -> Iterator[tuple[float, bool, tuple[str, ...]]]:
    yield waveform.duration, True, (*path, "waveform", "duration")
    yield padding.before, False, (*path, "padding", "before")
    yield padding.after, False, (*path, "padding", "after")
