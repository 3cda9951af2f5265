"""Which driver serves which kind of box: the stack's own, and those of installed packages."""

from __future__ import annotations

import importlib
from importlib.metadata import entry_points
from typing import Final

from qctrl.config import RackInstrument
from qctrl.errors import ConfigError
from qctrl.instruments.boxes.base import Box

GROUP: Final = "qctrl.instruments"
"""Entry points of other packages: a kind, and a callable that takes (name, entry) and returns a ``Box``."""
OWN: Final = {
    "tektronix_awg5200": "qctrl.instruments.scpi.tektronix_awg:TektronixAwg",
    "tektronix_awg70000": "qctrl.instruments.scpi.tektronix_awg:TektronixAwg",
    "keysight_m8190a": "qctrl.instruments.scpi.keysight_m819x:KeysightM819x",
    "keysight_m8195a": "qctrl.instruments.scpi.keysight_m819x:KeysightM819x",
    "keysight_33600a": "qctrl.instruments.scpi.keysight_33600a:Keysight33600A",
    "tektronix_mso": "qctrl.instruments.scpi.tektronix_mso:TektronixMso",
    "rohde_schwarz_sgs100a": "qctrl.instruments.scpi.rohde_schwarz:RohdeSchwarzLo",
    "rohde_schwarz_smb100a": "qctrl.instruments.scpi.rohde_schwarz:RohdeSchwarzLo",
    "qdevil_qdac2": "qctrl.instruments.scpi.qdevil_qdac2:QdevilQdac2",
    "qcodes_oscillator": "qctrl.instruments.qcodes:QcodesOscillator",
    "qcodes_source": "qctrl.instruments.qcodes:QcodesSource",
    "yokogawa_gs200": "qctrl.instruments.scpi.yokogawa_gs200:YokogawaGs200",
}


def open_box(name: str, entry: RackInstrument) -> Box:
    """Return the driver of a box; nothing is sent before its ``connect``.

    Args:
        name: Name of the box in the rack.
        entry: What the rack file says of it.

    Raises:
        ConfigError: There is no such driver.
    """
    if entry.kind in OWN:
        module, _, driver = OWN[entry.kind].partition(":")
        return getattr(importlib.import_module(module), driver)(name, entry)
    others = {point.name: point for point in entry_points(group=GROUP)}
    if entry.kind not in others:
        known = ", ".join(sorted({*OWN, *others}))
        raise ConfigError(
            f"instruments.{name}.kind: driver {entry.kind!r} does not exist; known: {known}; "
            f"another package brings one by an entry point in the group {GROUP!r}"
        )
    return others[entry.kind].load()(name, entry)
