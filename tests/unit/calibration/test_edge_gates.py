"""Gates of all kinds are refused with their line and the way out where they do not fit their name or place."""

import pytest

from qctrl.calibration import loads
from qctrl.errors import CalibrationError
from tests.unit.compiler import cross

RZZ_BOUNDS = "        angle_bounds: [-1.5707963267948966, 1.5707963267948966]\n"
CZ_WAVEFORM = "shape: flat_top_cosine, duration: 4.0e-8, rise: 8.0e-9, amp: 0.19"
SX_Q0 = "      sx: {kind: pulse, waveform: {shape: drag, duration: 2.4e-8, sigma: 5.0e-9, amp: 0.11, beta: 4.1e-10}}\n"
X_Q1 = "      x: {kind: compose, of: [sx, sx]}\n"
RX = "      rx:\n        kind: fractional\n"


def refusal(*changes):
    with pytest.raises(CalibrationError) as caught:
        cross.edited(*changes)
    return str(caught.value)


@pytest.mark.parametrize(
    ("old", "new", "line_has", "expected"),
    [
        ("control: q1", "control: q7", "control: q7", "control: qubit q7 is not of this edge; use q0 or q1"),
        ("target: q0", "target: q2", "target: q2", "target: qubit q2 is not of this edge; use q0 or q1"),
        ("target: q0", "target: q1", "target: q1", "target: control and target are both q1; name two qubits"),
        ("{q0: -0.221", "{q2: -0.221", "q2: -0.221", "virtual_z.q2: qubit q2 is not of this edge; use q0 or q1"),
        (
            "kind: cr\n",
            "kind: cr\n        symmetric: true\n",
            "symmetric: true",
            "symmetric: ecr is another gate on the reversed pair; set symmetric: false",
        ),
        (
            "kind: cr\n",
            "kind: cr\n        angle_bounds: [0, 1]\n",
            "angle_bounds: [0, 1]",
            "angle_bounds: ecr has no angle; remove it",
        ),
        (RZZ_BOUNDS, "", "kind: cr", "gates.rzz: rzz has no angle_bounds; add angle_bounds: [low, high] in rad"),
        (
            RZZ_BOUNDS,
            "        angle_bounds: [0.1, 1.5]\n",
            "angle_bounds: [0.1, 1.5]",
            "bounds [0.1, 1.5] do not hold 0 and more; write the lowest, then the highest angle",
        ),
        (
            RZZ_BOUNDS,
            "        angle_bounds: [1, -1]\n",
            "angle_bounds: [1, -1]",
            "bounds [1, -1] do not hold 0 and more",
        ),
        (RZZ_BOUNDS, "        angle_bounds: [0.0]\n", "angle_bounds: [0.0]", "rzz.angle_bounds"),
        (
            RZZ_BOUNDS,
            "        angle_bounds: [-4.9, 0]\n",
            "angle_bounds: [-4.9, 0]",
            "an angle of 4.9 rad needs an amp of 1.0918, the limit is 1; stay within 4.48799 rad",
        ),
        (
            "rotary: {amp: 0.05}",
            "rotary: {amp: 0.99, phase: -0.62}",
            "cancel:",
            "cancel: cancel and rotary together reach an amp of 1.021, the limit is 1; lower one",
        ),
        ("rotary: {amp: 0.05}", "rotary: {amp: 1.5}", "rotary:", "rotary.amp: value 1.5 is outside [-1, 1]"),
        ("rotary: {amp: 0.05}", "rotory: {amp: 0.05}", "rotory:", "unknown key; did you mean 'rotary'?"),
        ("        control: q1\n", "", "kind: cr", "key 'control' is missing; add it"),
        ("duration: 8.0e-8", "duration: 8.05e-8", "8.05e-8", "is 80.5 ticks of 1e-09 s"),
        (
            "      ecr:\n        kind: cr",
            "      iswap:\n        kind: cr",
            "iswap:",
            "value 'iswap' is not one of 'cz', 'ecr'",
        ),
        (
            "kind: coupler_cz",
            "kind: flux",
            "kind: flux",
            "kind 'flux' is not supported; supported: flux_cz, coupler_cz, cr",
        ),
        (
            "actuate: c01.flux",
            "actuate: q0.flux",
            "actuate: q0.flux",
            "actuate: port q0.flux is not that of the edge's coupler; use c01.flux",
        ),
        (
            "    coupler: {port: c01.flux, idle_bias: 0.1}\n    gates:\n      cz:\n        kind: coupler_cz",
            "    gates:\n      cz:\n        kind: coupler_cz",
            "kind: coupler_cz",
            "kind: edge has no coupler; add coupler: {port: ...}",
        ),
        (
            "        virtual_z: {q0: 0.4",
            f"        coupler_waveform: {{{CZ_WAVEFORM}}}\n        virtual_z: {{q0: 0.4",
            "coupler_waveform:",
            "coupler_waveform: the coupler plays waveform; remove it",
        ),
        (CZ_WAVEFORM, f"{CZ_WAVEFORM}, detuning: 1.0e6", "detuning: 1.0e6", "a flux port is real and carries no DRAG"),
        (RX, RX.replace("fractional", "pulse"), "angle_bounds:", "unknown key"),
        (
            "angle_bounds: [-3.141592653589793, 3.141592653589793]",
            "angle_bounds: [-3.141592653589793, 20]",
            "angle_bounds: [-3.141592653589793, 20]",
            "an angle of 20 rad needs an amp of 1.27324, the limit is 1; stay within 15.708 rad",
        ),
    ],
)
def test_a_gate_that_does_not_fit_is_refused_with_its_line_and_a_remedy(old, new, line_has, expected):
    message = refusal((old, new))
    text = cross.TEXT.replace(old, new, 1).splitlines()
    assert expected in message
    place, line, _ = message.split(":", 2)
    assert place == "f.yaml"
    assert line_has in text[int(line) - 1], (line, message)
    assert ";" in message


@pytest.mark.parametrize(
    ("name", "kind", "supported"),
    [("ecr", "flux_cz", "cr"), ("rzz", "coupler_cz", "cr"), ("cz", "cr", "flux_cz, coupler_cz")],
)
def test_a_gate_of_a_kind_that_its_name_cannot_have_is_refused(name, kind, supported):
    edge = cross.TEXT[cross.TEXT.index("  q0-q1:") :]
    flux = edge[edge.index("        kind: coupler_cz") : edge.index("      ecr:")]
    cr = edge[edge.index("        kind: cr") : edge.index("      rzz:")]
    body = cr if kind == "cr" else flux.replace("coupler_cz", kind)
    head = cross.TEXT[: cross.TEXT.index("      cz:\n        kind: coupler_cz")]
    with pytest.raises(
        CalibrationError, match=rf"gates\.{name}\.kind: gate {name} cannot be of kind {kind}; supported: {supported}$"
    ):
        loads(f"{head}      {name}:\n{body}")


def test_a_cross_resonance_gate_needs_the_gates_that_it_plays_of_its_qubits():
    first_edge = cross.TEXT[: cross.TEXT.index("  q1-q2:")]
    assert X_Q1 in first_edge
    assert SX_Q0 in first_edge
    with pytest.raises(CalibrationError, match=r"gates\.ecr\.control: ecr flips q1, which has no gate x; add x to its"):
        loads(first_edge.replace(X_Q1, "", 1))
    reversed_rzz = first_edge.replace("control: q0\n        target: q1", "control: q1\n        target: q0")
    loads(reversed_rzz)
    with pytest.raises(
        CalibrationError, match=r"gates\.rzz\.target: rzz turns q0, which has no gate sx; add sx to its"
    ):
        loads(reversed_rzz.replace(SX_Q0, "", 1))


def test_tones_beside_a_scaled_one_must_fit_at_the_largest_angle():
    """The rzx of the device has a rotary tone of 0.1 and goes to twice the angle of the file."""
    cross.edited(("rotary: {amp: 0.1,", "rotary: {amp: 0.5,"))
    assert "together reach an amp of 1.02, the limit is 1; lower one" in refusal(
        ("rotary: {amp: 0.1,", "rotary: {amp: 0.51,")
    )


def test_rx_and_x_have_kinds_of_their_own():
    waveform = "waveform: {shape: constant, duration: 2.4e-8, amp: 0.1}"
    start = cross.TEXT.index(RX)
    end = cross.TEXT.index("    readout:", start)
    with pytest.raises(CalibrationError, match="gate rx cannot be of kind pulse; supported: fractional"):
        loads(f"{cross.TEXT[:start]}      rx: {{kind: pulse, {waveform}}}\n{cross.TEXT[end:]}")
    message = refusal((X_Q1, f"      x: {{kind: fractional, angle_bounds: [0, 1], {waveform}}}\n"))
    assert "gate x cannot be of kind fractional; supported: pulse, compose" in message


def test_a_composed_gate_is_not_made_of_fractional_ones():
    message = refusal(("of: [sx, sx]", "of: [sx, rx]"))
    assert "of[1]: 'rx' is no pulse gate of this qubit; name sx or x" in message
