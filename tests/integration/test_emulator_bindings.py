"""What the emulator remembers from binding to binding changes nothing, and goes with what it was made of."""

import gc
import itertools

import numpy as np
import pytest
import yaml
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter

from firmware_sim.active_run import ActiveRun
from firmware_sim.board import Loaded
from firmware_sim.physics import cores, tape
from firmware_sim.physics.mixed import evolve_mixed
from firmware_sim.rig import EmulatedRig
from firmware_sim.search import find_truth
from firmware_sim.sweep import Sweep
from qctrl.calibration import find_device, load
from qctrl.compiler import compile_circuit
from qctrl.config import find_rack, load_rack
from qctrl.execution.setup import build_setup
from qctrl.protocol import Results, Run, SimOptions
from tests.unit.firmware_sim import toys

SHOTS = 300


def program_of(bases, *, feedback=False):
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
    if feedback:
        circuit.measure(0, 0)
        with circuit.if_test((0, 1)):
            circuit.x(1)
    for qubit, basis in enumerate(bases):
        circuit.rz(0.0 if basis == "x" else -np.pi / 2, qubit)
        circuit.sx(qubit)
    circuit.measure([0, 1], [0, 1])
    compiled = compile_circuit(circuit, calibration, setup)
    patch = compiled.bind(np.random.default_rng(5).uniform(-4, 4, (4, 5)))
    program = compiled.program
    return loaded_of(setup, program, patch)


def loaded_of(setup, program, patch):
    return Loaded(setup, setup.hash.hex(), program, program.hash.hex(), patch, patch.hash.hex())


@pytest.fixture(scope="module")
def loaded():
    return program_of([])


def bits(rig, loaded, first, n_bindings, levels, mode="tree"):
    sim = SimOptions(seed=3, levels=levels, mode=mode)
    hashes = (loaded.setup_hash, loaded.program_hash, loaded.patch_hash)
    run = Run("r", 1, *hashes, first, n_bindings, 0, SHOTS, 0, sim=sim)
    active, count = ActiveRun(run, lambda: None), itertools.count()
    rig.play(loaded, active)
    return np.concatenate([Results.from_bytes(block).bits for block in iter(lambda: active.take(next(count)), None)])


@pytest.fixture
def rig():
    return EmulatedRig(find_truth("pair2"), "pair2")


@pytest.fixture
def swept(monkeypatch):
    """Bindings that were played side by side."""
    found = []
    play = Sweep.play

    def spy(self, origins, shots, on_step):
        found.extend(origin.binding for origin in origins)
        return play(self, origins, shots, on_step)

    monkeypatch.setattr(Sweep, "play", spy)
    return found


@pytest.mark.parametrize(("levels", "mode"), [(2, "tree"), (3, "tree"), (2, "density matrix"), (3, "density matrix")])
def test_bindings_together_are_bindings_alone(rig, loaded, swept, levels, mode):
    together = bits(rig, loaded, 0, 4, levels, mode)
    assert swept == ([1, 2, 3] if (levels, mode) == (2, "density matrix") else [])
    for binding in (1, 3):
        alone = bits(EmulatedRig(find_truth("pair2"), "pair2"), loaded, binding, 1, levels, mode)
        assert np.array_equal(alone[0], together[binding])
    assert len({row.tobytes() for row in together}) == 4


def test_bits_do_not_depend_on_the_number_of_cores(monkeypatch, loaded):
    found = []
    for n_cores in (1, 3):
        monkeypatch.setattr(cores, "_cores", lambda n_cores=n_cores: n_cores)
        found.append(bits(EmulatedRig(find_truth("pair2"), "pair2"), loaded, 0, 4, 2, "density matrix"))
    assert np.array_equal(*found)


def test_programs_that_begin_alike_share_states_and_nothing_else(monkeypatch, rig, loaded, swept):
    """Two programs that measure in other bases, at the same points, play the same bits as each by itself."""
    other = program_of(["x", "y"])
    alone = bits(EmulatedRig(find_truth("pair2"), "pair2"), other, 0, 4, 2, "density matrix")
    bits(rig, loaded, 0, 4, 2, "density matrix")
    passed = rig._cache.peek(("passed",))
    assert passed.misses
    evolved = []
    monkeypatch.setattr(tape, "evolve_mixed", lambda *args: evolved.append(args[1]) or evolve_mixed(*args))
    assert np.array_equal(bits(rig, other, 0, 4, 2, "density matrix"), alone)
    assert evolved[0][0] > 0
    assert swept == [1, 2, 3] * 3


def test_values_that_change_more_than_phases_are_played_one_by_one(rig, swept):
    """An amplitude per binding, and a bit that decides what follows."""
    rabi = loaded_of(toys.setup(), toys.rabi(), toys.rabi_patch([0.1, 0.2, 0.3, 0.4]))
    for loaded in (rabi, program_of([], feedback=True)):
        together = bits(rig, loaded, 0, 4, 2, "density matrix")
        alone = bits(EmulatedRig(find_truth("pair2"), "pair2"), loaded, 2, 1, 2, "density matrix")
        assert np.array_equal(alone[0], together[2])
    assert swept == []


@pytest.mark.parametrize(
    ("part", "name", "flaw"),
    [
        ("wires", "q0.drive", {"exponentials": [{"amplitude": 0.1, "tau": 3e-8}]}),
        ("lines", "q0.drive", {"rabi_hz_per_fs": 1.043e8, "gain_imbalance": 0.05}),
        ("crosstalk", "drive", {"q0.drive": {"q1.drive": {"amplitude": 0.02}}}),
        ("qubits", "q0", {"frequency_noise": {"quasi_static": 2e4}}),
    ],
)
def test_drives_that_do_more_than_their_words_say_are_played_one_by_one(tmp_path, loaded, swept, part, name, flaw):
    document = yaml.safe_load(find_truth("pair2").read_text())
    entry = document.setdefault(part, {}).setdefault(name, {})
    entry.update(flaw)
    path = tmp_path / "pair2.yaml"
    path.write_text(yaml.safe_dump(document))
    together = bits(EmulatedRig(path, "pair2"), loaded, 0, 3, 2, "density matrix")
    assert np.array_equal(bits(EmulatedRig(path, "pair2"), loaded, 2, 1, 2, "density matrix")[0], together[2])
    assert swept == []


@pytest.mark.parametrize(("levels", "mode"), [(2, "tree"), (3, "tree"), (2, "density matrix"), (3, "density matrix")])
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
