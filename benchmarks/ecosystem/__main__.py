"""Runs suites of third parties on our devices, in an environment of their own; see ``docs/ecosystem.md``.

Run by ``make ecosystem``. Qiskit's test modules come with its source distribution, which pip fetches.
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
QISKIT = "qiskit==2.6.2"
MODULES = [f"test/python/primitives/test_backend_{name}_v2.py" for name in ("sampler", "estimator")]
OURS = [str(ROOT / "tests" / "acceptance" / f"test_{name}.py") for name in ("experiments", "ecosystem")]


def prepare() -> Path:
    """Install what is missing; return the folder with Qiskit's tests."""
    if not PYTHON.exists():
        venv.create(PYTHON.parents[1], with_pip=True)
    pip = [PYTHON, "-m", "pip", "--quiet"]
    subprocess.run([*pip, "install", "-r", HERE / "requirements.txt", "-e", ROOT], check=True)
    tests = PLACE / "qiskit_tests"
    if not tests.exists():
        subprocess.run([*pip, "download", "--no-deps", "--no-binary", "qiskit", "-d", PLACE, QISKIT], check=True)
        with tarfile.open(next(PLACE.glob("qiskit-*.tar.gz"))) as archive:
            # Beside the tests lies the package itself, which must not hide the installed one.
            wanted = [each for each in archive.getmembers() if "/test/" in each.name]
            for each in wanted:
                each.name = each.name.split("/", 1)[1]
            archive.extractall(tests, members=wanted, filter="data")
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
    tests = prepare()
    swapped = ("-p", "benchmarks.ecosystem.swapped_backends", *MODULES)
    return not all(
        [
            passed("Qiskit's tests, Qiskit's primitives over our backend", tests, *swapped),
            passed("Qiskit's tests, our primitives", tests, *swapped, ECOSYSTEM_PRIMITIVES="ours"),
            passed("qiskit-experiments and others", ROOT, *OURS),
        ]
    )


if __name__ == "__main__":
    sys.exit(main())
