"""``Lease``: one process at a time owns a box.

The lock is the operating system's, so it ends with its owner, however that ends; the file only says who it is. Leases
of one user account exclude each other; for several accounts, set ``QCTRL_LEASES`` to a folder that all may write to.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Mapping
from hashlib import blake2b
from pathlib import Path
from typing import IO

from qctrl.config import RackInstrument
from qctrl.errors import InstrumentError


def lease_folder() -> Path:
    """Return where leases are kept: ``QCTRL_LEASES``, else in the state folder of this user."""
    chosen = os.environ.get("QCTRL_LEASES")
    if chosen:
        return Path(chosen)
    from platformdirs import user_state_path

    return user_state_path("qctrl") / "leases"


class Lease:
    """Exclusive right to talk to an address.

    Args:
        name: Name of the box in the rack.
        address: Its address; two names for one address share one lease.

    Raises:
        InstrumentError: Another process, or another rack of this one, has it.
    """

    def __init__(self, name: str, address: str) -> None:
        folder = lease_folder()
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{blake2b(address.upper().encode(), digest_size=12).hexdigest()}.lock"
        self._file: IO[str] = path.open("a+")
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self._file.seek(0)
            owner = self._file.read().strip() or "an unknown process"
            self._file.close()
            raise InstrumentError(
                f"instrument {name} at {address} is in use by {owner}; end it first, nothing was sent",
                name=name,
                address=address,
            ) from error
        self._file.truncate(0)
        self._file.write(f"process {os.getpid()}\n")
        self._file.flush()

    def release(self) -> None:
        """Give it back; idempotent."""
        self._file.close()


def take_leases(instruments: Mapping[str, RackInstrument]) -> list[Lease]:
    """Return the leases of several boxes: all of them or none.

    Args:
        instruments: The boxes, by name.

    Raises:
        InstrumentError: Somebody else has one.
    """
    taken: list[Lease] = []
    try:
        for name, entry in instruments.items():
            taken.append(Lease(name, entry.address))
    except InstrumentError:
        for lease in taken:
            lease.release()
        raise
    return taken
