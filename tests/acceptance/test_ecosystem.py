"""Packages of others on our backends, as their own users call them; each is left out where it is not installed.

Qiskit and Aer are always there. ``make ecosystem`` installs the rest and runs this.
"""

import numpy as np
import pytest
from qiskit import QuantumCircuit, generate_preset_pass_manager
from qiskit.circuit.library import PauliEvolutionGate, XGate, efficient_su2
from qiskit.quantum_info import PauliList, SparsePauliOp, Statevector
from qiskit.synthesis import SuzukiTrotter
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


def test_samples_make_the_subspace_of_a_diagonalisation(service):
    """Energies are from above, and every string of a spread-out state is seen."""
    qubit = pytest.importorskip("qiskit_addon_sqd.qubit")
    counts = pytest.importorskip("qiskit_addon_sqd.counts")
    backend = service.backend("chain5", seed=5)
    chain = [(pauli, [site, site + 1], 1.0) for pauli in ("XX", "YY", "ZZ") for site in range(3)]
    hamiltonian = SparsePauliOp.from_sparse_list(chain, num_qubits=4)
    circuit = QuantumCircuit(4)
    circuit.ry(1.5, range(4))
    circuit.measure_all()
    bits = SamplerV2(backend).run([isa(circuit, backend)], shots=4000).result()[0].data.meas
    strings, _ = counts.bit_array_to_arrays(bits)
    energies, _ = qubit.solve_qubit(qubit.sort_and_remove_duplicates(strings), hamiltonian)
    assert min(energies) == pytest.approx(np.linalg.eigvalsh(hamiltonian.to_matrix())[0])


def test_product_formulas_are_put_together(pair):
    """Shot noise is below 0.02; the readout's correction leaves as much."""
    static = pytest.importorskip("qiskit_addon_mpf.static")
    costs = pytest.importorskip("qiskit_addon_mpf.costs")
    hamiltonian = SparsePauliOp(["ZZ", "IX", "XI"], [1.0, 0.5, 0.5])
    observable = SparsePauliOp("ZI")
    problem, weights = costs.setup_exact_problem(static.setup_static_lse([1, 2, 4], order=1, symmetric=False))
    problem.solve()
    circuits = []
    for steps in (1, 2, 4):
        circuit = QuantumCircuit(2)
        circuit.append(PauliEvolutionGate(hamiltonian, 0.5, synthesis=SuzukiTrotter(1, reps=steps)), [0, 1])
        circuits.append(isa(circuit, pair))
    pubs = [(circuit, observable.apply_layout(circuit.layout)) for circuit in circuits]
    found = EstimatorV2(pair, {"resilience_level": 1}).run(pubs, precision=0.005).result()
    exact = QuantumCircuit(2)
    exact.append(PauliEvolutionGate(hamiltonian, 0.5, synthesis=SuzukiTrotter(2, reps=50)), [0, 1])
    value = float(np.dot([each.data.evs for each in found], weights.value))
    assert value == pytest.approx(Statevector(exact.decompose(reps=2)).expectation_value(observable).real, abs=0.15)


def test_an_ansatz_compiled_to_a_tensor_network_is_played(pair):
    aqc = pytest.importorskip("qiskit_addon_aqc_tensor")
    from qiskit_addon_aqc_tensor.objective import MaximizeStateFidelity
    from qiskit_addon_aqc_tensor.simulation import tensornetwork_from_circuit
    from qiskit_aer import AerSimulator
    from scipy.optimize import minimize

    step = QuantumCircuit(2)
    step.rx(0.3, [0, 1])
    step.rzz(0.4, 0, 1)
    wanted = step.repeat(3).decompose()
    simulator = AerSimulator(method="matrix_product_state")
    ansatz, start = aqc.generate_ansatz_from_circuit(step)
    objective = MaximizeStateFidelity(tensornetwork_from_circuit(wanted, simulator), ansatz, simulator)
    angles = minimize(objective.loss_function, start, method="L-BFGS-B", jac=True).x
    circuit = isa(ansatz, pair)
    pub = (circuit, SparsePauliOp("ZI").apply_layout(circuit.layout), angles)
    value = EstimatorV2(pair, {"resilience_level": 1}).run([pub], precision=0.02).result()[0].data.evs
    assert value == pytest.approx(Statevector(wanted).expectation_value(SparsePauliOp("ZI")).real, abs=0.12)


def test_classical_shadows_are_sampled(pair):
    library = pytest.importorskip("povm_toolbox.library")
    from povm_toolbox.post_processor import POVMPostProcessor
    from povm_toolbox.sampler import POVMSampler

    passes = generate_preset_pass_manager(1, backend=pair, seed_transpiler=1)
    job = POVMSampler(SamplerV2(pair)).run(
        [ghz(2, measured=False)], shots=500, povm=library.ClassicalShadows(2, seed=1), pass_manager=passes
    )
    value, deviation = POVMPostProcessor(job.result()[0]).get_expectation_value(SparsePauliOp("ZZ"))
    assert value == pytest.approx(0.95, abs=5 * deviation)


def test_an_eigensolver_takes_the_estimator(pair):
    algorithms = pytest.importorskip("qiskit_algorithms")
    from qiskit_algorithms.optimizers import COBYLA

    hamiltonian = SparsePauliOp(["ZZ", "XI", "IX"], [1.0, 0.5, 0.5])
    estimator = EstimatorV2(pair, {"default_precision": 0.03, "seed_simulator": 3})
    passes = generate_preset_pass_manager(1, backend=pair, seed_transpiler=1)
    solver = algorithms.VQE(
        estimator, efficient_su2(2, reps=1), COBYLA(maxiter=60), initial_point=np.full(8, 0.5), transpiler=passes
    )
    assert solver.compute_minimum_eigenvalue(hamiltonian).eigenvalue < -1.1, "the least is -1.414"


@pytest.mark.parametrize("device", DEVICES)
def test_branches_decoupled_by_the_passes_of_ibm_runtime_compile(service, device):
    scheduling = pytest.importorskip("qiskit_ibm_runtime.transpiler.passes.scheduling")
    backend = service.backend(device)
    target = backend.target
    circuit = QuantumCircuit(2, 2)
    circuit.h(0)
    circuit.cx(0, 1)
    circuit.measure(0, 0)
    with circuit.if_test((0, 1)):
        circuit.x(1)
    circuit.measure(1, 1)
    for analysis in (scheduling.ALAPScheduleAnalysis, scheduling.ASAPScheduleAnalysis):
        decoupling = scheduling.PadDynamicalDecoupling(
            target=target, dd_sequences=[XGate(), XGate()], pulse_alignment=target.pulse_alignment
        )
        for padding in (decoupling, scheduling.PadDelay(target=target)):
            passes = generate_preset_pass_manager(1, backend=backend, seed_transpiler=1)
            passes.scheduling = PassManager([analysis(target=target), padding])
            backend.compile(passes.run(circuit))
