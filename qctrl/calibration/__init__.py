"""What was measured about a device: schema, loader, and the indexed view the other rooms read."""

from qctrl.calibration.coherence import Coherence, coherence_limit
from qctrl.calibration.cross_resonance import CrossResonance
from qctrl.calibration.document import Document, Edge, Qubit, Timing
from qctrl.calibration.dump import dump
from qctrl.calibration.find import default_search, find_device, list_devices
from qctrl.calibration.gates import ComposedGate, FluxCz, FractionalGate, PulseGate, VirtualZ, Waveform
from qctrl.calibration.grid_design import grid_design
from qctrl.calibration.load import load, loads
from qctrl.calibration.readout import (
    ActiveReset,
    ClassDiscriminator,
    LinearDiscriminator,
    PassiveReset,
    Readout,
)
from qctrl.calibration.stretch import is_stretchable, stretched
from qctrl.calibration.values import MatrixValue, Value
from qctrl.calibration.view import Calibration, content_hash

__all__ = [
    "ActiveReset",
    "Calibration",
    "ClassDiscriminator",
    "Coherence",
    "ComposedGate",
    "CrossResonance",
    "Document",
    "Edge",
    "FluxCz",
    "FractionalGate",
    "LinearDiscriminator",
    "MatrixValue",
    "PassiveReset",
    "PulseGate",
    "Qubit",
    "Readout",
    "Timing",
    "Value",
    "VirtualZ",
    "Waveform",
    "coherence_limit",
    "content_hash",
    "default_search",
    "dump",
    "find_device",
    "grid_design",
    "is_stretchable",
    "list_devices",
    "load",
    "loads",
    "stretched",
]
