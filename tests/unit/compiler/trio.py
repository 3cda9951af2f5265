"""A small device for compiler tests: three qubits, two flux CZ, measured and passive resets."""

from functools import cache
from pathlib import Path

from qctrl.calibration import Calibration, load, loads
from qctrl.protocol import Mixer, Port, Setup

TEXT = Path(__file__).with_name("device.yaml")
OUTPUTS = ("q0.drive", "q1.drive", "q2.drive", "q0.flux", "q1.flux", "c01.flux", "f0.readout")


@cache
def calibration() -> Calibration:
    return load(TEXT)


def edited(*changes: tuple[str, str]) -> Calibration:
    """Return the device with pieces of its text replaced."""
    text = TEXT.read_text()
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new)
    return loads(text)


def port(name: str, **changes) -> Port:
    kind = {"drive": "iq_drive", "flux": "flux", "readout": "iq_readout", "acquire": "acquire"}[name.split(".")[1]]
    lo_hz = {"iq_drive": 4.95e9, "flux": 0.0}.get(kind, 7.1e9)
    values = {
        "sample_ticks": 1,
        "granularity_ticks": 4,
        "full_scale_v": 1.0,
        "max_amplitude": 1.0,
        "dac_bits": 16,
        "lo_hz": lo_hz,
        "idle": 0.1 if name == "c01.flux" else 0.0,
        "mixer": Mixer(),
    }
    return Port(name=name, kind=kind, **(values | changes))


def setup(device: Calibration | None = None, *, tick_den: int = 10**9, latency_ticks: int = 100, **changes) -> Setup:
    """Return a rack for the device; ``changes`` maps a port's name (dots as ``__``) to changed fields."""
    device = device or calibration()
    fields = {name.replace("__", "."): value for name, value in changes.items()}
    ports = tuple(port(name, **fields.get(name, {})) for name in (*OUTPUTS, "f0.acquire"))
    made = Setup("trio", 1, tick_den, 200, latency_ticks, device.hash.hex(), ports)
    made.verify()
    return made
