"""Steps from sample to sample: across blocks, from silence, and back to an earlier moment."""

import numpy as np
import pytest

from qctrl.errors import ResourceError
from qctrl.signal import SetupChain
from qctrl.signal.slew import SlewWatch
from tests.unit.compiler import trio


def watch(**ports):
    setup = trio.setup(**ports)
    return SlewWatch(setup, SetupChain(setup).lines), {port.name: k for k, port in enumerate(setup.ports)}


def test_a_shot_begins_at_the_idle_level():
    steps, port = watch(c01__flux={"max_step": 0.05})
    steps.check(port["c01.flux"], np.array([0.14, 0.12]), 0)
    steps.check(port["c01.flux"], np.array([0.08]), 2)
    with pytest.raises(
        ResourceError, match=r"port c01\.flux, tick 5: .* by 0\.07 of full scale .* limit is 0\.05; lower"
    ):
        steps.check(port["c01.flux"], np.array([0.08, 0.01]), 4)
    steps.reset()
    with pytest.raises(ResourceError, match="tick 0"):
        steps.check(port["c01.flux"], np.zeros(4), 0)


def test_each_quadrature_is_compared():
    steps, port = watch(q0__drive={"max_step": 0.1})
    steps.check(port["q0.drive"], np.array([0.1 + 0.1j, 0.2 + 0.0j]), 0)
    with pytest.raises(ResourceError, match=r"q0\.drive, tick 2"):
        steps.check(port["q0.drive"], np.array([0.2 + 0.11j]), 2)


def test_rounding_to_codes_is_forgiven():
    steps, port = watch(q0__flux={"max_step": 0.1, "dac_bits": 4})
    steps.check(port["q0.flux"], np.array([1 / 7]), 0)
    with pytest.raises(ResourceError, match=r"by 0\.285714"):
        steps.check(port["q0.flux"], np.array([3 / 7]), 1)


def test_it_goes_back_to_another_moment():
    steps, port = watch(q0__flux={"max_step": 0.5})
    before = [sample.copy() for sample in steps.last.values()]
    steps.check(port["q0.flux"], np.array([0.5, 0.9]), 0)
    steps.load(before)
    with pytest.raises(ResourceError, match=r"changes by 0\.9"):
        steps.check(port["q0.flux"], np.array([0.9]), 0)


def test_other_ports_may_jump():
    steps, port = watch()
    assert steps.last == {}
    steps.check(port["q0.flux"], np.array([1.0, -1.0]), 0)
