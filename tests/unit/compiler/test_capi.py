"""Reading through the C API, beside what the property tests compare."""

import logging
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from qiskit import QuantumCircuit
from qiskit.circuit import Gate

from qctrl.compiler import _pack_kernels, compile_circuit, lower
from qctrl.compiler.device import device_table
from qctrl.ir import GateSite
from qctrl.protocol import EVENT
from tests.unit.compiler import trio

CALIBRATION, SETUP = trio.calibration(), trio.setup()


def brick(n_layers):
    circuit = QuantumCircuit(3, 3)
    for layer in range(n_layers):
        for qubit in range(3):
            circuit.rz(0.1 * layer + qubit, qubit)
            circuit.sx(qubit)
        circuit.cz(0, 1)
    circuit.measure([0, 1, 2], [0, 1, 2])
    return circuit


def test_the_table_of_a_device_lists_each_site_in_the_orders_that_are_allowed():
    table = device_table(CALIBRATION)
    assert table is device_table(CALIBRATION)
    pairs = {site.qubits for site in table.sites if len(site.qubits) == 2}
    assert pairs == {(0, 1), (1, 0), (1, 2)}
    assert GateSite("x", (2,)) not in table.index
    assert table.measured_reset.tolist() == [1, 1, 0]


def test_the_log_says_which_reader_was_used(caplog):
    circuit = QuantumCircuit(1, name="mine")
    circuit.sx(0)
    with caplog.at_level(logging.DEBUG, logger="qctrl.compiler"):
        lower(circuit, CALIBRATION)
        circuit.append(Gate("sx", 1, []), [0])
        lower(circuit, CALIBRATION)
    assert "mine: read through the C API" in caplog.messages[0]
    assert "mine: read through Python" in caplog.messages[1]


def test_threads_do_not_share_scratch():
    circuits = [brick(n) for n in range(1, 40)]
    expected = [compile_circuit(circuit, CALIBRATION, SETUP).to_bytes() for circuit in circuits]
    with ThreadPoolExecutor(4) as pool:
        for _ in range(5):
            made = pool.map(lambda circuit: compile_circuit(circuit, CALIBRATION, SETUP).to_bytes(), circuits)
            assert list(made) == expected


def test_a_circuit_that_another_thread_reads_is_read_all_the_same():
    """Somebody who reads a circuit holds it while Python is called, as here; Qiskit's C API would end the process."""
    circuit = brick(1)
    expected, found = compile_circuit(circuit, CALIBRATION, SETUP).to_bytes(), []
    circuit._data.foreach_op(lambda _: found.append(compile_circuit(circuit, CALIBRATION, SETUP).to_bytes()))
    assert found == [expected] * len(circuit.data)


def test_events_in_great_disorder_are_sorted_all_the_same(monkeypatch):
    circuit = QuantumCircuit(2, 2)
    for qubit in (1, 0):
        for _ in range(6):
            circuit.measure(qubit, qubit)
    good = compile_circuit(circuit, CALIBRATION, SETUP).program
    kernel = _pack_kernels.pack_events

    def gives_up(*arguments):
        kernel(*arguments)
        (events,) = (column for column in arguments if getattr(column, "dtype", None) == EVENT)
        ports = good.frames["port"][events["frame"]]
        for port in np.unique(ports):
            mine = np.flatnonzero(ports == port)
            events[mine] = events[mine[::-1]]
        return False

    monkeypatch.setattr(_pack_kernels, "pack_events", gives_up)
    program = compile_circuit(circuit, CALIBRATION, SETUP).program
    assert program.to_bytes() == good.to_bytes()
    good.verify()
