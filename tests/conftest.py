"""Settings of every test: no user's environment, one seed that is printed, no deadline for a first compilation."""

from __future__ import annotations

import os
import shutil
import tempfile
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, settings

SEED = int(os.environ.get("TEST_SEED", "20261123"))
_FOLDER = pytest.StashKey[Path]()

# The first call of a kernel compiles it, which takes longer than Hypothesis allows an example.
settings.register_profile("qctrl", deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("qctrl")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let real instruments and a long run be asked for."""
    parser.addoption("--hardware", metavar="RACK.yaml", help="run the tests that switch the instruments of this rack")
    parser.addoption("--soak", metavar="MINUTES", type=float, help="run the tests of endurance for so long")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what has to be asked for by its option."""
    unasked = [name for name in ("hardware", "soak") if not config.getoption(name)]
    left_out = [item for item in items if any(item.get_closest_marker(name) for name in unasked)]
    if left_out:
        items[:] = [item for item in items if item not in left_out]
        config.hook.pytest_deselected(items=left_out)


def pytest_configure(config: pytest.Config) -> None:
    """Hide the user's jobs, racks and calibrations from this process and its children."""
    for name in [name for name in os.environ if name.startswith("QCTRL_")]:
        del os.environ[name]
    folder = Path(tempfile.mkdtemp(prefix="qctrl-tests-"))
    config.stash[_FOLDER] = folder
    os.environ["QCTRL_JOBS"] = str(folder / "jobs.sqlite")


def pytest_unconfigure(config: pytest.Config) -> None:
    """Remove what the session stored."""
    folder = config.stash.get(_FOLDER, None)
    if folder is not None:
        shutil.rmtree(folder, ignore_errors=True)


def pytest_report_header() -> str:
    """Say how to repeat the random numbers of this session."""
    return f"seed: {SEED} (TEST_SEED={SEED} repeats it)"


@pytest.fixture
def seed(request: pytest.FixtureRequest) -> int:
    """A seed of the test's own, the same whatever else runs; printed if the test fails."""
    value = SEED ^ zlib.crc32(request.node.nodeid.encode())
    print(f"seed of {request.node.name}: {value}")
    return value


@pytest.fixture
def rng(seed: int) -> np.random.Generator:
    """Random numbers of the test's own."""
    return np.random.default_rng(seed)
