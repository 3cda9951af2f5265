"""Captures take the registers of their time, and leave those of the block's end."""

import numpy as np

from qctrl.protocol import EVENT, EventOp
from qctrl.signal.capture_windows import CaptureWindow, capture_windows


def test_each_capture_has_the_carrier_of_its_time():
    events = np.zeros(5, dtype=EVENT)
    events["op"] = EventOp.CAPTURE, EventOp.SHIFT_PHASE, EventOp.CAPTURE, EventOp.SET_FREQUENCY, EventOp.SHIFT_PHASE
    events["start_ticks"], events["length_ticks"] = (0, 8, 8, 24, 24), (8, 0, 16, 0, 0)
    events["target"], events["phase"] = (3, 0, 1, 0, 0), (5, 7, 1, 0, 2)
    events["phase_row"][0], events["gain"][3] = 1, 321
    frames = np.array([[0, 99, 10]])

    windows = list(capture_windows(events, np.array([0, 1000], dtype=np.uint32), frames, 400))

    assert windows == [CaptureWindow(3, 400, 8, 99, 1015), CaptureWindow(1, 408, 16, 99, 18)]
    assert frames.tolist() == [[0, 321, 19]]
