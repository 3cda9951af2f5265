"""The error for a device that is not there, which is Qiskit's too."""

from __future__ import annotations

from qiskit.providers.exceptions import QiskitBackendNotFoundError

from qctrl.errors import ConfigError


class DeviceNotFoundError(ConfigError, QiskitBackendNotFoundError):
    """The rack has no device of this name; a ``QiskitBackendNotFoundError``, as of every provider."""

    def __str__(self) -> str:
        # Qiskit's own puts the message between quotes.
        return str(self.args[0])
