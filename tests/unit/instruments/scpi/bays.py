"""Emulated instruments on their ports, each with its driver."""

from __future__ import annotations

import numpy as np

from firmware_sim.scpi.models import MODELS
from firmware_sim.scpi.wire import Wire
from qctrl.config import InstrumentLimits, RackInstrument
from qctrl.instruments.boxes import open_box

OPTIONS = {
    "tektronix_awg5200": {"channels": {"q0.drive": (1, 2)}, "limits": InstrumentLimits(max_vpp=2.0)},
    "tektronix_awg70000": {"channels": {"q0.drive": (1, 2)}},
    "keysight_m8190a": {"channels": {"q0.drive": (1, 2)}},
    "keysight_m8195a": {"channels": {"q0.drive": (1, 4)}},
    "keysight_33600a": {"channels": {"q0.flux": (1,), "q1.flux": (2,)}, "limits": InstrumentLimits(max_vpp=4.0)},
    "tektronix_mso": {"channels": {"f0.acquire": (1, 2)}},
    "rohde_schwarz_sgs100a": {"ports": ("q0.drive",), "limits": InstrumentLimits(max_power=15.0)},
    "rohde_schwarz_smb100a": {"ports": ("q0.drive",), "limits": InstrumentLimits(max_power=15.0)},
    "yokogawa_gs200": {"ports": ("q0.flux",), "limits": InstrumentLimits(max_level=0.5, max_slew=10.0)},
    "qdevil_qdac2": {"bias": {"q0.flux": 3, "q1.flux": 24}, "limits": InstrumentLimits(max_level=0.5, max_slew=10.0)},
}


class Bay:
    """One emulated instrument on its port, and its driver."""

    def __init__(self, kind, serial="S1", *, hislip=False, **changes):
        self.instrument = MODELS[kind]("S1")
        self.wire = Wire(self.instrument, "127.0.0.1", 0)
        end = f"hislip0,{self.wire.port}::INSTR" if hislip else f"{self.wire.port}::SOCKET"
        address = f"TCPIP0::127.0.0.1::{end}"
        entry = RackInstrument(**{"kind": kind, "address": address, "serial": serial, **OPTIONS[kind], **changes})
        self.driver = open_box("box", entry)
        self.driver.session._timeout_s = 1.0

    def close(self):
        self.driver.close()
        self.wire.close()


class Bays(dict):
    """One session per kind serves all tests that do not break it; opened when it is first asked for."""

    def __missing__(self, kind):
        self[kind] = Bay(kind)
        self[kind].driver.connect()
        return self[kind]


def wave(seed, n=2400):
    return np.random.default_rng(seed).uniform(-1, 1, n).astype(np.float32)
