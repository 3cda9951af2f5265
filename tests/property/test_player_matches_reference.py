"""Random programs on random setups: the player and the slow reference agree to the last DAC code."""

from contextlib import contextmanager

import numpy as np
import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st
from msgspec import UNSET

from qctrl.errors import ResourceError
from qctrl.protocol import (
    BLOCK,
    CAPTURE,
    DISCRIMINATOR,
    ENVELOPE,
    EVENT,
    FRAME,
    ROW,
    Crosstalk,
    EventOp,
    Mixer,
    Port,
    Program,
    RowField,
    RowKind,
    Setup,
    flow,
)
from qctrl.signal import Player, _dense_kernels, _kernels, one_port, responses
from tests.reference import player as reference

GRID = 4
KINDS = ("iq_drive", "iq_drive", "iq_readout", "flux", "flux", "acquire")
SAMPLE_TICKS = (1, 1, 2, 2, 2, 4)
FRAME_PORT = (0, 0, 1, 2, 3, 4, 5)
ENVELOPE_SAMPLES = (4, 8, 12)
PHASE_ROW, GAIN_ROW, FREQUENCY_ROW = 1, 2, 3
SMALL_GAIN = 2**30 // 10

small = st.floats(-0.05, 0.05)
word = st.integers(0, 2**32 - 1)
tuning_word = st.integers(-(2**47), 2**47 - 1)


@st.composite
def ports(draw):
    made = []
    for index, (kind, ticks) in enumerate(zip(KINDS, SAMPLE_TICKS, strict=True)):
        is_flux, is_output = kind == "flux", kind != "acquire"
        iir = st.lists(st.tuples(st.floats(-0.3, 0.5), st.floats(2e-9, 1e-6)), max_size=3)
        fir = st.lists(st.floats(-0.4, 0.4), max_size=7)
        mixer = Mixer((1 + draw(small), draw(small), draw(small), 1 + draw(small)), draw(small), draw(small))
        made.append(
            Port(
                name=f"p{index}",
                kind=kind,
                sample_ticks=ticks,
                granularity_ticks=ticks,
                full_scale_v=1.0,
                max_amplitude=draw(st.sampled_from((1.0, 1.0, 0.9, 0.4))),
                dac_bits=draw(st.sampled_from((8, 14, 16))),
                lo_hz=0.0 if is_flux else draw(st.sampled_from((5e9, 5.123e9, 6.87654321e9))),
                idle=draw(st.sampled_from((0.0, 0.1234567, -0.0376543))) if is_flux else 0.0,
                mixer=mixer if is_output else Mixer(),
                iir=tuple(draw(iir)) if is_output else (),
                fir=tuple(draw(fir)) if is_output else (),
                max_step=draw(st.sampled_from((UNSET, UNSET, 2.0, 0.7))) if is_output else UNSET,
            )
        )
    return tuple(made)


@st.composite
def setups(draw):
    groups = []
    for names, is_flux in ((("p0", "p1"), False), (("p4", "p3"), True)):
        if draw(st.booleans()):
            rows = [[draw(small) + (i == j) for j in range(2)] for i in range(2)]
            imag = [[0.0 if is_flux else draw(small) for _ in range(2)] for _ in range(2)]
            groups.append(Crosstalk(names, tuple(map(tuple, rows)), tuple(map(tuple, imag))))
    made = Setup("random", 1, 2 * 10**9, 2000, 200, "", draw(ports()), tuple(groups))
    made.verify()
    return made


action = st.fixed_dictionaries(
    {
        "frame": st.integers(0, len(FRAME_PORT) - 1),
        "kind": st.sampled_from((EventOp.PLAY, EventOp.PLAY, EventOp.SHIFT_PHASE, EventOp.SET_FREQUENCY)),
        "gap": st.sampled_from((0, 0, 1, 2, 5)),
        "envelope": st.integers(0, len(ENVELOPE_SAMPLES) - 1),
        "gain": st.integers(-SMALL_GAIN, SMALL_GAIN),
        "phase": word,
        "ftw": tuning_word,
        "phase_row": st.sampled_from((0, PHASE_ROW)),
        "value_row": st.booleans(),
    }
)


def events_of(actions):
    """Events of one block and its length: each frame's actions one after another, off the acquire port."""
    busy = dict.fromkeys(range(len(FRAME_PORT)), 0)
    rows = []
    for step in actions:
        frame, kind = step["frame"], step["kind"]
        if FRAME_PORT[frame] == 5:
            kind = EventOp.CAPTURE if kind == EventOp.PLAY else kind
        start = busy[frame] + GRID * step["gap"]
        low, high = step["ftw"] & 0xFFFFFFFF, (step["ftw"] >> 32) & 0xFFFFFFFF
        phase_row, by_row = step["phase_row"], step["value_row"]
        if kind == EventOp.PLAY:
            length = ENVELOPE_SAMPLES[step["envelope"]] * SAMPLE_TICKS[FRAME_PORT[frame]]
            field = (RowField.GAIN, GAIN_ROW) if by_row else (0, 0)
            row = (length, kind, field[0], frame, step["envelope"], step["gain"], step["phase"], phase_row, field[1])
        elif kind == EventOp.CAPTURE:
            row = (8, kind, 0, frame, 0, 0, step["phase"], phase_row, 0)
        elif kind == EventOp.SHIFT_PHASE:
            row = (0, kind, 0, frame, 0, 0, step["phase"], phase_row, 0)
        else:
            field = (RowField.FREQUENCY, FREQUENCY_ROW) if by_row else (0, 0)
            row = (0, kind, field[0], frame, 0, int(np.uint32(low).view(np.int32)), high, 0, field[1])
        rows.append((start, *row))
        busy[frame] = start + -(-row[0] // GRID) * GRID
    rows.sort(key=lambda r: (FRAME_PORT[r[4]], r[0], r[2] <= EventOp.CAPTURE, r[4]))
    return rows, max(busy.values()) + GRID


@st.composite
def envelopes(draw):
    """Envelopes that play as many samples as they should, some of them held."""
    rows, offset = [], 0
    for played in ENVELOPE_SAMPLES:
        hold = draw(st.sampled_from((0, 0, 1, 2, played - 1)))
        hold_at = draw(st.integers(0, played - hold - 1)) if hold else 0
        rows.append((offset, played - hold, hold_at, hold))
        offset += played
    return rows


@st.composite
def programs(draw, setup_hash):
    blocks, events = [], []
    for actions in draw(st.lists(st.lists(action, min_size=5, max_size=12), min_size=1, max_size=3)):
        rows, length = events_of(actions)
        blocks.append((len(events), len(rows), length))
        events += rows
    samples = draw(st.lists(st.tuples(*[st.integers(-32767, 32767)] * 2), min_size=24, max_size=24))
    frames = [(port, 0, draw(tuning_word)) for port in FRAME_PORT]
    program = Program(
        setup_hash=setup_hash,
        calibration_hash=bytes(32),
        tick_num=1,
        tick_den=2 * 10**9,
        n_clbits=1,
        frames=np.array(frames, dtype=FRAME),
        envelopes=np.array(draw(envelopes()), dtype=ENVELOPE),
        envelope_samples=np.array(samples, dtype=np.int16),
        events=np.array(events, dtype=EVENT),
        blocks=np.array(blocks, dtype=BLOCK),
        flow=np.array(
            [flow.instruction(flow.FlowOp.PLAY_BLOCK, k) for k in range(len(blocks))]
            + [flow.instruction(flow.FlowOp.END)],
            dtype=flow.FLOW,
        ),
        captures=np.array([(6, -1, 0, 0, 0, 0)], dtype=CAPTURE),
        discriminators=np.array([(2, 0, np.zeros((3, 3)))], dtype=DISCRIMINATOR),
        rows=np.array([(RowKind.PHASE, 0), (RowKind.PHASE, 0), (RowKind.GAIN, 0), (RowKind.FREQUENCY, 0)], dtype=ROW),
    )
    program.verify()
    return program


@st.composite
def cases(draw):
    setup = draw(setups())
    program = draw(programs(setup.hash))
    words = [0, draw(word), draw(st.integers(-SMALL_GAIN, SMALL_GAIN)) % 2**32, draw(word)]
    order = draw(st.lists(st.integers(0, len(program.blocks) - 1), min_size=2, max_size=4))
    tick = GRID * draw(st.sampled_from((0, 7, 10**9 + 1)))
    sequence = []
    for block in order:
        sequence.append((block, tick))
        tick += int(program.blocks[block]["length_ticks"])
    return setup, program, words, sequence


def joined(blocks):
    """Per-port samples of all blocks, one after another."""
    return [np.concatenate(samples) for samples in zip(*blocks, strict=True)]


@contextmanager
def kernels(*, compiled, cached):
    """The kernels as they are, or every one of them as plain Python; ports from cached responses, or stage by stage."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(responses, "MANY_PLAYS", 0 if cached else 10**6)
        patch.setattr(one_port, "CROWD", 2)
        for module in (_kernels, _dense_kernels):
            for name, kernel in list(vars(module).items()):
                if hasattr(kernel, "py_func") and not compiled:
                    patch.setattr(module, name, kernel.py_func)
        yield


@pytest.mark.parametrize("cached", [True, False])
@pytest.mark.parametrize("compiled", [True, False])
@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(case=cases())
def test_baseband_and_dac_codes_agree_with_the_reference(compiled, cached, case):
    with kernels(compiled=compiled, cached=cached):
        check(*case)


def check(setup, program, words, sequence):
    player = Player(program, setup, np.array(words, dtype=np.uint32))

    expected = reference.baseband(program, setup, words, sequence)
    got = joined([player.baseband_block(*step) for step in sequence])
    for mine, slow in zip(got, expected, strict=True):
        assert np.allclose(mine, np.array(slow, dtype=complex), rtol=0, atol=1e-9)

    player.reset()
    try:
        codes = reference.dac(setup, expected, sequence[0][1])
    except OverflowError:
        event("out of range")
        with pytest.raises(ResourceError, match=r"of full scale (after all corrections|from one sample to the next)"):
            [player.play_block(*step) for step in sequence]
        return
    for port, mine, slow in zip(
        setup.ports, joined([player.play_block(*step) for step in sequence]), codes, strict=True
    ):
        scale = 2 ** (port.dac_bits - 1) - 1
        off = np.abs((mine - np.array(slow, dtype=complex)) * scale)
        assert np.all(np.maximum(off.real, off.imag) < 1.01)
        assert np.count_nonzero(off > 0.5) <= max(1, len(mine) // 1000)
