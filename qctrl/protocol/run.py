"""``Run``: how often and in which order a loaded program is played."""

from __future__ import annotations

import math
from typing import Final, Literal, TypeAlias

import msgspec

from qctrl.errors import ProtocolError
from qctrl.protocol import _container, limits

KIND: Final = b"RUN "
_BODY: Final = b"BODY"

Mode: TypeAlias = Literal["auto", "density matrix", "ket", "tree"]
"""One mixed state; one pure state per history of records; pure states per history of jumps and records."""
CaptureMode: TypeAlias = Literal["bits", "iq", "iq_mean", "trace", "trace_mean", "bits+iq"]


NoiseKind: TypeAlias = Literal["relaxation", "dephasing", "thermal", "quasi_static", "one_over_f", "drift", "photons"]


class SimOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Switches that only an emulator understands; hardware refuses a run that carries them."""

    seed: int | None = None
    """Seed of all random numbers; None lets the emulator draw one and report it."""
    noise: bool = True
    """False removes every random process but the measurement outcome itself."""
    levels: int | Literal["auto"] = "auto"
    """Levels per transmon in the state; ``auto`` takes 3 unless memory allows only 2."""
    time_s: float = 0.0
    """Simulated time of day, for slow drift."""
    pub_index: int = 0
    """Place of the pub in its job, so that equal pubs draw different numbers."""
    pubs: tuple[tuple[int, int], ...] = ()
    """Where the patch holds several pubs: of each, in their order, place in the job and number of bindings."""
    without: tuple[NoiseKind, ...] = ()
    """Kinds of noise that are switched off one by one."""
    mode: Mode = "auto"
    """What holds the state; ``auto`` lets the emulator count which is cheapest."""
    memory_mib: int = 1024
    """Memory that the state may take."""
    allow_unsafe: bool = False
    """Whether to go on where the emulator's approximations do not hold; otherwise it refuses."""
    time_limit_s: float | None = None
    """Seconds that a run may take by the emulator's own forecast; it refuses what takes longer. None is no limit."""
    pub_shots: int = 0
    """Shots of the whole pub, so that its parts are played alike; 0 stands for those of the run."""


class Run(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One execution request; hashes are hex, ranges are half open from ``first`` over ``n``."""

    run_id: str
    epoch: int
    setup_hash: str
    program_hash: str
    patch_hash: str
    """Empty if the program has no open slots."""
    first_binding: int
    n_bindings: int
    first_shot: int
    n_shots: int
    rep_delay_ticks: int
    """Idle time between the end of a shot and the start of the next, at least."""
    capture_mode: CaptureMode = "bits"
    loop_order: Literal["binding_major"] = "binding_major"
    chunk: int = 0
    iteration_limit: int = 1_000_000
    """Most flow instructions in one shot; exceeding it is an error."""
    sim: SimOptions | None = None

    def verify(self) -> None:
        """Check every range.

        Raises:
            ProtocolError: A count is out of range.
        """
        checks = (
            (1 <= self.n_shots <= limits.MAX_SHOTS, f"n_shots {self.n_shots} not in 1..{limits.MAX_SHOTS}"),
            (1 <= self.n_bindings <= limits.MAX_BINDINGS, f"n_bindings {self.n_bindings} out of range"),
            (min(self.first_binding, self.first_shot, self.epoch, self.chunk) >= 0, "a count is negative"),
            (
                0 <= self.rep_delay_ticks <= limits.MAX_REP_DELAY_TICKS,
                f"rep_delay_ticks {self.rep_delay_ticks} not in 0..{limits.MAX_REP_DELAY_TICKS}",
            ),
            (self.iteration_limit >= 1, "iteration_limit is not positive"),
        )
        for holds, text in (*checks, *_sim_checks(self.sim or SimOptions())):
            if not holds:
                raise ProtocolError(f"run: {text}")

    def to_bytes(self) -> bytes:
        """Return the wire form."""
        return _container.pack(KIND, [(_BODY, msgspec.json.encode(self))])

    @classmethod
    def from_bytes(cls, data: bytes) -> Run:
        """Return the run in ``data``.

        Raises:
            ProtocolError: The bytes are damaged or a count is out of range.
        """
        sections = _container.unpack(KIND, data, (_BODY,))
        try:
            run = msgspec.json.decode(sections[_BODY], type=cls)
        except msgspec.MsgspecError as error:
            raise ProtocolError(f"RUN: {error}") from error
        run.verify()
        return run


def _sim_checks(sim: SimOptions) -> tuple[tuple[bool, str], ...]:
    return (
        (sim.levels in (2, 3, 4, "auto"), f"levels is {sim.levels}; it must be 2, 3, 4 or auto"),
        (sim.memory_mib >= 1, f"memory_mib is {sim.memory_mib}; it must be 1 or more"),
        (min(sim.pub_shots, sim.pub_index, sim.seed or 0) >= 0, "pub_shots, pub_index or seed is negative"),
        (min((min(pub) for pub in sim.pubs), default=0) >= 0, "a number in pubs is negative"),
        (sim.time_limit_s is None or sim.time_limit_s > 0, f"time_limit_s is {sim.time_limit_s}; it must be positive"),
        (0 <= sim.time_s < math.inf, f"time_s is {sim.time_s}; it must be 0 or more"),
    )
