"""Devices whose ports start on coarse grids: 2 GS/s with a granularity of 8 samples, and variants of it.

They come from chain5's design values; gates last odd numbers of ticks, so that every rounding is seen.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib.metadata import EntryPoint
from pathlib import Path
from unittest.mock import patch

import numpy as np
from qiskit.transpiler.preset_passmanagers.plugin import PassManagerStagePluginManager
from stevedore.extension import Extension

from qctrl.calibration import Calibration, loads
from qctrl.config.wiring import Wiring, load_wiring
from qctrl.execution.setup import build_setup
from qctrl.protocol import EventOp
from qctrl.provider import Backend, Device, Emulation
from tests.reference.ideal_backend import IdealRunner

ROOT = Path(__file__).resolve().parents[3]
GROUP = "qiskit.transpiler.scheduling"
_TIMING = "timing: {dt: 1.0e-9, granularity: 1, min_length: 1, pulse_alignment: 1, acquire_alignment: 1,"
_GHZ = {"2": "5.0e-10", "2.4": "4.166666666666667e-10", "3": "3.3333333333333335e-10"}

# At 2 GS/s an sx lasts 41 ticks, so silence follows it; at 2.4 GS/s a tick is 5/12 ns, and 24 ns are not whole.
_CHANGES = {
    "2": (("duration: 2.4e-8", "duration: 2.05e-8"),),
    "2.4": (("duration: 2.4e-8", "duration: 2.5e-8"), ("after: 4.0e-9", "after: 5.0e-9")),
}


@cache
def calibration(rate_ghz: str = "2", pulse: int = 8, acquire: int = 8) -> Calibration:
    """Return five qubits on a grid of ``pulse`` ticks for gates and ``acquire`` for measurements."""
    text = (ROOT / "calibrations" / "chain5" / "nominal.yaml").read_text()
    timing = (
        f"timing: {{dt: {_GHZ[rate_ghz]}, granularity: {pulse}, min_length: {pulse}, "
        f"pulse_alignment: {pulse}, acquire_alignment: {acquire},"
    )
    assert _TIMING in text
    text = text.replace(_TIMING, timing)
    for old, new in _CHANGES.get(rate_ghz, ()):
        assert old in text
        text = text.replace(old, new)
    return loads(text)


@cache
def wiring(rate_ghz: str = "2", pulse: int = 8, acquire: int = 8) -> Wiring:
    """Return ports of the rate, those of readout with the granularity of measurements."""
    shipped = load_wiring(ROOT / "configs" / "wiring_chain5.yaml")
    rate_hz = float(rate_ghz) * 1e9
    ports = {
        name: port.model_copy(
            update={"sample_rate": rate_hz, "granularity": acquire if name.startswith("f") else pulse}
        )
        for name, port in shipped.ports.items()
    }
    return shipped.model_copy(update={"ports": ports})


def backend(rate_ghz: str = "2", pulse: int = 8, acquire: int = 8) -> Backend:
    """Return a backend that compiles and does not run."""
    device = calibration(rate_ghz, pulse, acquire)
    setup = build_setup(device, wiring(rate_ghz, pulse, acquire))
    return Backend(Device(device, setup, IdealRunner(), None, Emulation(seed=1)))  # type: ignore[arg-type]


def declared_plugins() -> dict[str, EntryPoint]:
    """Return the entry points that the project declares, whether or not the installed metadata has them yet."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return {name: EntryPoint(name, value, GROUP) for name, value in project["entry-points"][GROUP].items()}


@contextmanager
def installed() -> Iterator[None]:
    """Let Qiskit find the declared plugins even where an editable install is older than ``pyproject.toml``."""
    original = PassManagerStagePluginManager.__init__

    def initialise(self: PassManagerStagePluginManager) -> None:
        original(self)
        found = self.scheduling_plugins
        for name, entry_point in declared_plugins().items():
            if name not in found:
                plugin = entry_point.load()
                found.extensions.append(Extension(name, entry_point, plugin, plugin()))
                found._extensions_by_name_cache = None

    with patch.object(PassManagerStagePluginManager, "__init__", initialise):
        yield


def assert_on_grid(compiled) -> None:
    """Check every event of a compiled program against the granularity of its port."""
    program, setup = compiled.program, compiled.setup
    program.verify()
    assert (program.blocks["length_ticks"] % setup.block_granularity_ticks == 0).all()
    timed = program.events[np.isin(program.events["op"], [EventOp.PLAY, EventOp.CAPTURE])]
    assert len(timed)
    for event in timed:
        port = setup.ports[int(program.frames["port"][event["frame"]])]
        assert event["start_ticks"] % port.granularity_ticks == 0, port.name
        assert event["length_ticks"] % port.granularity_ticks == 0, port.name


def starts(compiled, port: str, op: EventOp = EventOp.PLAY) -> list[int]:
    """Return when a port plays or captures, in ticks from the start of its block."""
    program = compiled.program
    index = compiled.setup.port_index(port)
    chosen = (program.frames["port"][program.events["frame"]] == index) & (program.events["op"] == op)
    return [int(start) for start in program.events["start_ticks"][chosen]]
