"""The emulator's hidden truth: the device that a laboratory would have to measure.

Only the emulator reads these files. All values are SI (Hz, s, rad), amplitudes are fractions of a port's full scale.
"""

from __future__ import annotations

from functools import cached_property
from hashlib import blake2b
from math import hypot, log, sqrt
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from firmware_sim.line_truth import CrosstalkTruth, LineTruth, NotNegative, Number, Positive, WireTruth
from qctrl.errors import ConfigError
from qctrl.strict_yaml import StrictModel, parse_text, problem, read_text, validate

_Scale = Annotated[float, Field(gt=0, le=1e9)]
_Lifetime = Annotated[float, Field(ge=1e-9, le=1e12)]


class FluxTruth(StrictModel):
    """Tuning curve ``f(x) = (f_top + |alpha|) [cos^2 + d^2 sin^2]^(1/4) - |alpha|`` (Koch 2007, eq. 2.18).

    The angle is ``pi (x - offset_fs) / period_fs``. ``f_top`` follows from the qubit's frequency at ``x = 0``.
    """

    period_fs: Positive
    """Flux quantum in fractions of the port's full scale."""
    offset_fs: Number = 0.0
    asymmetry: Annotated[float, Field(ge=0, le=1)] = 0.0


class SlowTruth(StrictModel):
    """Noise that is slow against a pulse; amplitudes in Hz for a frequency, in full scales for a flux."""

    quasi_static: NotNegative = 0.0
    """Standard deviation of a Gaussian that every shot draws anew."""
    one_over_f: NotNegative = 0.0
    """A of the one-sided density ``A^2 / f``, per square root of ``ln`` of a frequency ratio."""
    lowest: Positive = 1e-4
    """Where the 1/f noise begins, Hz."""
    highest: Positive = 1e3
    """Where it ends, Hz; what is above belongs to ``t2_echo``."""
    drift: Number = 0.0
    """Per hour of simulated time."""

    @property
    def deviation(self) -> float:
        """Standard deviation without the drift."""
        return hypot(self.quasi_static, self.one_over_f * sqrt(log(self.highest / self.lowest)))

    @model_validator(mode="after")
    def _check(self) -> SlowTruth:
        if self.lowest >= self.highest:
            raise problem(f"1/f noise from {self.lowest:g} Hz up to {self.highest:g} Hz", "swap them", "lowest")
        return self


class QubitTruth(StrictModel):
    """One transmon."""

    frequency: Positive
    """Hz, 0-1 transition with the flux port at 0; see ``Truth.frequencies``."""
    anharmonicity: Annotated[float, Field(lt=0, ge=-1e12)]
    t1: _Lifetime
    t2_echo: _Lifetime
    t1_21: _Lifetime | None = None
    """Relaxation time between levels 2 and 1; half of ``t1`` unless given."""
    t1_32: _Lifetime | None = None
    """Likewise between levels 3 and 2; a third of ``t1`` unless given."""
    thermal_population: Annotated[float, Field(ge=0, lt=0.5)] = 0.0
    """Level 1's part of levels 0 and 1 in equilibrium; higher levels follow in the same ratio."""
    frequency_noise: SlowTruth | None = None
    flux_noise: SlowTruth | None = None
    """Of the flux port's level, in full scales; acts by the slope of the tuning curve."""
    drive_port: str
    flux_port: str | None = None
    flux: FluxTruth | None = None

    @model_validator(mode="after")
    def _check(self) -> QubitTruth:
        if self.t2_echo > 2 * self.t1:
            raise problem(f"t2_echo {self.t2_echo:g} s exceeds 2 t1 = {2 * self.t1:g} s", "lower it", "t2_echo")
        if -2 * self.anharmonicity >= self.frequency:
            text = f"anharmonicity {self.anharmonicity:g} Hz puts level 3 below level 2 at {self.frequency:g} Hz"
            raise problem(text, "bring it nearer to 0", "anharmonicity")
        if (self.flux_port is None) != (self.flux is None):
            raise problem("flux_port and flux belong together", "give both or neither")
        if self.flux_noise is not None and self.flux is None:
            raise problem("flux_noise needs a tuning curve", "give flux and flux_port", "flux_noise")
        return self


class CouplerTruth(StrictModel):
    """A coupler that mediates ``-g_qc^2 / (f_c(x) - f)`` on top of a direct coupling (Yan 2018, eq. 3).

    ``g(x) = g_idle - g_qc^2 [1 / (f_c(x) - f) - 1 / (f_c(0) - f)]``, where the coupler stands at
    ``f_c(x) = frequency |cos(pi x / period_fs)|^(1/2)`` and f is the mean idle frequency of the two qubits: g falls
    monotonically from ``g_idle`` as ``|x|`` grows.
    """

    port: str
    frequency: Positive
    period_fs: Annotated[float, Field(gt=2, le=1e12)]
    g_qc: Positive


class EdgeTruth(StrictModel):
    """The exchange coupling of two neighbours."""

    g_idle: Number
    coupler: CouplerTruth | None = None


class T1PointTruth(StrictModel):
    """A qubit's T1 as a factor of its dark one while its resonator holds photons."""

    photons: Positive
    factor: Positive


class ResonatorTruth(StrictModel):
    """A readout resonator. It stands at ``frequency + chi_0s`` while its qubit is in level s (``chi_00 = 0``)."""

    feedline: str
    frequency: Positive
    """Hz, with the qubit in level 0."""
    kappa: Positive
    """Linewidth / 2 pi, Hz."""
    chi_01: Number
    chi_02: Number
    chi_03: Number | None = None
    """As far from ``chi_02`` as that is from ``chi_01``, unless given."""
    t1_with_photons: Annotated[tuple[T1PointTruth, ...], Field(strict=False)] = ()
    """Points in ascending order of photons, joined by straight lines from factor 1 at none; constant after the last."""

    @property
    def shifts(self) -> tuple[float, ...]:
        """Shift of the resonator by levels 0 to 3, Hz."""
        last = 2 * self.chi_02 - self.chi_01 if self.chi_03 is None else self.chi_03
        return (0.0, self.chi_01, self.chi_02, last)

    @model_validator(mode="after")
    def _check(self) -> ResonatorTruth:
        least = self.frequency + min(self.shifts)
        if least <= self.kappa:
            text = f"kappa {self.kappa:g} Hz is no linewidth of a resonator that comes down to {least:g} Hz"
            raise problem(text, "lower it, or chi", "kappa")
        photons = [point.photons for point in self.t1_with_photons]
        if photons != sorted(set(photons)):
            raise problem("photons do not ascend", "sort the points", "t1_with_photons")
        return self


class FeedlineTruth(StrictModel):
    """A multiplexed readout line, in reflection."""

    readout_port: str
    acquire_port: str
    input_scale: _Scale
    """Amplitude at the resonators for a full-scale DAC sample, sqrt(photons / s)."""
    adc_scale: _Scale
    """ADC fraction of full scale per sqrt(photons / s) of output field."""
    efficiency: Annotated[float, Field(gt=0, le=1)]
    """Noise is ``1 / (2 efficiency dt)`` photons/s per sample and quadrature: heterodyne detection, vacuum 1/2."""
    adc_bits: Annotated[int, Field(ge=2, le=24)] | None = None
    """Resolution of the ADC, which clips beyond its full scale; ideal unless given."""
    phase: Number = 0.0
    delay: NotNegative = 0.0
    """Readout DAC to ADC, s; a whole number of samples."""


class Truth(StrictModel):
    """The whole hidden device; qubit indices follow the order of ``qubits``."""

    schema_: Annotated[Literal["qctrl.truth/1"], Field(alias="schema")]
    device: str
    frequencies: Literal["bare", "dressed"] = "bare"
    """What the qubits' frequencies are: without their idle couplings, or, as a laboratory measures them, with the
    neighbours in level 0."""
    qubits: Annotated[dict[str, QubitTruth], Field(min_length=1)]
    edges: dict[str, EdgeTruth]
    lines: dict[str, LineTruth]
    resonators: dict[str, ResonatorTruth]
    feedlines: dict[str, FeedlineTruth]
    bit_latency: NotNegative = 0.0
    """Seconds from the end of a window until the board's flow can read its bit, at least."""
    wires: dict[str, WireTruth] = Field(default_factory=dict)
    """By port; a port that is not here has an ideal wire."""
    crosstalk: CrosstalkTruth = CrosstalkTruth()

    @model_validator(mode="after")
    def _check(self) -> Truth:
        joined: dict[frozenset[str], str] = {}
        for name in self.edges:
            ends = name.split("-")
            if len(ends) != 2 or not set(ends) <= set(self.qubits) or ends[0] == ends[1]:
                raise problem("an edge joins two known qubits", "name it as in q0-q1", "edges", name)
            if joined.setdefault(frozenset(ends), name) != name:
                raise problem(f"{joined[frozenset(ends)]} joins the same qubits", "keep one of them", "edges", name)
            self._check_gap(name, *ends)
        for name, qubit in self.qubits.items():
            if qubit.drive_port not in self.lines:
                at = ("qubits", name, "drive_port")
                raise problem(f"port {qubit.drive_port} is not among lines", "add the line", *at)
        self._check_resonators()
        self._check_owners()
        self._check_lines()
        return self

    def _check_resonators(self) -> None:
        places: dict[tuple[str, float], str] = {}
        for name, resonator in self.resonators.items():
            if name not in self.qubits or resonator.feedline not in self.feedlines:
                raise problem("a resonator has a known qubit and feedline", "correct it", "resonators", name)
            other = places.setdefault((resonator.feedline, resonator.frequency), name)
            if other != name:
                at = ("resonators", name, "frequency")
                raise problem(f"the resonator of {other} on {resonator.feedline} has the same", "move one", *at)

    def _check_owners(self) -> None:
        owners: dict[str, tuple[str, ...]] = {}
        ends = [(qubit.drive_port, ("qubits", name, "drive_port")) for name, qubit in self.qubits.items()]
        ends += [(qubit.flux_port or "", ("qubits", name, "flux_port")) for name, qubit in self.qubits.items()]
        ends += [
            (edge.coupler.port, ("edges", name, "coupler", "port")) for name, edge in self.edges.items() if edge.coupler
        ]
        for name, feedline in self.feedlines.items():
            ends += [(getattr(feedline, end), ("feedlines", name, end)) for end in ("readout_port", "acquire_port")]
        for port, place in ends:
            other = owners.setdefault(port, place) if port else place
            if other != place:
                text = f"port {port} is that of {'.'.join(other)} already"
                raise problem(text, "give each its own; crosstalk says what reaches others", *place)

    def _check_gap(self, name: str, *ends: str) -> None:
        frequencies = [self.qubits[end].frequency for end in ends]
        gap = abs(frequencies[0] - frequencies[1])
        least = 2 * abs(self.edges[name].g_idle)
        if least >= min(frequencies):
            text = f"g_idle {self.edges[name].g_idle:g} Hz is not small against qubits at {min(frequencies):g} Hz"
            raise problem(text, "lower it", "edges", name, "g_idle")
        if self.frequencies == "dressed" and gap <= least:
            text = f"dressed frequencies {gap:g} Hz apart, a coupling keeps them {least:g} Hz apart or more"
            raise problem(text, "move one or lower g_idle", "edges", name)

    def _check_lines(self) -> None:
        flux = self.flux_ports
        readout = {feedline.readout_port for feedline in self.feedlines.values()}
        for port, wire in self.wires.items():
            if port not in {*self.lines, *flux, *readout}:
                raise problem(f"there is no port {port}", "name a drive, flux or readout port", "wires", port)
            if port in readout and wire.delay:
                raise problem("a readout line's delay belongs to its feedline", "move it there", "wires", port, "delay")
        known = {"drive": set(self.lines), "flux": flux}
        for kind, table in (("drive", self.crosstalk.drive), ("flux", self.crosstalk.flux)):
            for target, sources in table.items():
                for source in (target, *sources):
                    if source not in known[kind] or target in sources:
                        at = ("crosstalk", kind, target)
                        raise problem(f"crosstalk of {source} into {target}", f"name two {kind} ports", *at)

    @property
    def flux_ports(self) -> set[str]:
        """Flux ports of all qubits and couplers."""
        qubits = {qubit.flux_port for qubit in self.qubits.values() if qubit.flux_port is not None}
        return qubits | {edge.coupler.port for edge in self.edges.values() if edge.coupler is not None}

    @cached_property
    def hash(self) -> bytes:
        """32-byte blake2b of the canonical content."""
        return blake2b(self.model_dump_json().encode(), digest_size=32).digest()


def load_truth(path: Path) -> Truth:
    """Return the truth in the YAML file ``path``.

    Raises:
        ConfigError: The file cannot be read, is not YAML, or breaks the schema; lines are ``file:line:column: ...``.
    """
    source = parse_text(read_text(path, ConfigError), str(path), ConfigError)
    return validate(source, Truth, ConfigError)
