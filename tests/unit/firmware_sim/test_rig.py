from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from firmware_sim.board import Loaded
from firmware_sim.rig import EmulatedRig
from qctrl.errors import ConfigError, ResourceError
from qctrl.protocol import Run, SimOptions
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
