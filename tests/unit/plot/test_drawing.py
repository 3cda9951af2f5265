"""Pictures: judged by what they say, not by their pixels."""

import dataclasses
import re
import sys
from xml.etree import ElementTree as ET

import numpy as np
import pytest

from qctrl.errors import CompileError, MissingExtraError, ProtocolError
from qctrl.plot import draw, read
from qctrl.protocol import Patch

from .conftest import DRIVE, GATES, READOUT, make_setup, pack, play, retune, shift

pytest.importorskip("matplotlib")


def texts(figure):
    return [text.get_text() for text in figure.axes[0].texts]


def svg_of(page):
    return ET.fromstring(page[page.index("<svg") : page.index("</svg>") + len("</svg>")])


def tooltips(path):
    svg = svg_of(path.read_text())
    return [title.text for title in svg.iter("{http://www.w3.org/2000/svg}title")]


def test_picture_says_ports_frequencies_gains_phases_and_bits(program, setup):
    said = texts(draw(program, setup))
    for text in ("small", "q0.drive", "f0  5.1000 GHz", "0.5", "∠90°", "→ bit 0", "→ bit 2", "f3  5.0500 GHz"):
        assert text in said
    assert "⋯ 994 ns ⋯" in said
    assert "0.2  ∠90°" in said


def test_without_a_setup_frequencies_are_relative(program):
    assert "f0  +100.00 MHz" in texts(draw(program))


def test_phase_shifts_and_conditions_are_said(branching, setup):
    said = texts(draw(branching, setup))
    for text in ("↻ 180°", "b2", "if bit 0 = 1", "time since the start of the block"):
        assert text in said


def test_every_event_can_be_pointed_at(program, setup, tmp_path):
    path = tmp_path / "small.svg"
    draw(program, setup, file=path)
    told = tooltips(path)
    assert len(told) == read(program, setup).n_events
    assert (
        "play e0 on q0.drive, frame f0\nat 0 ns, for 6 ns\ngain +0.500000, phase 90°\n5.1000 GHz, phase word 0x40000000"
    ) in told
    assert sum("writes bit 2, weighted average" in text for text in told) == 1


def test_page_loads_nothing_and_lists_every_event(program, setup, tmp_path):
    path = tmp_path / "small.html"
    draw(program, setup, file=path)
    page = path.read_text()
    assert not re.findall(r"(?:src|href)\s*=\s*[\"'](?!#)", page)
    assert not re.findall(r"url\((?!#)|@import|fetch\(", page)
    assert page.count("<tr><td>") == len(GATES) + len(READOUT)
    assert "<td>-0.250000</td>" in page
    svg_of(page)


def test_names_are_text_and_nothing_else(program, tmp_path):
    name = "<b>&$x_1$\"'"
    ports = make_setup().ports
    odd = make_setup(device="<script>", ports=(_renamed(ports[0], name), *ports[1:]))
    path = tmp_path / "odd.html"
    said = texts(draw(pack([(1040, GATES + READOUT)], setup=odd), odd, file=path))
    assert name in said
    page = path.read_text()
    assert "<b>" not in page
    assert page.count("<script>") == 1
    assert "&lt;b&gt;&amp;$x_1$" in page


def _renamed(port, name):
    import msgspec

    return msgspec.structs.replace(port, name=name)


def test_same_program_gives_the_same_bytes(program, setup, tmp_path):
    first, second = tmp_path / "a.html", tmp_path / "b.html"
    draw(program, setup, file=first)
    draw(program, setup, file=second)
    assert first.read_bytes() == second.read_bytes()


@pytest.mark.parametrize(("name", "magic"), [("x.png", b"\x89PNG"), ("x.pdf", b"%PDF"), ("X.SVG", b"<svg")])
def test_other_formats_are_written(program, setup, tmp_path, name, magic):
    path = tmp_path / name
    draw(program, setup, file=path)
    assert path.read_bytes().startswith(magic)


def test_open_slots_name_their_rows(setup):
    packed = pack(
        [(40, [play(DRIVE, 0, row_field=1, value_row=2, phase_row=1), shift(DRIVE, 12, 0, phase_row=1)])], n_rows=3
    )
    said = texts(draw(packed, setup))
    assert {"row 2", "∠row 1", "↻ row 1"} <= set(said)


def test_frequency_changes_are_said(setup):
    packed = pack(
        [(40, [play(DRIVE, 0), retune(DRIVE, 20, 2**40), retune(DRIVE, 40, 0, row_field=2, value_row=3)])], n_rows=4
    )
    said = texts(draw(packed, setup))
    assert {"f0  5.1000 GHz, retuned", "→ 5.0039 GHz", "→ row 3"} <= set(said)
    assert "→ +3.91 MHz" in texts(draw(packed))


def test_marks_close_to_each_other_leave_their_words_to_the_tooltips(setup, tmp_path):
    packed = pack([(40, [play(DRIVE, 8)]), (8, [shift(DRIVE, 0, 2**k) for k in range(20, 24)])])
    path = tmp_path / "marks.svg"
    draw(packed, setup, file=path)
    assert sum("phase change" in text for text in tooltips(path)) == 4


def test_many_blocks_fit_the_page(setup):
    packed = pack([(40, [play(DRIVE, 0)])] * 60)
    figure = draw(packed, setup)
    assert figure.get_size_inches()[0] < 100
    assert texts(figure).count("b0") == 1


def test_labels_that_have_no_room_are_left_to_the_tooltips(setup, tmp_path):
    packed = pack([(40 * 400, [play(DRIVE, 8 * k) for k in range(1000)])])
    path = tmp_path / "many.svg"
    said = texts(draw(packed, setup, file=path))
    assert said.count("0.5") == 1  # the scale
    assert len(tooltips(path)) == 1000


def test_a_phase_that_has_no_room_is_hinted_at(setup):
    packed = pack([(800, [play(DRIVE, 8 * k, phase=2**30, phase_row=1) for k in range(100)])], n_rows=2)
    said = texts(draw(packed, setup))
    assert said.count("∠…") == 100
    assert "∠90° + row 1" not in said


def test_picture_that_would_be_too_large_is_refused(setup):
    packed = pack([(8 * 5001, [play(DRIVE, 8 * k) for k in range(5001)])])
    with pytest.raises(CompileError, match=r"5001 events.*choose ports or a time range"):
        draw(packed, setup)
    assert draw(packed, setup, time_range_s=(0, 50e-9)).axes


def test_program_without_events_is_refused(setup):
    with pytest.raises(CompileError, match="plays and captures nothing"):
        draw(pack([(40, [])]), setup)
    assert "q0.drive" in texts(draw(pack([(40, [])]), setup, ports=["q0.drive"]))


def test_setup_of_another_calibration_is_refused(program):
    with pytest.raises(ProtocolError, match="compile it anew, or draw it without a setup"):
        draw(program, make_setup(shot_grid_ticks=8))


def test_values_must_fit(program, setup):
    with pytest.raises(CompileError, match="give a Patch"):
        draw(program, setup, values=[1.0])
    with pytest.raises(CompileError, match="2 bindings; a picture shows one"):
        draw(program, setup, values=Patch(program.hash, np.zeros((2, 1), dtype=np.uint32)))
    with pytest.raises(ProtocolError, match="another program"):
        draw(program, setup, values=Patch(bytes(32), np.zeros((1, 1), dtype=np.uint32)))


def test_file_that_cannot_be_written_is_refused(program, setup, tmp_path):
    with pytest.raises(CompileError, match=r"written as \.html, \.svg, \.png, \.pdf"):
        draw(program, setup, file=tmp_path / "small.bmp")
    with pytest.raises(CompileError, match="cannot be written"):
        draw(program, setup, file=tmp_path / "none" / "small.html")


def test_missing_matplotlib_names_the_extra(program, setup, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(MissingExtraError, match=r'pip install "qctrl-stack\[plot\]"'):
        draw(program, setup)


def test_events_of_a_schedule_are_counted(program, setup):
    schedule = read(program, setup)
    assert schedule.n_events == 7
    assert dataclasses.replace(schedule, blocks=()).n_events == 0
