"""What starting costs: in CPU seconds beyond bare Python, and in libraries that must stay unloaded.

CPU time instead of wall time, the best of several, so that a busy machine does not fail the test.
"""

import os
import subprocess
import sys

import pytest

HEAVY = ("qiskit", "scipy", "numba", "numpy", "pydantic", "zmq", "rich", "ruamel", "msgspec")
ROUNDS = 5


def cpu_seconds(code):
    spent = []
    for _ in range(ROUNDS):
        before = os.times()
        # A child measured by the coverage tool would pay for that too.
        environment = {name: value for name, value in os.environ.items() if not name.startswith("COV")}
        subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL, env=environment)
        after = os.times()
        spent.append(after.children_user + after.children_system - before.children_user - before.children_system)
    return min(spent)


@pytest.fixture(scope="module")
def bare_python():
    return cpu_seconds("pass")


@pytest.mark.parametrize(
    ("code", "budget_s"),
    [("import qctrl", 0.1), ("from qctrl.cli import main; main(['--help'])", 0.4)],
    ids=["import qctrl", "qctrl --help"],
)
def test_start_is_within_its_budget(bare_python, code, budget_s):
    assert cpu_seconds(code) - bare_python < budget_s


@pytest.mark.parametrize("code", ["import qctrl", "from qctrl.cli import main; main(['--help'])"])
def test_heavy_libraries_stay_unloaded(code):
    report = "; import sys; print('loaded:', *sorted(set(sys.modules) & set(sys.argv[1:])))"
    done = subprocess.run([sys.executable, "-c", code + report, *HEAVY], check=True, capture_output=True, text=True)
    assert done.stdout.splitlines()[-1].strip() == "loaded:"


def test_protocol_is_free_of_qiskit():
    code = "import sys, qctrl.protocol, qctrl.signal, qctrl.transport; sys.exit('qiskit' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
