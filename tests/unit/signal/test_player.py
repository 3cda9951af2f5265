import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from qctrl.errors import ProtocolError, ResourceError, TimingError
from qctrl.protocol import (
    BLOCK,
    CAPTURE,
    DISCRIMINATOR,
    ENVELOPE,
    EVENT,
    FRAME,
    ROW,
    EventOp,
    Port,
    Program,
    RowField,
    RowKind,
    Setup,
    flow,
)
from qctrl.signal import CaptureWindow, Player, _dense_kernels, _kernels, carrier

pytestmark = pytest.mark.usefixtures("way")

ONE = 2**30
DRIVE_FTW, READOUT_FTW = 123456789012345, -98765432109876
DRIVE, FLUX, ACQUIRE = range(3)
PORTS = tuple(
    Port(
        name=name,
        kind=kind,
        sample_ticks=1,
        granularity_ticks=4,
        full_scale_v=1.0,
        max_amplitude=1.0,
        dac_bits=16,
        lo_hz=0.0 if kind == "flux" else 5e9,
    )
    for name, kind in (("q0.drive", "iq_drive"), ("q0.flux", "flux"), ("f0.acquire", "acquire"))
)
SETUP = Setup("one", 1, 10**9, 1000, 100, "", PORTS)


def program(*blocks, **changes):
    """Frames 0 drive, 1 flux, 2 acquire, 3 drive; envelope 0 is eight ones, 1 four halves."""
    events = [event for block, _ in blocks for event in block]
    starts = np.cumsum([0, *(len(block) for block, _ in blocks)])
    values = {
        "setup_hash": SETUP.hash,
        "calibration_hash": bytes(32),
        "tick_num": 1,
        "tick_den": 10**9,
        "n_clbits": 1,
        "frames": np.array([(0, 0, DRIVE_FTW), (1, 0, 0), (2, 0, READOUT_FTW), (0, 0, 0)], dtype=FRAME),
        "envelopes": np.array([(0, 8, 0, 0), (8, 4, 0, 0)], dtype=ENVELOPE),
        "envelope_samples": np.array([(32767, 0)] * 8 + [(16384, 0)] * 4, dtype=np.int16),
        "events": np.array(events, dtype=EVENT),
        "blocks": np.array([(s, len(b), n) for s, (b, n) in zip(starts, blocks, strict=False)], dtype=BLOCK),
        "flow": flow.straight_line(),
        "captures": np.array([(2, -1, 0, 0, 0, 0)], dtype=CAPTURE),
        "discriminators": np.array([(2, 0, np.zeros((3, 3)))], dtype=DISCRIMINATOR),
        "rows": np.array([(RowKind.PHASE, 0), (RowKind.PHASE, 0), (RowKind.GAIN, 0)], dtype=ROW),
    }
    return Program(**(values | changes))


def play(start, frame=0, envelope=0, **fields):
    length = (8, 4)[envelope]
    return event(start, length, EventOp.PLAY, frame, target=envelope, **({"gain": ONE} | fields))


def event(start, length, op, frame, **fields):
    row = np.zeros((), dtype=EVENT)
    for name, value in {"start_ticks": start, "length_ticks": length, "op": op, "frame": frame, **fields}.items():
        row[name] = value
    return row.item()


def words(*values):
    return np.array([0, *values], dtype=np.uint32)


@pytest.fixture(params=["compiled", "interpreted"], autouse=True)
def _both_forms(request, monkeypatch):
    if request.param == "interpreted":
        for module in (_kernels, _dense_kernels):
            for name, kernel in list(vars(module).items()):
                if hasattr(kernel, "py_func"):
                    monkeypatch.setattr(module, name, kernel.py_func)


def test_ports_get_arrays_of_their_kind_and_rate():
    drive, flux, acquire = Player(program(([play(0), play(4, frame=1)], 16)), SETUP).play_block(0, 0)

    assert (drive.dtype, drive.shape) == (np.complex128, (16,))
    assert (flux.dtype, flux.shape) == (np.float64, (16,))
    assert acquire.shape == (0,)
    assert flux.tolist() == [0.0] * 4 + [1.0] * 8 + [0.0] * 4


def test_the_carrier_counts_from_the_start_of_the_shot():
    start = 4 * 10**9
    x = Player(program(([play(8)], 16)), SETUP).baseband_block(0, start)[DRIVE]

    assert np.allclose(x[8:], carrier(DRIVE_FTW, 0, start + 8, 1, 8), rtol=0, atol=1e-12)
    assert not x[:8].any()


def test_overlapping_plays_on_different_frames_add():
    x = Player(program(([play(0, gain=ONE // 4), play(0, frame=3, gain=ONE // 2)], 8)), SETUP).baseband_block(0, 0)

    assert np.allclose(x[DRIVE], carrier(DRIVE_FTW, 0, 0, 1, 8) / 4 + 0.5, rtol=0, atol=1e-12)


def test_a_shift_counts_from_its_time_on_and_stays_for_later_blocks_until_reset():
    shift = event(8, 0, EventOp.SHIFT_PHASE, 3, phase=2**30)
    player = Player(program(([play(0, frame=3), shift, play(8, frame=3)], 16), ([play(0, frame=3)], 8)), SETUP)

    assert np.allclose(player.baseband_block(0, 0)[DRIVE], [1] * 8 + [1j] * 8)
    assert np.allclose(player.baseband_block(1, 16)[DRIVE], 1j)
    player.reset()
    assert np.allclose(player.baseband_block(1, 16)[DRIVE], 1)


def test_returning_to_a_frequency_returns_to_its_phase():
    low, high = 2**20 + 2**31, 77  # the low word is negative as i4
    away = event(0, 0, EventOp.SET_FREQUENCY, 0, gain=low - 2**32, phase=high)
    back = event(8, 0, EventOp.SET_FREQUENCY, 0, gain=(DRIVE_FTW & 0xFFFFFFFF) - 2**32, phase=DRIVE_FTW >> 32)
    assert DRIVE_FTW & 0x80000000
    x = Player(program(([away, play(0), back, play(8)], 16)), SETUP).baseband_block(0, 1000)[DRIVE]

    assert np.allclose(x[:8], carrier(low + (high << 32), 0, 1000, 1, 8), rtol=0, atol=1e-12)
    assert np.allclose(x[8:], carrier(DRIVE_FTW, 0, 1008, 1, 8), rtol=0, atol=1e-12)


def test_rows_add_phases_and_replace_gains_and_frequencies():
    rows = np.array([(RowKind.PHASE, 0), (RowKind.PHASE, 0), (RowKind.GAIN, 0), (RowKind.FREQUENCY, 0)], dtype=ROW)
    tune = event(8, 0, EventOp.SET_FREQUENCY, 3, row_field=RowField.FREQUENCY, value_row=3)
    plays = [
        play(0, frame=3, phase=2**31, phase_row=1, row_field=RowField.GAIN, value_row=2),
        tune,
        play(8, frame=3),
    ]
    player = Player(program((plays, 16), rows=rows), SETUP, words(2**30, 2**32 - ONE // 2, 2**32 - 5))

    x = player.baseband_block(0, 0)[DRIVE]
    assert np.allclose(x[:8], -0.5 * -1j)
    assert np.allclose(x[8:], carrier(-5 << 16, 0, 8, 1, 8), rtol=0, atol=1e-12)

    player.bind(words(0, ONE, 0))
    assert np.allclose(player.baseband_block(0, 0)[DRIVE], [-1] * 8 + [1] * 8)


def test_captures_are_resolved_with_the_registers_of_their_time():
    events = [
        event(4, 0, EventOp.SHIFT_PHASE, 2, phase=2**32 - 1),
        event(4, 8, EventOp.CAPTURE, 2, phase=5, phase_row=1),
    ]
    player = Player(program((events, 16)), SETUP, words(100, 0))
    player.play_block(0, 32)

    assert player.captures == (CaptureWindow(0, 36, 8, READOUT_FTW, 104),)
    player.reset()
    assert player.captures == ()


def test_a_restored_state_replays_the_other_branch():
    filtered = replace(SETUP, ports=(*PORTS[:1], *(_with_filter(port) for port in PORTS[1:2]), *PORTS[2:]))
    shift = event(8, 0, EventOp.SHIFT_PHASE, 0, phase=12345)
    player = Player(program(([play(0), shift, play(0, frame=1)], 8), ([play(0)], 8)), filtered)
    player.play_block(0, 0)
    state = player.state()

    first = player.play_block(1, 8)
    player.play_block(0, 16)
    player.restore(state)
    again = player.play_block(1, 8)
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))


def _with_filter(port):
    return Port(**{name: getattr(port, name) for name in port.__struct_fields__} | {"iir": ((0.2, 1e-7),)})


def test_a_sum_beyond_full_scale_is_an_error():
    player = Player(program(([play(0, frame=1)], 8)), replace(SETUP, ports=tuple(_idle(p) for p in PORTS)))
    with pytest.raises(ResourceError, match=r"port q0\.flux, tick 40: 1\.25 of full scale"):
        player.play_block(0, 40)


def _idle(port):
    return port if port.kind != "flux" else Port(**_fields(port) | {"idle": 0.25})


def _fields(port):
    return {name: getattr(port, name) for name in port.__struct_fields__}


@pytest.mark.parametrize("start", [2, -4])
def test_a_block_off_the_grid_is_refused(start):
    player = Player(program(([play(0)], 8)), SETUP)
    with pytest.raises(TimingError, match=rf"block 0 starts at tick {start}; blocks start on multiples of 4"):
        player.play_block(0, start)


@pytest.mark.parametrize("bad", [np.zeros(2, np.uint32), np.zeros((1, 3), np.uint32), np.zeros(3, np.int64)])
def test_words_of_another_shape_or_type_are_refused(bad):
    with pytest.raises(ProtocolError, match=r"the program needs \(3,\) of uint32"):
        Player(program(([play(0)], 8)), SETUP, bad)


@pytest.mark.parametrize(
    ("made", "text"),
    [
        (program(([], 8), tick_den=2 * 10**9), "tick is 1/2000000000 s, the setup's 1/1000000000 s"),
        (program(([], 8), frames=np.array([(0, 0, 0), (3, 0, 0)], dtype=FRAME)), "frame 1 is on a port beyond"),
        (program(([], 8), ([], 10)), "block 1 is not a multiple of 4 ticks"),
        (program(([play(2)], 16)), "event 0 is off its port's grid"),
        (program(([play(0, frame=2)], 16)), "event 0 does not suit the kind of its port"),
        (program(([event(0, 8, EventOp.CAPTURE, 0)], 16)), "event 0 does not suit the kind of its port"),
        (program(([event(0, 4, EventOp.PLAY, 0, target=0)], 16)), "play 0 is shorter than its envelope"),
        (
            program(([play(0)], 16), ([play(0), event(4, 0, EventOp.SHIFT_PHASE, 0)], 16)),
            "event 2 changes a frame during one of its plays",
        ),
        (
            program(([play(0), event(4, 0, EventOp.SET_FREQUENCY, 0)], 16)),
            "event 1 changes a frame during one of its plays",
        ),
    ],
)
def test_a_program_that_does_not_fit_the_setup_is_refused(made, text):
    with pytest.raises(ProtocolError, match=text):
        Player(made, SETUP)


def test_a_frame_may_change_while_another_plays_and_right_after_its_own_play():
    events = [play(0), event(4, 0, EventOp.SHIFT_PHASE, 3), event(8, 0, EventOp.SHIFT_PHASE, 0)]
    Player(program((events, 16)), SETUP).play_block(0, 0)


def test_a_program_without_events_is_silence():
    drive, flux, _ = Player(program(([], 8)), SETUP).play_block(0, 0)
    assert not drive.any()
    assert not flux.any()


def test_importing_the_room_loads_no_numba_scipy_or_qiskit():
    code = "import qctrl.signal, sys; print([m for m in ('numba', 'scipy', 'qiskit') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_an_unknown_name_of_the_room_is_an_attribute_error():
    import qctrl.signal

    with pytest.raises(AttributeError, match="no attribute 'Synthesizer'"):
        qctrl.signal.Synthesizer  # noqa: B018
