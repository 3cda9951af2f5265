"""Packages of others on our backends, as their own users call them; each is left out where it is not installed.

Qiskit and Aer are always there. ``make ecosystem`` installs the rest and runs this.
"""

import numpy as np
import pytest
from qiskit import QuantumCircuit, generate_preset_pass_manager
from qiskit.circuit.library import XGate
from qiskit.quantum_info import PauliList, SparsePauliOp, Statevector
from qiskit.transpiler import PassManager
from qiskit.transpiler.passes import ALAPScheduleAnalysis, ASAPScheduleAnalysis, PadDelay, PadDynamicalDecoupling

from qctrl import EstimatorV2, SamplerV2

DEVICES = ("pair2", "chain5", "heavyhex7", "grid20")


@pytest.fixture(scope="module")
def pair(service):
    return service.backend("pair2", seed=11)


def ghz(n_qubits, *, measured=True):
    circuit = QuantumCircuit(n_qubits)
    circuit.h(0)
    for qubit in range(n_qubits - 1):
        circuit.cx(qubit, qubit + 1)
    if measured:
        circuit.measure_all()
    return circuit


def isa(circuit, backend, **options):
    return generate_preset_pass_manager(1, backend=backend, seed_transpiler=1, **options).run(circuit)


@pytest.mark.parametrize("device", DEVICES)
def test_circuits_that_qiskit_schedules_compile(service, device):
    backend = service.backend(device)
    n_qubits = min(4, backend.num_qubits)
    for method in ("alap", "asap"):
        backend.compile(isa(ghz(n_qubits), backend, scheduling_method=method))
    target = backend.target
    decoupling = PadDynamicalDecoupling(
        target=target, dd_sequence=[XGate(), XGate()], pulse_alignment=target.pulse_alignment
    )
    for analysis in (ALAPScheduleAnalysis, ASAPScheduleAnalysis):
        for padding in (decoupling, PadDelay(target=target)):
            passes = generate_preset_pass_manager(1, backend=backend, seed_transpiler=1)
            passes.scheduling = PassManager([analysis(target=target), padding])
            backend.compile(passes.run(ghz(n_qubits)))


def test_aer_makes_a_noise_model_of_the_target(pair):
    from qiskit_aer import AerSimulator

    counts = AerSimulator.from_backend(pair).run(isa(ghz(2), pair), shots=1000, seed_simulator=1).result().get_counts()
    assert counts["00"] + counts["11"] > 900


@pytest.mark.filterwarnings("ignore:Treating CircuitInstruction:DeprecationWarning")
def test_mthree_corrects_the_readout_of_a_ghz_state(service):
    mthree = pytest.importorskip("mthree")
    backend = service.backend("chain5", seed=3)
    circuit = isa(ghz(5), backend)
    mapping = mthree.utils.final_measurement_mapping(circuit)
    mitigation = mthree.M3Mitigation(backend)
    mitigation.cals_from_system(mapping, shots=4000)
    counts = backend.run(circuit, shots=8000).result().get_counts()

    def share(found):
        return (found["00000"] + found["11111"]) / sum(found.values())

    assert share(counts) + 0.02 < share(mitigation.apply_correction(counts, mapping)) < 1.02


def test_the_local_mode_of_ibm_runtime_runs_on_the_backend(pair):
    runtime = pytest.importorskip("qiskit_ibm_runtime")
    with pytest.warns(DeprecationWarning, match="SamplerV2"):
        sampler = runtime.SamplerV2(mode=pair)
    sampler.options.default_shots = 200
    data = sampler.run([isa(ghz(2), pair)]).result()[0].data.meas
    assert data.num_shots == 200
    sampler.options.execution.meas_type = "kerneled"
    assert np.iscomplexobj(sampler.run([isa(ghz(2), pair)]).result()[0].data.meas)
    circuit = isa(ghz(2, measured=False), pair)
    pub = (circuit, SparsePauliOp("ZZ").apply_layout(circuit.layout))
    with pytest.warns(DeprecationWarning, match="EstimatorV2"), runtime.Session(backend=pair) as session:
        result = runtime.EstimatorV2(mode=session).run([pub], precision=0.05).result()
    assert result[0].data.evs > 0.8


def test_randomizations_of_samplomatic_are_bindings_of_one_program(pair):
    samplomatic = pytest.importorskip("samplomatic")
    circuit = QuantumCircuit(2)
    with circuit.box([samplomatic.Twirl()]):
        circuit.cz(0, 1)
    with circuit.box([samplomatic.Twirl()]):
        circuit.measure_all()
    template, samplex = samplomatic.build(circuit)
    drawn = samplex.sample({}, num_randomizations=16)
    job = SamplerV2(pair).run([(isa(template, pair), drawn["parameter_values"])], shots=200)
    assert len(job.metrics()["qctrl"]["program_hashes"]) == 1
    bits = job.result()[0].data.meas.to_bool_array(order="little") ^ drawn["measurement_flips.meas"]
    assert bits.mean() < 0.05, "both qubits stay in their ground state"


def test_a_cut_circuit_is_put_together_again(pair):
    """GHZ of four on two devices of two; shot noise of three values is below 0.02."""
    cutting = pytest.importorskip("qiskit_addon_cutting")
    observables = PauliList(["ZZZZ", "XXXX", "ZZII"])
    parts = cutting.partition_problem(circuit=ghz(4, measured=False), partition_labels="AABB", observables=observables)
    circuits, weights = cutting.generate_cutting_experiments(
        circuits=parts.subcircuits, observables=parts.subobservables, num_samples=np.inf
    )
    results = {
        label: SamplerV2(pair).run([isa(each, pair) for each in made], shots=8192).result()
        for label, made in circuits.items()
    }
    found = cutting.reconstruct_expectation_values(results, weights, parts.subobservables)
    assert np.all(np.array(found) > 0.85), found


def test_an_observable_is_propagated_back(pair):
    obp = pytest.importorskip("qiskit_addon_obp")
    slicing = pytest.importorskip("qiskit_addon_utils.slicing")
    circuit = QuantumCircuit(2)
    circuit.rx(0.3, 0)
    circuit.cx(0, 1)
    circuit.rx(0.2, 1)
    slices = slicing.slice_by_depth(circuit, 1)
    observable, rest, _ = obp.backpropagate(SparsePauliOp("ZI"), slices[-1:])
    reduced = isa(slicing.combine_slices(slices[:-1] + rest), pair)
    pub = (reduced, observable.apply_layout(reduced.layout))
    value = EstimatorV2(pair, {"resilience_level": 1}).run([pub], precision=0.02).result()[0].data.evs
    assert value == pytest.approx(Statevector(circuit).expectation_value(SparsePauliOp("ZI")).real, abs=0.1)
