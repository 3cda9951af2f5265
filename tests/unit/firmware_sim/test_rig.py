from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
from msgspec.structs import replace

from firmware_sim.active_run import ActiveRun
from firmware_sim.board import Loaded
from firmware_sim.rig import EmulatedRig
from qctrl.errors import ConfigError, ProtocolError, ResourceError
from qctrl.protocol import Patch, Results, Run, SimOptions
from tests.unit.firmware_sim import toys

ROOT = Path(__file__).parents[3]


def rig_of(tmp_path, bit_latency):
    text = (ROOT / "configs/truth/pair2.yaml").read_text(encoding="utf-8")
    path = tmp_path / "truth.yaml"
    path.write_text(f"{text}bit_latency: {bit_latency}\n", encoding="utf-8")
    return EmulatedRig(path, "pair2")


def loaded_of(program):
    setup = toys.setup()
    return Loaded(setup, setup.hash.hex(), program, program.hash.hex(), None, "")


RUN = Run("r", 1, "", "", "", 0, 1, 0, 1, 0)


def test_a_setup_that_promises_bits_too_early_is_refused(tmp_path):
    loaded = loaded_of(toys.excited())
    rig_of(tmp_path, 1.0e-7).check(loaded, RUN)
    rig = rig_of(tmp_path, 1.3e-7)
    with pytest.raises(ConfigError, match=r"promises a bit 1e-07 s after its window, this board needs 1\.3e-07 s"):
        rig.check(loaded, replace(RUN, n_shots=2))


def test_a_block_whose_samples_do_not_fit_is_refused_before_it_is_played(tmp_path):
    """A delay of a second: 1e9 ticks, of 32 bytes on two IQ ports, three times over."""
    rig, program = rig_of(tmp_path, 1.0e-7), toys.program([([], 10**9)], [toys.PLAY, toys.END], n_captures=0)
    with pytest.raises(
        ResourceError, match=r"block 0 of 1000000000 ticks needs 91552 MiB .* may take 1024 MiB; shorten"
    ):
        rig.check(loaded_of(program), RUN)
    rig.check(loaded_of(program), replace(RUN, sim=SimOptions(memory_mib=100_000)))


def played(rig, words, sim, bindings):
    """Return the bits of some bindings of a rabi program."""
    patch = Patch(toys.rabi().hash, words)
    program, setup = toys.rabi(), toys.setup()
    loaded = Loaded(setup, setup.hash.hex(), program, program.hash.hex(), patch, patch.hash.hex())
    run = replace(RUN, first_binding=bindings.start, n_bindings=len(bindings), n_shots=200, sim=sim)
    rig.check(loaded, run)
    active, count = ActiveRun(run, lambda: None), itertools.count()
    rig.play(loaded, active)
    blocks = iter(lambda: active.take(next(count)), None)
    return np.concatenate([Results.from_bytes(block).bits for block in blocks])


def test_pubs_of_one_patch_draw_as_if_each_had_come_alone(tmp_path):
    rig, words = rig_of(tmp_path, 1.0e-7), toys.rabi_patch([toys.X_GAIN / 2] * 5).words
    together = SimOptions(seed=1, levels=2, pubs=((4, 2), (7, 3)))
    apart = [
        played(rig, words[rows], SimOptions(seed=1, levels=2, pub_index=pub), range(rows.stop - rows.start))
        for pub, rows in ((4, slice(0, 2)), (7, slice(2, 5)))
    ]
    whole = played(rig, words, together, range(5))
    assert np.array_equal(whole, np.concatenate(apart))
    assert len({row.tobytes() for row in whole}) == 5
    assert np.array_equal(played(rig, words, together, range(1, 4)), whole[1:4])
    with pytest.raises(ProtocolError, match="pubs has 5 bindings, the patch 4"):
        played(rig, words[:4], together, range(4))
