from __future__ import annotations

from pathlib import Path

import pytest

from firmware_sim.config import load_truth
from qctrl.errors import ConfigError

TRUTHS = Path(__file__).parents[3] / "configs" / "truth"


@pytest.mark.parametrize("device", ["pair2", "chain5", "heavyhex7", "grid20"])
def test_shipped_truths_load_and_have_stable_hashes(device):
    truth = load_truth(TRUTHS / f"{device}.yaml")
    assert truth.device == device
    assert truth.hash == load_truth(TRUTHS / f"{device}.yaml").hash
    assert len(truth.hash) == 32


def test_different_truths_have_different_hashes():
    assert load_truth(TRUTHS / "pair2.yaml").hash != load_truth(TRUTHS / "chain5.yaml").hash


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("    t1: 7.4e-5", "    T1: 7.4e-5", r":8:5: qubits\.q0\.T1: unknown key; did you mean 't1'"),
        ("t1: 7.4e-5", "t1: soon", r":8:9: qubits\.q0\.t1: value 'soon'"),
        ("t2_echo: 6.3e-5", "t2_echo: 6.3e-4", r":9:14: .*t2_echo 0\.00063 s exceeds 2 t1"),
        ("    flux_port: q0.flux\n", "", "flux_port and flux belong together"),
        ("  q0-q1:", "  q0-q7:", "an edge joins two known qubits"),
        ("drive_port: q0.drive", "drive_port: q9.drive", r"port q9\.drive is not among lines"),
        ("q0: {feedline: f0", "q0: {feedline: f7", "a resonator has a known qubit and feedline"),
        ("qctrl.truth/1", "qctrl.truth/2", "schema"),
        ("t1: 7.4e-5", "thermal_population: 0.6\n    t1: 7.4e-5", "thermal_population"),
        ("kappa: 5.0e6", "kappa: -5.0e6", r"resonators\.q0\.kappa"),
        ("t1: 7.4e-5", "t1: -7.4e-5", r"qubits\.q0\.t1"),
        ("t1: 7.4e-5", "t1: 1.0e-12", r"qubits\.q0\.t1.*equal to 0"),
        ("input_scale: 6.4e4", "input_scale: 1.0e+30", r"feedlines\.f0\.input_scale"),
        ("t1: 7.4e-5", "thermal_population: -0.1\n    t1: 7.4e-5", "thermal_population"),
        ("efficiency: 0.12", "efficiency: 1.2", r"feedlines\.f0\.efficiency"),
        ("efficiency: 0.12", "adc_bits: 1\n    efficiency: 0.12", "adc_bits"),
        ("anharmonicity: -3.08e8", "anharmonicity: 3.08e8", "anharmonicity"),
        ("t1: 7.4e-5", "frequency_noise: {lowest: 10.0, highest: 1.0}\n    t1: 7.4e-5", "swap them"),
        (
            "chi_02: -8.1e6",
            "chi_02: -8.1e6, t1_with_photons: [{photons: 2, factor: 1}, {photons: 1, factor: 1}]",
            "ascend",
        ),
        ("resonators:", "wires: {q7.flux: {gain: 0.5}}\nresonators:", r"wires\.q7\.flux: there is no port q7\.flux"),
        ("resonators:", "wires: {f0.readout: {delay: 1.0e-9}}\nresonators:", "belongs to its feedline"),
        ("resonators:", "crosstalk: {flux: {q0.flux: {q0.flux: 0.1}}}\nresonators:", "name two flux ports"),
        ("resonators:", "crosstalk: {drive: {q0.drive: {q9.drive: {amplitude: 0.1}}}}\nresonators:", "name two drive"),
        ("anharmonicity: -3.08e8", "anharmonicity: -2.5e9", r"qubits\.q0\.anharmonicity: .*puts level 3 below level 2"),
        ("kappa: 5.0e6", "kappa: 7.0e9", r"resonators\.q0\.kappa: .* is no linewidth"),
        ("chi_01: -4.4e6", "chi_01: -6.9e9", r"resonators\.q0\.kappa: .* comes down to 2\.3e\+06 Hz"),
        ("g_idle: 6.0e4", "g_idle: 3.0e9", r"edges\.q0-q1\.g_idle: .* is not small"),
        ("edges:", "edges:\n  q1-q0: {g_idle: 0.0}", r"edges\.q0-q1: q1-q0 joins the same qubits; keep one"),
        ("frequency: 7.1187e9", "frequency: 6.9023e9", r"resonators\.q1\.frequency: the resonator of q0 on f0"),
        ("port: c01.flux", "port: q0.flux", r"edges\.q0-q1\.coupler\.port: port q0\.flux is that of qubits\.q0"),
        (
            "acquire_port: f0.acquire",
            "acquire_port: f0.readout",
            r"feedlines\.f0\.acquire_port: port f0\.readout is that",
        ),
        ("t1: 7.4e-5", "t1: .nan", r"qubits\.q0\.t1: value \.nan is not finite"),
        ("kappa: 5.0e6", "kappa: .inf", r"resonators\.q0\.kappa: value \.inf is not finite"),
        ("kappa: 5.0e6", "kappa: 0", r"resonators\.q0\.kappa: value 0 should be greater"),
        ("    t1: 7.4e-5\n", "", r"qubits\.q0: key 't1' is missing"),
        ("  q1:\n", "  q0:\n", r"qubits\.q0: duplicate key"),
        ("resonators:", "wires: {q0.flux: {exponentials: [{amplitude: 0.1, tau: 0}]}}\nresonators:", "tau"),
    ],
)
def test_a_wrong_truth_is_refused_with_its_place(tmp_path, old, new, message):
    text = (TRUTHS / "pair2.yaml").read_text(encoding="utf-8")
    assert old in text
    path = tmp_path / "wrong.yaml"
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(ConfigError, match=message):
        load_truth(path)


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="nowhere"):
        load_truth(tmp_path / "nowhere.yaml")
