"""A rack of many makers: every line at the DAC as the program says, and the same distribution as the native path."""

import uuid

import numpy as np
import pytest
from qiskit import QuantumCircuit, transpile

from qctrl.access import ProviderService
from qctrl.execution import JobSpec, Work
from tests.integration.rack_bench import CONFIGS, RackBench, assert_dac_plays
from tests.integration.test_box_rack import assert_same_distribution

pytest.importorskip("pyvisa_py")

SHOTS = 600
RACK = """
schema: qctrl.rack/1
driver: boxes
devices:
  pair2: {wiring: wiring.yaml}
instruments:
  drives:
    kind: tektronix_awg5200
    address: TCPIP0::127.0.0.1::1::SOCKET
    channels: {q0.drive: [1, 2], q1.drive: [3, 4], f0.readout: [5, 6]}
    trigger_channel: 8
  coupler:
    kind: keysight_m8190a
    address: TCPIP0::127.0.0.1::hislip0,2::INSTR
    channels: {c01.flux: [1]}
  fluxes:
    kind: keysight_33600a
    address: TCPIP0::127.0.0.1::3::SOCKET
    channels: {q0.flux: [1], q1.flux: [2]}
  digitizer:
    kind: tektronix_mso
    address: TCPIP0::127.0.0.1::4::SOCKET
    channels: {f0.acquire: [1, 2]}
  lo_drive:
    kind: rohde_schwarz_smb100a
    address: TCPIP0::127.0.0.1::hislip0,5::INSTR
    ports: [q0.drive, q1.drive]
  lo_readout:
    kind: rohde_schwarz_sgs100a
    address: TCPIP0::127.0.0.1::6::SOCKET
    ports: [f0.readout, f0.acquire]
  bias:
    kind: qdevil_qdac2
    address: TCPIP0::127.0.0.1::7::SOCKET
    bias: {q0.flux: 5, c01.flux: 7}
    limits: {max_level: 2.0, max_slew: 1.0e6}
"""


@pytest.fixture(scope="module")
def bench(home):
    wiring = (CONFIGS / "wiring_pair2.yaml").read_text()
    for port, full_scale_v in (("q0.flux", 1.0), ("q1.flux", 1.0), ("c01.flux", 0.3)):
        before = f"{port}: {{kind: flux, sample_rate: 1.0e9, full_scale_v: 1.0,"
        assert before in wiring
        wiring = wiring.replace(before, before.replace("1.0,", f"{full_scale_v}, dac_bits: 14,"))
    (home / "wiring.yaml").write_text(wiring)
    found = RackBench(home, text=RACK)
    yield found
    found.close()


def test_boxes_of_many_makers_play_one_program(home, bench):
    circuit = QuantumCircuit(2)
    circuit.h(0)
    circuit.cx(0, 1)
    circuit.measure_all()
    with ProviderService(config=bench.path) as boxes, ProviderService() as firmware:
        backend, native = boxes.backend("pair2"), firmware.backend("pair2", seed=3)
        circuit = transpile(circuit, backend, seed_transpiler=1)
        program = backend.compile(circuit).program
        spec = JobSpec(uuid.uuid4().hex, "pair2", backend.setup, (Work(program, None, SHOTS),))
        (work,) = backend.runner.submit(spec).result(60).works
        rows = np.unpackbits(work.bits[0], axis=1, bitorder="little")[:, :2]
        found = {"00": 0, "01": 0, "10": 0, "11": 0}
        for first, second in rows.tolist():
            found[f"{second}{first}"] += 1
        assert_same_distribution(found, native.run(circuit, shots=SHOTS).result().get_counts())
    assert_dac_plays(bench, program, backend.setup)
    bias = bench.instruments["bias"].outputs[7]
    assert (bias.range, bias.slew_v_s, bias.mode) == ("LOW", 1e6, "FIX")
