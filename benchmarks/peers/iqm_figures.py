"""Figures of iqm-pulse, run by its own environment: circuit operations in, a playlist out."""

from __future__ import annotations

from typing import Any

from exa.common.qcm_data.chip_topology import ChipTopology
from iqm.pulse.builder import CircuitOperation, ScheduleBuilder, build_quantum_ops
from iqm.pulse.locus_mappings import StationProperties
from iqm.pulse.playlist.channel import ChannelProperties, ProbeChannelProperties
from workloads import WORKLOADS, least_s, report

RATE_HZ = 2e9
HALF_TURN = 3.141592653589793
PER_PROBE = 8


def station(n_qubits: int) -> StationProperties:
    """Return a line of qubits with couplers between neighbours."""
    qubits = [f"QB{k + 1}" for k in range(n_qubits)]
    couplers = {f"TC-{k + 1}-{k + 2}": (f"QB{k + 1}", f"QB{k + 2}") for k in range(n_qubits - 1)}
    probes = {f"PL-{p + 1}": qubits[p * PER_PROBE : (p + 1) * PER_PROBE] for p in range(-(-n_qubits // PER_PROBE))}
    channels: dict[str, ChannelProperties] = {}
    of: dict[str, dict[str, str]] = {}
    for name, kind in [(q, "drive") for q in qubits] + [(c, "flux") for c in (*qubits, *couplers)]:
        of.setdefault(name, {})[kind] = f"{name}__{kind}.awg"
        channels[f"{name}__{kind}.awg"] = ChannelProperties(RATE_HZ, 8, 16, is_iq=kind == "drive")
    for name in probes:
        of.setdefault(name, {})["readout"] = f"{name}__readout"
        channels[f"{name}__readout"] = ProbeChannelProperties(RATE_HZ, 8, 16, center_frequency=7e9)
    return StationProperties(ChipTopology(qubits, [], couplers, probes), channels, of)


def calibration(n_qubits: int) -> dict[str, Any]:
    """Return pulses of 24 ns, couplings of 40 ns and readouts of 400 ns."""
    qubits = [f"QB{k + 1}" for k in range(n_qubits)]
    prx = {"duration": 24e-9, "amplitude_i": 0.3, "amplitude_q": 0.02, "full_width": 24e-9, "center_offset": 0.0}
    wave = {"full_width": 32e-9, "rise_time": 8e-9, "center_offset": 0.0, "amplitude": 0.2}
    measure = {
        "duration": 400e-9,
        "phase": 0.0,
        "amplitude_i": 0.1,
        "amplitude_q": 0.0,
        "integration_length": 400e-9,
        "integration_threshold": 0.0,
        "acquisition_type": "threshold",
        "acquisition_delay": 0.0,
        "block_neighbors": False,
        "prio_calibration": None,
    }
    pairs = [(qubits[k], qubits[k + 1]) for k in range(n_qubits - 1)]
    return {
        "prx": {"drag_gaussian": {(q,): dict(prx) for q in qubits}},
        "rz": {"virtual": {(q,): {} for q in qubits}},
        "cz": {"tgss": {pair: {"duration": 40e-9, "rz": dict.fromkeys(pair, 0.3), "coupler": wave} for pair in pairs}},
        "measure": {
            "constant": {(q,): {**measure, "frequency": 7e9 + 2e7 * (k % PER_PROBE)} for k, q in enumerate(qubits)}
        },
    }


def operations(gates: list[tuple[str, tuple[int, ...], float]]) -> list[CircuitOperation]:
    """Return a circuit with the virtual Z rotations in the phases of its pulses, as transpilers for IQM give it."""
    phases: dict[int, float] = {}
    found: list[CircuitOperation] = []
    measured: list[str] = []
    for name, qubits, angle in gates:
        locus = tuple(f"QB{q + 1}" for q in qubits)
        if name == "rz":
            phases[qubits[0]] = phases.get(qubits[0], 0.0) - angle
        elif name == "sx":
            args = {"angle": HALF_TURN / 2, "phase": phases.get(qubits[0], 0.0)}
            found.append(CircuitOperation("prx", locus, args))
        elif name == "cz":
            found.append(CircuitOperation("cz", locus, {}))
        else:
            measured += locus
    return [*found, CircuitOperation("measure", tuple(measured), {"key": "m"})]


def main() -> None:
    """Measure and report."""
    figures: dict[str, float] = {}
    for name, make in WORKLOADS.items():
        circuits = make()
        n_qubits = 1 + max(qubit for _, qubits, _ in circuits[0] for qubit in qubits)
        builder = ScheduleBuilder(build_quantum_ops({}), calibration(n_qubits), station(n_qubits))
        lists = [operations(gates) for gates in circuits]
        figures[name] = least_s(
            lambda builder=builder, lists=lists: [
                builder.timeboxes_to_playlist([builder.circuit_to_timebox(circuit)]) for circuit in lists
            ],
            3,
        )
    report(figures)


if __name__ == "__main__":
    main()
