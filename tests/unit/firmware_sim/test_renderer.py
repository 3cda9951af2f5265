import numpy as np

from firmware_sim import renderer as module
from firmware_sim.renderer import Renderer
from tests.unit.firmware_sim import toys


def loudest(rendered) -> float:
    return float(np.abs(rendered.lines[toys.DRIVE]).max())


def test_what_was_played_before_is_at_hand():
    program = toys.excited()
    renderer = Renderer(program, toys.setup())
    first = renderer.play(0, 0, renderer.begin())
    again = renderer.play(0, 0, renderer.begin())
    later = renderer.play(0, 10, renderer.begin())
    assert again is first
    assert later is not first
    assert [capture.first_tick for capture in later.captures] == [10 + toys.PULSE_TICKS]


def test_other_words_are_played_anew():
    renderer = Renderer(toys.rabi(), toys.setup())
    found = []
    for words in toys.rabi_patch([0.25, 0.25, 0.5]).words:
        renderer.bind(words)
        found.append(renderer.play(0, 0, renderer.begin()))
    assert found[1] is found[0]
    assert np.allclose([loudest(each) for each in found], [0.25, 0.25, 0.5], atol=0.003)


def test_the_memory_is_bounded(monkeypatch):
    monkeypatch.setattr(module, "_MEMORY_BYTES", 1)
    renderer = Renderer(toys.excited(), toys.setup())
    first, other = (renderer.play(0, tick, renderer.begin()) for tick in (0, 10))
    assert renderer.play(0, 10, renderer.begin()) is other
    assert renderer.play(0, 0, renderer.begin()) is not first


def test_silence_has_no_captures_and_moves_the_memories_on():
    renderer = Renderer(toys.excited(), toys.setup())
    silent = renderer.silence(20, 0, renderer.begin())
    assert loudest(silent) == 0
    assert silent.captures == ()
    assert silent.plays is not None
    assert silent.plays.by_port == {}
    assert renderer.silence(20, 0, renderer.begin()) is silent
    assert silent.after.content == renderer.begin().content
