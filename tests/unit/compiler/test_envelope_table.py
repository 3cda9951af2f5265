"""Plateaus take one sample, and play as if they were stored whole."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from qiskit import QuantumCircuit
from qiskit.circuit import Gate, Parameter

from qctrl.compiler import compile_circuit, envelope_table, make_gate
from qctrl.compiler.envelope_table import MIN_HOLD, fold_plateau
from qctrl.protocol.envelope_memory import ENVELOPE, played
from qctrl.pulse import constant, delay, flat_top_cosine, play, square
from tests.reference import player as reference
from tests.unit.compiler import trio

CALIBRATION, SETUP = trio.calibration(), trio.setup()
RUNS = st.lists(st.tuples(st.integers(-2, 2), st.integers(0, 1), st.integers(1, 3 * MIN_HOLD)), min_size=1, max_size=6)


@given(RUNS)
def test_a_folded_envelope_plays_every_sample(runs):
    words = np.repeat(np.array([run[:2] for run in runs], np.int16), [run[2] for run in runs], axis=0)
    kept, hold_at, hold = fold_plateau(words)
    assert np.array_equal(played(np.array((0, len(kept), hold_at, hold), ENVELOPE)[()], kept), words)
    assert len(kept) + hold == len(words)
    longest = max(len(list(run)) for run in np.split(words, np.flatnonzero(np.any(np.diff(words, axis=0), axis=1)) + 1))
    assert hold == (longest - 1 if longest > MIN_HOLD else 0)


def test_a_plateau_that_saves_little_is_stored():
    flat = np.ones((MIN_HOLD + 1, 2), np.int16)
    assert fold_plateau(flat)[1:] == (0, MIN_HOLD)
    assert fold_plateau(flat[1:])[1:] == (0, 0)


@pytest.fixture
def unfolded(monkeypatch):
    """Let the compiler store every sample."""

    def switch():
        monkeypatch.setattr(envelope_table, "MIN_HOLD", 10**9)
        envelope_table._sampled.cache_clear()

    yield switch
    envelope_table._sampled.cache_clear()


def bell():
    made = QuantumCircuit(2, 2)
    made.sx(0)
    made.cz(0, 1)
    made.measure([0, 1], [0, 1])
    return made


def test_all_ports_play_the_same_samples_with_and_without_holds(unfolded):
    short = compile_circuit(bell(), CALIBRATION, trio.setup())
    unfolded()
    whole = compile_circuit(bell(), CALIBRATION, trio.setup())
    assert whole.program.envelopes["hold"].max() == 0
    assert len(short.program.envelope_samples) < len(whole.program.envelope_samples) / 4
    assert np.array_equal(short.program.events, whole.program.events)
    for port in trio.OUTPUTS:
        assert short.samples(port).tobytes() == whole.samples(port).tobytes()
    x = reference.baseband(short.program, short.setup, [0], [(0, 0)])
    for port, codes in zip(short.setup.ports, reference.dac(short.setup, x), strict=True):
        if port.kind != "acquire":
            assert np.allclose(short.samples(port.name), codes, atol=2**-15, rtol=0)


def plateau(duration_s, amplitude):
    a = Parameter("a")
    shapes = [flat_top_cosine(duration_s, a, 8e-9), square(duration_s, 0.5), constant(duration_s, 0.25)]
    steps = [each for shape in shapes for each in (play("q0.flux", shape), delay("q0.flux", 20e-9))]
    gate = make_gate("park", (0,), [a], lambda a: steps)
    made = QuantumCircuit(1)
    made.append(Gate("park", 1, [amplitude]), [0])
    return compile_circuit(made, CALIBRATION, SETUP, {("park", (0,)): gate})


def test_a_long_flux_plateau_takes_its_edges_only():
    for amplitude, values in ((0.5, None), (Parameter("open"), [0.5])):
        program = plateau(100e-6, amplitude)
        (use,) = program.resources().ports
        assert (use.plays, use.envelope_samples) == (3, 8 + 1 + 8 + 1)
        samples = program.samples("q0.flux", values)
        assert np.count_nonzero(np.abs(samples - 0.5) < 2**-15) == 2 * 100_000 - 16
        assert np.count_nonzero(samples) == 300_000


def test_plateaus_with_equal_edges_share_their_samples():
    program = plateau(1e-6, 0.5).program
    assert program.envelopes["offset"].tolist() == [0, 17]  # the square and the constant are one
    assert len(program.envelope_samples) == 18
