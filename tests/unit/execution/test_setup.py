import re
from fractions import Fraction
from pathlib import Path

import msgspec
import pytest

from qctrl.calibration import load
from qctrl.config import load_wiring
from qctrl.errors import ConfigError
from qctrl.execution.setup import build_setup

ROOT = Path(__file__).parents[3]
CALIBRATION = (ROOT / "calibrations" / "pair2" / "nominal.yaml").read_text()
WIRING = (ROOT / "configs" / "wiring_pair2.yaml").read_text()


@pytest.fixture
def build(tmp_path):
    def make(calibration=CALIBRATION, wiring=WIRING):
        (tmp_path / "c.yaml").write_text(calibration)
        (tmp_path / "w.yaml").write_text(wiring)
        return build_setup(load(tmp_path / "c.yaml"), load_wiring(tmp_path / "w.yaml"))

    return make


def changed(text, old, new):
    assert old in text
    return text.replace(old, new, 1)


def test_setup_has_the_ports_of_the_wiring_and_the_clock_of_the_calibration(build):
    setup = build()
    names = re.findall(r"^  ([a-z0-9]+\.[a-z]+):", WIRING, re.MULTILINE)
    assert [port.name for port in setup.ports] == names
    assert setup.tick_s == Fraction(1, 10**9)
    assert setup.device == "pair2"
    assert (setup.bit_latency_ticks, setup.shot_grid_ticks) == (400, 10)
    assert setup.ports[setup.port_index("q0.drive")].lo_hz == 4.9e9
    assert setup.hash == build().hash


def test_setup_follows_the_calibration(build):
    assert build(changed(CALIBRATION, "amp: 0.18", "amp: 0.19")).calibration_id != build().calibration_id


def test_lines_crosstalk_and_idle_levels_reach_the_ports(build):
    lines = """
ports:
  q0.drive: {mixer: {matrix: [[1.01, 0.02], [0.0, 0.99]], offset_i: 0.001, offset_q: -0.002}}
  q0.flux: {filters: {iir: [{amp: -0.02, tau: 1.2e-7}], fir: [1.0, 0.01]}}
crosstalk:
  flux: {ports: [q0.flux, q1.flux], matrix: [[1.0, 0.02], [0.01, 1.0]]}
"""
    calibration = changed(CALIBRATION, "coupler: {port: c01.flux}", "coupler: {port: c01.flux, idle_bias: 0.25}")
    calibration = changed(calibration, "    frequency: 4.82e9", "    flux: {idle: -0.125}\n    frequency: 4.82e9")
    setup = build(calibration + lines)
    drive, flux, coupler = (setup.ports[setup.port_index(name)] for name in ("q0.drive", "q0.flux", "c01.flux"))
    assert drive.mixer.matrix == (1.01, 0.02, 0.0, 0.99)
    assert (drive.mixer.offset_i, drive.mixer.offset_q) == (0.001, -0.002)
    assert (flux.iir, flux.fir, flux.idle) == (((-0.02, 1.2e-7),), (1.0, 0.01), -0.125)
    assert coupler.idle == 0.25
    (crosstalk,) = setup.crosstalk
    assert crosstalk.real == ((1.0, 0.02), (0.01, 1.0))
    assert crosstalk.imag == ((0.0, 0.0), (0.0, 0.0))


def test_converters_delays_and_granularity_become_ticks(build):
    slower = changed(
        WIRING,
        "q0.flux: {kind: flux, sample_rate: 1.0e9",
        "q0.flux: {kind: flux, sample_rate: 5.0e8, granularity: 4, delay: 2.0e-8",
    )
    port = next(port for port in build(wiring=slower).ports if port.name == "q0.flux")
    assert (port.sample_ticks, port.granularity_ticks, port.delay_ticks) == (2, 8, 20)


def test_clock_off_the_tick_is_refused(build):
    with pytest.raises(ConfigError, match=r"port q0.flux: a sample at 3e\+08 Hz lasts 3.33333 ticks"):
        build(
            wiring=changed(
                WIRING, "q0.flux: {kind: flux, sample_rate: 1.0e9", "q0.flux: {kind: flux, sample_rate: 3.0e8"
            )
        )


def test_lo_without_a_common_period_is_refused(build):
    with pytest.raises(ConfigError, match=r"LO at 4900000001 Hz, all LOs make whole turns only after .* rounder LO"):
        build(wiring=changed(WIRING, "frequency: 4.9e9", "frequency: 4.900000001e9"))


def test_port_that_is_not_wired_is_told_with_its_place(build):
    with pytest.raises(ConfigError, match=r"not wired: c01.flux \(edges.q0-q1.coupler\)"):
        build(wiring=re.sub(r"  c01\.flux:.*\n", "", WIRING))


def test_port_that_may_put_nothing_out_is_left_out(build):
    wiring = changed(WIRING, "c01.flux: {kind: flux,", "c01.flux: {kind: flux, max_amplitude: 0.0,")
    assert "c01.flux" not in [port.name for port in build(wiring=wiring).ports]


def test_carrier_beyond_the_bandwidth_of_its_port_is_refused(build):
    far = r"qubits\.q1\.frequency is \+3e\+08 Hz from the LO of q1\.drive, which carries 2e\+08 Hz; move the LO"
    narrow = changed(
        WIRING,
        "q1.drive: {kind: iq_drive, lo: lo_drive, sample_rate: 1.0e9, full_scale_v: 0.5, bandwidth: 4.5e8",
        "q1.drive: {kind: iq_drive, lo: lo_drive, sample_rate: 1.0e9, full_scale_v: 0.5, bandwidth: 2.0e8",
    )
    with pytest.raises(ConfigError, match=far):
        build(wiring=narrow)
    with pytest.raises(ConfigError, match=r"readout\.frequency is .* LO of f0\.readout.*; .* LO of f0\.acquire"):
        build(wiring=changed(WIRING, "frequency: 7.0e9", "frequency: 6.0e9"))


CROSS = """\
      ecr:
        kind: cr
        control: q0
        target: q1
        waveform: {shape: flat_top_gaussian, duration: 2.0e-7, rise: 1.6e-8, amp: 0.3}
"""


def test_a_cross_resonance_tone_must_lie_within_the_bandwidth_of_the_controls_port(build):
    """q0 at 4.82 GHz and q1 at 5.2 GHz, LOs at 4.9 GHz: q1's tone is 300 MHz from the LO of q0's drive."""
    build(CALIBRATION + CROSS)
    port = "q0.drive: {kind: iq_drive, lo: lo_drive, sample_rate: 1.0e9, full_scale_v: 0.5, bandwidth:"
    narrow = changed(WIRING, f"{port} 4.5e8", f"{port} 2.0e8")
    build(CALIBRATION, narrow)
    far = (
        r"edges\.q0-q1\.gates\.ecr: the frequency of q1 is \+3e\+08 Hz from the LO of q0\.drive, "
        r"which carries 2e\+08 Hz; move the LO in the wiring file or correct the calibration"
    )
    with pytest.raises(ConfigError, match=far):
        build(CALIBRATION + CROSS, narrow)
    build(CALIBRATION + CROSS.replace("control: q0", "control: q1").replace("target: q1", "target: q0"), narrow)


def test_limits_of_the_wiring_reach_the_ports(build):
    flux = "q0.flux: {kind: flux, sample_rate: 1.0e9, full_scale_v: 1.0, bandwidth: 4.5e8"
    wiring = changed(
        WIRING, flux, flux.replace("full_scale_v: 1.0", "full_scale_v: 0.5, max_slew: 50 V/us, max_duty: 20 %")
    )
    setup = build(wiring=wiring)
    port = setup.ports[setup.port_index("q0.flux")]
    assert (port.max_step, port.max_duty) == (pytest.approx(0.1), 0.2)
    assert build().ports[1].max_step is msgspec.UNSET


def test_an_input_has_no_such_limits(build):
    acquire = "f0.acquire: {kind: acquire,"
    with pytest.raises(ConfigError, match="an acquire port puts nothing out; remove max_slew and max_duty"):
        build(wiring=changed(WIRING, acquire, acquire + " max_duty: 0.5,"))
