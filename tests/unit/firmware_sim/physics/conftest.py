"""A bench for the physics: a truth, its Setup, and waveforms written straight from the signal equation."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from firmware_sim.config import Truth, load_truth
from firmware_sim.physics import (
    _bit_kernels,
    _chain_kernels,
    _gate_kernels,
    _group_kernels,
    _jump_kernels,
    _mixed_kernels,
    _tree_kernels,
)
from firmware_sim.physics.choice import Choice
from firmware_sim.physics.engine import Engine
from firmware_sim.physics.random import stream_key
from firmware_sim.physics.readout import Capture
from qctrl.protocol import SimOptions
from qctrl.protocol.setup import Port, Setup
from qctrl.units import tuning_word

DRIVE_LO_HZ = 4.9e9
READOUT_LO_HZ = 7.0e9
TRUTHS = Path(__file__).parents[4] / "configs" / "truth"
SEED = 20261123


def make_setup(truth: Truth) -> Setup:
    drives = [q.drive_port for q in truth.qubits.values()]
    flux = [q.flux_port for q in truth.qubits.values() if q.flux_port]
    flux += [e.coupler.port for e in truth.edges.values() if e.coupler]
    kinds = [(name, "iq_drive", DRIVE_LO_HZ) for name in drives] + [(name, "flux", 0.0) for name in flux]
    for feedline in truth.feedlines.values():
        kinds += [
            (feedline.readout_port, "iq_readout", READOUT_LO_HZ),
            (feedline.acquire_port, "acquire", READOUT_LO_HZ),
        ]
    ports = tuple(Port(name, kind, 1, 1, 0.5, 1.0, 16, lo) for name, kind, lo in kinds)
    return Setup("bench", 1, 10**9, 100, 0, "", ports)


class Bench:
    """An engine and the lines of one block."""

    def __init__(self, truth: Truth, *, noise=False, levels=3, setup=None, tree=False, allow_unsafe=False) -> None:
        self.truth = truth
        self.setup = make_setup(truth) if setup is None else setup
        options = SimOptions(seed=SEED, noise=noise, levels=levels, allow_unsafe=allow_unsafe)
        self.engine = Engine(truth, self.setup, options)
        if tree:
            mode = "density matrix" if tree == "mixed" else "tree"
            self.engine._take(Choice(mode, levels, 1 << 30, 1 << 30))

    def lines(self, n_samples: int) -> list[np.ndarray]:
        types = {"iq_drive": np.complex128, "iq_readout": np.complex128, "flux": np.float64}
        return [np.zeros(n_samples if p.kind in types else 0, types.get(p.kind, float)) for p in self.setup.ports]

    def drive(self, lines, qubit, start, envelope, *, phase=0.0, detuning_hz=0.0, start_ticks=0) -> None:
        truth = self.truth.qubits[qubit]
        port = self.setup.port_index(truth.drive_port)
        if_hz = truth.frequency + detuning_hz - self.setup.ports[port].lo_hz
        t_s = (start_ticks + start + np.arange(len(envelope))) * 1e-9
        lines[port][start : start + len(envelope)] += envelope * np.exp(1j * (2 * np.pi * if_hz * t_s + phase))

    def flux(self, lines, port, start, envelope) -> None:
        lines[self.setup.port_index(port)][start : start + len(envelope)] += envelope

    def pi_amplitude(self, qubit, envelope, angle=np.pi) -> float:
        """Amplitude of a resonant pulse of some angle, from areas and the zero-order hold's sinc."""
        truth = self.truth.qubits[qubit]
        hold = np.sinc((truth.frequency - DRIVE_LO_HZ) * 1e-9)
        rate = 2 * np.pi * self.truth.lines[truth.drive_port].rabi_hz_per_fs * 1e-9
        return angle / (rate * hold * float(np.sum(np.real(envelope))))

    def tone(self, lines, qubit, start, envelope, *, start_ticks=0) -> None:
        t_s = (start_ticks + start + np.arange(len(envelope))) * 1e-9
        if_hz = self.readout_hz(qubit) - READOUT_LO_HZ
        feedline = self.truth.feedlines[self.truth.resonators[qubit].feedline]
        port = self.setup.port_index(feedline.readout_port)
        lines[port][start : start + len(envelope)] += envelope * np.exp(2j * np.pi * if_hz * t_s)

    def readout_hz(self, qubit) -> float:
        resonator = self.truth.resonators[qubit]
        return resonator.frequency + resonator.chi_01 / 2

    def capture(self, qubit, first_tick, length, *, clbit=0, index=0, coef=None) -> Capture:
        feedline = self.truth.feedlines[self.truth.resonators[qubit].feedline]
        ftw = tuning_word(self.readout_hz(qubit) - READOUT_LO_HZ, self.setup.tick_s)
        rows = np.zeros((3, 3)) if coef is None else coef
        port = self.setup.port_index(feedline.acquire_port)
        return Capture(port, first_tick, length, ftw, 0, None, rows, 2, clbit, index)

    def begin(self, n_shots=1, *, n_clbits=1, first=0, captures=(1, 0)):
        key = stream_key(SEED, 0, b"bench")
        return self.engine.begin(np.arange(first, first + n_shots, dtype=np.uint64), 0, key, n_clbits, captures)


def gaussian(n_samples: int, sigma: float) -> np.ndarray:
    t = np.arange(n_samples) + 0.5 - n_samples / 2
    edge = np.exp(-((n_samples / 2) ** 2) / (2 * sigma**2))
    return (np.exp(-(t**2) / (2 * sigma**2)) - edge) / (1 - edge)


def flat_top(n_samples: int, rise: int) -> np.ndarray:
    t = np.arange(n_samples) + 0.5
    envelope = np.ones(n_samples)
    envelope[:rise] = 0.5 * (1 - np.cos(np.pi * t[:rise] / rise))
    envelope[n_samples - rise :] = envelope[:rise][::-1]
    return envelope


@pytest.fixture(params=["compiled", "interpreted"])
def pace(request, monkeypatch) -> str:
    """Run the tree's kernels as they are, and as Python."""
    if request.param == "interpreted":
        kernels = (
            _bit_kernels, _chain_kernels, _gate_kernels, _group_kernels, _jump_kernels, _mixed_kernels, _tree_kernels
        )  # fmt: skip
        modules = {module.__name__: module for module in kernels}
        for module in modules.values():
            for name, kernel in list(vars(module).items()):
                if hasattr(kernel, "py_func") and kernel.py_func.__module__ in modules:
                    monkeypatch.setattr(module, name, kernel.py_func)
    return request.param


@pytest.fixture(scope="session")
def pair2() -> Truth:
    return load_truth(TRUTHS / "pair2.yaml")


@pytest.fixture(scope="session")
def chain5() -> Truth:
    return load_truth(TRUTHS / "chain5.yaml")


@pytest.fixture(scope="session")
def heavyhex7() -> Truth:
    return load_truth(TRUTHS / "heavyhex7.yaml")


@pytest.fixture(scope="session")
def bench():
    """The ``Bench`` class: conftest modules cannot be imported by name."""
    return Bench


@pytest.fixture(scope="session")
def shapes():
    """``gaussian`` and ``flat_top``."""
    return gaussian, flat_top


def shorten(truth: Truth, n_qubits: int) -> Truth:
    """Return the first qubits of a chip as a chip of their own."""
    document = truth.model_dump(by_alias=True)
    names = list(truth.qubits)[:n_qubits]
    for part in ("qubits", "resonators"):
        document[part] = {name: document[part][name] for name in names}
    document["edges"] = {k: v for k, v in document["edges"].items() if set(k.split("-")) <= set(names)}
    return Truth.model_validate(document)


@pytest.fixture(scope="session")
def shorter():
    """``shorten``: a truth's first qubits."""
    return shorten


@pytest.fixture(scope="session")
def chain3(chain5) -> Truth:
    return shorten(chain5, 3)


@pytest.fixture(scope="session")
def first_qubit():
    """The first qubit of a truth alone, with other values for some of its fields and its line's."""

    def make(truth, *, line=None, **fields) -> Truth:
        document = shorten(truth, 1).model_dump(by_alias=True)
        document["qubits"]["q0"].update(fields)
        document["lines"]["q0.drive"].update(line or {})
        return Truth.model_validate(document)

    return make


@pytest.fixture(scope="session")
def dense():
    """The dense reference, ``tests/reference/dense_dynamics.py``."""
    path = Path(__file__).parents[3] / "reference" / "dense_dynamics.py"
    spec = importlib.util.spec_from_file_location("reference_dense_dynamics", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def layers(shapes):
    """A program for the first qubits of chain5: pulses everywhere, CZ pulses, pulses, CZ pulses, pulses, idling."""
    gauss, top = shapes
    flux = [("q1", "c01", 0.1875, 0.79), ("q3", "c23", 0.18, 0.78), ("q1", "c12", 0.14, 0.8), ("q3", "c34", 0.25, 0.74)]

    def make(bench, rng):
        lines, names, envelope = bench.lines(260), list(bench.truth.qubits), gauss(24, 6.0)

        def pulses(start):
            for name in names:
                amplitude = bench.pi_amplitude(name, envelope, np.pi / 2)
                bench.drive(lines, name, start, amplitude * envelope, phase=rng.uniform(0, 6))

        def gates(start, which):
            for qubit, coupler, level, strength in which:
                if f"{coupler}.flux" in [port.name for port in bench.setup.ports]:
                    bench.flux(lines, f"{qubit}.flux", start, level * top(60, 8))
                    bench.flux(lines, f"{coupler}.flux", start, strength * top(60, 8))

        pulses(0)
        gates(24, flux[:2])
        pulses(84)
        gates(108, flux[2:])
        pulses(168)
        return lines

    return make


@pytest.fixture(scope="session")
def by_port():
    """Lines as a mapping from port names, as the reference wants them."""

    def name(bench, lines):
        return {port.name: line for port, line in zip(bench.setup.ports, lines, strict=True) if len(line)}

    return name
