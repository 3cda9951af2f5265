"""Which addresses may be bound or connected while the wire has no encryption."""

import os
import stat
from pathlib import Path

from qctrl.errors import ConfigError

_LOOPBACK = "127.0.0.1"
# sockaddr_un holds 108 bytes with the closing zero; zmq's own error does not say so.
_MAX_IPC_BYTES = 107


def check_address(address: str) -> str:
    """Return ``address`` if traffic to it cannot leave this machine and this user.

    Args:
        address: ``ipc://PATH``, in a folder that only its owner may enter, or ``tcp://127.0.0.1:PORT``.

    Raises:
        ConfigError: The address is of another kind, not loopback, or its folder is open to others.
    """
    scheme, separator, rest = address.partition("://")
    if not separator or scheme not in ("ipc", "tcp") or not rest:
        raise ConfigError(f"address {address!r} is not of the form ipc://PATH or tcp://{_LOOPBACK}:PORT")
    if scheme == "ipc":
        _check_folder(address, Path(rest))
    else:
        _check_host(address, rest)
    return address


def _check_host(address: str, rest: str) -> None:
    host, _, port = rest.rpartition(":")
    if host != _LOOPBACK:
        raise ConfigError(
            f"address {address!r}: host {host!r} is refused, because the wire is not encrypted; "
            f"use {_LOOPBACK} (and an SSH tunnel to reach another machine)"
        )
    if not (port == "*" or (port.isdigit() and 0 < int(port) < 65536)):
        raise ConfigError(f"address {address!r}: port {port!r} is not a number from 1 to 65535")


def _check_folder(address: str, path: Path) -> None:
    if not path.is_absolute() or len(os.fsencode(path)) > _MAX_IPC_BYTES:
        raise ConfigError(
            f"address {address!r}: the path must be absolute and at most {_MAX_IPC_BYTES} bytes long; "
            "choose a shorter folder, for example with TMPDIR"
        )
    try:
        found = path.parent.stat()
    except OSError as error:
        raise ConfigError(f"address {address!r}: folder {path.parent} cannot be used: {error.strerror}") from error
    if found.st_uid != os.getuid() or stat.S_IMODE(found.st_mode) & 0o077:
        raise ConfigError(
            f"address {address!r}: folder {path.parent} must belong to you and be closed to others (chmod 700)"
        )
