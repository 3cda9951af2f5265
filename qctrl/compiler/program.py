"""The compiled program: packed words, and the map from parameters to open slots."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import numpy as np

from qctrl.compiler.bind import bind
from qctrl.compiler.resources import Resources, count_resources
from qctrl.errors import CompileError
from qctrl.units import to_ticks

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from qctrl.compiler.duty import PlayOwners
    from qctrl.compiler.open_peaks import PeakBound
    from qctrl.compiler.open_values import BoundValue
    from qctrl.ir.angle_bound import AngleBound
    from qctrl.ir.expression import Expression
    from qctrl.ir.interface import Interface
    from qctrl.protocol import Patch, Program, Setup


class CompiledProgram(msgspec.Struct, frozen=True, eq=False, kw_only=True):
    """A circuit, compiled once; ``bind`` makes the words that its parameters need."""

    program: Program
    """What travels to the instrument."""
    setup: Setup
    """The rack that it was assembled for."""
    interface: Interface
    """Parameters and registers of the circuit."""
    expressions: tuple[Expression, ...]
    """Distinct expressions of the parameters."""
    rows: NDArray[np.void]
    """dtype ``qctrl.ir.ROW``, one per open phase."""
    values: tuple[BoundValue, ...] = ()
    """Open amplitudes and frequencies; their rows are behind those of the phases."""
    bounds: tuple[PeakBound, ...] = ()
    """What ports may reach where open amplitudes overlap other plays."""
    angles: tuple[AngleBound, ...] = ()
    """Bounds of the open angles of fractional gates."""
    owners: PlayOwners | None = None
    """Whose plays they are, on a rack that limits how long a port plays."""

    @property
    def parameters(self) -> tuple[str, ...]:
        """Names of the parameters, in the order of ``circuit.parameters``."""
        return self.interface.parameters

    @property
    def cregs(self) -> tuple[tuple[str, tuple[int, ...]], ...]:
        """Per classical register its name and its clbit indices, least significant bit first."""
        return self.interface.cregs

    @property
    def n_circuit_clbits(self) -> int:
        """Classical bits of the circuit; the program's further bits are the compiler's."""
        return self.interface.n_clbits

    @property
    def calibration_id(self) -> str:
        """Label of the calibration that it was compiled against."""
        return self.interface.calibration_id

    @property
    def hash(self) -> bytes:
        """Identity of the packed program, 32 bytes."""
        return self.program.hash

    def __repr__(self) -> str:
        """Return a line that says which program this is; ``text`` lists it."""
        named = f", parameters {', '.join(self.parameters)}" if self.parameters else ""
        size = f"{len(self.program.events)} events in {len(self.program.blocks)} blocks"
        return f"<CompiledProgram for {self.setup.device}: {size}{named}, {self.hash.hex()[:12]}>"

    def to_bytes(self) -> bytes:
        """Return the wire form of the packed program; equal programs have equal bytes."""
        return self.program.to_bytes()

    def text(self) -> str:
        """Return a readable listing of the packed program, behind it what the compiler added to the circuit."""
        return "\n".join([self.program.text(), *(f"note {note}" for note in self.interface.notes)])

    def resources(self) -> Resources:
        """Return what the program takes of the sequencer's memories, and of each port."""
        return count_resources(self.program, self.setup, self.interface)

    def bind(self, values: ArrayLike) -> Patch:
        """Return the words for parameter values of shape ``(*shape, n_parameters)``.

        Raises:
            CompileError: The shape is wrong, or a value or an angle is not finite.
        """
        return bind(self, values)

    def check_duty(self, rep_delay_s: float) -> None:
        """Refuse to play a program that keeps a port on for too much of the time.

        Args:
            rep_delay_s: Silence behind every shot, in s.

        Raises:
            ResourceError: A port would play for more than its part of the time.
            TimingError: The delay is not a whole number of ticks.
        """
        if self.owners is not None:
            rep_delay_ticks = to_ticks(rep_delay_s, self.setup.tick_s, what="rep_delay")
            self.owners.check(self.program, self.setup, rep_delay_ticks)

    def samples(self, port: str, values: ArrayLike | None = None) -> NDArray[np.complex128 | np.float64]:
        """Return the samples of one port over a shot, as its DAC gets them.

        Args:
            port: Name of the port.
            values: One value per parameter; not needed without parameters.

        Returns:
            Fractions of full scale at the port's own rate: complex for IQ ports, real for flux ports.

        Raises:
            CompileError: The program branches or waits for bits, so that there is no one answer, or values are missing.
            ResourceError: A sample is beyond the port's range.
        """
        if not self.program.is_straight:
            raise CompileError(
                "the program branches or waits for bits, so its samples may differ from shot to shot; "
                "`qctrl pulse draw` shows what each of its blocks plays"
            )
        if values is None and self.parameters:
            raise CompileError(f"samples need values for the parameters {', '.join(self.parameters)}")
        if port not in {known.name for known in self.setup.ports}:
            raise CompileError(f"the setup of {self.setup.device} has no port {port}")
        patch = self.bind(np.reshape(np.asarray([] if values is None else values, dtype=np.float64), (1, -1)))
        from qctrl.signal import Player  # brings kernels that compiling does not need

        return Player(self.program, self.setup, patch.words[0]).render(port)
