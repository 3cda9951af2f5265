from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from msgspec.structs import replace

from firmware_sim.config import Truth, load_truth
from firmware_sim.physics.device import build_chip
from firmware_sim.signal_chain import SignalChain
from qctrl.errors import ConfigError
from qctrl.protocol.setup import Crosstalk, Port, Setup

TRUTH = load_truth(Path(__file__).parents[3] / "configs" / "truth" / "pair2.yaml")
LO_HZ = 4.9e9


def setup(*changes, lo_hz=LO_HZ):
    ports = [Port(f"q{q}.drive", "iq_drive", 1, 1, 0.5, 1.0, 16, lo_hz) for q in range(2)]
    ports += [Port(name, "flux", 1, 1, 1.0, 1.0, 16) for name in ("q0.flux", "q1.flux", "c01.flux")]
    ports = [replace(port, **changes[0].get(port.name, {})) if changes else port for port in ports]
    return Setup("bench", 1, 10**9, 100, 0, "", tuple(ports))


def with_line(**fields):
    document = TRUTH.model_dump(by_alias=True)
    document["lines"]["q0.drive"].update(fields)
    return Truth.model_validate(document)


def silent(n_samples, n_ports=5):
    return [np.zeros(n_samples, complex if p < 2 else float) for p in range(n_ports)]


def test_idle_lines_are_one_run_at_the_idle_frequencies():
    chain = SignalChain(build_chip(TRUTH), setup())
    found = chain.controls(silent(1000), 0, (0, 1000), [0, 1])
    assert found.counts.tolist() == [1000]
    assert not found.driven
    expected = 2 * np.pi * (np.array([4.8213e9, 5.1987e9]) - LO_HZ)
    assert found.detuning_rad_s[0] == pytest.approx(expected, rel=1e-12)
    assert found.coupling_rad_s[0, 0] == pytest.approx(2 * np.pi * 6e4)
    assert found.duration_s == pytest.approx(1e-6)


def test_a_full_scale_sample_drives_at_the_rabi_frequency_and_phase_of_the_line():
    chain = SignalChain(build_chip(TRUTH), setup())
    lines = silent(4)
    lines[0][2] = 0.5j
    found = chain.controls(lines, 0, (0, 4), [0])
    assert found.counts.tolist() == [2, 1, 1]
    assert found.drive_rad_s[1, 0] == pytest.approx(2 * np.pi * 1.043e8 * 0.5j * np.exp(0.41j))


def test_activity_names_the_qubits_that_a_line_touches():
    chain = SignalChain(build_chip(TRUTH), setup({"q1.flux": {"idle": 0.25}}))
    lines = silent(10)
    lines[3][:] = 0.25
    lines[4][5:] = 0.1
    activity, touched = chain.activity(lines)
    acting = [qubits for row, qubits in zip(activity, touched, strict=True) if row.any()]
    assert acting == [(0, 1)]
    assert chain.coupler_acts(lines, 0, 4, 6)
    assert not chain.coupler_acts(lines, 0, 0, 5)


def test_a_slower_port_holds_its_samples():
    chain = SignalChain(build_chip(TRUTH), setup({"q0.drive": {"sample_ticks": 2}, "q1.drive": {"sample_ticks": 2}}))
    lines = silent(6)
    lines[0], lines[1] = np.array([0, 0.3, 0.1], complex), np.zeros(3, complex)
    found = chain.controls(lines, 0, (1, 6), [0])
    assert found.counts.tolist() == [1, 2, 2]
    assert chain.activity(lines)[0].shape == (5, 6)


def test_a_line_whose_lo_differs_turns_in_the_common_frame():
    chain = SignalChain(build_chip(with_line(lo_error=2e5, phase=0.0)), setup())
    lines = silent(3)
    lines[0][:] = 0.1
    found = chain.controls(lines, 1000, (1, 3), [0])
    expected = np.exp(2j * np.pi * 2e5 * (1001.5e-9 + np.arange(2) * 1e-9))
    assert found.drive_rad_s[:, 0] / (2 * np.pi * 1.043e7) == pytest.approx(expected)


def test_a_large_lo_difference_cuts_the_samples():
    chain = SignalChain(build_chip(with_line(lo_error=1e8)), setup())
    lines = silent(3)
    lines[0][1] = 0.1
    found = chain.controls(lines, 0, (0, 3), [0])
    assert found.counts.tolist() == [20, *[1] * 20, 20]
    assert found.duration_s == pytest.approx(3e-9)


def test_missing_ports_stay_silent():
    chain = SignalChain(build_chip(TRUTH), Setup("bench", 1, 10**9, 100, 0, "", setup().ports[:1]))
    found = chain.controls([np.ones(4, complex)], 0, (0, 4), [0, 1])
    assert found.drive_rad_s[0, 1] == 0
    assert found.coupling_rad_s[0, 0] == pytest.approx(2 * np.pi * 6e4)
    assert chain.sample_ticks == 1


def test_a_setup_without_drive_ports_is_refused():
    with pytest.raises(ConfigError, match="none of the drive ports of pair2"):
        SignalChain(build_chip(TRUTH), Setup("bench", 1, 10**9, 100, 0, "", setup().ports[2:]))


def test_idle_levels_that_a_crosstalk_correction_mixes_are_still_idle():
    matrix = Crosstalk(("q1.flux", "c01.flux"), ((1.0, 0.0), (0.1, 1.0)), ((0.0, 0.0), (0.0, 0.0)))
    ports = setup({"q1.flux": {"idle": 0.25}}).ports
    chain = SignalChain(build_chip(TRUTH), Setup("bench", 1, 10**9, 100, 0, "", ports, (matrix,)))
    lines = silent(10)
    lines[3][:], lines[4][:] = 0.25, 0.025
    assert not chain.activity(lines)[0].any()
