"""Opening and stopping several instruments as one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import TracebackType

from qctrl.errors import InstrumentError, QctrlError
from qctrl.instruments.base import Driver, Identity


class OpenRack:
    """Connected drivers by name; all of them or none.

    Args:
        drivers: Drivers that are not connected yet; closed when one cannot be connected.

    Raises:
        QctrlError: One instrument failed.
        ExceptionGroup: Several did; every cause is in it.
    """

    def __init__(self, drivers: Mapping[str, Driver]) -> None:
        self.drivers = dict(drivers)
        self.identities: dict[str, Identity] = {}
        try:
            self._for_each("cannot be opened", lambda name, driver: self.identities.update({name: driver.connect()}))
        except (QctrlError, ExceptionGroup):
            self.close()
            raise

    def safe_state(self) -> None:
        """Stop the outputs of every instrument, also of those after one that fails."""
        self._for_each("did not reach the safe state", lambda _, driver: driver.safe_state())

    def close(self) -> None:
        """Close every connection."""
        for driver in self.drivers.values():
            driver.close()

    def __enter__(self) -> OpenRack:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.safe_state()
        finally:
            self.close()

    def _for_each(self, failure: str, action: Callable[[str, Driver], None]) -> None:
        errors: list[QctrlError] = []
        for name, driver in self.drivers.items():
            try:
                action(name, driver)
            except QctrlError as error:
                errors.append(error)
        if len(errors) == 1:
            raise errors[0]
        if errors:
            raise ExceptionGroup(f"{len(errors)} instruments {failure}", errors) from InstrumentError(failure)
