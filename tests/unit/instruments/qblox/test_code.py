"""Writing instructions: durations, waits, registers, and the queue between core and real time."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qctrl.errors import ResourceError, TimingError
from qctrl.instruments.qblox.code import Code, Instruction
from qctrl.instruments.qblox.fifo import check_queue
from qctrl.instruments.qblox.waveforms import WaveformMemory
from qctrl.instruments.qblox.words import frequency_steps, gain_steps, phase_steps, ticks_per_ns
from tests.reference.q1asm import Sequencer, run
from tests.unit.instruments.qblox import toys


def played(code):
    """Times at which a program's plays begin."""
    found = Sequencer(code.text() + "stop\n", Fraction(0), lambda index: 1, lambda indices: 1)
    run([found], [lambda index: 0])
    return [event.time for event in found.events], found.time


@given(
    st.lists(
        st.one_of(st.integers(4, 200), st.integers(65_500, 65_600), st.integers(200_000, 2_000_000)),
        min_size=1,
        max_size=8,
    )
)
def test_instructions_begin_when_they_were_asked_to(gaps):
    code, now, wanted = Code("it"), 0, []
    for gap in gaps:
        code.realtime(now, "play", 0, 0)
        wanted.append(now)
        now += gap
    code.complete(now)
    assert played(code) == (wanted, now)
    assert code.length == len(code.text().splitlines())


def test_what_is_too_close_is_refused():
    code = Code("slot 2 sequencer 1")
    code.realtime(0, "play", 0, 0)
    with pytest.raises(TimingError, match="Qblox slot 2 sequencer 1: two events lie 3 ns apart at 0 ns"):
        code.realtime(3, "play", 0, 0)


def test_a_register_is_not_read_right_after_it_was_written():
    code = Code("it")
    code.classical("move", 1, "R0")
    code.realtime(0, "acquire", 0, "R0")
    code.complete(4)
    assert [line.name for line in code.instructions] == ["move", "nop", "acquire"]


def test_there_are_64_registers():
    code = Code("it")
    names = [code.take_register() for _ in range(64)]
    assert len(set(names)) == 64
    with pytest.raises(ResourceError, match="memory registers: needs more than 64"):
        code.take_register()
    code.give_register(names[5])
    assert code.take_register() == names[5]


def loop_of(*body, count=1000):
    lines = [Instruction("wait_sync", (4,)), Instruction("wait", (1000,)), Instruction("move", (count, "R0"))]
    body[0].label = "a"
    return [*lines, *body, Instruction("loop", ("R0", "@a")), Instruction("stop")]


def test_a_queue_that_runs_dry_is_refused_and_one_that_fills_is_not():
    def pulse(length):
        return [Instruction("set_ph", (1,)), Instruction("play", (0, 0, length))]

    check_queue("it", loop_of(*pulse(100)))
    check_queue("it", loop_of(*pulse(16), count=5))
    with pytest.raises(ResourceError, match="memory real-time queue: instruction"):
        check_queue("it", loop_of(*pulse(16)))


def test_words_round_to_the_nearest_step():
    assert [gain_steps(word) for word in (2**30, -(2**30), 2**15, 3 * 2**14 + 1, 0)] == [32767, -32768, 1, 2, 0]
    assert frequency_steps(toys.hz(100e6), 1, "it") == 400_000_000
    assert phase_steps(2**47, 0) == 500_000_000
    assert phase_steps(0, 4 * 250_000_000) == 750_000_000
    with pytest.raises(ResourceError, match=r"Qblox it, capability NCO: 6e\+08 Hz is beyond"):
        frequency_steps(toys.hz(300e6), 2, "it")


def test_a_tick_is_a_whole_part_of_a_nanosecond():
    assert ticks_per_ns(toys.setup()) == 1
    with pytest.raises(TimingError, match="capability clock"):
        ticks_per_ns(type(toys.setup())("toy", 1, 3 * 10**8, 10, 400, "", toys.setup().ports))


def test_equal_waveforms_are_stored_once():
    memory = WaveformMemory("it", "waveforms", 10, 2)
    line = np.array([0, 32767, -32767], dtype=np.int16)
    assert [memory.index(line), memory.index(line + 0), memory.index(line[:2])] == [0, 0, 1]
    assert memory.stored()["w0"] == {"data": [0.0, 1.0, -1.0], "index": 0}
    with pytest.raises(ResourceError, match="memory waveforms: needs more than 2"):
        memory.index(line[:1])
    with pytest.raises(ResourceError, match="memory waveforms: needs 15 samples, has 10"):
        memory.index(np.zeros(10, dtype=np.int16))
