"""The emulator's engine beside Aer at gate level, in one run: ``python -m benchmarks.emulator``.

Ours plays packed programs end to end: samples of every port, operators, states, dispersive readout of every shot.
Aer plays the same gates as ideal matrices with relaxation after each. Times are CPU seconds, the least of several;
operators are in the memory (warm) unless the row says cold.
"""

from __future__ import annotations

import sys
import time
import warnings
from typing import TYPE_CHECKING

import numpy as np
from qiskit import QuantumCircuit
from qiskit_aer import AerSimulator
from qiskit_aer.noise import NoiseModel, thermal_relaxation_error

from benchmarks import chains
from firmware_sim.config import load_truth
from firmware_sim.physics.branches import Branch
from firmware_sim.physics.cache import OperatorCache
from firmware_sim.physics.device import build_chip
from firmware_sim.physics.engine import Engine
from firmware_sim.physics.measurement import Measurement
from firmware_sim.physics.random import Draws, stream_key
from firmware_sim.physics.readout import Readout
from firmware_sim.physics.states import extend, ground
from firmware_sim.renderer import Renderer
from firmware_sim.search import find_truth
from firmware_sim.sequencer import Sequencer
from firmware_sim.wires import Wires
from qctrl.calibration import find_device, load
from qctrl.compiler import compile_circuit
from qctrl.config import find_rack, load_rack
from qctrl.execution.setup import build_setup
from qctrl.protocol import SimOptions

if TYPE_CHECKING:
    from collections.abc import Callable

    from qctrl.protocol import Program

N_PULSES, N_LAYERS = 1000, 20
READOUT_NS = 1000


def least_s(call: Callable[[], object], rounds: int) -> float:
    times: list[float] = []
    for _ in range(rounds):
        start_s = time.process_time()
        call()
        times.append(time.process_time() - start_s)
    return min(times)


def player(n_qubits: int, program: Program, shots: int, levels: int) -> Callable[..., object]:
    """Return what plays a program as the emulator's rig does, from tables to bits."""
    truth = chains.truth(n_qubits)
    setup = chains.setup_of(truth)
    key = stream_key(1, 0, program.hash)

    def play(cache: OperatorCache, renderer: Renderer | None = None) -> object:
        engine = Engine(truth, setup, SimOptions(seed=1, levels=levels), cache)
        engine.prepare(program, shots)
        sequencer = Sequencer(program, setup, engine, 10**6, lambda: None, renderer)
        numbers = np.arange(shots, dtype=np.uint64)
        return sequencer.run(engine.begin(numbers, 0, key, program.n_clbits))

    return play


def ours_s(n_qubits: int, program: Program, shots: int, levels: int, rounds: int) -> tuple[float, float]:
    """Return the times with an empty memory and with a full one."""
    play = player(n_qubits, program, shots, levels)
    if rounds > 1:
        play(OperatorCache())
    cold = least_s(lambda: play(OperatorCache()), 1)
    truth = chains.truth(n_qubits)
    cache, renderer = OperatorCache(), Renderer(program, chains.setup_of(truth))
    player(n_qubits, program, 1, levels)(cache, renderer)
    return cold, least_s(lambda: play(cache, renderer), rounds)


def noise() -> NoiseModel:
    model = NoiseModel(basis_gates=["r", "cz", "id"])
    short, long = (thermal_relaxation_error(50e3, 40e3, ns) for ns in (chains.PULSE, chains.GATE))
    model.add_all_qubit_quantum_error(short, ["r"])
    model.add_all_qubit_quantum_error(long, ["id"])
    model.add_all_qubit_quantum_error(long.tensor(long), ["cz"])
    return model


def layers_circuit(n_qubits: int) -> QuantumCircuit:
    circuit = QuantumCircuit(n_qubits)
    for layer, pulses in enumerate(chains.angles_of(n_qubits, N_LAYERS)):
        for qubit, (angle, phase) in enumerate(pulses):
            circuit.r(angle, phase, qubit)
        busy: set[int] = set()
        for edge in chains.edges_of(n_qubits, layer):
            circuit.cz(edge, edge + 1)
            busy |= {edge, edge + 1}
        for qubit in set(range(n_qubits)) - busy:
            circuit.id(qubit)
    circuit.measure_all()
    return circuit


def sequence_circuit() -> QuantumCircuit:
    circuit = QuantumCircuit(1)
    for [(angle, phase)] in chains.angles_of(1, N_PULSES, seed=2):
        circuit.r(angle, phase, 0)
    circuit.measure_all()
    return circuit


def aer_s(circuit: QuantumCircuit, method: str, shots: int, rounds: int) -> float:
    simulator = AerSimulator(method=method, noise_model=noise(), max_parallel_threads=1)
    simulator.run(circuit, shots=1).result()
    return least_s(lambda: simulator.run(circuit, shots=shots).result(), rounds)


def reset_circuit(kind: str, n_rounds: int = 3) -> QuantumCircuit:
    """Return rounds on all five qubits: "reset", "measure" and an x all the same, or as long a wait and "x"."""
    circuit = QuantumCircuit(5, 5)
    circuit.sx(range(5))
    for _ in range(n_rounds):
        if kind == "reset":
            circuit.reset(range(5))
            continue
        if kind == "measure":
            circuit.measure(range(5), range(5))
        else:
            circuit.delay(READOUT_NS, range(5), unit="ns")
        circuit.barrier()
        circuit.x(range(5))
    circuit.barrier()
    circuit.measure(range(5), range(5))
    return circuit


def device_play(device: str, circuit: QuantumCircuit, shots: int, levels: int) -> Callable[..., object]:
    """Return what plays a circuit on one of the emulated devices."""
    calibration = load(find_device(device))
    setup = build_setup(calibration, load_rack(find_rack()).wiring(device))
    program = compile_circuit(circuit, calibration, setup).program
    truth = load_truth(find_truth(device))

    def play(cache: OperatorCache, renderer: Renderer) -> object:
        engine = Engine(truth, setup, SimOptions(seed=1, levels=levels, mode="tree"), cache)
        engine.prepare(program, shots)
        sequencer = Sequencer(program, setup, engine, 10**6, lambda: None, renderer)
        numbers = np.arange(shots, dtype=np.uint64)
        key = stream_key(1, 0, program.hash)
        return sequencer.run(engine.begin(numbers, 0, key, program.n_clbits))

    renderer, cache = Renderer(program, setup, Wires(truth, setup)), OperatorCache()
    return lambda: play(cache, renderer)


def feedback(shots: int = 4096) -> None:
    for levels in (2, 3):
        times = {}
        for kind in ("reset", "measure", "x"):
            play = device_play("chain5", reset_circuit(kind), shots, levels)
            play()
            times[kind] = least_s(play, 5)
        print(
            f"active reset, 5 qubits, 3 rounds, {shots} shots, {levels} levels: {1e3 * times['reset']:.1f} ms; over "
            f"unconditional x {times['reset'] / times['measure']:.2f}, "
            f"over no measurement {times['reset'] / times['x']:.2f}"
        )


def readout(n_qubits: int = 20, shots: int = 20_000) -> None:
    """Time the kerneled readout of all qubits alone: levels in, bits out."""
    truth = chains.truth(n_qubits)
    setup = chains.setup_of(truth)
    chip = build_chip(truth)
    sheet = chains.Sheet(truth, setup, 0.0, [])
    for qubit in range(n_qubits):
        sheet.measure(0, qubit, qubit)
    program = chains.pack([(sheet, chains.WINDOW)], [chains.PLAY, chains.END], list(range(n_qubits)))
    rendering = Renderer(program, setup)
    rendered = rendering.play(0, 0, rendering.begin())
    measurement = Measurement(chip, Readout(chip, setup, OperatorCache()), noisy=True)
    draws = Draws(stream_key(1, 0, b""), 0, np.arange(shots, dtype=np.uint64))
    state = extend(ground(2, mixed=False), [0])
    bits, iq = np.zeros((shots, n_qubits), dtype=np.uint8), np.zeros((shots, n_qubits), dtype=np.complex64)
    levels = np.random.default_rng(1).integers(0, 2, (shots, n_qubits)).astype(np.uint8)
    branch = Branch(state, draws, 0, bits, iq, None)
    groups = Readout(chip, setup, OperatorCache()).groups(rendered.captures)

    def take() -> None:
        column = 0
        for group in groups:
            columns = slice(column, column + len(group))
            measurement.take(branch, group, (rendered.lines, 0, column), levels[:, columns])
            column = columns.stop

    take()
    print(f"readout of {n_qubits} qubits, kerneled: {shots / least_s(take, 9):.3g} shots/s")


def main() -> None:
    warnings.simplefilter("ignore")
    words = sys.argv[1:]
    if not words or "readout" in words:
        readout()
    if not words or "reset" in words:
        feedback()
    compare(words)


def compare(words: list[str]) -> None:
    rows = [
        ("1 qubit, 1000 pulses, 1000 shots, 3 levels", 1, chains.sequence_program(N_PULSES), 1000, 3, 9),
        ("5 qubits, 4096 shots, 2 levels", 5, chains.layers_program(5), 4096, 2, 15),
        ("5 qubits, 4096 shots, 3 levels", 5, chains.layers_program(5), 4096, 3, 7),
        ("10 qubits, 1000 shots, 2 levels", 10, chains.layers_program(10), 1000, 2, 3),
        ("10 qubits, 4096 shots, 2 levels", 10, chains.layers_program(10), 4096, 2, 2),
        ("12 qubits, 1000 shots, 2 levels", 12, chains.layers_program(12), 1000, 2, 2),
        ("14 qubits, 100 shots, 2 levels", 14, chains.layers_program(14), 100, 2, 2),
        ("15 qubits, 100 shots, 2 levels", 15, chains.layers_program(15), 100, 2, 1),
        ("20 qubits, 16 shots, 2 levels", 20, chains.layers_program(20), 16, 2, 1),
    ]
    for name, n_qubits, program, shots, levels, rounds in rows:
        if not all(word in name for word in words):
            continue
        cold, warm = ours_s(n_qubits, program, shots, levels, rounds)
        circuit = sequence_circuit() if n_qubits == 1 else layers_circuit(n_qubits)
        method = "density_matrix" if n_qubits <= 5 else "statevector"
        # Trajectories take a time of their own each, so few of them tell.
        few = shots if n_qubits <= 5 else min(shots, {10: 1000, 12: 50, 14: 10, 15: 5, 20: 2}[n_qubits])
        peer = aer_s(circuit, method, few, 7 if n_qubits <= 5 else 1 if n_qubits > 14 else 2) * shots / few
        print(f"{name}: cold {cold:.3f} s, warm {1e3 * warm:.2f} ms, Aer {1e3 * peer:.2f} ms, ratio {warm / peer:.3f}")


if __name__ == "__main__":
    main()
