"""The shipped numbers come from the bootstrap, and are what the physics shows."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from qctrl.calibration import dump, find_device, load
from qctrl.config import find_rack, load_rack
from qctrl.errors import CalibrationError
from qctrl.execution import LocalRunner
from qctrl.routines import bootstrap
from qctrl.routines.bench import Bench
from qctrl.routines.tune_cz import characterise_cz, tune_cz
from qctrl.routines.tune_qubit import characterise, tune_gate

NUMBER = re.compile(r"-?\d+\.?\d*(?:e[-+]?\d+)?")
STAMP = re.compile(r'"\d{4}-[^"]*Z"|cal-\w+')


def compared(text: str) -> tuple[str, list[float]]:
    """The text without times and numbers, and the numbers."""
    without_times = STAMP.sub("", text)
    return NUMBER.sub("#", without_times), [float(number) for number in NUMBER.findall(without_times)]


@pytest.fixture
def bench(request: pytest.FixtureRequest) -> Iterator[Bench]:
    device: str = request.param
    rack = load_rack(find_rack())
    runner = LocalRunner(rack, device)
    yield Bench(load(find_device(device)).document, rack.wiring(device), runner, 1, "2026-01-01T00:00:00Z")
    runner.close()


def test_bootstrap_finds_the_shipped_calibration_of_pair2_again(tmp_path: Path) -> None:
    """Equal seeds give equal shots, so only rounding in the optimiser may differ between machines."""
    told: list[str] = []
    written = bootstrap("pair2", out=tmp_path / "again.yaml", progress=told.append)
    again, shipped = (compared(path.read_text()) for path in (written, find_device("pair2")))
    assert again[0] == shipped[0]
    assert again[1] == pytest.approx(shipped[1], rel=2e-3, abs=1e-12)
    assert told[0] == "q0: frequency"
    assert load(written).warnings == ()


@pytest.mark.parametrize("bench", ["chain5"], indirect=True)
def test_the_shipped_errors_of_chain5_are_what_the_physics_shows(bench: Bench) -> None:
    again = bench
    for qubit in bench.calibration.live_qubits:
        again = characterise(again, qubit)
    for edge in bench.document.edges:
        again = characterise_cz(again, edge)
    assert compared(dump(again.document))[1] == pytest.approx(compared(dump(bench.document))[1], rel=1e-3)


@pytest.mark.parametrize("bench", ["pair2"], indirect=True)
def test_what_cannot_be_tuned_is_named(bench: Bench) -> None:
    composed = bench.changed({("qubits", "q0", "gates", "x"): {"kind": "compose", "of": ["sx", "sx"]}})
    with pytest.raises(CalibrationError, match=r"qubits\.q0\.gates\.x is of kind compose"):
        tune_gate(composed, 0, "x")
    data = bench.document.model_dump(by_alias=True, exclude_unset=True)["edges"]["q0-q1"]["gates"]["cz"]
    del data["coupler_waveform"]
    with pytest.raises(CalibrationError, match=r"edges\.q0-q1\.gates\.cz has no coupler_waveform"):
        tune_cz(bench.changed({("edges", "q0-q1", "gates", "cz"): data}), "q0-q1")
    with pytest.raises(CalibrationError, match=r"there is no 'q9' to tune"):
        bench.changed({("qubits", "q9", "frequency"): 5e9})
