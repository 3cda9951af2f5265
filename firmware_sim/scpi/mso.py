"""A digitizer: an oscilloscope in the dialect of the Tektronix MSO5/MSO6 and DPO70000 series, in FastFrame.

Command forms follow Tektronix' own published package ``tm_devices`` (github.com/tektronix/tm_devices). All frames of a
channel come as one block; 6400 codes of a 16-bit word are one division.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from firmware_sim.scpi.instrument import Instrument, ScpiError, boolean, choice, command, number, whole
from firmware_sim.scpi.message import block

CHANNELS: Final = 4
_CODES_PER_DIVISION: Final = 6400
_TOP: Final = 32767
_MEMORY_SAMPLES: Final = 62_500_000
_MAX_RECORD: Final = 10_000_000


class Mso(Instrument):
    """The digitizer."""

    maker = "TEKTRONIX"
    model = "MSO64B"
    firmware = "CF:91.1CT FV:2.4"

    def __init__(self, serial: str) -> None:
        self.frames_short = 0
        self.corrupts = False
        self._reported = 0
        self.on_stop: Callable[[], None] = lambda: None
        super().__init__(serial)

    def reset(self) -> None:
        """Return to the state after power-on."""
        self.scale_v = dict.fromkeys(range(1, CHANNELS + 1), 0.1)
        self.sample_rate_hz = 6.25e9
        self.record = 1000
        self.delay_s = 0.0
        self.fast_frames = False
        self.frames = 1
        self.acquired = 0
        self.running = False
        self.source = 1
        self.part = [1, 1000]
        self.frame_part = [1, 1]
        self.codes: dict[int, NDArray[np.int16]] = {}

    # What the bench asks and does.

    def is_armed(self) -> bool:
        """Return whether it waits for triggers."""
        return self.running

    def acquire(self, frames: dict[int, NDArray[np.float64]]) -> None:
        """Take the frames of all channels, volts of shape ``(n_frames, record)``, and stop."""
        with self.lock:
            if not self.running:
                return
            for channel, volts in frames.items():
                codes = np.rint(volts * (_CODES_PER_DIVISION / self.scale_v[channel]))
                self.codes[channel] = np.clip(codes, -_TOP - 1, _TOP).astype("<i2")
            self.acquired = min((len(volts) for volts in frames.values()), default=0) - self.frames_short
            self.running = self.acquired < self.frames

    # Events: they are reported once the event register was read.

    @command("*ESR?")
    def event_status(self) -> str:
        """Return and clear the event register, and let ``ALLEv?`` report what is in the queue."""
        self._reported = int(self.count_errors())
        return super().event_status()

    @command("ALLEv?")
    def all_events(self) -> str:
        """Return and remove the events that may be reported."""
        found = [self.next_error() for _ in range(min(self._reported, int(self.count_errors())))]
        self._reported = 0
        pending = '1,"No events to report - new events pending *ESR?"'
        none = '0,"No events to report - queue empty"'
        return ",".join(found) or (pending if int(self.count_errors()) else none)

    # Commands.

    @command("HEADer")
    def header(self, state: str) -> None:
        """Replies without their headers; with them is not emulated."""
        if boolean(state):
            raise ScpiError(-224, "Illegal parameter value;only OFF is emulated")

    @command("CH<n>:SCAle")
    def set_scale(self, channel: int, volts: str) -> None:
        """Set volts per division."""
        if channel not in self.scale_v:
            raise ScpiError(-114, f"Header suffix out of range;{channel}")
        self.scale_v[channel] = number(volts, 1e-3, 10.0)

    @command("CH<n>:SCAle?")
    def scale(self, channel: int) -> str:
        """Return volts per division."""
        if channel not in self.scale_v:
            raise ScpiError(-114, f"Header suffix out of range;{channel}")
        return f"{self.scale_v[channel]:.9g}"

    @command("HORizontal:MODe")
    def set_mode(self, mode: str) -> None:
        """Sample rate and record length as they are told."""
        choice(mode, "MANual")

    @command("HORizontal:MODe:SAMPLERate")
    def set_rate(self, rate: str) -> None:
        """Set the sample rate."""
        self.sample_rate_hz = number(rate, 6.25, 50e9)

    @command("HORizontal:MODe:SAMPLERate?")
    def rate(self) -> str:
        """Return the sample rate."""
        return f"{self.sample_rate_hz:.10g}"

    @command("HORizontal:MODe:RECOrdlength")
    def set_record(self, samples: str) -> None:
        """Set the samples of a record."""
        self.record = whole(samples, 100, _MAX_RECORD)

    @command("HORizontal:MODe:RECOrdlength?")
    @command("HORizontal:RECOrdlength?")
    def record_length(self) -> str:
        """Return the samples of a record."""
        return str(self.record)

    @command("HORizontal:POSition")
    def set_position(self, percent: str) -> None:
        """Place the trigger in the record; only its start is emulated."""
        number(percent, 0, 0)

    @command("HORizontal:DELay:MODe")
    def set_delay_mode(self, state: str) -> None:
        """Delay the record; without is not emulated."""
        if not boolean(state):
            raise ScpiError(-224, "Illegal parameter value;only ON is emulated")

    @command("HORizontal:DELay:TIMe")
    def set_delay(self, seconds: str) -> None:
        """Start the record so long after the trigger."""
        self.delay_s = number(seconds, 0, 10)

    @command("HORizontal:FASTframe:STATE")
    def set_fast_frames(self, state: str) -> None:
        """Switch segmented acquisition."""
        self.fast_frames = boolean(state)

    @command("HORizontal:FASTframe:MAXFRames?")
    def most_frames(self) -> str:
        """Return how many frames of this record length fit."""
        return str(self._room())

    @command("HORizontal:FASTframe:COUNt")
    def set_frames(self, count: str) -> None:
        """Set the number of frames."""
        self.frames = whole(count, 1, self._room())

    @command("HORizontal:FASTframe:COUNt?")
    def frame_count(self) -> str:
        """Return the number of frames."""
        return str(self.frames)

    def _room(self) -> int:
        return _MEMORY_SAMPLES // (CHANNELS * self.record)

    @command("TRIGger:A:TYPe")
    def set_trigger(self, kind: str) -> None:
        """Trigger on an edge."""
        choice(kind, "EDGE")

    @command("TRIGger:A:EDGE:SOUrce")
    def set_trigger_source(self, source: str) -> None:
        """Trigger on the auxiliary input."""
        choice(source, "AUX", "AUXiliary")

    @command("TRIGger:A:MODe")
    def set_trigger_mode(self, mode: str) -> None:
        """Wait for the trigger, however long."""
        choice(mode, "NORMal")

    @command("ACQuire:STOPAfter")
    def set_stop(self, what: str) -> None:
        """Stop after one sequence."""
        choice(what, "SEQuence")

    @command("ACQuire:STATE")
    def set_state(self, state: str) -> None:
        """Start or stop."""
        word = {"RUN": "ON", "STOP": "OFF"}.get(state.upper(), state)
        self.running, self.acquired, self.codes = boolean(word), 0, {}
        if not self.running:
            self.on_stop()

    @command("ACQuire:STATE?")
    def state(self) -> str:
        """Return 1 while it acquires."""
        return str(int(self.running))

    @command("ACQuire:NUMFRAMESACQuired?")
    def frames_acquired(self) -> str:
        """Return how many frames it has."""
        return str(self.acquired)

    @command("DATa:SOUrce")
    def set_source(self, source: str) -> None:
        """Choose the channel to read."""
        self.source = whole(source.upper().removeprefix("CH"), 1, CHANNELS)

    @command("DATa:SOUrce?")
    def source_name(self) -> str:
        """Return the channel to read."""
        return f"CH{self.source}"

    @command("DATa:ENCdg")
    def set_encoding(self, kind: str) -> None:
        """Signed words, low byte first."""
        choice(kind, "SRIbinary")

    @command("DATa:WIDth")
    def set_width(self, width: str) -> None:
        """Two bytes a sample."""
        number(width, 2, 2)

    @command("DATa:STARt")
    def set_first(self, sample: str) -> None:
        """First sample to read, from 1."""
        self.part[0] = whole(sample, 1, _MAX_RECORD)

    @command("DATa:STOP")
    def set_last(self, sample: str) -> None:
        """Last sample to read."""
        self.part[1] = whole(sample, 1, _MAX_RECORD)

    @command("DATa:FRAMESTARt")
    def set_first_frame(self, frame: str) -> None:
        """First frame to read, from 1."""
        self.frame_part[0] = whole(frame, 1, _MEMORY_SAMPLES)

    @command("DATa:FRAMESTOP")
    def set_last_frame(self, frame: str) -> None:
        """Last frame to read."""
        self.frame_part[1] = whole(frame, 1, _MEMORY_SAMPLES)

    @command("WFMOutpre:YMUlt?")
    def volts_per_code(self) -> str:
        """Return volts per code."""
        return f"{self.scale_v[self.source] / _CODES_PER_DIVISION:.12g}"

    @command("WFMOutpre:YOFf?")
    def offset(self) -> str:
        """Return the code of the middle."""
        return "0.0"

    @command("WFMOutpre:YZEro?")
    def zero(self) -> str:
        """Return the volts of the middle."""
        return "0.0"

    @command("WFMOutpre:XINcr?")
    def sample_interval(self) -> str:
        """Return the seconds from sample to sample."""
        return f"{1 / self.sample_rate_hz:.12g}"

    @command("WFMOutpre:NR_Pt?")
    def samples_to_read(self) -> str:
        """Return how many samples of a frame are chosen."""
        return str(min(self.part[1], self.record) - self.part[0] + 1)

    @command("WFMOutpre:BYT_Nr?")
    def word_length(self) -> str:
        """Return the bytes of a sample."""
        return "2"

    @command("CURVe?")
    def curve(self) -> bytes:
        """Return the chosen samples of the chosen frames."""
        if self.source not in self.codes:
            raise ScpiError(-230, "Data corrupt or stale;nothing was acquired")
        frames, samples = self.frame_part, self.part
        found = self.codes[self.source][frames[0] - 1 : min(frames[1], self.acquired), samples[0] - 1 : samples[1]]
        if self.corrupts:
            found = found.copy()
            found.flat[0] = _TOP
        return block(found.tobytes())
