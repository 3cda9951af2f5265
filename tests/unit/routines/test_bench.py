from __future__ import annotations

from typing import Any, cast

import pytest

from qctrl.calibration import grid_design
from qctrl.config import find_rack, load_rack
from qctrl.execution import Runner
from qctrl.routines.bench import Bench

STAMP = "2026-01-01T00:00:00Z"


@pytest.fixture
def bench() -> Bench:
    wiring = load_rack(find_rack()).wiring("grid20")
    return Bench(grid_design("grid20", 4, 5), wiring, cast("Runner", None), 1, STAMP)


def seen(bench: Bench, *names: str) -> Bench:
    """What a step on these qubits is given."""
    given: list[Bench] = []

    def step(part: Bench) -> Bench:
        given.append(part)
        return part

    bench.apart(names, step)
    return given[0]


def test_a_step_sees_its_qubits_and_their_edges_only(bench):
    part = seen(bench, "q6", "q7")
    assert list(part.document.qubits) == ["q6", "q7"]
    assert list(part.document.edges) == ["q6-q7"]
    assert set(part.wiring.ports) == {
        *("q6.drive", "q6.flux", "q7.drive", "q7.flux", "c6_7.flux", "f1.readout", "f1.acquire"),
    }
    circuit = part.circuit()
    circuit.cz(6, 7)
    setup, compiled = part.compile(circuit)
    assert len(setup.ports) == 7
    assert compiled.program.setup_hash == setup.hash


def test_the_program_of_a_part_is_that_of_the_whole(bench):
    part = seen(bench, "q6", "q7")
    programs: list[Any] = []
    for each in (bench, part):
        circuit = each.circuit()
        circuit.sx(6)
        circuit.cz(6, 7)
        programs.append(each.compile(circuit)[1].program)
    for name in ("start_ticks", "length_ticks", "gain"):
        assert programs[0].events[name].tolist() == programs[1].events[name].tolist()
    assert programs[0].envelope_samples.tolist() == programs[1].envelope_samples.tolist()


def test_what_rests_away_from_zero_stays_and_is_silent(bench):
    biased = bench.changed({("qubits", "q0", "flux"): {"idle": 0.1}, ("edges", "q3-q4", "coupler", "idle_bias"): 0.2})
    part = seen(biased, "q6", "q7")
    assert set(part.document.qubits) == {"q0", "q3", "q4", "q6", "q7"}
    assert part.calibration.live_qubits == (6, 7)
    idle = {port.name: port.idle for port in part.compile(part.circuit())[0].ports}
    assert (idle["q0.flux"], idle["c3_4.flux"], idle["q6.flux"]) == (0.1, 0.2, 0.0)


def test_ports_that_share_crosstalk_stay(bench):
    matrix: dict[str, Any] = {"ports": ["q0.flux", "q6.flux"], "matrix": [[1.0, 0.01], [0.02, 1.0]]}
    part = seen(bench.changed({("crosstalk",): {"flux": matrix}}), "q6", "q7")
    assert {"q0.flux", "q6.flux"} <= set(part.wiring.ports)


def test_what_a_step_finds_goes_into_the_whole_document(bench):
    values = bench.apart(["q6", "q7"], lambda part: part.changed({("qubits", "q6", "t1"): part.measured(5e-5)}))
    assert set(values) == {("qubits", "q6"), ("qubits", "q7"), ("edges", "q6-q7")}
    changed = bench.changed(values)
    assert changed.document.qubits["q6"].t1.value == 5e-5
    assert [name for name, qubit in changed.document.qubits.items() if qubit != bench.document.qubits[name]] == ["q6"]
