"""Records become registers as the signal equation says."""

import msgspec
import numpy as np
import pytest

from qctrl.instruments.boxes.receive import Means, Record, receive, records
from qctrl.protocol import Run
from qctrl.signal import CaptureWindow, demodulate
from tests.unit.firmware_sim import toys

SETUP = toys.setup()


def program():
    blocks = [(toys.measure(100, 0), 1200), (toys.measure(600, 1), 1200)]
    made = toys.program(blocks, toys.excited().flow, n_captures=2, n_clbits=2)
    captures = made.captures.copy()
    captures["clbit"] = 0
    return msgspec.structs.replace(made, captures=captures)


WINDOWS = (CaptureWindow(0, 100, 400, 7 << 30, 99), CaptureWindow(1, 600, 400, 7 << 30, 12345))


def test_one_record_holds_all_captures_of_a_port():
    assert records(program(), WINDOWS) == {toys.ACQUIRE: Record(toys.ACQUIRE, 100, 900)}


@pytest.mark.parametrize("with_traces", [True, False])
def test_captures_are_demodulated_and_the_last_bit_stays(with_traces):
    rng = np.random.default_rng(5)
    samples = (rng.normal(size=(50, 900)) + 1j * rng.normal(size=(50, 900))).astype(np.complex64)
    digitised = {toys.ACQUIRE: (Record(toys.ACQUIRE, 100, 900), samples)}
    got = receive(program(), SETUP, WINDOWS, digitised, with_traces=with_traces)
    for shot in range(50):
        for window, first in zip(WINDOWS, (0, 500), strict=True):
            part = samples[shot, first : first + 400].astype(np.complex128)
            expected = demodulate(part, window.first_tick, 1, window.ftw, window.phase_word)
            assert abs(got.iq[shot, window.capture] - expected) < 1e-6
    np.testing.assert_array_equal(got.bits[:, 0], (got.iq[:, 1].real > 0).astype(np.uint8))
    if with_traces:
        np.testing.assert_array_equal(got.traces[:, 1], samples[:, 500:])
    else:
        assert got.traces is None


@pytest.mark.parametrize("mode", ["iq_mean", "trace_mean"])
def test_means_do_not_depend_on_the_cut(mode):
    rng = np.random.default_rng(6)
    samples = rng.normal(size=(40, 900)).astype(np.complex64)
    run = Run("r", 1, "", "", "", 0, 1, 0, 40, 0, capture_mode=mode)

    def columns(parts):
        means = Means(run)
        for part in parts:
            digitised = {toys.ACQUIRE: (Record(toys.ACQUIRE, 100, 900), part)}
            last = means.columns(receive(program(), SETUP, WINDOWS, digitised, with_traces=mode == "trace_mean"))
        return last[0] if mode == "iq_mean" else last[1]

    np.testing.assert_allclose(columns([samples]), columns([samples[:7], samples[7:]]), atol=1e-6)
