"""``BoxRack``: a rack of ordinary instruments as one driver.

The host plays the firmware's part: it renders the samples of a packed program and uploads them, lets the generators
repeat the shot on a common trigger while the digitizers take one record each time, and makes classical registers of
the records.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Final

from qctrl.config import Rack
from qctrl.errors import ConfigError, InstrumentError, QctrlError, UnsupportedInstructionError
from qctrl.instruments.base import Fetched, Identity, Progress
from qctrl.instruments.boxes.base import Box, BoxHealth, GeneratorLimits, Restarting
from qctrl.instruments.boxes.lease import Lease, take_leases
from qctrl.instruments.boxes.playing import Playing
from qctrl.instruments.boxes.settings import announced, apply, settings
from qctrl.instruments.boxes.together import each, raise_together
from qctrl.instruments.boxes.wired import Wired, wire
from qctrl.instruments.hosted import HostedRun
from qctrl.instruments.rules import check_pair, safe_on_failure
from qctrl.protocol import Patch, Program, Run, Setup
from qctrl.version import __version__

CAPABILITIES: Final = frozenset({"iq", "trace"})
"""No ``branch``: nothing decides during a shot."""


class BoxRack:
    """Plays packed programs on boxes; see ``Driver``.

    Args:
        rack: Addresses and wiring.
        device: Name of the device.
        boxes: Drivers by name, not connected yet; closed with this one.
        run_slack_s: How much longer than its shots a run may take, in seconds.
    """

    def __init__(self, rack: Rack, device: str, boxes: Mapping[str, Box], *, run_slack_s: float) -> None:
        self._rack = rack
        self._device = device
        self._boxes = dict(boxes)
        self._wired: Wired = wire(rack.instruments, self._boxes)
        self._run_slack_s = run_slack_s
        self._leases: list[Lease] = []
        self._setup: Setup | None = None
        self._setup_hash = b""
        self._limits: dict[str, GeneratorLimits] = {}
        self._program: Program | None = None
        self._patch: Patch | None = None
        self._run = HostedRun(self._error)

    # Link

    def connect(self) -> Identity:
        """Take the leases, connect to all boxes at once, check who they are.

        Raises:
            InstrumentError: A box does not answer, is another one, or is in use by somebody else.
            ExceptionGroup: Several boxes failed.
        """
        if not self._leases:
            self._leases = take_leases(self._rack.instruments)
        self._setup_hash = b""
        self._run.clear("safe")
        self._connect(self._boxes)
        return Identity("boxes", self._device, __version__, self._run.epoch, CAPABILITIES)

    def health(self) -> Progress:
        """Return how far the run is."""
        return self._run.progress()

    def check(self) -> dict[str, BoxHealth | QctrlError]:
        """Ask every box for what must be in order, and return what it said, or why it did not; switches nothing."""
        if not self._leases:
            self._leases = take_leases(self._rack.instruments)

        def ask(box: Box) -> BoxHealth | QctrlError:
            try:
                return box.health()
            except QctrlError as error:
                return error

        return each(self._boxes, "cannot be checked", ask)

    def announced(self, setup: Setup) -> list[str]:
        """Return what the boxes would put out for a Setup, a line each; nothing is sent.

        Args:
            setup: The Setup.

        Raises:
            ConfigError: The boxes are not wired for it.
        """
        self._wired.check(setup)
        return list(announced(self._wired, settings(self._wired, setup)))

    def safe_state(self) -> None:
        """Stop acquisition, then generators, then oscillators; DC levels are held."""
        # A box that has to be connected anew for this forgets its settings: the next job configures all.
        self._setup_hash = b""
        self._run.clear("safe")
        order = (self._wired.digitizers, self._wired.generators, self._wired.oscillators, self._wired.sources)
        errors: list[QctrlError] = []
        for role in order:
            try:
                each(role, "did not reach the safe state", lambda box: box.safe_state())
            except QctrlError as error:
                errors.append(error)
            except ExceptionGroup as group:
                errors += [error for error in group.exceptions if isinstance(error, QctrlError)]
        raise_together(errors, "did not reach the safe state")

    def close(self) -> None:
        """Close every session and give the leases back."""
        for box in self._boxes.values():
            box.close()
        for lease in self._leases:
            lease.release()
        self._leases = []

    # Playback

    def configure(self, setup: Setup) -> None:
        """Set clocks, amplitudes, carriers and levels; see ``Playback``.

        Raises:
            ConfigError: The boxes are not wired for it.
            ResourceError: A value is beyond a limit; nothing was sent.
        """
        # Also a refusal ends in the safe state: the outputs of the job before may be on.
        with self._safe_on_failure():
            setup.verify()
            if setup.hash == self._setup_hash:
                return
            if setup.device != self._device:
                raise ConfigError(f"the setup is for {setup.device}, this rack is wired to {self._device}")
            self._wired.check(setup)
            self._setup, self._program = setup, None
            self._connect_lost()
            self._limits = apply(self._wired, settings(self._wired, setup))
        self._setup_hash = setup.hash

    def load(self, program: Program, patch: Patch | None) -> None:
        """Take a program and its words; its samples are uploaded when it starts; see ``Playback``.

        Raises:
            ProtocolError: They do not belong together, or not to the configured Setup, or the program is inconsistent.
            UnsupportedInstructionError: The program decides on measured bits, which takes firmware.
        """
        if not self._setup_hash:
            raise InstrumentError("nothing is configured; configure the Setup first", name=self._device)
        with self._safe_on_failure():
            self._check_program(program, patch)
        self._program, self._patch = program, patch

    def start(self, run: Run) -> None:
        """Begin a run; see ``Playback``.

        Raises:
            InstrumentError: The run carries the emulator's switches, or is of an older controller.
        """
        run.verify()
        setup, program = self._setup, self._program
        if setup is None or program is None or not self._setup_hash:
            raise InstrumentError("nothing is loaded; configure the Setup and load a program first", name=self._device)
        self._run.accept(run)
        with self._safe_on_failure():
            # Nothing of this run was sent to them yet.
            if self._connect_lost():
                self._limits = apply(self._wired, settings(self._wired, setup))
            each(self._wired.oscillators, "did not switch on", lambda box: box.switch_on())
            playing = Playing(self._wired, setup, self._limits, program, self._patch, self._run_slack_s)
        self._run.begin(run, playing.play(run))

    def fetch(self, run_id: str, block: int, wait_s: float) -> Fetched:
        """Go on with the run until its next block of results is there; see ``Playback``."""
        self._run.check_known(run_id)
        with self._safe_on_failure():
            self._run.advance(block, wait_s)
        return Fetched(self.health(), self._run.take(block))

    def abort(self) -> None:
        """Stop the run and go to the safe state."""
        self.safe_state()

    # Own

    def _check_program(self, program: Program, patch: Patch | None) -> None:
        program.verify()
        check_pair(program, patch, self._setup_hash)
        if not program.is_straight or program.n_registers:
            raise UnsupportedInstructionError(
                f"{self._device}: this rack plays every shot alike, and the program decides on bits or computes with "
                "them while it runs; remove control flow, reset and store, or use a rack whose sequencers have "
                "firmware; nothing was uploaded"
            )
        if not len(program.captures):
            raise UnsupportedInstructionError(f"{self._device}: the program captures nothing, so a run has no end")

    def _connect_lost(self) -> bool:
        """Connect anew to boxes that restarted or failed since they were last used; return whether there were any."""
        connected = each(self._boxes, "cannot be asked", lambda box: box.is_connected())
        lost = {name: box for name, box in self._boxes.items() if not connected[name]}
        self._connect(lost)
        return bool(lost)

    def _connect(self, boxes: Mapping[str, Box]) -> None:
        """Connect to boxes at once, and wait until those that were switched on meanwhile have settled."""
        each(boxes, "cannot be reached", lambda box: box.connect())
        restarted = [name for name, box in boxes.items() if isinstance(box, Restarting) and box.restarted]
        time.sleep(max((self._rack.instruments[name].settle for name in restarted), default=0.0))

    def _safe_on_failure(self) -> AbstractContextManager[None]:
        return safe_on_failure(self.safe_state, self._run.fail)

    def _error(self, text: str) -> InstrumentError:
        return InstrumentError(f"rack of {self._device} {text}", name=self._device)
