"""What integration tests share."""

import pytest


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """Keep leases and jobs of a module's tests apart."""
    folder = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("QCTRL_LEASES", str(folder / "leases"))
        patch.setenv("QCTRL_JOBS", str(folder / "jobs.sqlite"))
        yield folder
