"""One pass from cached responses against the corrections one after the other, on dense and on crowded ports."""

import numpy as np
import pytest

from qctrl.errors import ProtocolError, ResourceError
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
    RowKind,
    Setup,
    flow,
)
from qctrl.signal import Player, SetupChain, _dense_kernels, responses

pytestmark = pytest.mark.usefixtures("way")

LENGTHS = (4, 12, 48, 300)
FTW = 14073748835533
MIXER = Mixer((1.01, 0.02, -0.03, 0.97), 0.001, -0.002)
IIR = ((0.1, 30e-9), (-0.05, 2e-6))
FIR = (0.8, *(0.2 / 15,) * 15)
LINES = {
    "plain": {},
    "mixer": {"mixer": MIXER},
    "one section": {"iir": IIR[:1]},
    "two sections": {"iir": IIR, "mixer": MIXER},
    "two equal sections": {"iir": (IIR[0], IIR[0])},
    "three sections": {"iir": (*IIR, (0.02, 4e-9))},
    "one tap": {"fir": (0.9,)},
    "taps": {"fir": FIR},
    "all": {"iir": IIR, "fir": FIR, "mixer": MIXER},
}
PAUSES = {"none": (0,), "short": (0, 4, 8), "long": (0, 20, 400, 9000)}


def setup_of(kind, line, **changes):
    values = {"sample_ticks": 2, "granularity_ticks": 4, "full_scale_v": 1.0, "max_amplitude": 1.0, "dac_bits": 16}
    ports = [Port(name="p", kind=kind, lo_hz=0.0 if kind == "flux" else 5e9, **(values | LINES[line] | changes))]
    ports.append(Port(name="q", kind=kind, lo_hz=0.0 if kind == "flux" else 5.1e9, **values))
    setup = Setup("one", 1, 2 * 10**9, 2000, 200, "", tuple(ports))
    setup.verify()
    return setup


def program_of(rows, n_blocks=1, **changes):
    """Plays of (start sample, frame, envelope, gain), in equal blocks one after another."""
    rng = np.random.default_rng(7)
    events = np.zeros(len(rows), dtype=EVENT)
    events["start_ticks"] = [2 * start for start, *_ in rows]
    events["frame"] = [frame for _, frame, *_ in rows]
    events["target"] = [envelope for *_, envelope, _ in rows]
    events["gain"] = [round(gain * 2**30) for *_, gain in rows]
    events["length_ticks"] = [2 * LENGTHS[envelope] for *_, envelope, _ in rows]
    events["phase"] = rng.integers(0, 2**32, len(rows))
    end = max((start + LENGTHS[envelope] for start, _, envelope, _ in rows), default=0) + 40
    offsets = np.cumsum((0, *LENGTHS))
    values = {
        "setup_hash": bytes(32),
        "calibration_hash": bytes(32),
        "tick_num": 1,
        "tick_den": 2 * 10**9,
        "n_clbits": 1,
        "frames": np.array([(0, 0, FTW), (0, 0, -FTW // 3), (0, 0, 0), (1, 0, FTW)], dtype=FRAME),
        "envelopes": np.array([(at, n, 0, 0) for at, n in zip(offsets[:-1], LENGTHS, strict=True)], dtype=ENVELOPE),
        "envelope_samples": rng.integers(-23000, 23000, (offsets[-1], 2)).astype(np.int16),
        "events": np.tile(events, n_blocks),
        "blocks": np.array([(k * len(rows), len(rows), 2 * end) for k in range(n_blocks)], dtype=BLOCK),
        "flow": np.array(
            [flow.instruction(flow.FlowOp.PLAY_BLOCK, k) for k in range(n_blocks)]
            + [flow.instruction(flow.FlowOp.END)],
            dtype=flow.FLOW,
        ),
        "captures": np.empty(0, dtype=CAPTURE),
        "discriminators": np.empty(0, dtype=DISCRIMINATOR),
        "rows": np.array([(RowKind.PHASE, 0)], dtype=ROW),
    }
    program = Program(**(values | changes))
    program.verify()
    return program


def sequence(pauses, gain=0.3):
    """Plays of one frame after another, no two at a time."""
    rng = np.random.default_rng(20261123)
    rows, start = [], 0
    for _ in range(120):
        start += int(rng.choice(pauses))
        envelope = int(rng.integers(0, 4))
        rows.append((start, int(rng.integers(0, 3)), envelope, gain * rng.uniform(-1, 1)))
        start += LENGTHS[envelope]
    return rows


def crowd():
    """Plays of three frames that begin and end within one another, and pauses between the crowds."""
    rng = np.random.default_rng(20261124)
    rows, busy = [], [0, 0, 0]
    for _ in range(120):
        frame, envelope = int(rng.integers(0, 3)), int(rng.integers(0, 4))
        start = busy[frame] + 2 * int(rng.integers(0, 150))
        rows.append((start, frame, envelope, 0.12 * rng.uniform(-1, 1)))
        busy[frame] = start + LENGTHS[envelope]
    return sorted(rows)


def one_after_the_other(program, setup):
    """Codes of port p by way of the baseband."""
    player, chain, tick, parts = Player(program, setup), SetupChain(setup), 0, []
    for block in range(len(program.blocks)):
        parts.append(chain.apply(player.baseband_block(block, tick), tick)[0])
        tick += int(program.blocks[block]["length_ticks"])
    return np.concatenate(parts)


def agree(program, setup):
    expected, codes = one_after_the_other(program, setup), 2 ** (setup.ports[0].dac_bits - 1) - 1
    off = np.abs(np.ascontiguousarray(Player(program, setup).render("p") - expected).view(np.float64)) * codes
    return off.max() < 1.01 and np.count_nonzero(off > 0.5) <= 1


@pytest.mark.parametrize("pauses", PAUSES)
@pytest.mark.parametrize("line", LINES)
@pytest.mark.parametrize("kind", ["iq_drive", "flux"])
def test_a_sequence_of_plays(kind, line, pauses):
    changes = {"idle": 0.07} if kind == "flux" else {}
    assert agree(program_of(sequence(PAUSES[pauses]), n_blocks=2), setup_of(kind, line, **changes))


@pytest.mark.parametrize("line", LINES)
@pytest.mark.parametrize("kind", ["iq_readout", "flux"])
def test_a_crowd_of_plays(kind, line):
    assert agree(program_of(crowd(), n_blocks=2), setup_of(kind, line))


@pytest.mark.parametrize("line", ["plain", "all"])
def test_cached_responses_serve_again_behind_a_crowd(line, monkeypatch):
    kernel = "play_plain" if line == "plain" else "play_filtered"
    play, stops = getattr(_dense_kernels, kernel), []

    def watched(*arguments):
        stops.append((arguments[0][0], *play(*arguments)))
        return stops[-1][1:]

    monkeypatch.setattr(responses, "MANY_PLAYS", 1)
    monkeypatch.setattr(_dense_kernels, kernel, watched)
    apart = [(100 + 72 * n, 0, 2, 0.2) for n in range(10)]
    rows = [*apart, (850, 1, 2, 0.2), (860, 0, 2, 0.2), *((at + 900, *rest) for at, *rest in apart)]

    assert agree(program_of(rows), setup_of("iq_drive", line))
    played = {event for first, last, _ in stops for event in range(first, last)}
    assert played == set(range(22)) - {10, 11, 12}


@pytest.mark.parametrize("line", ["plain", "all"])
def test_plays_of_responses_without_room_are_played_stage_by_stage(line, monkeypatch):
    monkeypatch.setattr(responses, "_MAX_STORE", 2 * 9000)
    assert agree(program_of(sequence((0, 0, 30))), setup_of("iq_drive", line))


@pytest.mark.parametrize("line", ["plain", "mixer", "all"])
def test_plays_near_the_limit_are_checked_sample_by_sample(line):
    setup = setup_of("iq_drive", line)
    program = program_of(sequence((0, 0, 30), gain=0.9))
    peak = np.abs(np.ascontiguousarray(one_after_the_other(program, setup)).view(np.float64)).max()
    limited = setup_of("iq_drive", line, max_amplitude=float(min(peak * 1.001, 1)))
    assert agree(program, limited)

    with pytest.raises(ResourceError, match=r"port p, tick \d+: I = .*, Q = .* of full scale after all corrections"):
        Player(program, setup_of("iq_drive", line, max_amplitude=float(peak * 0.999))).render("p")


@pytest.mark.parametrize("line", ["plain", "all"])
def test_silence_beyond_the_limit_is_refused(line):
    beyond = {"mixer": Mixer(offset_q=0.5), "max_amplitude": 0.4}
    for rows in ([], [(8, 0, 1, 0.1)]):
        with pytest.raises(ResourceError, match=r"port p, tick 0: I = 0, Q = 0\.5 of full scale"):
            Player(program_of(rows), setup_of("iq_drive", line, **beyond)).render("p")


def test_a_frequency_that_changes_needs_another_response():
    rows = [(0, 0, 2, 0.5), (48, 0, 2, 0.5), (96, 0, 2, 0.5)]
    program = program_of(rows)
    tune = np.zeros(1, dtype=EVENT)
    tune["op"], tune["gain"], tune["start_ticks"] = EventOp.SET_FREQUENCY, 2**30 + 5, 96
    events = np.concatenate((program.events[:1], tune, program.events[1:]))
    changed = program_of(rows, events=events, blocks=np.array([(0, 4, program.blocks[0]["length_ticks"])], dtype=BLOCK))
    assert agree(changed, setup_of("iq_drive", "all"))


def test_rendering_fills_a_kept_array_and_repeats_itself():
    player = Player(program_of(sequence((0, 8))), setup_of("iq_drive", "all"))
    first = player.render("p")
    kept = np.full_like(first, np.nan)

    assert player.render("p", kept) is kept
    assert np.array_equal(kept, first)
    assert np.array_equal(player.play_block(0, 0)[0], first)


@pytest.mark.parametrize("out", [np.empty(3, complex), np.empty(352, float), np.empty(704, complex)[::2]])
def test_an_array_that_does_not_fit_is_refused(out):
    player = Player(program_of([(12, 0, 3, 0.1)]), setup_of("iq_drive", "plain"))
    with pytest.raises(
        ProtocolError, match=r"port p: out has shape .* it must be a contiguous array of 352 complex128"
    ):
        player.render("p", out)


def test_a_port_with_crosstalk_is_rendered_with_what_its_neighbour_plays():
    matrix = Crosstalk(("p", "q"), ((1.0, 0.1), (0.05, 1.0)), ((0.0, 0.02), (0.0, 0.0)))
    alone = setup_of("iq_drive", "all")
    setup = Setup("one", 1, 2 * 10**9, 2000, 200, "", alone.ports, (matrix,))
    program = program_of([*sequence((0, 8)), (0, 3, 3, 0.4), (320, 3, 3, 0.4)])

    assert agree(program, setup)
    assert not np.array_equal(Player(program, setup).render("p"), Player(program, alone).render("p"))


def test_a_program_that_branches_cannot_be_rendered():
    steps = [flow.instruction(flow.FlowOp.JUMP, target=1), flow.instruction(flow.FlowOp.END)]
    player = Player(program_of([], flow=np.array(steps, dtype=flow.FLOW)), setup_of("iq_drive", "plain"))
    with pytest.raises(ProtocolError, match="the program branches"):
        player.render("p")


@pytest.mark.parametrize("line", LINES)
def test_silence_lets_the_filters_run_on(line):
    setup, program = setup_of("iq_drive", line), program_of(sequence((0, 8)))
    length = int(program.blocks[0]["length_ticks"])
    player = Player(program, setup)
    chain = SetupChain(setup)
    chain.apply(player.baseband_block(0, 0), 0)
    expected = chain.apply([np.zeros(200, complex), np.zeros(200, complex)], length)[0]

    player.reset()
    player.play_block(0, 0)
    assert np.abs(player.play_silence(400, length)[0] - expected).max() * 32767 < 1.5
