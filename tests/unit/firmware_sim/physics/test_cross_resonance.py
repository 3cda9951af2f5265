"""A cross-resonance tone among driven spectators, against the exact dynamics of all four qutrits."""

from __future__ import annotations

import numpy as np
import pytest

from firmware_sim.config import Truth
from firmware_sim.physics.evolution import Part
from firmware_sim.physics.propagators import unitary

STAR = ("q0", "q1", "q2", "q3")


@pytest.fixture(scope="module")
def star(heavyhex7):
    """A hub, q1, and its three neighbours."""
    document = heavyhex7.model_dump(by_alias=True)
    for part in ("qubits", "resonators"):
        document[part] = {name: document[part][name] for name in STAR}
    document["edges"] = {k: v for k, v in document["edges"].items() if set(k.split("-")) <= set(STAR)}
    return Truth.model_validate(document)


def pulses(rig, lines, names, start, envelope, angle):
    for name in names:
        rig.drive(lines, name, start, rig.pi_amplitude(name, envelope, angle) * envelope)


def tone(rig, lines, start, envelope):
    """On q0, at the frequency of q1."""
    qubits = rig.truth.qubits
    rig.drive(lines, "q0", start, envelope, detuning_hz=qubits["q1"].frequency - qubits["q0"].frequency)


@pytest.mark.parametrize("kind", ["idle", "pulses", "tone", "tone and pulses"])
def test_a_driven_star_agrees_with_its_exact_dynamics(bench, star, shapes, kind):
    gauss, top = shapes
    rig = bench(star)
    lines = rig.lines(240)
    pulses(rig, lines, STAR, 0, gauss(32, 8.0), np.pi / 2)
    if "tone" in kind:
        tone(rig, lines, 32, 0.35 * top(208, 20))
    if "pulses" in kind:
        pulses(rig, lines, ("q2", "q3") if "tone" in kind else STAR, 60, gauss(32, 8.0), np.pi)
    found = rig.engine.play(rig.begin(), lines, 0)[0].state.data
    exact = unitary(rig.engine._chain.controls(lines, 0, (0, 240), [0, 1, 2, 3]), 3)[:, 0]
    infidelity = 1 - abs(np.vdot(exact, found)) ** 2
    estimate = rig.engine.statistics()["neglected_infidelity"]
    print(f"{kind}: infidelity {infidelity:.2g}, estimate {estimate:.2g}")
    assert infidelity < 3e-5
    assert infidelity / 2 < estimate < 4 * infidelity
    assert rig.engine.statistics()["approximation"] == "edge ratios"


def test_a_tone_joins_control_and_target_and_a_pi_pulse_joins_nobody(bench, star, shapes):
    rig = bench(star)
    lines = rig.lines(300)
    tone(rig, lines, 0, 0.35 * shapes[1](208, 20))
    pulses(rig, lines, STAR, 240, shapes[0](32, 8.0), np.pi)
    planner = rig.engine._planner
    assert planner.blocks(Part(lines, 0, (0, 208)), (0, 1, 2, 3)) == [(0, 1), (2,), (3,)]
    assert planner.blocks(Part(lines, 0, (240, 272)), (0, 1, 2, 3)) == [(0,), (1,), (2,), (3,)]
