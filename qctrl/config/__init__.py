"""What is installed: racks of instruments and the wiring of devices."""

from qctrl.config.find import default_racks, find_default_rack, find_rack
from qctrl.config.instruments import InstrumentLimits, QcodesDriver, RackInstrument
from qctrl.config.rack import Rack, RackDocument, load_rack
from qctrl.config.wiring import LocalOscillator, Wiring, WiringPort, load_wiring

__all__ = [
    "InstrumentLimits",
    "LocalOscillator",
    "QcodesDriver",
    "Rack",
    "RackDocument",
    "RackInstrument",
    "Wiring",
    "WiringPort",
    "default_racks",
    "find_default_rack",
    "find_rack",
    "load_rack",
    "load_wiring",
]
