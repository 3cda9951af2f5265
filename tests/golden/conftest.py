"""Golden texts: ``pytest tests/golden --refresh-golden`` rewrites them; review the diff."""

from pathlib import Path

import pytest


def pytest_addoption(parser):
    parser.addoption("--refresh-golden", action="store_true", help="rewrite the golden texts instead of comparing")


@pytest.fixture
def golden(request):
    """Return a function that compares a text with the file of that name."""

    def compare(name: str, text: str) -> None:
        path = Path(__file__).parent / "texts" / name
        if request.config.getoption("refresh_golden", default=False):
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)
        assert text == path.read_text(), f"{name} changed; refresh with pytest tests/golden --refresh-golden"

    return compare
