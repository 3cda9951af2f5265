"""``Bench``: cables between the instruments and the chip, and what a trigger sets off.

One generator's marker is the trigger of all others and of the digitizers. All generators share a clock, so every shot
is the same; it is simulated as often as the generator repeats it. An oscillator that is off silences its mixers; its
power is not modelled, as mixers are driven into saturation.
"""

from __future__ import annotations

import logging
import queue
import secrets
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from msgspec import structs
from numpy.typing import NDArray

from firmware_sim.config import load_truth
from firmware_sim.scpi.cabling import Cabling, WiredPort
from firmware_sim.scpi.instrument import Instrument
from firmware_sim.scpi.models import MODELS
from firmware_sim.scpi.roles import Digitizer, Generator, Oscillator, Source
from qctrl.errors import ConfigError, QctrlError
from qctrl.protocol import Mixer, Port, Setup
from qctrl.units import exact_fraction

if TYPE_CHECKING:
    from firmware_sim.scpi.readout_record import Recorder

_log = logging.getLogger(__name__)
_EXECUTION_ERROR: Final = -200


class Bench:
    """The instruments of one rack, cabled to one chip.

    Args:
        cabling: What stands where.
        truth: The chip's truth file.
        seed: Seed of all random numbers; drawn unless given.

    Attributes:
        instruments: By name.
        lines: What the DACs put out in the last run, by port: volts over full scale, complex for I and Q.

    Raises:
        ConfigError: A kind of instrument is not emulated, or the truth is of another device.
    """

    def __init__(self, cabling: Cabling, truth: Path, seed: int | None = None) -> None:
        self._cabling = cabling
        self._truth = load_truth(truth)
        if self._truth.device != cabling.device:
            raise ConfigError(f"{truth}: this is the truth of {self._truth.device!r}, not of {cabling.device!r}")
        self._seed = secrets.randbits(53) if seed is None else seed
        self._runs = 0
        self.lines: dict[str, NDArray[Any]] = {}
        self.instruments: dict[str, Instrument] = {}
        for name, entry in cabling.instruments.items():
            if entry.kind not in MODELS:
                raise ConfigError(f"instruments.{name}: {entry.kind!r} is not emulated; known: {', '.join(MODELS)}")
            self.instruments[name] = instrument = MODELS[entry.kind](entry.serial)
            if isinstance(instrument, Generator) and entry.trigger_channel is not None:
                instrument.on_trigger = self._triggered(instrument, entry.trigger_channel)
        self._generators = {n: one for n, one in self.instruments.items() if isinstance(one, Generator)}
        self._tasks: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="bench", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End the thread that simulates."""
        self._tasks.put(None)

    def warm_up(self) -> None:
        """Load the physics while the host is still connecting."""

        def load() -> None:
            import firmware_sim.scpi.readout_record  # noqa: F401  # pyright: ignore[reportUnusedImport]

        self._tasks.put(load)

    def _work(self) -> None:
        while (task := self._tasks.get()) is not None:
            task()

    def _triggered(self, source: Generator, channel: int) -> Callable[[], None]:
        def act() -> None:
            if not source.is_armed():
                return
            shot = source.shot(channel)
            marks = np.zeros(1, dtype=np.uint8) if shot is None else shot.markers
            edges = np.flatnonzero(np.diff(marks.astype(np.int16), prepend=0) > 0)
            started = [source]
            if len(edges):
                others = [awg for awg in self._generators.values() if awg is not source]
                started += [awg for awg in others if awg.is_armed() and not awg.misses_triggers]
            for awg in started:
                awg.begin()
            first = int(edges[0]) if len(edges) else -1
            repeats = shot.repeats if shot is not None else 0
            self._tasks.put(lambda: self._play(source, first, repeats, started))

        return act

    def _play(self, source: Generator, trigger: int, repeats: int, started: list[Generator]) -> None:
        try:
            self._simulate(source, trigger, repeats)
        except QctrlError as error:
            self._blame(source, str(error))
        except Exception as error:  # noqa: BLE001 (the instruments stay reachable; the host finds the error queue)
            _log.exception("a run failed")
            self._blame(source, f"defect of the emulator: {error}")
        else:
            for awg in started:
                awg.end()

    def _blame(self, source: Generator, text: str) -> None:
        name = next(name for name, awg in self._generators.items() if awg is source)
        self.instruments[name].push(_EXECUTION_ERROR, f"Execution error;{text}")

    def _simulate(self, source: Generator, trigger: int, repeats: int) -> None:
        from firmware_sim.scpi.readout_record import Recorder

        rate_hz = source.sample_rate_hz
        digitizers = {
            name: found for name, found in self.instruments.items() if isinstance(found, Digitizer) and found.is_armed()
        }
        setup, lines = self._collect(rate_hz)
        recorder = Recorder(self._truth, setup, lines, self._seed, self._runs)
        self._runs += 1
        if trigger < 0 or not recorder.n_samples:
            return
        for name, mso in digitizers.items():
            if mso.sample_rate_hz != rate_hz:
                raise ConfigError(f"{name} samples at {mso.sample_rate_hz:g} Hz, the generators at {rate_hz:g} Hz")
            self._record(name, mso, recorder, (trigger, min(repeats, mso.frames)))

    def _record(self, name: str, mso: Digitizer, recorder: Recorder, shots: tuple[int, int]) -> None:
        trigger, n_shots = shots
        first = trigger + round(mso.delay_s * mso.sample_rate_hz)
        frames: dict[int, NDArray[np.float64]] = {}
        for port, channels in self._cabling.instruments[name].channels.items():
            record = recorder.record(port, first, mso.record, n_shots, mso.is_armed)
            if record is None:
                return
            full_scale_v = self._cabling.ports[port].full_scale_v
            for channel, part in zip(channels, (record.real, record.imag), strict=True):
                frames[channel] = part.astype(np.float64) * full_scale_v
        mso.acquire(frames)

    def _collect(self, rate_hz: float) -> tuple[Setup, dict[str, NDArray[Any]]]:
        """Return the ports as they are fed now, and one shot of every line."""
        lo_hz = {
            port: oscillator.frequency_hz if oscillator.on else None
            for name, oscillator in self.instruments.items()
            if isinstance(oscillator, Oscillator)
            for port in self._cabling.instruments[name].ports
        }
        fed = self._fed()
        n_samples = max((len(line) for line in fed.values()), default=0)
        lines: dict[str, NDArray[Any]] = {}
        ports: list[Port] = []
        for name, wired in self._cabling.ports.items():
            silent = wired.kind != "flux" and lo_hz.get(name) is None
            line = fed.get(name, np.zeros(n_samples)) / wired.full_scale_v
            if len(line) != n_samples:
                raise ConfigError(f"the line of {name} repeats after {len(line)} samples, others after {n_samples}")
            line = line + self._bias_v(name) / wired.full_scale_v if wired.kind == "flux" else line.astype(complex)
            lines[name] = np.zeros_like(line) if silent else line
            ports.append(self._port(name, wired, lo_hz.get(name), lines[name]))
        self.lines = {name: line for name, line in lines.items() if self._cabling.ports[name].kind != "acquire"}
        tick_s = 1 / exact_fraction(rate_hz)
        return Setup(self._cabling.device, tick_s.numerator, tick_s.denominator, 1, 0, "", tuple(ports)), lines

    @staticmethod
    def _port(name: str, wired: WiredPort, lo_hz: float | None, line: NDArray[Any]) -> Port:
        """Return a port as it is fed now; its first sample is what it holds at rest."""
        rest = complex(line[0]) if len(line) else 0j
        port = Port(name, wired.kind, 1, 1, wired.full_scale_v, 1.0, 16)
        if wired.kind == "flux":
            return structs.replace(port, idle=rest.real)
        # An oscillator that is off has no frequency; its lines are silent, so any will do.
        return structs.replace(port, lo_hz=lo_hz or 1e9, mixer=Mixer(offset_i=rest.real, offset_q=rest.imag))

    def _fed(self) -> dict[str, NDArray[Any]]:
        """Return the volts of one shot of every line that a generator feeds."""
        found: dict[str, NDArray[Any]] = {}
        for name, awg in self._generators.items():
            if not awg.is_playing():
                continue
            for port, channels in self._cabling.instruments[name].channels.items():
                shots = [awg.shot(channel) for channel in channels]
                volts = [np.zeros(0) if shot is None else shot.volts for shot in shots]
                longest = max(len(part) for part in volts)
                padded = [part if len(part) else np.zeros(longest) for part in volts]
                found[port] = padded[0] if len(padded) == 1 else padded[0] + 1j * padded[1]
        return {port: line for port, line in found.items() if len(line)}

    def _bias_v(self, port: str) -> float:
        return sum(
            source.held_v(self._cabling.instruments[name].output(port))
            for name, source in self.instruments.items()
            if isinstance(source, Source) and self._cabling.instruments[name].holds(port)
        )
