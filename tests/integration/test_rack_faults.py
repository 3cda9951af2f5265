"""Faults of a rack of boxes, each through jobs of the real service and its store.

Whatever happens, the job ends within its deadline with an error that says what it was, outputs are safe, every job is
found again as it ended, bit for bit and ended once, and the next job works.
"""

from __future__ import annotations

import dataclasses
import itertools
import time
from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np
import pytest
from qiskit import QuantumCircuit

from qctrl.errors import (
    CompileError,
    ConfigError,
    InstrumentError,
    InstrumentFault,
    InstrumentTimeoutError,
    ProtocolError,
    ResourceError,
    TimingError,
)
from qctrl.instruments import open_boxes
from qctrl.instruments.scpi import Session
from qctrl.instruments.scpi.tektronix_awg import TektronixAwg
from qctrl.protocol import EventOp, Mixer
from qctrl.pulse import constant, play
from tests.integration.rack_bench import RackBench
from tests.integration.rack_lab import DEADLINE_S, Lab, Ledger

pytest.importorskip("pyvisa_py")

TIMEOUT_S = 1.0
SLACK_S = 1.0


@pytest.fixture(scope="module")
def bench(home):
    found = RackBench(home)
    yield found
    found.close()


@pytest.fixture(scope="module")
def lab(bench):
    """A lab after its first job, whose emulator may have had to compile; deadlines are short from then on."""
    earlier = Lab(bench.path, Ledger())
    earlier.submit().result()
    earlier.close()
    earlier.ledger.take()
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(Session.__init__.__kwdefaults__, "timeout_s", TIMEOUT_S)
        patch.setitem(open_boxes.__kwdefaults__, "run_slack_s", SLACK_S)
        found = Lab(bench.path, earlier.ledger)
        found.assert_works()
        yield found
        found.close()
    bench.assert_safe()
    assert found.ledger.take() == []


def inject(name, *faults):
    """Let a box fail: pairs of a fault and its value, in order."""

    def strike(bench, _patch):
        for fault, value in faults:
            bench.inject(name, fault, value)

    return strike


def exchange(bench, _patch):
    """Put another instrument at the address of a box."""
    bench.inject("awg2", "identity", "TEKTRONIX,AWG5208,B999999,1")
    bench.emulated.wires["awg2"].drop_all()


def less_memory(bench, patch):
    real = TektronixAwg.configure
    bench.emulated.wires["awg1"].drop_all()  # so that it is configured again
    patch.setattr(TektronixAwg, "configure", lambda *asked: dataclasses.replace(real(*asked), max_samples=3000))


def nothing(_bench, _patch):
    """Leave the rack as it is: the fault is in what is asked of it."""


def not_a_number(lab):
    backend = lab.backend.with_gate("bad", [0], [], lambda: [play("q0.drive", constant(24e-9, float("nan")))])
    circuit = QuantumCircuit(1, 1)
    circuit.append(backend.target.operation_from_name("bad"), [0])
    circuit.measure(0, 0)
    return lab.submit(circuit, backend)


def too_long(lab):
    circuit = QuantumCircuit(2, 1)
    with circuit.box(duration=40, unit="ns"):
        circuit.sx(0)
        circuit.sx(0)
    circuit.measure(0, 0)
    # Only a rack with control flow has boxes.
    device = dataclasses.replace(lab.backend.device, has_branches=True)
    return lab.submit(circuit, lab.backend.viewing(device))


def overlapping(lab):
    def change(program):
        events = program.events.copy()
        plays = np.flatnonzero(events["op"] == EventOp.PLAY)
        first, second = next(pair for pair in itertools.pairwise(plays) if np.ptp(events["frame"][list(pair)]) == 0)
        events["start_ticks"][second] = events["start_ticks"][first] + 4
        return msgspec.structs.replace(program, events=events)

    return lab.submit_program(change)


def on_port(name, **changes):
    """Ask for a Setup whose port of this name is another."""
    return lambda lab: lab.submit_for(
        lambda port: msgspec.structs.replace(port, **changes) if port.name == name else port
    )


@dataclasses.dataclass(frozen=True, slots=True)
class Fault:
    """One fault, and what must come of it."""

    id: str
    error: type[Exception]
    text: str
    strike: Callable[[RackBench, pytest.MonkeyPatch], None] = nothing
    submit: Callable[[Lab], Any] = Lab.submit
    taken: bool = True
    """Whether there is a job; otherwise it is refused at submission."""
    but: str | None = None
    """Box that cannot be told to be safe while the fault lasts."""
    sent: str = "anything"
    """What the boxes may have got: ``anything``; ``safe state`` alone; ``nothing``."""


def of_box(name, fault, value, error, text, **others):
    return Fault(f"{name}-{fault}-{value}", error, text, inject(name, (fault, value)), **others)


FAULTS = [
    # No number, in a pulse and in the Setup; samples themselves are integers.
    Fault(
        "nan-pulse", CompileError, "nan; give a finite real number", submit=not_a_number, taken=False, sent="nothing"
    ),
    Fault(
        "nan-mixer",
        ProtocolError,
        "finite",
        submit=on_port("q1.drive", mixer=Mixer(offset_i=float("nan"))),
        sent="safe state",
    ),
    # Amplitude beyond full scale after mixing; a shot beyond the memory.
    Fault(
        "overdriven",
        ResourceError,
        r"q1\.drive.*tick",
        submit=on_port("q1.drive", mixer=Mixer(offset_i=0.9)),
        taken=False,
        sent="nothing",
    ),
    Fault(
        "memory",
        ResourceError,
        "samples of memory, the generator has 16383 and 3000; shorten the circuit",
        less_memory,
    ),
    # A schedule longer than its time, plays that overlap on a port.
    Fault("too-long", TimingError, "box", submit=too_long, taken=False, sent="nothing"),
    Fault("overlap", ProtocolError, "overlap on one frame", submit=overlapping, sent="safe state"),
    # Settings beyond a limit.
    Fault(
        "level",
        ResourceError,
        r"bias: level of 0\.59999\d V is beyond its limit of 0\.5 V",
        submit=on_port("q0.flux", idle=0.6),
        sent="safe state",
    ),
    Fault(
        "amplitude",
        ResourceError,
        "amplitude of channel 1 of 8 V peak to peak is beyond its limit of 5 V",
        submit=on_port("q0.drive", full_scale_v=4.0),
        sent="safe state",
    ),
    Fault(
        "carrier",
        ConfigError,
        "its ports need different carriers",
        submit=on_port("q0.drive", lo_hz=4.95e9),
        sent="safe state",
    ),
    # An entry of the error queue, and too many of them.
    of_box("awg1", "push_error", (-222, "Data out of range"), InstrumentFault, "awg1 at .* -222, Data out of range"),
    of_box("lo_readout", "push_error", (-310, "System error"), InstrumentFault, "lo_readout at .* -310, System error"),
    of_box("awg2", "many_errors", 40, InstrumentFault, "awg2 at .* reports -222, Data out .*; -350, Queue overflow"),
    # A reply that comes too late, a peer that stops reading, a connection that is torn off, also within a block.
    of_box("awg2", "delay_s", 1.4, InstrumentTimeoutError, "awg2 at .* was not answered within 1 s"),
    of_box("awg1", "stop_reading_at", 300, InstrumentTimeoutError, "awg1 at .* not answered within 1 s", but="awg1"),
    of_box("awg1", "drop_at", 300, InstrumentError, "awg1 at"),
    Fault("awg1-torn-block", InstrumentError, "awg1 at", inject("awg1", ("power_cycle", True), ("drop_at", 6000))),
    # Another instrument at an address: it gets nothing, not even *RST.
    Fault("awg2-identity", InstrumentError, "serial number B999999 answers, not B010202", exchange, but="awg2"),
    # A run state that hangs, a missing trigger, a loose trigger cable.
    of_box("awg2", "stuck_state", 2, InstrumentError, "awg2 at .* does not wait for its trigger .* run state 2"),
    of_box("awg1", "stuck_state", 1, InstrumentError, "awg1 has not played its 20 shots although all were recorded"),
    of_box("awg2", "misses_triggers", True, InstrumentError, "awg2 has not played its 20 shots .* missed the trigger"),
    of_box("awg1", "loose_marker", True, InstrumentTimeoutError, "digitizer has 0 of 20 records, 1 s after"),
    # No common clock.
    of_box("lo_drive", "reference_locked", False, InstrumentError, "lo_drive is not locked to its reference clock"),
    of_box("awg2", "reference_locked", False, InstrumentError, "awg2 is not locked"),
    # Fewer records, more than there are, blocks of another length, a converter at its end.
    of_box("digitizer", "frames_short", 1, InstrumentTimeoutError, "digitizer has 19 of 20 records"),
    of_box("digitizer", "frames_short", -1, InstrumentError, "has 21 records, not 20; they are never padded and never"),
    of_box("digitizer", "extra_length", 4, InstrumentError, "digitizer at"),
    of_box("digitizer", "corrupts", True, InstrumentError, "channel 1 is overdriven in frame 1, sample 0"),
    # A second server on the same boxes.
    Fault(
        "second-owner",
        InstrumentError,
        r"awg1 at .* is in use by process \d+; end it first, nothing was sent",
        submit=Lab.submit_beside,
        sent="nothing",
    ),
]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.id)
def test_fault_costs_its_own_job_alone(lab, bench, fault, monkeypatch):
    settings, outputs = bench.settings(), bench.outputs()
    fault.strike(bench, monkeypatch)
    began = time.monotonic()
    with pytest.raises(fault.error, match=fault.text) as caught:
        fault.submit(lab).result()
    assert time.monotonic() - began < DEADLINE_S
    assert lab.ledger.take() == ([("ERROR", str(caught.value))] if fault.taken else [])
    if fault.sent == "nothing":
        assert bench.outputs() == outputs
    else:
        bench.assert_safe(but=fault.but)
    if fault.sent != "anything":
        assert bench.settings() == settings
    for name in bench.instruments:
        bench.cure(name)
    monkeypatch.undo()
    lab.assert_works()
