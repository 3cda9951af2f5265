"""``build_setup``: what was measured and what is wired become the ``Setup`` that the firmware applies."""

from __future__ import annotations

import math
from collections.abc import Iterable
from fractions import Fraction
from typing import Final

from msgspec import UNSET

from qctrl.calibration import Calibration, CrossResonance
from qctrl.calibration.lines import CrosstalkMatrix, PortLine
from qctrl.config import Wiring, WiringPort
from qctrl.errors import ConfigError
from qctrl.execution.latency import equal_delays
from qctrl.protocol import Crosstalk, Mixer, Port, Setup
from qctrl.protocol.limits import MAX_SHOT_GRID_S
from qctrl.units import exact_fraction, to_ticks

_PLAIN: Final = PortLine()


def build_setup(calibration: Calibration, wiring: Wiring) -> Setup:
    """Return the Setup of a device; its ports are in the order of the wiring file.

    A port whose ``max_amplitude`` is 0 is left out: nothing can be played on it.

    Args:
        calibration: Idle levels, mixer corrections, filters, crosstalk and the tick.
        wiring: Ports, converters and LOs.

    Raises:
        ConfigError: The calibration names a port that is not wired, a frequency is farther from its LO than the port's
            bandwidth, a converter's clock is off the tick, or no short time holds whole turns of every LO.
        TimingError: A delay is off the tick.
        ProtocolError: A value is out of the firmware's range.
    """
    _check_wired(calibration, wiring)
    _check_bandwidths(calibration, wiring)
    tick_s = calibration.dt_s
    idle = _idle_levels(calibration)
    lines = calibration.document.ports
    delays = equal_delays(wiring, lines, tick_s)
    ports = tuple(
        _port(name, wiring, lines.get(name, _PLAIN), (idle.get(name, 0.0), delays[name]), tick_s)
        for name, wired in wiring.ports.items()
        if wired.max_amplitude > 0
    )
    setup = Setup(
        device=calibration.name,
        tick_num=tick_s.numerator,
        tick_den=tick_s.denominator,
        shot_grid_ticks=_shot_grid_ticks(ports, tick_s),
        bit_latency_ticks=to_ticks(calibration.timing.bit_latency, tick_s, what="bit_latency"),
        calibration_id=calibration.hash.hex(),
        ports=ports,
        crosstalk=tuple(_crosstalk(matrix) for matrix in calibration.document.crosstalk.values()),
    )
    setup.verify()
    return setup


def _port(name: str, wiring: Wiring, line: PortLine, at_rest: tuple[float, int], tick_s: Fraction) -> Port:
    wired, (idle, delay_ticks) = wiring.port(name), at_rest
    sample_ticks = _sample_ticks(name, wired, tick_s)
    mixer, filters = line.mixer, line.filters
    rows = ((1.0, 0.0), (0.0, 1.0)) if mixer is None else mixer.matrix.value
    return Port(
        name=name,
        kind=wired.kind,
        sample_ticks=sample_ticks,
        granularity_ticks=sample_ticks * wired.granularity,
        full_scale_v=wired.full_scale_v,
        max_amplitude=wired.max_amplitude,
        dac_bits=wired.dac_bits,
        lo_hz=wiring.lo_hz(name),
        idle=idle,
        delay_ticks=delay_ticks,
        mixer=Mixer(
            matrix=(rows[0][0], rows[0][1], rows[1][0], rows[1][1]),
            offset_i=0.0 if mixer is None else mixer.offset_i.value,
            offset_q=0.0 if mixer is None else mixer.offset_q.value,
        ),
        iir=() if filters is None else tuple((section.amp, section.tau) for section in filters.iir),
        fir=() if filters is None else filters.fir,
        max_step=UNSET if wired.max_slew is None else _step(wired, sample_ticks * tick_s),
        max_duty=UNSET if wired.max_duty is None else wired.max_duty,
    )


def _step(wired: WiringPort, sample_s: Fraction) -> float:
    """Return the largest change from sample to sample, as a fraction of full scale; the whole range is no limit."""
    return min(2.0, (wired.max_slew or 0.0) * float(sample_s) / wired.full_scale_v)


def _sample_ticks(name: str, wired: WiringPort, tick_s: Fraction) -> int:
    ticks = 1 / (exact_fraction(wired.sample_rate) * tick_s)
    if ticks.denominator != 1:
        raise ConfigError(
            f"port {name}: a sample at {wired.sample_rate:g} Hz lasts {float(ticks):g} ticks of {float(tick_s):g} s; "
            "it must be a whole number: choose a shorter dt in the calibration's timing"
        )
    return ticks.numerator


def _shot_grid_ticks(ports: Iterable[Port], tick_s: Fraction) -> int:
    """Return the shortest time in which every LO makes whole turns and every port's grid fits."""
    ticks = 1
    for port in ports:
        turns = exact_fraction(port.lo_hz) * tick_s
        ticks = math.lcm(ticks, turns.denominator, port.granularity_ticks, port.sample_ticks)
        if ticks * tick_s > exact_fraction(MAX_SHOT_GRID_S):
            raise ConfigError(
                f"port {port.name}: with its LO at {port.lo_hz:.10g} Hz, all LOs make whole turns only after "
                f"{float(ticks * tick_s):g} s, more than {MAX_SHOT_GRID_S:g} s; choose a rounder LO frequency"
            )
    return ticks


def _crosstalk(matrix: CrosstalkMatrix) -> Crosstalk:
    zeros = tuple((0.0,) * len(matrix.ports) for _ in matrix.ports)
    return Crosstalk(ports=matrix.ports, real=matrix.matrix, imag=zeros if matrix.imag is None else matrix.imag)


def _idle_levels(calibration: Calibration) -> dict[str, float]:
    levels: dict[str, float] = {}
    for qubit in calibration.document.qubits.values():
        if qubit.ports.flux is not None:
            levels[qubit.ports.flux] = qubit.flux.idle.value
    for edge in calibration.document.edges.values():
        if edge.coupler is not None:
            levels[edge.coupler.port] = edge.coupler.idle_bias.value
    return levels


def _check_wired(calibration: Calibration, wiring: Wiring) -> None:
    document = calibration.document
    named = {port: f"ports.{port}" for port in document.ports}
    for group, matrix in document.crosstalk.items():
        named.update(dict.fromkeys(matrix.ports, f"crosstalk.{group}"))
    for name, edge in document.edges.items():
        if edge.coupler is not None:
            named[edge.coupler.port] = f"edges.{name}.coupler"
    for name, qubit in document.qubits.items():
        for kind, port in (
            ("drive", qubit.ports.drive),
            ("flux", qubit.ports.flux),
            ("readout", qubit.ports.readout),
            ("acquire", qubit.ports.acquire),
        ):
            if port is not None:
                named[port] = f"qubits.{name}.ports.{kind}"
    missing = [f"{port} ({place})" for port, place in named.items() if port not in wiring.ports]
    if missing:
        raise ConfigError(
            f"calibration {calibration.source or calibration.id} names ports that are not wired: {', '.join(missing)}; "
            "add them to the wiring file or correct the calibration"
        )


def _check_bandwidths(calibration: Calibration, wiring: Wiring) -> None:
    """Refuse a carrier that the converter could only put out weakened, or as an image elsewhere."""
    too_far: list[str] = []
    for name in (name for name in calibration.qubit_names if name is not None):
        qubit = calibration.document.qubits[name]
        tones = [("frequency", qubit.frequency, qubit.ports.drive)]
        if qubit.readout is not None:
            tones += [
                ("readout.frequency", qubit.readout.frequency, port)
                for port in (qubit.ports.readout, qubit.ports.acquire)
            ]
        for key, tone, port in tones:
            if tone is not None and port is not None:
                too_far += _too_far(f"qubits.{name}.{key}", tone.value, port, wiring)
    known = calibration.document.qubits
    for name, edge in calibration.document.edges.items():
        for key, gate in edge.gates.items():
            if isinstance(gate, CrossResonance):
                tone, port = known[gate.target].frequency, known[gate.control].ports.drive
                if tone is not None and port is not None:
                    place = f"edges.{name}.gates.{key}: the frequency of {gate.target}"
                    too_far += _too_far(place, tone.value, port, wiring)
    if too_far:
        raise ConfigError(f"{'; '.join(too_far)}; move the LO in the wiring file or correct the calibration")


def _too_far(what: str, tone_hz: float, port: str, wiring: Wiring) -> list[str]:
    if_hz, bandwidth_hz = tone_hz - wiring.lo_hz(port), wiring.port(port).bandwidth
    if abs(if_hz) <= bandwidth_hz:
        return []
    return [f"{what} is {if_hz:+.6g} Hz from the LO of {port}, which carries {bandwidth_hz:g} Hz"]
