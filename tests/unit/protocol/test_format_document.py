"""FORMAT.md's own codec, executed and compared with the production codec."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import qctrl.protocol
from qctrl.protocol import BLOCK, CAPTURE, DISCRIMINATOR, EVENT, Patch, Program, flow
from tests.reference.flow import COMPUTE
from tests.unit.protocol.test_protocol_artefacts import results, run, setup
from tests.unit.protocol.test_protocol_programs import program

TEXT = (Path(qctrl.protocol.__file__).parent / "FORMAT.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def codec() -> dict[str, Any]:
    names: dict[str, Any] = {}
    for block in re.findall(r"```python\n(.*?)```", TEXT, flags=re.DOTALL):
        exec(compile(block, "FORMAT.md", "exec"), names)  # the page's own code is what is under test
    return names


def test_the_page_packs_and_unpacks_what_the_product_does(codec: dict[str, Any]) -> None:
    patch = Patch(program().hash, np.zeros((3, 4), np.uint32))
    for artefact in (setup(), program(), patch, run(), results()):
        data = artefact.to_bytes()
        kind, sections = codec["unpack"](data)
        assert codec["pack"](kind, list(sections.items())) == data
        if hasattr(artefact, "hash"):
            assert codec["identity"](data) == artefact.hash


def test_the_page_refuses_damage(codec: dict[str, Any]) -> None:
    data = bytearray(program().to_bytes())
    data[-1] ^= 1
    with pytest.raises(ValueError, match="damaged"):
        codec["unpack"](bytes(data))


def test_the_hex_example_is_what_the_product_writes() -> None:
    (block,) = re.findall(r"```hex\n(.*?)```", TEXT, flags=re.DOTALL)
    assert bytes.fromhex(block) == Patch(bytes(32), np.zeros((1, 1), np.uint32)).to_bytes()


def test_the_page_plays_a_block(codec: dict[str, Any]) -> None:
    events = np.zeros(1, EVENT)
    events["length_ticks"], events["gain"], events["phase"] = 4, 2**29, 2**30
    events["start_ticks"], events["phase_row"] = 3, 1
    plain = program(
        events=events,
        blocks=np.array([(0, 1, 20)], BLOCK),
        flow=flow.straight_line(),
        captures=np.zeros(0, CAPTURE),
        discriminators=np.zeros(0, DISCRIMINATOR),
        envelope_samples=np.tile(np.array([32767, 0], "<i2"), (4, 1)),
    )
    plain.verify()
    words = np.array([0, 2**30, 0, 0], np.uint32)
    x = codec["plays_of_block_0"](Program.from_bytes(plain.to_bytes()).to_bytes(), 0, words)
    assert np.allclose(x[3:7], -0.5, atol=1e-9)
    assert not x[:3].any()
    assert not x[7:].any()


def test_the_page_counts_bits(codec: dict[str, Any]) -> None:
    assert codec["counts"](results().to_bytes(), 0) == 2


@pytest.mark.parametrize(("a", "b", "width"), [(200, 7, 8), (7, 200, 8), (3, 3, 64), (2**64 - 1, 0, 64), (1, 64, 64)])
def test_the_page_computes_as_the_interpreter_does(codec: dict[str, Any], a: int, b: int, width: int) -> None:
    for op, reference in COMPUTE.items():
        assert codec["compute"](op, a, b, width) == reference(a, b) % 2**width


def test_the_page_names_every_instruction() -> None:
    for op in flow.FlowOp:
        assert re.search(rf"\b{op.name.lower()}\b", TEXT)
