"""A slow player: the machine model's page, sentence by sentence, in plain Python.

Every number that the page calls an integer is a Python int or a Fraction; only the last step is floating point. It
shares no code with ``qctrl.signal`` and no formula was copied from there.
"""

import cmath
import math
from fractions import Fraction

from qctrl.protocol import Program, Setup

PLAY, CAPTURE, SHIFT_PHASE, SET_FREQUENCY = 0, 1, 2, 3
GAIN_ROW, FREQUENCY_ROW = 1, 2


def turn(turns: Fraction) -> complex:
    """``exp(2 pi i turns)``."""
    return cmath.exp(2j * math.pi * float(turns % 1))


def signed(word: int) -> int:
    """A 32-bit word as two's complement."""
    return word - 2**32 if word >= 2**31 else word


def baseband(program: Program, setup: Setup, words: list[int], sequence: list[tuple[int, int]]) -> list[list[complex]]:
    """``x_p(t)`` of every port over consecutive blocks, from the signal equation.

    ``sequence`` lists (block, first tick). One list of samples per port, all blocks one after another.
    """
    frequency = [int(frame["ftw"]) for frame in program.frames]
    register = [0 for _ in program.frames]
    x: list[list[complex]] = [[] for _ in setup.ports]
    for block, block_start in sequence:
        plays = resolve_block(program, words, block, frequency, register)
        for p, port in enumerate(setup.ports):
            if port.kind == "acquire":
                continue
            for k in range(int(program.blocks[block]["length_ticks"]) // port.sample_ticks):
                tick = k * port.sample_ticks
                x[p].append(superposition(program, port, [j for j in plays if j["port"] == p], tick, block_start))
    return x


def resolve_block(program, words, block, frequency, register) -> list[dict]:
    """The block's plays, each with the phase and frequency of its frame; leaves the registers at the block's end."""
    plays = []
    for event in sorted(program.block_events(block), key=lambda e: (int(e["start_ticks"]), int(e["op"]) <= CAPTURE)):
        f, op = int(event["frame"]), int(event["op"])
        if op == SHIFT_PHASE:
            register[f] = (register[f] + int(event["phase"]) + words[int(event["phase_row"])]) % 2**32
        elif op == SET_FREQUENCY:
            word = (int(event["gain"]) % 2**32) + (int(event["phase"]) << 32)
            frequency[f] = word - 2**64 if word >= 2**63 else word
            if int(event["row_field"]) == FREQUENCY_ROW:
                frequency[f] = signed(words[int(event["value_row"])]) * 2**16
        elif op == PLAY:
            gain = int(event["gain"])
            if int(event["row_field"]) == GAIN_ROW:
                gain = signed(words[int(event["value_row"])])
            plays.append(
                {
                    "port": int(program.frames[f]["port"]),
                    "start": int(event["start_ticks"]),
                    "envelope": envelope_samples(program, int(event["target"])),
                    "gain": Fraction(gain, 2**30),
                    "phase": Fraction(int(event["phase"]) + words[int(event["phase_row"])] + register[f], 2**32),
                    "frequency": Fraction(frequency[f], 2**48),
                }
            )
    return plays


def envelope_samples(program, number: int) -> list[tuple[int, int]]:
    """The samples that an envelope plays: those stored, one of them held."""
    envelope = program.envelopes[number]
    played = []
    for k in range(int(envelope["length"])):
        times = 1 + (int(envelope["hold"]) if k == int(envelope["hold_at"]) else 0)
        played += [program.envelope_samples[int(envelope["offset"]) + k].tolist()] * times
    return played


def superposition(program, port, plays, tick: int, block_start: int) -> complex:
    """``sum_j g_j w_j(t - start_j) exp(2 pi i (F_f t + P_j + R_f))`` at one tick of a block."""
    total = 0j
    for play in plays:
        sample = (tick - play["start"]) // port.sample_ticks
        if not 0 <= sample < len(play["envelope"]):
            continue
        real, imaginary = (int(word) / 32767 for word in play["envelope"][sample])
        if port.kind == "flux":
            total += float(play["gain"]) * real
        else:
            phase = play["frequency"] * (block_start + tick) + play["phase"]
            total += float(play["gain"]) * complex(real, imaginary) * turn(phase)
    return total


def dac(setup: Setup, x: list[list[complex]], first_tick: int = 0) -> list[list[complex]]:
    """What the DACs get: the Setup applied in its order to the samples of a whole shot."""
    x = [[value + port.idle for value in samples] for port, samples in zip(setup.ports, x, strict=True)]
    idle = [complex(port.idle) for port in setup.ports]
    for group in setup.crosstalk:
        x, idle = crosstalk(setup, group, x, idle, first_tick)
    out = []
    for port, samples, level in zip(setup.ports, x, idle, strict=True):
        if port.kind == "acquire":
            out.append([])
            continue
        sample_s = float(port.sample_ticks * setup.tick_s)
        predistorted = samples
        for amplitude, tau_s in port.iir:
            predistorted = undo_exponential(predistorted, level, amplitude, tau_s, sample_s)
        predistorted = convolve(predistorted, level, port.fir)
        out.append([quantise(port, correct_mixer(port, value)) for value in predistorted])
        rest = level * (sum(port.fir) if port.fir else 1)
        check_steps(port, quantise(port, correct_mixer(port, rest)), out[-1])
    return out


def check_steps(port, before: complex, samples) -> None:
    """A step beyond the limit by more than one code is out of range, too."""
    if isinstance(port.max_step, float):
        most = port.max_step + 1 / (2 ** (port.dac_bits - 1) - 1) + 1e-9
        for value in samples:
            if max(abs((value - before).real), abs((value - before).imag)) > most:
                raise OverflowError(f"{port.name}: {before} to {value}")
            before = value


def crosstalk(setup, group, x, idle, first_tick):
    """``x_out = M x_in`` with the terms of IQ ports turned by the difference of their LOs."""
    members = [setup.port_index(name) for name in group.ports]
    mixed, mixed_idle = list(x), list(idle)
    for row, a in enumerate(members):
        port = setup.ports[a]
        mixed[a] = []
        for k in range(len(x[a])):
            tick = first_tick + k * port.sample_ticks
            total = 0j
            for column, b in enumerate(members):
                difference = Fraction(str(setup.ports[b].lo_hz)) - Fraction(str(port.lo_hz))
                factor = complex(group.real[row][column], group.imag[row][column])
                total += factor * turn(difference * setup.tick_s * tick) * x[b][k]
            mixed[a].append(total)
        mixed_idle[a] = sum(complex(group.real[row][c], group.imag[row][c]) * idle[b] for c, b in enumerate(members))
    return mixed, mixed_idle


def undo_exponential(x, level, amplitude: float, tau_s: float, sample_s: float):
    """The ``y`` that a line with the step response ``1 + amplitude exp(-t / tau)`` turns into ``x``.

    The line answers each step ``y[n] - y[n-1]`` with a decaying excess; before the shot everything was at ``level``.
    """
    y, before, excess = [], level, 0j
    for value in x:
        excess *= math.exp(-sample_s / tau_s)
        # The line adds the decayed excess and that of the present step; solved here for the present output.
        now = (value - amplitude * (excess - before)) / (1 + amplitude)
        excess += now - before
        before = now
        y.append(now)
    return y


def convolve(x, level, taps):
    """``y[n] = sum_k taps[k] x[n - k]``; no taps leave the samples alone."""
    if not taps:
        return x
    padded = [level] * len(taps) + list(x)
    return [sum(tap * padded[len(taps) + n - k] for k, tap in enumerate(taps)) for n in range(len(x))]


def correct_mixer(port, value: complex) -> complex:
    """Matrix and offset of the mixer correction; flux ports have none."""
    if port.kind == "flux":
        return value
    a, b, c, d = port.mixer.matrix
    i = a * value.real + b * value.imag + port.mixer.offset_i
    q = c * value.real + d * value.imag + port.mixer.offset_q
    return complex(i, q)


def quantise(port, value: complex) -> complex:
    """Whole DAC codes, as fractions of the largest; out of range is an error."""
    if not max(abs(value.real), abs(value.imag)) <= port.max_amplitude:
        raise OverflowError(f"{port.name}: {value}")
    codes = 2 ** (port.dac_bits - 1) - 1
    return complex(round(value.real * codes) / codes, round(value.imag * codes) / codes)
