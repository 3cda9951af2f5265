"""Starting a process: what every command pays."""

import subprocess
import sys

import pytest

CASES = {
    "bare Python": "pass",
    "import qctrl": "import qctrl",
    "qctrl --help": "from qctrl.cli import main; main(['--help'])",
    "the service": "from qctrl import ProviderService",
}


@pytest.mark.parametrize("case", CASES)
def test_start(benchmark, case):
    words = [sys.executable, "-c", CASES[case]]
    # Our own words, no shell.
    benchmark.pedantic(lambda: subprocess.run(words, check=True, stdout=subprocess.DEVNULL), rounds=5, warmup_rounds=1)
