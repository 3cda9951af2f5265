"""Runs suites of third parties on our devices, in an environment of their own; see ``docs/ecosystem.md``.

Run by ``make ecosystem``. Test modules of others come with their source distributions, which pip fetches.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import venv
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
PLACE = ROOT / "build" / "ecosystem"
PYTHON = PLACE / "venv" / "bin" / "python"
PIP = [PYTHON, "-m", "pip", "--quiet"]
SOURCES = {"qiskit": "2.6.2", "qiskit-ibm-runtime": "0.51.0"}
"""Packages with tests in their source distributions, and their versions."""
BACKEND_TESTS = [f"test/python/primitives/test_backend_{name}_v2.py" for name in ("sampler", "estimator")]
STATEVECTOR_TESTS = [f"test/python/primitives/test_statevector_{name}.py" for name in ("sampler", "estimator")]
LOCAL_MODE_TESTS = [f"test/unit/local_mode/test_local_{name}.py" for name in ("mode", "runtime_job")]
OURS = [str(ROOT / "tests" / "acceptance" / f"test_{name}.py") for name in ("experiments", "ecosystem")]


def prepare() -> None:
    """Install what is missing."""
    if not PYTHON.exists():
        venv.create(PYTHON.parents[1], with_pip=True)
    subprocess.run([*PIP, "install", "-r", HERE / "requirements.txt", "-e", ROOT], check=True)


def tests_of(package: str) -> Path:
    """Return the folder with the tests of a package; fetch them if they are missing."""
    tests = PLACE / f"{package}-tests"
    if not tests.exists():
        wanted = f"{package}=={SOURCES[package]}"
        subprocess.run([*PIP, "download", "--no-deps", "--no-binary", package, "-d", PLACE, wanted], check=True)
        with tarfile.open(next(PLACE.glob(f"{package.replace('-', '_')}-*.tar.gz"))) as archive:
            # Beside the tests lies the package itself, which must not hide the installed one.
            members = [each for each in archive.getmembers() if each.name.split("/")[1:2] == ["test"]]
            for each in members:
                each.name = each.name.split("/", 1)[1]
            archive.extractall(tests, members=members, filter="data")
    return tests


def passed(title: str, folder: Path, *arguments: str, **environment: str) -> bool:
    """Run pytest and print its last line."""
    paths = os.pathsep.join([str(ROOT), str(folder)])
    jobs = str(PLACE / "jobs.sqlite")
    done = subprocess.run(
        [PYTHON, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--tb=short", "-rs", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": paths, "QCTRL_JOBS": jobs, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    lines = done.stdout.strip().splitlines() or [done.stderr]
    print(f"{title}: {lines[-1]}")
    if done.returncode:
        print(done.stdout)
    return done.returncode == 0


def main() -> int:
    """Run every suite; return 1 if one fails."""
    prepare()
    qiskit, runtime = map(tests_of, SOURCES)
    swapped = ("-p", "benchmarks.ecosystem.swapped_backends", *BACKEND_TESTS)
    transpiled = ("-p", "benchmarks.ecosystem.transpiled_primitives", *STATEVECTOR_TESTS)
    # These primitives are deprecated, and warnings of tests under this folder are errors.
    local = ("-W", "default", "-p", "benchmarks.ecosystem.local_mode", *LOCAL_MODE_TESTS)
    return not all(
        [
            passed("Qiskit's tests, Qiskit's primitives over our backend", qiskit, *swapped),
            passed("Qiskit's tests, our primitives", qiskit, *swapped, ECOSYSTEM_PRIMITIVES="ours"),
            passed("Qiskit's tests of statevector primitives, ours behind the transpiler", qiskit, *transpiled),
            passed("qiskit-ibm-runtime's tests of its local mode", runtime, *local),
            passed("qiskit-experiments and others", ROOT, *OURS),
        ]
    )


if __name__ == "__main__":
    sys.exit(main())
