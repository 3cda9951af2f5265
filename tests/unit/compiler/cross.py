"""The small device with cross-resonance, coupler and fractional gates both ways; no two tones equally long."""

from functools import cache

from qctrl.calibration import Calibration, loads
from qctrl.protocol import Setup
from tests.unit.compiler import trio

PI = "3.141592653589793"
HALF = "1.5707963267948966"
TONE = "shape: flat_top_gaussian, rise: 1.6e-8"
EDGES = f"""\
edges:
  q0-q1:
    coupler: {{port: c01.flux, idle_bias: 0.1}}
    gates:
      cz:
        kind: coupler_cz
        actuate: c01.flux
        waveform: {{shape: flat_top_cosine, duration: 4.0e-8, rise: 8.0e-9, amp: 0.19}}
        virtual_z: {{q0: 0.4, q1: 0.9}}
      ecr:
        kind: cr
        control: q1
        target: q0
        waveform: {{{TONE}, duration: 8.0e-8, amp: 0.412, phase: 1.871}}
        cancel: {{amp: 0.031, phase: -0.62}}
        rotary: {{amp: 0.05}}
        virtual_z: {{q0: -0.221, q1: 0.13}}
      rzz:
        kind: cr
        symmetric: true
        control: q0
        target: q1
        waveform: {{{TONE}, duration: 7.2e-8, amp: 0.35, phase: -0.4}}
        cancel: {{amp: 0.02, phase: 2.5}}
        angle_bounds: [-{HALF}, {HALF}]
        virtual_z: {{q0: 0.31}}
  q1-q2:
    gates:
      ecr:
        kind: cr
        control: q1
        target: q2
        echo: false
        waveform: {{{TONE}, duration: 1.2e-7, amp: 0.3}}
        padding: {{before: 4.0e-9, after: 8.0e-9}}
        virtual_z: {{q1: 0.7}}
      rzz:
        kind: cr
        control: q2
        target: q1
        waveform: {{{TONE}, duration: 6.4e-8, amp: 0.5, phase: 0.2}}
        angle_bounds: [0.0, {HALF}]
        virtual_z: {{q1: -0.25, q2: 0.1}}
      rzx:
        kind: cr
        control: q1
        target: q2
        waveform: {{{TONE}, duration: 9.6e-8, amp: -0.45}}
        rotary: {{amp: 0.1, phase: 0.3}}
        angle_bounds: [-{HALF}, {PI}]
        virtual_z: {{q2: 0.4}}
      cx:
        kind: cr
        control: q2
        target: q1
        waveform: {{{TONE}, duration: 1.04e-7, amp: 0.25, phase: 3.0}}
        virtual_z: {{q1: 0.5, q2: -0.6}}
"""
RX = f"""\
      rx:
        kind: fractional
        angle_bounds: [-{PI}, {PI}]
        waveform: {{shape: drag, duration: 3.2e-8, sigma: 7.0e-9, amp: 0.2, beta: 3.0e-10, phase: 0.5}}
"""
X = "      x: {kind: pulse, waveform: {shape: gaussian, duration: 2.4e-8, sigma: 5.0e-9, amp: 0.2}}\n"
TEXT = trio.TEXT.read_text().split("edges:\n")[0].replace("name: trio", "name: cross")
for frequency in ("7.01e9", "7.15e9"):
    TEXT = TEXT.replace(
        f"    readout:\n      frequency: {frequency}", f"{RX}    readout:\n      frequency: {frequency}"
    )
TEXT = TEXT.replace("    readout:\n      frequency: 7.2e9", f"{X}{RX}    readout:\n      frequency: 7.2e9") + EDGES


@cache
def calibration() -> Calibration:
    return loads(TEXT)


def edited(*changes: tuple[str, str]) -> Calibration:
    """Return the device with the first occurrence of pieces of its text replaced."""
    text = TEXT
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new, 1)
    return loads(text, "f.yaml")


@cache
def setup() -> Setup:
    return trio.setup(calibration())
