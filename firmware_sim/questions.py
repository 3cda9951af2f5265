"""Debug requests: what only an emulator can answer, for tuning against the physics and for tests.

Buffers are a Program, a Patch (empty if there are no open slots) and, for ``channel``, the inputs. Every answer is
one buffer of little-endian numbers; ``shape`` and ``dtype`` in the body say how to read it. Body by ``op``:

``channel``
    What one block does: ``block`` (0), ``binding`` (0), ``start_ticks`` (0), ``qubits`` (ascending chip indices),
    ``frames_hz`` (frequency of each one's frame). Inputs are complex128: kets ``(n, dim)`` without noise, operators
    ``(n, dim, dim)`` with it, ``dim = levels ** len(qubits)``; no inputs means all basis kets, or all matrix units.
    A channel is that of every shot: ``left_out`` in the answer names what the device has and the channel has not, slow
    noise above all.
``populations``
    Mean probability of each level of each qubit of the chip after the last block: ``binding`` (0), ``shots`` (1),
    ``seed`` (0). Exact unless the program measures.

``forecast``
    What a run would take, as an object in the body and its seconds in the buffer: ``shots`` (1), ``bindings`` (1). The
    Patch is not looked at. Nothing is played.

All take ``noise`` (true) and ``levels`` (3), or ``sim``, all switches of a ``Run`` by their names.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import msgspec
import numpy as np
from numpy.typing import NDArray

from firmware_sim.physics.forecast import forecast
from firmware_sim.physics.random import stream_key
from firmware_sim.renderer import Renderer
from firmware_sim.sequencer import Sequencer
from qctrl.errors import ProtocolError
from qctrl.protocol import Patch, Program, Setup, SimOptions
from qctrl.protocol.limits import MAX_BINDINGS, MAX_SHOTS
from qctrl.signal import Player

if TYPE_CHECKING:
    from collections.abc import Callable

    from firmware_sim.physics.engine import Engine
    from firmware_sim.wires import Wires

_Found: TypeAlias = tuple[NDArray[Any], dict[str, Any]]
"""The numbers, and what the body says besides."""
_ITERATION_LIMIT: Final = 1_000_000
_MAX_SHOTS: Final = 1 << 20


def options_of(body: Mapping[str, Any]) -> SimOptions:
    """Return the emulator's switches that a question asks for.

    Raises:
        ProtocolError: One of them is malformed.
    """
    if "sim" in body:
        try:
            return msgspec.convert(body["sim"], SimOptions)
        except msgspec.ValidationError as error:
            raise ProtocolError(f"debug: sim: {error}") from error
    return SimOptions(
        seed=_number(body, "seed", 0), noise=bool(body.get("noise", True)), levels=_number(body, "levels", 3)
    )


def answer(
    engine: Engine, wires: Wires, setup: Setup, body: Mapping[str, Any], buffers: Sequence[bytes]
) -> tuple[dict[str, Any], list[bytes]]:
    """Return the body and buffers that answer a question.

    Raises:
        ProtocolError: The question is unknown or malformed.
    """
    ask = _QUESTIONS.get(str(body.get("op")))
    if ask is None:
        raise ProtocolError(f"debug op {body.get('op')!r} is unknown; known: {', '.join(_QUESTIONS)}")
    if len(buffers) < 2:
        raise ProtocolError(f"a debug request needs a Program and a Patch (may be empty), got {len(buffers)} buffers")
    program = Program.from_bytes(buffers[0])
    if program.setup_hash != setup.hash:
        raise ProtocolError("program was assembled for another Setup than the configured one; compile it again")
    asked = _Asked(engine, wires, setup, program, buffers[1])
    found, remarks = ask(asked, body, buffers[2] if len(buffers) > 2 else b"")
    return {"shape": list(found.shape), "dtype": found.dtype.str, **remarks}, [found.tobytes()]


@dataclass(frozen=True, slots=True, eq=False)
class _Asked:
    """What a question is about."""

    engine: Engine
    wires: Wires
    setup: Setup
    program: Program
    patch: bytes

    def words(self, body: Mapping[str, Any]) -> NDArray[np.uint32]:
        """Return the words of the binding that is asked for."""
        return _words(self.program, self.patch, _number(body, "binding", 0))


def _channel(asked: _Asked, body: Mapping[str, Any], inputs: bytes) -> _Found:
    program = asked.program
    qubits = [int(qubit) for qubit in _list(body, "qubits")]
    frames_hz = np.array([float(value) for value in _list(body, "frames_hz")])
    block, start_ticks = _number(body, "block", 0), _number(body, "start_ticks", 0)
    if not 0 <= block < len(program.blocks) or len(frames_hz) != len(qubits) or not qubits:
        raise ProtocolError(f"channel: block {block} of {len(program.blocks)}, {len(frames_hz)} frames for {qubits}")
    played = Player(program, asked.setup, asked.words(body)).play_block(block, start_ticks)
    lines = asked.wires.apply(played, start_ticks)
    sim = options_of(body)
    given = _inputs(inputs, asked.engine.choice.levels ** len(qubits), mixed=sim.noise)
    found = asked.engine.channel(lines, start_ticks, qubits, given, frames_hz)
    return np.ascontiguousarray(found, dtype="<c16"), {"left_out": _left_out(asked.engine, program)}


def _left_out(engine: Engine, program: Program) -> list[str]:
    captured = ["readout"] if len(program.captures) else []
    return [*engine.slow_kinds, *captured]


def _populations(asked: _Asked, body: Mapping[str, Any], _inputs: bytes) -> _Found:
    program, engine = asked.program, asked.engine
    n_shots, binding = _number(body, "shots", 1), _number(body, "binding", 0)
    if not 1 <= n_shots <= _MAX_SHOTS:
        raise ProtocolError(f"populations: shots {n_shots} not in 1..{_MAX_SHOTS}")
    key = stream_key(_number(body, "seed", 0), 0, program.hash)
    shots = np.arange(n_shots, dtype=np.uint64)
    sequencer = Sequencer(
        program, asked.setup, engine, _ITERATION_LIMIT, lambda: None, Renderer(program, asked.setup, asked.wires)
    )
    sequencer.keep_states = True
    sequencer.bind(asked.words(body))
    begun = engine.begin(shots, binding, key, program.n_clbits, (len(program.captures), 0))
    return np.ascontiguousarray(engine.populations(sequencer.run(begun)), dtype="<f8"), {}


def _forecast(asked: _Asked, body: Mapping[str, Any], _inputs: bytes) -> _Found:
    n_shots, bindings = _number(body, "shots", 1), _number(body, "bindings", 1)
    if not (1 <= n_shots <= MAX_SHOTS and 1 <= bindings <= MAX_BINDINGS):
        raise ProtocolError(f"forecast: shots {n_shots} not in 1..{MAX_SHOTS}, or bindings {bindings} out of range")
    choice, job = asked.engine.prepare(asked.program, n_shots)
    found = forecast(job, choice, bindings=bindings, captures=len(asked.program.captures))
    return np.array([found.seconds], dtype="<f8"), {"forecast": asdict(found)}


_QUESTIONS: Final[dict[str, Callable[..., _Found]]] = {
    "channel": _channel,
    "populations": _populations,
    "forecast": _forecast,
}


def _words(program: Program, data: bytes, binding: int) -> NDArray[np.uint32]:
    if not data:
        if program.n_slots > 1:
            raise ProtocolError(f"program has {program.n_slots - 1} open slots and no patch; bind its parameters")
        return np.zeros(1, dtype=np.uint32)
    patch = Patch.from_bytes(data)
    patch.verify_for(program)
    if not 0 <= binding < patch.n_bindings:
        raise ProtocolError(f"binding {binding} of {patch.n_bindings}")
    return patch.words[binding]


def _inputs(data: bytes, dim: int, *, mixed: bool) -> NDArray[np.complex128]:
    shape = (-1, dim, dim) if mixed else (-1, dim)
    if not data:
        return np.eye(dim * dim if mixed else dim, dtype=np.complex128).reshape(shape)
    if len(data) % (16 * dim * (dim if mixed else 1)):
        raise ProtocolError(f"channel: {len(data)} bytes of inputs are no whole number of operands of dimension {dim}")
    return np.frombuffer(data, dtype="<c16").astype(np.complex128).reshape(shape)


def _number(body: Mapping[str, Any], name: str, default: int) -> int:
    value = body.get(name, default)
    if type(value) is not int:
        raise ProtocolError(f"field {name!r} is {value!r}; it must be a whole number")
    return value


def _list(body: Mapping[str, Any], name: str) -> list[Any]:
    value = body.get(name)
    if not isinstance(value, list) or not all(isinstance(item, int | float) for item in value):
        raise ProtocolError(f"field {name!r} must be a list of numbers")
    return list(value)
