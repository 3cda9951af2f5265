"""Tektronix MSO5/MSO6 and DPO70000 oscilloscopes as digitizers, in FastFrame.

Commands and their forms: Tektronix' published package ``tm_devices`` (github.com/tektronix/tm_devices): ``horizontal``,
``acquire``, ``data``, ``wfmoutpre``, ``curve``. Codes to volts: QCoDeS, ``tektronix/DPO7200xx.py``.

Events: ``*ESR?``, then ``ALLEv?``, as ``tm_devices`` asks its oscilloscopes; they have no documented ``SYSTem:ERRor?``.

Never tried on a real instrument: everything. Doubtful above all: that ``CURVe?`` brings all frames as one block.
"""

from __future__ import annotations

import re
from typing import Final

import numpy as np
from numpy.typing import NDArray

from qctrl.instruments.boxes.base import Acquisition
from qctrl.instruments.scpi.blocks import MAX_BLOCK_BYTES
from qctrl.instruments.scpi.box import ScpiBox

_DIVISIONS: Final = 10
_EXTREME: Final = (-32768, 32767)
_MIN_RECORD: Final = 100
_EVENT: Final = re.compile(r'(-?\d+),"([^"]*)"')
_NO_EVENTS: Final = (0, 1)
_SYSTEM_EVENTS: Final = range(400, 500)
"""Power on, operation complete: no errors."""


class TektronixMso(ScpiBox):
    """Triggered on the auxiliary input; see ``Digitizer``."""

    makers = ("TEKTRONIX",)
    models = ("MSO5", "MSO6", "DPO7")
    park = ("ACQuire:STATE OFF",)

    def after_connect(self) -> None:
        """Replies without headers, as signed words with the low byte first."""
        self._acquisition: Acquisition | None = None
        self._record = 0
        self.command("ACQuire:STATE OFF", "HEADer OFF", "DATa:ENCdg SRIbinary", "DATa:WIDth 2")

    def drain_errors(self) -> list[tuple[int, str]]:
        """Return and remove all events that are errors or warnings, oldest first."""
        self.session.ask("*ESR?")  # what came before it is reported now
        found = [(int(code), text) for code, text in _EVENT.findall(self.session.ask("ALLEv?"))]
        return [(code, text) for code, text in found if code not in _NO_EVENTS and code not in _SYSTEM_EVENTS]

    def configure(self, acquisition: Acquisition) -> int:
        """Set channels, clock, record and trigger; see ``Digitizer``."""
        if acquisition != self._acquisition:
            self._acquisition = None
            self._record = max(_MIN_RECORD, acquisition.n_samples)
            self.command(
                "ACQuire:STATE OFF",
                *(f"CH{ch}:SCAle {2 * acquisition.full_scale_v / _DIVISIONS!r}" for ch in acquisition.channels),
                "HORizontal:MODe MANual",
                f"HORizontal:MODe:SAMPLERate {acquisition.sample_rate_hz!r}",
                f"HORizontal:MODe:RECOrdlength {self._record}",
                "HORizontal:POSition 0",
                "HORizontal:DELay:MODe ON",
                f"HORizontal:DELay:TIMe {acquisition.delay_s!r}",
                "TRIGger:A:TYPe EDGE",
                "TRIGger:A:EDGE:SOUrce AUX",
                "TRIGger:A:MODe NORMal",
                "HORizontal:FASTframe:STATE ON",
                "ACQuire:STOPAfter SEQuence",
            )
            took_hz = float(self.session.ask("HORizontal:MODe:SAMPLERate?"))
            if took_hz != acquisition.sample_rate_hz:
                raise self.error(f"it samples at {took_hz:.10g} Hz, {acquisition.sample_rate_hz:.10g} Hz was set")
            self._acquisition = acquisition
        return int(self.session.ask("HORizontal:FASTframe:MAXFRames?"))

    def arm(self, n_records: int) -> None:
        """Wait for triggers; see ``Digitizer``."""
        self.command(f"HORizontal:FASTframe:COUNt {n_records}", "ACQuire:STATE ON")

    def acquired(self) -> int:
        """Return the number of frames; see ``Digitizer``."""
        return int(self.session.ask("ACQuire:NUMFRAMESACQuired?"))

    def fetch(self, n_records: int) -> NDArray[np.float32]:
        """Return the frames of all channels; see ``Digitizer``.

        Raises:
            InstrumentError: There are more or fewer samples, or the converter was overdriven.
        """
        acquisition = self._acquisition
        if acquisition is None:
            raise self.error("nothing is configured")
        acquired = self.acquired()
        if acquired != n_records:
            raise self.error(f"it has {acquired} records, not {n_records}; they are never padded and never cut")
        n_samples = acquisition.n_samples
        volts = np.empty((len(acquisition.channels), n_records, n_samples), dtype=np.float32)
        self.command("DATa:STARt 1", f"DATa:STOP {n_samples}")
        at_once = max(1, MAX_BLOCK_BYTES // (2 * n_samples))
        for row, channel in enumerate(acquisition.channels):
            self.session.write(f"DATa:SOUrce CH{channel}")
            scale, offset, zero = (float(self.session.ask(f"WFMOutpre:{w}?")) for w in ("YMUlt", "YOFf", "YZEro"))
            for first in range(0, n_records, at_once):
                last = min(n_records, first + at_once)
                codes = self._frames(channel, (first, last), n_samples)
                volts[row, first:last] = (codes - np.float32(offset)) * np.float32(scale) + np.float32(zero)
        self.finish(("CURVe?",))
        return volts

    def abort(self) -> None:
        """Stop; see ``Digitizer``."""
        self.command("ACQuire:STATE OFF")

    def limits_text(self) -> str:
        """Nothing is put out."""
        return "input only"

    def _frames(self, channel: int, frames: tuple[int, int], n_samples: int) -> NDArray[np.int16]:
        first, last = frames
        self.session.write(f"DATa:FRAMESTARt {first + 1}")
        self.session.write(f"DATa:FRAMESTOP {last}")
        size = 2 * (last - first) * n_samples
        data = self.session.ask_block("CURVe?", 2 * size)
        if len(data) != size:
            raise self.error(
                f"channel {channel} gave {len(data)} bytes, {size} were expected of frames {first + 1} to {last}"
            )
        codes = np.frombuffer(data, dtype="<i2").reshape(last - first, n_samples)
        if codes.min() <= _EXTREME[0] or codes.max() >= _EXTREME[1]:
            where = int(np.argmax((codes <= _EXTREME[0]) | (codes >= _EXTREME[1])))
            raise self.error(
                f"channel {channel} is overdriven in frame {first + 1 + where // n_samples}, sample "
                f"{where % n_samples}; attenuate the signal, or raise full_scale_v of its port in the wiring file"
            )
        return codes
