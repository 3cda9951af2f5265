"""Which instrument answers for which kind of box in a rack file."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final

from firmware_sim.scpi.gs200 import Gs200
from firmware_sim.scpi.instrument import Instrument
from firmware_sim.scpi.keysight_33600a import Keysight33600A
from firmware_sim.scpi.keysight_m819x import M8190A, M8195A, KeysightM819x
from firmware_sim.scpi.mso import Mso
from firmware_sim.scpi.qdac2 import Qdac2
from firmware_sim.scpi.rohde_schwarz import SGS100A, SMB100A, RohdeSchwarzLo
from firmware_sim.scpi.tektronix_awg import AWG5208, AWG70002A, TektronixAwg

MODELS: Final[dict[str, Callable[[str], Instrument]]] = {
    "tektronix_awg5200": partial(TektronixAwg, series=AWG5208),
    "tektronix_awg70000": partial(TektronixAwg, series=AWG70002A),
    "keysight_m8190a": partial(KeysightM819x, model=M8190A),
    "keysight_m8195a": partial(KeysightM819x, model=M8195A),
    "keysight_33600a": Keysight33600A,
    "tektronix_mso": Mso,
    "rohde_schwarz_sgs100a": partial(RohdeSchwarzLo, model=SGS100A),
    "rohde_schwarz_smb100a": partial(RohdeSchwarzLo, model=SMB100A),
    "qdevil_qdac2": Qdac2,
    "yokogawa_gs200": Gs200,
}
"""Makes an instrument of a serial number."""
