"""One service, hence one emulator per device, for all acceptance tests of a worker."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from qctrl import ProviderService


@pytest.fixture(scope="session")
def service() -> Iterator[ProviderService]:
    with ProviderService() as made:
        yield made
