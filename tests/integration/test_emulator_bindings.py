"""What the emulator remembers from binding to binding changes nothing, and goes with what it was made of."""

import gc
import itertools

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter

from firmware_sim.active_run import ActiveRun
from firmware_sim.board import Loaded
from firmware_sim.rig import EmulatedRig
from firmware_sim.search import find_truth
from qctrl.calibration import find_device, load
from qctrl.compiler import compile_circuit
from qctrl.config import find_rack, load_rack
from qctrl.execution.setup import build_setup
from qctrl.protocol import Results, Run, SimOptions

SHOTS = 300


@pytest.fixture(scope="module")
def loaded():
    """Phases before, between and behind entangling gates, pulses on both qubits at once and on one alone."""
    calibration = load(find_device("pair2"))
    setup = build_setup(calibration, load_rack(find_rack()).wiring("pair2"))
    angles = [Parameter(f"t{k}") for k in range(5)]
    circuit = QuantumCircuit(2, 2)
    for k, qubits in enumerate([(0, 1), (0,), (0, 1), (1,), (0,)]):
        circuit.sx(qubits)
        circuit.rz(angles[k], qubits)
        circuit.sx(qubits)
        if k % 2:
            circuit.cz(0, 1)
    circuit.measure([0, 1], [0, 1])
    compiled = compile_circuit(circuit, calibration, setup)
    patch = compiled.bind(np.random.default_rng(5).uniform(-4, 4, (4, 5)))
    program = compiled.program
    return Loaded(setup, setup.hash.hex(), program, program.hash.hex(), patch, patch.hash.hex())


def bits(rig, loaded, first, n_bindings, levels, mode="tree"):
    sim = SimOptions(seed=3, levels=levels, mode=mode)
    hashes = (loaded.setup_hash, loaded.program_hash, loaded.patch_hash)
    run = Run("r", 1, *hashes, first, n_bindings, 0, SHOTS, 0, sim=sim)
    active, count = ActiveRun(run, lambda: None), itertools.count()
    rig.play(loaded, active)
    return np.concatenate([Results.from_bytes(block).bits for block in iter(lambda: active.take(next(count)), None)])


@pytest.mark.parametrize("levels", [2, 3])
def test_bindings_together_are_bindings_alone(loaded, levels):
    together = bits(EmulatedRig(find_truth("pair2"), "pair2"), loaded, 0, 4, levels)
    for binding in (1, 3):
        alone = bits(EmulatedRig(find_truth("pair2"), "pair2"), loaded, binding, 1, levels)
        assert np.array_equal(alone[0], together[binding])
    assert len({row.tobytes() for row in together}) == 4


@pytest.mark.parametrize(("levels", "mode"), [(2, "tree"), (3, "tree"), (3, "density matrix")])
def test_nothing_of_a_run_waits_for_the_garbage_collector(loaded, levels, mode):
    rig = EmulatedRig(find_truth("pair2"), "pair2")
    bits(rig, loaded, 0, 4, levels, mode)
    gc.collect()
    gc.disable()
    try:
        bits(rig, loaded, 0, 4, levels, mode)
        bits(rig, loaded, 0, 4, levels, mode)
        gc.set_debug(gc.DEBUG_SAVEALL)
        gc.collect()
        left = [type(each).__name__ for each in gc.garbage if type(each).__module__.startswith("firmware_sim")]
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()
    assert left == []
