"""A truth with any number changed is refused with its place, or gives a device that plays."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from firmware_sim.active_run import ActiveRun
from firmware_sim.board import Loaded
from firmware_sim.rig import EmulatedRig
from qctrl.errors import QctrlError
from qctrl.protocol import Results, Run, SimOptions
from tests.unit.firmware_sim import toys

SOURCE = Path(__file__).parents[2] / "configs" / "truth" / "pair2.yaml"
VALUES = [
    -1.0,
    0.0,
    0.5,
    1e-30,
    1e9,
    1e12,
    1e30,
    1e300,
    -1e9,
    -1e12,
    "soon",
    True,
    None,
    float("nan"),
    float("inf"),
    [],
    {},
]


def leaves(node: Any, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    if isinstance(node, dict):
        return [leaf for key, value in node.items() for leaf in leaves(value, (*path, key))]
    return [path]


PLACES = leaves(YAML(typ="safe").load(SOURCE.read_text()))


def answer(path: Path) -> str:
    """Return why a device was refused, or that it played finite numbers."""
    program, setup = toys.reset(), toys.setup()
    run = Run(uuid.uuid4().hex, 1, "", "", "", 0, 1, 0, 5, 0, "bits+iq", sim=SimOptions(seed=1), iteration_limit=99)
    active = ActiveRun(run, lambda: None)
    loaded = Loaded(setup, setup.hash.hex(), program, program.hash.hex(), None, "")
    try:
        rig = EmulatedRig(path, "pair2")
        rig.check(loaded, run)
        rig.play(loaded, active)
    except QctrlError as error:
        return str(error)
    found = active.take(0)
    assert found is not None
    assert np.all(np.isfinite(Results.from_bytes(found).iq))
    return "played"


@settings(max_examples=40)
@given(place=st.sampled_from(PLACES), value=st.sampled_from(VALUES))
def test_a_truth_with_a_changed_value_is_refused_with_its_place_or_plays(tmp_path_factory, place, value) -> None:
    yaml = YAML()
    document = yaml.load(SOURCE.read_text())
    node = document
    for key in place[:-1]:
        node = node[key]
    node[place[-1]] = value
    path = tmp_path_factory.mktemp("truth") / "truth.yaml"
    with path.open("w") as file:
        yaml.dump(document, file)
    assert len(answer(path)) > 5
