"""Chains of any length for the emulator: a truth, its Setup, and packed programs of pulses on it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from scipy.optimize import minimize

from firmware_sim.config import Truth
from firmware_sim.physics.device import build_chip
from firmware_sim.physics.propagators import unitary
from firmware_sim.signal_chain import SignalChain
from qctrl.protocol import (
    BLOCK,
    CAPTURE,
    DISCRIMINATOR,
    ENVELOPE,
    EVENT,
    FLOW,
    FRAME,
    ROW,
    EventOp,
    FlowOp,
    Port,
    Program,
    RowKind,
    Setup,
)
from qctrl.protocol.flow import instruction
from qctrl.units import gain_word, tuning_word

DRIVE_LO_HZ, READOUT_LO_HZ = 5.1e9, 7.0e9
LOW_HZ, HIGH_HZ = (4.90e9, 4.95e9, 4.86e9), (5.38e9, 5.43e9, 5.41e9)
ANHARMONICITY_HZ, RABI_HZ, G_ON_HZ = -330e6, 1e8, 5e6
PULSE, GATE, WINDOW, LATENCY = 20, 80, 400, 100
PER_FEEDLINE = 5


def truth(n_qubits: int, g_idle_hz: float = 5e5, *, noisy: bool = True) -> Truth:
    """Return a chain of transmons with tunable couplers, T1 50 us and T2 40 us."""
    frequencies = [(LOW_HZ if k % 2 == 0 else HIGH_HZ)[(k // 2) % 3] for k in range(n_qubits)]
    feedlines = range(-(-n_qubits // PER_FEEDLINE))
    document: dict[str, Any] = {
        "schema": "qctrl.truth/1",
        "device": f"chain_{n_qubits}",
        "qubits": {
            f"q{k}": {
                "frequency": frequency,
                "anharmonicity": ANHARMONICITY_HZ,
                "t1": 5e-5 if noisy else 1.0,
                "t2_echo": 4e-5 if noisy else 1.0,
                "drive_port": f"q{k}.drive",
                "flux_port": f"q{k}.flux",
                "flux": {"period_fs": 2.6},
            }
            for k, frequency in enumerate(frequencies)
        },
        "edges": {
            f"q{k}-q{k + 1}": {
                "g_idle": g_idle_hz,
                "coupler": {"port": f"c{k}.flux", "frequency": 7.2e9, "period_fs": 3.9, "g_qc": 1.5e8},
            }
            for k in range(n_qubits - 1)
        },
        "lines": {f"q{k}.drive": {"rabi_hz_per_fs": RABI_HZ} for k in range(n_qubits)},
        "resonators": {
            f"q{k}": {
                "feedline": f"f{k // PER_FEEDLINE}",
                "frequency": 6.8e9 + 1e8 * (k % PER_FEEDLINE),
                "kappa": 5e6,
                "chi_01": -4.4e6,
                "chi_02": -8.1e6,
            }
            for k in range(n_qubits)
        },
        "feedlines": {
            f"f{k}": {
                "readout_port": f"f{k}.readout",
                "acquire_port": f"f{k}.acquire",
                "input_scale": 6.4e4,
                "adc_scale": 1.6e-6,
                "efficiency": 0.12,
            }
            for k in feedlines
        },
    }
    return Truth.model_validate(document)


def setup_of(chain: Truth) -> Setup:
    """Return ports at 1 GS/s for all lines of a chain."""
    kinds = [(q.drive_port, "iq_drive", DRIVE_LO_HZ) for q in chain.qubits.values()]
    kinds += [(q.flux_port, "flux", 0.0) for q in chain.qubits.values()]
    kinds += [(edge.coupler.port, "flux", 0.0) for edge in chain.edges.values()]
    for line in chain.feedlines.values():
        kinds += [(line.readout_port, "iq_readout", READOUT_LO_HZ), (line.acquire_port, "acquire", READOUT_LO_HZ)]
    ports = tuple(Port(name, kind, 1, 1, 0.5, 1.0, 16, lo) for name, kind, lo in kinds)
    setup = Setup(chain.device, 1, 10**9, 10, LATENCY, "", ports)
    setup.verify()
    return setup


def drag() -> np.ndarray:
    """Return a 20 ns DRAG envelope with a peak of 1; beta as in the prototype's problem."""
    t = np.arange(PULSE) + 0.5 - PULSE / 2
    lifted = np.exp(-(t**2) / 40.5) - np.exp(-((PULSE / 2) ** 2) / 40.5)
    slope = -t / 20.25 * np.exp(-(t**2) / 40.5)
    shape = lifted + 1j * slope / (2 * np.pi * ANHARMONICITY_HZ * 1e-9)
    return shape / np.abs(shape).max()


def plateau(rise: int) -> np.ndarray:
    """Return a flat top with cosine edges over a gate."""
    t = np.arange(GATE) + 0.5
    shape = np.ones(GATE)
    shape[:rise] = 0.5 * (1 - np.cos(np.pi * t[:rise] / rise))
    shape[GATE - rise :] = shape[:rise][::-1]
    return shape


ENVELOPES = (drag(), plateau(6), plateau(10), np.ones(WINDOW))


def pulse_gain(frequency_hz: float, angle: float) -> float:
    """Return the gain of a DRAG pulse of some angle, from its area and the zero-order hold."""
    hold = np.sinc((frequency_hz - DRIVE_LO_HZ) * 1e-9)
    return angle / (2 * np.pi * RABI_HZ * 1e-9 * hold * float(np.sum(ENVELOPES[0].real)))


@cache
def cz_levels(low_hz: float, high_hz: float, g_idle_hz: float) -> tuple[float, float]:
    """Return flux levels of the high qubit and of the coupler that make a CZ in ``GATE`` samples."""
    first_low = low_hz in LOW_HZ
    document = truth(2, g_idle_hz).model_dump(by_alias=True)
    for name, value in zip(("q0", "q1"), (low_hz, high_hz), strict=True):
        document["qubits"][name]["frequency"] = value
    pair = Truth.model_validate(document)
    setup = setup_of(pair)
    chain, chip = SignalChain(build_chip(pair), setup), build_chip(pair)
    grid = np.linspace(0, 0.6, 6001)
    flux = float(grid[np.argmin(np.abs(chip.qubits[1].frequency_hz(grid) + ANHARMONICITY_HZ - low_hz))])
    strong = float(grid[np.argmin(np.abs(chip.couplings[0].strength_rad_s(grid + 0.3) + 2 * np.pi * G_ON_HZ))] + 0.3)

    def cost(levels: np.ndarray) -> float:
        lines = [np.zeros(GATE, complex if port.kind.startswith("iq") else float) for port in setup.ports]
        lines[setup.port_index("q1.flux")] = np.rint(levels[0] * ENVELOPES[1] * 32767) / 32767
        lines[setup.port_index("c0.flux")] = np.rint(levels[1] * ENVELOPES[2] * 32767) / 32767
        u = unitary(chain.controls(lines, 0, (0, GATE), (0, 1)), 3)
        phase = np.angle(u[4, 4] * u[0, 0] / (u[1, 1] * u[3, 3]))
        return 3 - sum(abs(u[k, k]) ** 2 for k in (1, 3, 4)) + 0.1 * abs(np.exp(1j * phase) + 1) ** 2

    found = minimize(cost, (flux, strong), method="Nelder-Mead", options={"xatol": 1e-6, "fatol": 1e-10})
    assert first_low
    return float(found.x[0]), float(found.x[1])


@dataclass(slots=True)
class Sheet:
    """Events of one block, in any order."""

    chain: Truth
    setup: Setup
    g_idle_hz: float
    events: list[tuple[int, ...]]

    def frame(self, port: str, qubit: int | None = None) -> int:
        """Return the frame of a port, or of a qubit's readout on it."""
        names = [port.name for port in self.setup.ports]
        if qubit is None:
            return names.index(port)
        return len(names) + 2 * qubit + (port.endswith("acquire"))

    def pulse(self, start: int, qubit: int, angle: float, phase: float) -> None:
        """Play a DRAG pulse."""
        frequency = list(self.chain.qubits.values())[qubit].frequency
        word = round(phase / (2 * np.pi) * 2**32) % 2**32
        gain = gain_word(pulse_gain(frequency, angle))
        self.events.append((start, PULSE, EventOp.PLAY, 0, self.frame(f"q{qubit}.drive"), 0, gain, word, 0, 0))

    def cz(self, start: int, edge: int) -> None:
        """Play the two flux pulses of a CZ."""
        low, high = (edge, edge + 1) if edge % 2 == 0 else (edge + 1, edge)
        frequencies = [qubit.frequency for qubit in self.chain.qubits.values()]
        levels = cz_levels(frequencies[low], frequencies[high], self.g_idle_hz)
        for port, envelope, level in ((f"q{high}.flux", 1, levels[0]), (f"c{edge}.flux", 2, levels[1])):
            row = (start, GATE, EventOp.PLAY, 0, self.frame(port), envelope, gain_word(level), 0, 0, 0)
            self.events.append(row)

    def measure(self, start: int, qubit: int, capture: int) -> None:
        """Play and capture a readout tone."""
        line = f"f{qubit // PER_FEEDLINE}"
        tone = (start, WINDOW, EventOp.PLAY, 0, self.frame(f"{line}.readout", qubit), 3, gain_word(0.15), 0, 0, 0)
        window = (start, WINDOW, EventOp.CAPTURE, 0, self.frame(f"{line}.acquire", qubit), capture, 0, 0, 0, 0)
        self.events += [tone, window]


def pack(sheets: list[tuple[Sheet, int]], flow: list[Any], bits: list[int]) -> Program:
    """Return blocks of events as a Program.

    Args:
        sheets: Each block's events and length.
        flow: Instructions.
        bits: Qubit of each capture; capture k writes bit k.
    """
    first, setup = sheets[0][0], sheets[0][0].setup
    n = len(first.chain.qubits)
    hz = [qubit.frequency - DRIVE_LO_HZ for qubit in first.chain.qubits.values()]
    frames = [(k, 0, tuning_word(hz[k], setup.tick_s) if k < n else 0) for k in range(len(setup.ports))]
    for k, resonator in enumerate(first.chain.resonators.values()):
        word = tuning_word(resonator.frequency + resonator.chi_01 / 2 - READOUT_LO_HZ, setup.tick_s)
        line = f"f{k // PER_FEEDLINE}"
        frames += [(setup.port_index(f"{line}.{kind}"), 0, word) for kind in ("readout", "acquire")]
    rows: list[tuple[int, ...]] = []
    table: list[tuple[int, int, int]] = []
    for sheet, length in sheets:
        ordered = sorted(
            sheet.events, key=lambda row: (frames[row[4]][0], row[0], row[2] < EventOp.SHIFT_PHASE, row[4])
        )
        table.append((len(rows), len(ordered), length))
        rows += ordered
    samples = np.concatenate([np.stack([np.real(e), np.imag(e)], axis=1) for e in ENVELOPES])
    starts = np.cumsum([0, *(len(envelope) for envelope in ENVELOPES[:-1])])
    captures = [(len(setup.ports) + 2 * qubit + 1, -1, qubit, k, k, 0) for k, qubit in enumerate(bits)]
    discriminators = np.zeros(n, DISCRIMINATOR)
    discriminators["n_classes"] = 2
    program = Program(
        setup_hash=setup.hash,
        calibration_hash=bytes(32),
        tick_num=1,
        tick_den=10**9,
        n_clbits=len(bits),
        frames=np.array(frames, FRAME),
        envelopes=np.array([(a, len(e), 0, 0) for a, e in zip(starts.tolist(), ENVELOPES, strict=True)], ENVELOPE),
        envelope_samples=np.rint(32767 * samples).astype(np.int16),
        events=np.array(rows, EVENT),
        blocks=np.array(table, BLOCK),
        flow=np.array(flow, FLOW),
        captures=np.array(captures, CAPTURE),
        discriminators=discriminators,
        rows=np.array([(RowKind.PHASE, 0)], ROW),
    )
    program.verify()
    return program


def angles_of(n_qubits: int, n_layers: int, seed: int = 1) -> list[list[tuple[float, float]]]:
    """Return angle and phase of each pulse of each layer, as the peers play them too."""
    rng = np.random.default_rng(seed)
    turns = (np.pi / 2, np.pi)
    return [
        [(float(rng.choice(turns)), float(rng.integers(4) * np.pi / 2)) for _ in range(n_qubits)]
        for _ in range(n_layers)
    ]


def edges_of(n_qubits: int, layer: int) -> range:
    """Return the edges with a CZ in a layer, in brick order."""
    return range(layer % 2, n_qubits - 1, 2)


PLAY, END = instruction(FlowOp.PLAY_BLOCK), instruction(FlowOp.END)


def play_block(number: int) -> Any:
    """Return the instruction that plays a block."""
    return instruction(FlowOp.PLAY_BLOCK, operand=number)


def layers_program(n_qubits: int, n_layers: int = 20, g_idle_hz: float = 5e5, *, measured: bool = True) -> Program:
    """Return layers of pulses on all qubits and CZ in brick order, 100 ns each, then readout of all."""
    chain = truth(n_qubits, g_idle_hz)
    sheet = Sheet(chain, setup_of(chain), g_idle_hz, [])
    for layer, pulses in enumerate(angles_of(n_qubits, n_layers)):
        start = layer * (PULSE + GATE)
        for qubit, (angle, phase) in enumerate(pulses):
            sheet.pulse(start, qubit, angle, phase)
        for edge in edges_of(n_qubits, layer):
            sheet.cz(start + PULSE, edge)
    end = n_layers * (PULSE + GATE)
    if measured:
        for qubit in range(n_qubits):
            sheet.measure(end, qubit, qubit)
    return pack([(sheet, end + WINDOW * measured)], [PLAY, END], list(range(n_qubits)) if measured else [])


def sequence_program(n_pulses: int = 1000) -> Program:
    """Return pulses without a pause on one qubit, then its readout."""
    chain = truth(1)
    sheet = Sheet(chain, setup_of(chain), 0.0, [])
    for k, [(angle, phase)] in enumerate(angles_of(1, n_pulses, seed=2)):
        sheet.pulse(k * PULSE, 0, angle, phase)
    sheet.measure(n_pulses * PULSE, 0, 0)
    return pack([(sheet, n_pulses * PULSE + WINDOW)], [PLAY, END], [0])
