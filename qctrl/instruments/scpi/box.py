"""``ScpiBox``: what all drivers of SCPI instruments do in the same way."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Final

from qctrl.config import RackInstrument
from qctrl.errors import InstrumentError, InstrumentFault, InstrumentTimeoutError, ResourceError
from qctrl.instruments.boxes.base import BoxHealth, BoxIdentity
from qctrl.instruments.scpi.session import Session

_MOST_ERRORS: Final = 64
_FREQUENCY_BIT: Final = 1 << 5
"""Of the questionable condition register (SCPI-99 volume 1, 9.4): set while the reference is not locked."""


class ScpiBox:
    """A session, its identity and its error queue.

    Args:
        name: Name of the instrument in the rack.
        entry: What the rack file says of it.
    """

    makers: ClassVar[tuple[str, ...]] = ()
    """Starts of the first field of ``*IDN?`` that this driver is for, in capitals."""
    models: tuple[str, ...] = ()
    """Starts of the second field that this driver is for, in capitals."""
    park: tuple[str, ...] = ()
    """Lines that take it to its safe state."""

    def __init__(self, name: str, entry: RackInstrument) -> None:
        self.name = name
        self.entry = entry
        self.session = Session(name, entry.address)
        self._identity: BoxIdentity | None = None
        self._prepared_generation = 0

    def connect(self) -> BoxIdentity:
        """Connect anew and check who answers.

        Raises:
            InstrumentError: Nobody answers, or another instrument does.
        """
        identity = self._open(park=self.park, clear=True)
        self.after_connect()
        self._prepared_generation = self.session.generation
        return identity

    @property
    def restarted(self) -> bool:
        """Whether it was switched on shortly before it was connected; see ``Restarting``."""
        return self.session.restarted

    def is_connected(self) -> bool:
        """Return whether it answers on the connection that ``connect`` made."""
        if not self.session.is_open or self._prepared_generation != self.session.generation:
            return False
        try:
            return self.session.ask("*OPC?").strip() == "1"
        except InstrumentError:
            return False

    def health(self) -> BoxHealth:
        """Ask for everything that must be in order; its error queue is empty afterwards, nothing else changes."""
        if not self.session.is_open:
            self._open(park=(), clear=False)
        errors = tuple(f"{code}, {text}" for code, text in self.drain_errors())
        identity = self._identity or BoxIdentity("", "", "", "")
        return BoxHealth(identity, self.is_locked(), self.are_outputs_on(), errors, self.limits_text())

    def safe_state(self) -> None:
        """Send the lines that park it, on a new connection if it must be.

        Raises:
            InstrumentError: It did not confirm them. If it is only late with its answers, and was this instrument
                before, it has got them all the same.
        """
        try:
            if not self.session.is_open:
                self._open(park=self.park, clear=True)
            self.command(*self.park)
        except InstrumentTimeoutError:
            if self._identity is not None and self.park:
                self.session.tell(self.park)
            raise

    def close(self) -> None:
        """Close the session."""
        self.session.close()

    # For the drivers.

    def after_connect(self) -> None:
        """Forget what was known of the instrument's memory."""

    def are_outputs_on(self) -> bool:
        """Return whether any output is on."""
        return False

    def limits_text(self) -> str:
        """Return the limits that the driver keeps."""
        return ""

    def is_locked(self) -> bool:
        """Return whether the clock follows its reference."""
        return not int(self.session.ask("STATus:QUEStionable:CONDition?")) & _FREQUENCY_BIT

    def command(self, *lines: str, wait_s: float = 0.0) -> None:
        """Send lines that belong together, wait until they are done, and refuse any error they caused.

        Raises:
            InstrumentFault: The error queue is not empty.
        """
        for line in lines:
            self.session.write(line)
        self.finish(lines, wait_s=wait_s)

    def finish(self, lines: Sequence[str], *, wait_s: float = 0.0) -> None:
        """Wait until everything sent is done, and refuse any error it caused.

        Raises:
            InstrumentFault: The error queue is not empty.
        """
        self.session.ask("*OPC?", extra_s=wait_s)
        errors = self.drain_errors()
        if errors:
            said = "; ".join(f"{code}, {text}" for code, text in errors)
            sent = lines[0] if len(lines) == 1 else f"{lines[0]} ... {lines[-1]}" if lines else "nothing"
            raise InstrumentFault(
                f"instrument {self.name} at {self.entry.address} reports {said}, after {sent[:120]}",
                name=self.name,
                address=self.entry.address,
                fault_code=str(errors[0][0]),
            )

    def drain_errors(self) -> list[tuple[int, str]]:
        """Return and remove all entries of the error queue, oldest first."""
        found: list[tuple[int, str]] = []
        while len(found) < _MOST_ERRORS:
            code, _, text = self.session.ask("SYSTem:ERRor?").partition(",")
            if int(code) == 0:
                return found
            found.append((int(code), text.strip().strip('"')))
        return found

    def limited(self, what: str, value: float, limit: float | None, unit: str, *, both_sides: bool = False) -> None:
        """Refuse a value beyond a limit.

        Args:
            what: Name of the quantity.
            value: Its value.
            limit: The largest that is allowed; ``None`` allows any.
            unit: Its unit.
            both_sides: Whether the limit holds for negative values too.

        Raises:
            ResourceError: It is beyond, or no number.
        """
        if limit is not None and not (abs(value) if both_sides else value) <= limit:
            raise ResourceError(
                f"instrument {self.name}: {what} of {value:.6g} {unit} is beyond its limit of {limit:.6g} {unit}; "
                "nothing was sent; lower it, or change the limits in the rack file"
            )

    def error(self, text: str) -> InstrumentError:
        """Return an error that names the instrument."""
        return InstrumentError(
            f"instrument {self.name} at {self.entry.address}: {text}", name=self.name, address=self.entry.address
        )

    def _open(self, park: Sequence[str], *, clear: bool) -> BoxIdentity:
        fields = [part.strip() for part in self.session.open(park, clear=clear).split(",")]
        identity = BoxIdentity(*(fields + [""] * 4)[:4])
        try:
            self._check_identity(identity)
        except InstrumentError:
            self.session.close()
            raise
        self._identity = identity
        return identity

    def _check_identity(self, identity: BoxIdentity) -> None:
        expected = identity.maker.upper().startswith(self.makers) and identity.model.upper().startswith(self.models)
        if not expected:
            raise self.error(
                f"a {identity.maker} {identity.model} answers, which is no {self.entry.kind}; "
                "nothing was set; check address and kind in the rack file"
            )
        if self.entry.serial and identity.serial != self.entry.serial:
            raise self.error(
                f"serial number {identity.serial} answers, not {self.entry.serial}; "
                "nothing was set; check the address in the rack file"
            )
