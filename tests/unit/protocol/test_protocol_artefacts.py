"""Setup, Patch, Run, Results and the container."""

from __future__ import annotations

import dataclasses
import struct

import msgspec
import numpy as np
import pytest
import xxhash

from qctrl.errors import ProtocolError
from qctrl.protocol import Crosstalk, Mixer, Patch, Port, Results, Run, Setup, SimOptions, _container
from tests.unit.protocol.test_protocol_programs import program

DRIVE = Port("q0.drive", "iq_drive", 1, 1, 0.5, 1.0, 16, 4.9e9, mixer=Mixer((1.0, 0.0, 0.1, 1.0), 0.01))
FLUX = Port("q0.flux", "flux", 2, 4, 1.0, 0.8, 14, idle=0.1, iir=((0.1, 3e-8),), fir=(1.0, 0.1))


def setup(**changes: object) -> Setup:
    fields: dict[str, object] = {
        "device": "one",
        "tick_num": 1,
        "tick_den": 10**9,
        "shot_grid_ticks": 100,
        "bit_latency_ticks": 200,
        "calibration_id": "ab",
        "ports": (DRIVE, FLUX),
        "crosstalk": (Crosstalk(("q0.drive",), ((1.0,),), ((0.0,),)),),
    }
    return Setup(**(fields | changes))  # type: ignore[arg-type]


def run(**changes: object) -> Run:
    fields: dict[str, object] = {
        "run_id": "r",
        "epoch": 1,
        "setup_hash": "",
        "program_hash": "",
        "patch_hash": "",
        "first_binding": 0,
        "n_bindings": 1,
        "first_shot": 0,
        "n_shots": 10,
        "rep_delay_ticks": 0,
        "sim": SimOptions(seed=3),
    }
    return Run(**(fields | changes))  # type: ignore[arg-type]


def results() -> Results:
    iq = np.ones((1, 2, 3), np.complex64)
    return Results("r", 1, 0, 0, 0, "a", "b", "ok", np.ones((1, 2, 1), np.uint8), iq, iq[..., None], {"levels": 3})


def test_a_setup_survives_the_wire() -> None:
    sent = setup()
    assert Setup.from_bytes(sent.to_bytes()) == sent
    assert Setup.from_bytes(sent.to_bytes()).hash == sent.hash
    assert sent.block_granularity_ticks == 4
    assert sent.port_index("q0.flux") == 1
    assert "port 1 q0.flux flux" in sent.text()


def test_limits_that_are_absent_take_no_bytes() -> None:
    assert b"max_" not in setup().to_bytes().replace(b"max_amplitude", b"")
    limited = setup(ports=(msgspec.structs.replace(DRIVE, max_step=0.25, max_duty=0.5),), crosstalk=())
    assert b'"fir":[],"max_step":0.25,"max_duty":0.5}' in limited.to_bytes().replace(b'"fir":[1.0]', b'"fir":[]')
    assert Setup.from_bytes(limited.to_bytes()) == limited


def test_a_port_that_is_not_wired_is_named() -> None:
    with pytest.raises(ProtocolError, match=r"no port 'q9\.drive'"):
        setup().port_index("q9.drive")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"max_amplitude": 1.5}, "max_amplitude"),
        ({"full_scale_v": 0.0}, "full scale"),
        ({"sample_ticks": 0}, "ticks per sample"),
        ({"granularity_ticks": 3, "sample_ticks": 2}, "whole samples"),
        ({"dac_bits": 1}, "dac_bits"),
        ({"idle": 0.5}, "only flux ports"),
        ({"kind": "flux", "idle": 0.9, "max_amplitude": 0.5}, "idle level is beyond"),
        ({"lo_hz": float("inf")}, "not finite"),
        ({"delay_ticks": -1}, "delay"),
        ({"iir": ((0.1, 0.0),)}, "time constant"),
        ({"max_step": 0.0}, "max_step must lie"),
        ({"max_duty": 1.1}, "max_duty must lie"),
        ({"kind": "acquire", "max_duty": 0.5}, "puts nothing out"),
    ],
)
def test_a_port_out_of_range_is_refused(change: dict[str, object], message: str) -> None:
    bad = setup(ports=(msgspec.structs.replace(DRIVE, **change),), crosstalk=())
    with pytest.raises(ProtocolError, match=message):
        bad.verify()


def test_a_setup_with_broken_clocks_names_or_matrices_is_refused() -> None:
    with pytest.raises(ProtocolError, match="clock"):
        setup(tick_den=0).verify()
    with pytest.raises(ProtocolError, match="twice"):
        setup(ports=(DRIVE, DRIVE)).verify()
    with pytest.raises(ProtocolError, match="square"):
        setup(crosstalk=(Crosstalk(("q0.drive",), ((1.0, 2.0),), ((0.0,),)),)).verify()


def test_a_setup_whose_json_is_wrong_is_refused() -> None:
    data = _container.pack(b"SETU", [(b"BODY", b'{"device": 3}')])
    with pytest.raises(ProtocolError, match="SETU"):
        Setup.from_bytes(data)


def test_a_patch_survives_the_wire_and_fits_only_its_program() -> None:
    target = program()
    words = np.arange(8, dtype=np.uint32).reshape(2, 4)
    words[:, 0] = 0
    patch = Patch.from_bytes(Patch(target.hash, words).to_bytes())
    patch.verify_for(target)
    assert np.array_equal(patch.words, words)
    assert patch.n_bindings == 2
    assert np.array_equal(np.asarray(patch), words)
    assert len(patch.hash) == 32
    with pytest.raises(ProtocolError, match="another program"):
        patch.verify_for(program(n_clbits=2))
    with pytest.raises(ProtocolError, match="4 rows"):
        Patch(target.hash, words[:, :3]).verify_for(target)
    words[1, 2] = 2**31
    with pytest.raises(ProtocolError, match="gain"):
        Patch(target.hash, words).verify_for(target)


def test_an_inconsistent_patch_is_refused() -> None:
    with pytest.raises(ProtocolError, match="row 0"):
        Patch(bytes(32), np.ones((1, 1), np.uint32)).verify()
    with pytest.raises(ProtocolError, match="shape"):
        Patch(bytes(32), np.zeros(3, np.uint32)).verify()
    with pytest.raises(ProtocolError, match="limits"):
        Patch(bytes(32), np.zeros((1, 2**20 + 1), np.uint32)).verify()
    head = struct.pack("<32sII", bytes(32), 2, 2)
    with pytest.raises(ProtocolError, match="2 x 2"):
        Patch.from_bytes(_container.pack(b"PTCH", [(b"HEAD", head), (b"WORD", bytes(4))]))
    with pytest.raises(ProtocolError, match="HEAD"):
        Patch.from_bytes(_container.pack(b"PTCH", [(b"HEAD", b""), (b"WORD", bytes(4))]))


def test_a_run_survives_the_wire() -> None:
    assert Run.from_bytes(run().to_bytes()) == run()


@pytest.mark.parametrize(
    "change",
    [
        {"n_shots": 0},
        {"n_bindings": 0},
        {"chunk": -1},
        {"rep_delay_ticks": -1},
        {"iteration_limit": 0},
        {"sim": SimOptions(levels=5)},
    ],
)
def test_a_run_out_of_range_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(ProtocolError, match="run: "):
        Run.from_bytes(run(**change).to_bytes())


def test_a_run_with_unknown_keys_is_refused() -> None:
    with pytest.raises(ProtocolError, match="RUN"):
        Run.from_bytes(_container.pack(b"RUN ", [(b"BODY", b'{"shots": 3}')]))


def test_results_survive_the_wire() -> None:
    sent = results()
    got = Results.from_bytes(sent.to_bytes())
    assert got.to_bytes() == sent.to_bytes()
    assert got.iq is not None
    assert got.traces is not None
    assert got.traces.shape == (1, 2, 3, 1)
    assert got.statistics == {"levels": 3}


def test_results_whose_shapes_lie_are_refused() -> None:
    sent = dataclasses.replace(results(), iq=None, traces=None)
    head, rest = sent.to_bytes().split(b'"bits_shape":[1,2,1]')
    damaged = bytearray(head + b'"bits_shape":[1,3,1]' + rest)
    damaged[24:32] = struct.pack("<Q", xxhash.xxh3_64_intdigest(bytes(damaged[32:])))
    with pytest.raises(ProtocolError, match="do not fill"):
        Results.from_bytes(bytes(damaged))
    with pytest.raises(ProtocolError, match="RSLT"):
        Results.from_bytes(_container.pack(b"RSLT", [(tag, b"") for tag in (b"HEAD", b"BITS", b"IQ__", b"TRAC")]))


def resealed(data: bytes) -> bytes:
    return data[:24] + struct.pack("<Q", xxhash.xxh3_64_intdigest(data[32:])) + data[32:]


def test_a_damaged_container_is_refused() -> None:
    good = Patch(bytes(32), np.zeros((1, 1), np.uint32)).to_bytes()
    cases = {
        "shorter than the header": good[:20],
        "no artefact of the stack": b"NOPE" + good[4:],
        "expected a PTCH": good[:4] + b"PROG" + good[8:],
        "format version 1": good[:8] + struct.pack("<H", 1) + good[10:],
        "header says": good + b"x",
        "checksum": good[:-1] + bytes([good[-1] ^ 1]),
        "unknown section": resealed(good.replace(b"WORD", b"WARD")),
        "appears twice": resealed(good.replace(b"WORD", b"HEAD")),
        "does not fit": resealed(good[:10] + struct.pack("<H", 90) + good[12:]),
        "outside or out of order": resealed(good[:40] + struct.pack("<Q", 96) + good[48:]),
    }
    for message, data in cases.items():
        with pytest.raises(ProtocolError, match=message):
            Patch.from_bytes(data)
    with pytest.raises(ProtocolError, match="missing"):
        Patch.from_bytes(_container.pack(b"PTCH", [(b"HEAD", bytes(40))]))
    with pytest.raises(ProtocolError, match="whole number"):
        _container.column({b"FRAM": memoryview(b"abc")}, b"FRAM", np.dtype([("a", "<u4")]))
