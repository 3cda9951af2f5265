"""A cluster's programs against the packed program that they come from: played by the slow Q1ASM cluster and by the
reference player, event by event."""

import math
from fractions import Fraction

import numpy as np
from msgspec.structs import replace

from qctrl.instruments.qblox.lowering import Repeated
from qctrl.instruments.qblox.sequences import HEAD_START_NS
from qctrl.instruments.qblox.track import LEAD_NS
from tests.reference import player, q1asm

LSB = 1 / 32767
FIRST_NS = 4 + 4 + HEAD_START_NS + LEAD_NS
"""Tick 0 of the first shot, on a port without delay."""
PHASE_STEP = 1e-9
"""Turns; each round of a loop may be off by half of it."""


def plan(entries, outcome, at_ns=0, rounds=()):
    """Blocks that a shot plays, and when; ``outcome`` says what an acquisition measures."""
    found = []
    for entry in entries:
        if isinstance(entry, Repeated):
            for k in range(entry.count):
                later = (*rounds, (entry.first, k * entry.n_acquisitions))
                found += plan(entry.entries, outcome, at_ns + k * entry.length_ns, later)
        elif entry.condition.at({bit: outcome(bit + moved(bit, rounds)) for bit in entry.condition.bits}):
            found.append((entry.block, at_ns + entry.at_ns))
    return found


def moved(bit, rounds):
    """By how much the number of an acquisition in a loop has grown."""
    return sum(more for first, more in rounds if bit >= first)


def expected(program, words, blocks):
    """What each frame does in a shot: (op, ns, envelope, gain, turns per ns, phase at tick 0), by the reference player.

    A capture turns as a play of its frame does, so the reference player is shown plays instead.
    """
    sounding = program.events.copy()
    is_capture = sounding["op"] == player.CAPTURE
    sounding["op"][is_capture] = player.PLAY
    sounding["target"][is_capture] = 0
    disguised = replace(program, events=sounding)
    frequency = [int(frame["ftw"]) for frame in program.frames]
    register = [0 for _ in program.frames]
    found = {}
    for block, at_ns in blocks:
        plays = player.resolve_block(disguised, words, block, frequency, register)
        events = sorted(
            program.block_events(block), key=lambda e: (int(e["start_ticks"]), int(e["op"]) <= player.CAPTURE)
        )
        events = [event for event in events if event["op"] <= player.CAPTURE]
        for event, play in zip(events, plays, strict=True):
            kept = (int(event["op"]), at_ns + play["start"], play["envelope"], play["gain"])
            found.setdefault(int(event["frame"]), []).append((*kept, play["frequency"], play["phase"]))
    return found


def sequencers(cluster):
    """The slow player's sequencers, one for each of the cluster's."""
    return [
        q1asm.Sequencer(
            program=each.program,
            hz=Fraction(each.nco_hz),
            wave_ns=lambda index, each=each: len(line(each.waveforms, index)),
            integration_ns=lambda indices, each=each: (
                len(line(each.weights, indices[2])) if len(indices) > 2 else each.integration_ns
            ),
            address=each.trigger_address,
        )
        for each in cluster.sequences
    ]


def line(stored, index):
    return next(each["data"] for each in stored.values() if each["index"] == index)


def compare(cluster, program, words, outcome):
    """Play every shot and compare; ``outcome(shot, k)`` is what acquisition k of a shot measures. One tick is 1 ns."""
    players = sequencers(cluster)
    place = {(each.frame, each.place): k for k, each in enumerate(cluster.bins)}
    measured = []
    for each in cluster.sequences:
        frame, per_shot = each.voice.frame, cluster.per_shot.get(each.voice.frame, 1)
        measured.append(lambda index, f=frame, n=per_shot: outcome(index // n, place[f, index % n]))
    q1asm.run(players, measured)
    for shot in range(cluster.n_shots):
        blocks = plan(cluster.timeline, lambda k, shot=shot: outcome(shot, k))
        wanted = expected(program, words, blocks)
        for each, played in zip(cluster.sequences, players, strict=True):
            zero = FIRST_NS + each.voice.delay_ns + shot * cluster.period_ns
            events = [event for event in played.events if 0 <= event.time - zero < cluster.period_ns - LEAD_NS]
            check(each, events, wanted.get(each.voice.frame, []), zero)
    lengths = {each.time - sequence.voice.delay_ns for each, sequence in zip(players, cluster.sequences, strict=True)}
    assert len(lengths) <= 1, f"sequencers end at different times: {lengths}"
    return players


def check(sequence, events, wanted, zero):
    """Times are equal, samples within one step of a 16-bit converter, phases within what the NCO can be set to."""
    events = joined(sequence, events)
    assert [event.time - zero for event in events] == [at for _, at, *_ in wanted], sequence.voice.who
    for event, (op, at, envelope, gain, frequency, phase) in zip(events, wanted, strict=True):
        assert (event.name == "play") == (op == player.PLAY)
        if op == player.CAPTURE:
            turns = float((frequency * at + phase - event.phase) % 1)
            assert min(turns, 1 - turns) < 300 * PHASE_STEP
            continue
        samples = np.concatenate([samples_of(sequence, part) for part in event.parts])
        truth = np.array(envelope) @ [1, 1j] / 32767 * float(gain)
        if sequence.voice.modulated:
            samples = samples * carrier(event.hz / 10**9, event.phase, len(samples))
            truth = truth * carrier(frequency, frequency * at + phase, len(truth))
        else:
            truth = truth.real
        assert np.abs(samples - truth).max() <= LSB * math.sqrt(2), sequence.voice.who


def carrier(per_ns, phase, length):
    """``exp(2 pi i)`` of a phase that runs on."""
    return np.exp(2j * np.pi * (float(phase % 1) + float(per_ns) * np.arange(length)))


def samples_of(sequence, event):
    """What a play puts out before its carrier."""
    real, imaginary = (np.array(line(sequence.waveforms, index)) for index in event.indices)
    return (real * event.gain[0] + 1j * imaginary * event.gain[1]) / 32768


def joined(sequence, events):
    """Events of which the pieces of a long plateau are one: right behind each other, with a phase that runs on."""
    found = []
    for event in events:
        before = found[-1] if found else None
        if before is not None and "play" == event.name == before.name and is_chunk(sequence, before.parts[-1], event):
            end = before.time + sum(len(samples_of(sequence, part)) for part in before.parts)
            turns = float((before.phase + before.hz * (event.time - before.time) / 10**9 - event.phase) % 1)
            if event.time == end and min(turns, 1 - turns) < 1e-12:
                before.parts.append(event)
                continue
        event.parts = [event]
        found.append(event)
    return found


def is_chunk(sequence, before, event):
    """Whether a plateau goes on from one play to the next."""
    first, second = samples_of(sequence, before), samples_of(sequence, event)
    return len(first) >= 1024 <= len(second) and (first[-1024:] == second[0]).all()
