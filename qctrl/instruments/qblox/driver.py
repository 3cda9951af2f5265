"""``QbloxCluster``: a Qblox cluster as one driver.

Commands are those of the vendor's Python package ``qblox-instruments`` 1.0.0 (QCoDeS parameters and methods of
``Cluster``, ``Module`` and ``Sequencer``), from its source and docs.qblox.com. All that was ever tried is the vendor's
dummy cluster. It assembles every program with the vendor's assembler and takes every parameter, but plays and records
nothing, and takes numbers that a real one refuses. So it proves neither that samples, phases and times are as the
vendor describes them, nor that the trigger network is as fast as it says, nor that a discriminator calibrated on other
hardware fits the cluster's scale; a dummy's bins are zeros, and its results say ``dummy``.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Final

from qctrl.config import Rack
from qctrl.errors import ConfigError, InstrumentError, QctrlError, UnsupportedInstructionError
from qctrl.instruments.base import Fetched, Identity, Progress
from qctrl.instruments.boxes.base import BoxHealth, BoxIdentity
from qctrl.instruments.boxes.lease import Lease, take_leases
from qctrl.instruments.hosted import HostedRun
from qctrl.instruments.qblox.connection import DUMMY, Connection
from qctrl.instruments.qblox.layout import check_setup, cluster_wiring
from qctrl.instruments.qblox.limits import MODULES
from qctrl.instruments.qblox.playing import Playing
from qctrl.instruments.qblox.sequences import to_q1asm
from qctrl.instruments.qblox.settings import module_values, oscillators_off
from qctrl.instruments.rules import check_pair, safe_on_failure
from qctrl.protocol import Patch, Program, Run, Setup
from qctrl.version import __version__

CAPABILITIES: Final = frozenset({"branch", "iq"})
"""No ``trace``: a sequencer records one window at a time, averaged or once."""
_OPEN_S: Final = 60.0
_ASK_S: Final = 10.0
_UNLOCKED: Final = "PLL"


class QbloxCluster:
    """Plays packed programs on a cluster; see ``Driver``.

    Args:
        rack: A rack whose driver is ``cluster``.
        device: Name of the device that it is wired to.
        run_slack_s: How much longer than its shots a run may take, in seconds.
    """

    def __init__(self, rack: Rack, device: str, *, run_slack_s: float = 10.0) -> None:
        self._rack = rack
        self._device = device
        self._run_slack_s = run_slack_s
        name, self._wiring = cluster_wiring(rack)
        self._entry = rack.instruments[name]
        self._connection = Connection(name, self._entry.address, self._wiring.modules)
        self._leases: list[Lease] = []
        self._identity: BoxIdentity | None = None
        self._setup: Setup | None = None
        self._setup_hash = b""
        self._program: Program | None = None
        self._patch: Patch | None = None
        self._run = HostedRun(self._error)

    # Link

    def connect(self) -> Identity:
        """Take the lease, connect, check who it is and which modules it has.

        Raises:
            InstrumentError: It does not answer, is another one, or is in use by somebody else.
            MissingExtraError: The vendor's package is not installed.
        """
        if not self._leases and self._entry.address != DUMMY:
            self._leases = take_leases(self._rack.instruments)
        self._setup_hash = b""
        self._run.clear("safe")
        self._open()
        return Identity("qblox_cluster", self._device, __version__, self._run.epoch, CAPABILITIES)

    def health(self) -> Progress:
        """Return how far the run is."""
        return self._run.progress()

    def check(self) -> dict[str, BoxHealth | QctrlError]:
        """Ask the cluster for what must be in order, and return what it said, or why it did not; switches nothing."""
        name = self._connection.name
        try:
            if not self._leases and self._entry.address != DUMMY:
                self._leases = take_leases(self._rack.instruments)
            identity = self._open()
            said = self._connection.call("health", deadline_s=_ASK_S)
        except QctrlError as error:
            return {name: error}
        kinds = ", ".join(f"{slot} {self._wiring.modules[slot]}" for slot in sorted(self._wiring.modules))
        locked = not any(_UNLOCKED in flag for flag in said["flags"])
        return {name: BoxHealth(identity, locked, outputs_on=False, errors=tuple(said["errors"]), limits=kinds)}

    def announced(self, setup: Setup) -> list[str]:
        """Return a line for every output that a Setup uses: what it would put out; nothing is sent.

        Raises:
            ConfigError: The modules are not wired for it.
            UnsupportedInstructionError: It corrects what no sequencer corrects.
        """
        check_setup(setup, self._wiring)
        return [
            f"{self._connection.name} slot {slot} ({self._wiring.modules[slot]}) output {output}: {port.name}, "
            f"{'carrier' if port.lo_hz else 'level'} {port.lo_hz or port.idle * port.full_scale_v:g} "
            f"{'Hz' if port.lo_hz else 'V'}, pulses up to {port.max_amplitude:g} of full scale"
            for port in setup.ports
            if port.kind != "acquire"
            for slot, output in (self._wiring.ports[port.name],)
        ]

    def safe_state(self) -> None:
        """Stop every sequencer, disconnect every output, switch oscillators off; idempotent."""
        self._setup_hash = b""
        self._run.clear("safe")
        if not self._connection.is_open:
            self._open()
        self._connection.call("stop", deadline_s=_ASK_S)
        for slot, values in oscillators_off(self._wiring).items():
            self._connection.call("set_values", slot, -1, values, deadline_s=_ASK_S)

    def close(self) -> None:
        """End the connection and give the lease back."""
        self._connection.close()
        for lease in self._leases:
            lease.release()
        self._leases = []

    # Playback

    def configure(self, setup: Setup) -> None:
        """Reset the cluster, then set oscillators and idle levels; see ``Playback``.

        Raises:
            ConfigError: The modules are not wired for it.
            UnsupportedInstructionError: It corrects what no sequencer corrects; nothing was sent.
        """
        # Also a refusal ends in the safe state: the outputs of the job before may be on.
        with self._safe_on_failure():
            setup.verify()
            if setup.hash == self._setup_hash:
                return
            if setup.device != self._device:
                raise ConfigError(f"the setup is for {setup.device}, this rack is wired to {self._device}")
            check_setup(setup, self._wiring)
            self._setup, self._program, self._setup_hash = setup, None, b""
            if not self._connection.is_open:
                self._open()
            self._connection.call("reset", deadline_s=_OPEN_S)
            for slot, values in module_values(setup, self._wiring).items():
                self._connection.call("set_values", slot, -1, values, deadline_s=_ASK_S)
        self._setup_hash = setup.hash

    def load(self, program: Program, patch: Patch | None) -> None:
        """Take a program and its words, if they fit the sequencers; see ``Playback``.

        Raises:
            ProtocolError: They do not belong together, or not to the configured Setup.
            CompileError: They do not fit; the message begins with the capability or memory that lacks.
        """
        setup = self._configured()
        with self._safe_on_failure():
            check_pair(program, patch, self._setup_hash)
            to_q1asm(program, setup, self._wiring, None if patch is None else patch.words[0])
        self._program, self._patch = program, patch

    def start(self, run: Run) -> None:
        """Begin a run; see ``Playback``.

        Raises:
            InstrumentError: The run carries the emulator's switches, or is of an older controller.
            UnsupportedInstructionError: It asks for traces.
        """
        run.verify()
        setup, program = self._configured(), self._program
        if program is None:
            raise self._error("nothing is loaded; load a program first")
        if "trace" in run.capture_mode:
            raise UnsupportedInstructionError("Qblox cluster, capability traces: it integrates; use capture mode iq")
        self._run.accept(run)
        playing = Playing(self._connection, self._wiring, setup, program, self._patch, self._run_slack_s)
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

    def _open(self) -> BoxIdentity:
        self._connection.open(_OPEN_S)
        said = self._connection.call("identify", deadline_s=_ASK_S)
        identity = BoxIdentity(said["maker"], said["model"], said["serial"], said["firmware"])
        if self._entry.serial and identity.serial != self._entry.serial:
            self._connection.close()
            raise self._error(f"has serial number {identity.serial}, not {self._entry.serial}; check its address")
        for slot, kind in sorted(self._wiring.modules.items()):
            found = said["modules"].get(str(slot), "nothing")
            if found != kind:
                self._connection.close()
                raise self._error(f"slot {slot} has {found}, the rack file says {kind}; known are {', '.join(MODULES)}")
        self._identity = identity
        return identity

    def _configured(self) -> Setup:
        if self._setup is None or not self._setup_hash:
            raise self._error("nothing is configured; configure the Setup first")
        return self._setup

    def _safe_on_failure(self) -> AbstractContextManager[None]:
        return safe_on_failure(self.safe_state, self._run.fail)

    def _error(self, text: str) -> InstrumentError:
        name, address = self._connection.name, self._connection.address
        return InstrumentError(f"instrument {name} at {address} {text}", name=name, address=address)
