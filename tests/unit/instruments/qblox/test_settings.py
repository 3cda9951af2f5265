"""What is set beside programs."""

from qctrl.instruments.qblox import to_q1asm
from qctrl.instruments.qblox.settings import module_values, oscillators_off, sequencer_values
from tests.unit.instruments.qblox import toys
from tests.unit.instruments.qblox.test_sequences import branch, whole

PROGRAM, SETUP = whole([toys.play(0, 1, frame=toys.FLUX), toys.capture(0, 0)], branch())


def values():
    cluster = to_q1asm(PROGRAM, SETUP, toys.WIRING, toys.words())
    return {each.voice.frame: sequencer_values(each, [1]) for each in cluster.sequences}


def test_outputs_are_connected_where_their_port_is_and_nowhere_else():
    found = values()
    assert {name: value for name, value in found[toys.DRIVE].items() if "connect" in name} == {
        "connect_out0": "IQ",
        "connect_out1": "off",
    }
    flux = found[toys.FLUX]
    assert [flux[f"connect_out{k}"] for k in range(4)] == ["I", "off", "off", "off"]
    acquire = found[toys.ACQUIRE]
    assert (acquire["connect_out0"], acquire["connect_acq"]) == ("off", "in0")


def test_flux_is_not_modulated_and_captures_are_demodulated():
    found = values()
    assert (found[toys.DRIVE]["mod_en_awg"], found[toys.DRIVE]["nco_freq"]) == (True, -78.7e6)
    assert found[toys.FLUX]["mod_en_awg"] is False
    assert "nco_freq" not in found[toys.FLUX]
    assert found[toys.ACQUIRE]["demod_en_acq"] is True
    assert found[toys.DRIVE]["marker_ovr_en"] is True
    assert "marker_ovr_en" not in found[toys.FLUX]


def test_a_deciding_capture_sends_its_trigger_beyond_the_line():
    acquire = values()[toys.ACQUIRE]
    assert acquire["thresholded_acq_trigger_en"] is True
    assert acquire["thresholded_acq_trigger_address"] == 1
    assert acquire["integration_length_acq"] == toys.WINDOW_TICKS
    # 0.6 I + 0.8 Q = 0.1, of a sum over the window.
    assert abs(acquire["thresholded_acq_rotation"] - 53.130102) < 1e-5
    assert abs(acquire["thresholded_acq_threshold"] - 0.1 * toys.WINDOW_TICKS) < 1e-9
    assert acquire["trigger1_count_threshold"] == 1


def test_oscillators_and_idle_levels_belong_to_modules():
    setup = toys.setup(flux={"idle": 0.25})
    assert module_values(setup, toys.WIRING) == {
        2: {"out0_lo_freq": 4_900_000_000, "out0_lo_en": True},
        4: {"out0_offset": 0.25},
        6: {"out0_in0_lo_freq": 7_000_000_000, "out0_in0_lo_en": True},
    }
    assert oscillators_off(toys.WIRING) == {
        2: {"out0_lo_en": False, "out1_lo_en": False},
        6: {"out0_in0_lo_en": False},
    }
