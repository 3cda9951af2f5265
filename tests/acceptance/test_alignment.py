"""Plain ``transpile`` and ``compile`` with any delay, on devices whose ports start on coarse grids."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from qiskit import QuantumCircuit, transpile
from qiskit.circuit import Parameter
from qiskit.circuit.library import XGate
from qiskit.transpiler import PassManager, generate_preset_pass_manager
from qiskit.transpiler.passes import (
    ALAPScheduleAnalysis,
    ConstrainedReschedule,
    PadDynamicalDecoupling,
)

from qctrl.compiler import compile_circuit
from qctrl.errors import TimingError
from qctrl.protocol import EventOp
from qctrl.provider import Backend, RoundDelays
from qctrl.units import to_ticks
from tests.unit.provider.aligned import assert_on_grid, backend, installed, starts

LEVELS = [0, 1, 2, 3]
GRIDS = [("2", 8, 8), ("2", 8, 16), ("2", 16, 16), ("2", 16, 8), ("2.4", 4, 8), ("3", 16, 16)]
ODD = [(13, "dt"), (33.4, "ns"), (0.1003, "us"), (1.371e-6, "s"), (1, "dt"), (0.05, "ns")]


@pytest.fixture(autouse=True)
def _plugins() -> Iterator[None]:
    with installed():
        yield


def dynamics(duration: float, unit: str) -> QuantumCircuit:
    """Return Ramsey, echo and spectators: delays alone, in a row, beside gates, before a middle measurement."""
    circuit = QuantumCircuit(3, 4)
    circuit.sx(0)
    circuit.delay(duration, 0, unit)
    circuit.x(0)
    circuit.delay(duration, 0, unit)
    circuit.rz(0.3, 0)
    circuit.delay(duration, 0, unit)
    circuit.sx(0)
    circuit.measure(0, 3)
    circuit.delay(duration, 0, unit)
    circuit.h(1)
    circuit.cx(1, 2)
    circuit.delay(duration, 1, unit)
    circuit.cx(0, 1)
    circuit.barrier()
    circuit.delay(duration, 2, unit)
    circuit.x(2)
    circuit.measure([0, 1, 2], [0, 1, 2])
    return circuit


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("grid", GRIDS, ids=str)
def test_any_delay_transpiles_and_compiles_onto_the_grid(grid: tuple[str, int, int], level: int):
    device = backend(*grid)
    for duration, unit in ODD:
        isa = transpile(dynamics(duration, unit), device, optimization_level=level, seed_transpiler=7)
        assert isa.metadata["rounded_delays"]["count"] >= 4
        assert_on_grid(device.compile(isa))


@pytest.mark.parametrize("level", LEVELS)
def test_the_time_between_two_pulses_is_the_rounded_delay(level: int):
    device = backend()
    sx_ticks = device.calibration.duration_ticks("sx", (0,))
    for duration_dt in (0, 3, 4, 5, 13, 1001, 12_345):
        circuit = QuantumCircuit(1, 1)
        circuit.sx(0)
        circuit.delay(duration_dt, 0)
        circuit.rz(1, 0)  # else two sx and no wait could be one gate
        circuit.sx(0)
        circuit.measure(0, 0)
        isa = transpile(circuit, device, optimization_level=level, initial_layout=[0])
        first, *_, last = starts(device.compile(isa), "q0.drive")
        waited = last - first - sx_ticks
        if isa.count_ops()["sx"] == 2:
            assert waited == round(duration_dt / 8) * 8
        else:  # without a delay left between them the gates were merged
            assert duration_dt == 0


def test_captures_start_on_the_coarser_grid_of_measurements():
    device = backend("2", 8, 16)
    circuit = QuantumCircuit(2, 3)
    circuit.x(0)
    circuit.measure(0, 0)
    circuit.x(0)
    circuit.delay(24, 0)
    circuit.x(0)
    circuit.measure([0, 1], [1, 2])
    compiled = device.compile(transpile(circuit, device, initial_layout=[0, 1]))
    assert_on_grid(compiled)
    assert all(start % 16 == 0 for start in starts(compiled, "f0.acquire", EventOp.CAPTURE))
    assert any(start % 16 == 8 for start in starts(compiled, "q0.drive"))


@pytest.mark.parametrize("level", LEVELS)
def test_a_parametric_delay_transpiles_once_and_is_rounded_when_bound(level: int):
    device = backend()
    wait = Parameter("t")
    circuit = QuantumCircuit(1, 1)
    circuit.x(0)
    circuit.delay(wait, 0, "us")
    circuit.delay(13, 0)
    circuit.measure(0, 0)
    isa = transpile(circuit, device, optimization_level=level)
    assert isa.parameters == {wait}
    rounding = PassManager([RoundDelays(device.target)])
    for value in np.linspace(0, 3, 7):
        assert_on_grid(device.compile(rounding.run(isa.assign_parameters([value]))))
    assert_on_grid(device.compile(isa.assign_parameters([1.0])))
    with pytest.raises(TimingError, match=r"ticks of .* it must be a whole number: give"):
        device.compile(isa.assign_parameters([0.33333]))


@pytest.mark.parametrize("level", LEVELS)
def test_control_flow_and_stretch_transpile(level: int):
    device = backend()
    circuit = QuantumCircuit(2, 2)
    circuit.x(0)
    circuit.measure(0, 0)
    with circuit.if_test((0, True)) as otherwise:
        circuit.delay(33.4, 0, "ns")
        circuit.x(0)
    with otherwise:
        circuit.delay(5, 0)
        circuit.sx(0)
    with circuit.for_loop(range(3)):
        circuit.delay(13, 1)
        circuit.sx(1)
    with circuit.box():
        circuit.delay(7, 1)
        circuit.sx(1)
    circuit.measure([0, 1], [0, 1])
    isa = transpile(circuit, device, optimization_level=level, seed_transpiler=3)
    assert isa.metadata["rounded_delays"]["count"] == 4
    assert_on_grid(device.compile(isa))
    stretched = QuantumCircuit(2, 1)
    stretched.delay(stretched.add_stretch("gap"), 0)
    stretched.delay(13, 1)
    stretched.cx(0, 1)
    isa = transpile(stretched, device, optimization_level=level, seed_transpiler=3)
    assert isa.num_stretches == 1


@pytest.mark.parametrize("method", ["alap", "asap"])
@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("grid", GRIDS, ids=str)
def test_qiskits_own_schedules_compile_too(grid: tuple[str, int, int], level: int, method: str):
    device = backend(*grid)
    isa = transpile(dynamics(13, "dt"), device, optimization_level=level, scheduling_method=method, seed_transpiler=7)
    assert len(isa.op_start_times) == len(isa.data)
    if len(set(grid[1:])) == 1:
        assert all(start % grid[1] == 0 for start in isa.op_start_times)
    assert_on_grid(device.compile(isa))


@pytest.mark.parametrize("grid", GRIDS, ids=str)
def test_dynamical_decoupling_fills_the_waits(grid: tuple[str, int, int]):
    device = backend(*grid)
    target = device.target
    manager = generate_preset_pass_manager(2, backend=device, seed_transpiler=7)
    manager.scheduling = PassManager(
        [
            RoundDelays(target),
            ALAPScheduleAnalysis(target=target),
            ConstrainedReschedule(target=target),
            PadDynamicalDecoupling(target=target, dd_sequence=[XGate(), XGate()]),
        ]
    )
    isa = manager.run(dynamics(1.3e3, "ns"))
    plain = transpile(dynamics(1.3e3, "ns"), device, optimization_level=2, seed_transpiler=7)
    assert isa.count_ops()["x"] >= plain.count_ops()["x"] + 4
    assert_on_grid(device.compile(isa))


def test_every_capture_and_play_of_a_scheduled_circuit_keeps_its_place():
    """A schedule of Qiskit's, padded with delays, is what the compiler plays: same starts up to one offset."""
    device = backend()
    circuit = QuantumCircuit(2, 2)
    circuit.sx(0)
    circuit.delay(40, 0)
    circuit.cx(0, 1)
    circuit.delay(21, 1)
    circuit.sx(1)
    circuit.measure([0, 1], [0, 1])
    isa = transpile(circuit, device, scheduling_method="asap", initial_layout=[0, 1], seed_transpiler=1)
    compiled = device.compile(isa)
    planned = sorted(
        start
        for start, entry in zip(isa.op_start_times, isa.data, strict=True)
        if entry.operation.name in ("sx", "x", "cz", "measure")
    )
    ports = [port.name for port in device.setup.ports if port.kind != "acquire" and not port.name.startswith("c")]
    played = sorted(start for port in ports for start in starts(compiled, port))
    assert [start - played[0] for start in played] == [start - planned[0] for start in planned]


def test_a_device_on_the_plain_grid_is_plain_qiskit(recwarn: pytest.WarningsRecorder):
    device = backend(pulse=1, acquire=1)
    isa = transpile(dynamics(13, "dt"), device, optimization_level=1, seed_transpiler=7)
    assert "rounded_delays" not in (isa.metadata or {})
    assert {entry.operation.duration for entry in isa.data if entry.operation.name == "delay"} == {13}
    assert_on_grid(device.compile(isa))
    assert not recwarn.list


@pytest.mark.parametrize("grid", [("2", 8, 8), ("2.4", 4, 8), ("3", 16, 16)], ids=str)
def test_clocks_that_no_decimal_writes_are_exact(grid: tuple[str, int, int]):
    device: Backend = backend(*grid)
    rate_hz = round(float(grid[0]) * 1e9)
    assert 1 / device.calibration.dt_s == rate_hz == 1 / device.setup.tick_s
    assert all(port.sample_ticks == 1 for port in device.setup.ports)
    assert device.target.dt == 1 / rate_hz
    for name in device.target.operation_names:
        for properties in (device.target[name] or {}).values():
            if properties is not None:
                assert to_ticks(properties.duration, device.setup.tick_s) % grid[1] == 0
    long = QuantumCircuit(1, 1)
    long.delay(1.0, 0, "s")
    long.measure(0, 0)
    isa = transpile(long, device)
    assert isa.data[0].operation.duration == rate_hz
    compiled = compile_circuit(isa, device.calibration, device.setup)
    assert_on_grid(compiled)
