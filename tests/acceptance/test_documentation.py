"""README and tutorials are run as they stand: files written, commands given, Python executed.

In a page, a block marked ``qasm NAME`` or ``yaml NAME`` is written to the file NAME, ``$ qctrl ...`` lines of
``console`` blocks are run, and all ``python`` blocks share one namespace. ``$ export`` sets a variable for the
rest of the page. A block marked ``text`` is only shown.
"""

import re
import shlex
from pathlib import Path

import pytest

from qctrl.cli import main

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs" / "tutorials").glob("*.md"))]
BLOCK = re.compile(r"^```(\S+)([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)#:]+)(?:#[^)]*)?\)")
# Pages that show what an extra brings.
NEEDS = {
    "pulses-as-the-instrument-gets-them.md": "matplotlib",
    "ordinary-instruments.md": "pyvisa_py",
    "write-an-instrument-driver.md": "pyvisa_py",
    "qblox-cluster.md": "qblox_instruments",
    "qiskit-experiments.md": "qiskit_experiments",
}
# Stays in the foreground.
NOT_RUN = ["emulator", "up"]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_page_runs_as_it_stands(page, tmp_path, monkeypatch, capsys):
    if page.name in NEEDS:
        pytest.importorskip(NEEDS[page.name])
    monkeypatch.chdir(tmp_path)
    namespace = {"__name__": "__main__"}
    for kind, name, body in BLOCK.findall(page.read_text()):
        if kind in ("qasm", "yaml") and name.strip():
            file = tmp_path / name.strip()
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(body)
        elif kind == "console":
            _run_commands(body, capsys, monkeypatch)
        elif kind == "python":
            exec(compile(body, str(page), "exec"), namespace)  # the page is ours


def _run_commands(body, capsys, monkeypatch):
    for line in body.splitlines():
        if line.startswith("$ export "):
            monkeypatch.setenv(*line.removeprefix("$ export ").split("=", 1))
        if not line.startswith("$ qctrl "):
            continue
        words = shlex.split(line.removeprefix("$ qctrl "), comments=True)
        if words[:2] == NOT_RUN:
            continue
        code = main(words)
        captured = capsys.readouterr()
        assert code == 0, (line, captured.out, captured.err)


@pytest.mark.parametrize(
    "page",
    [*PAGES, *sorted((ROOT / "docs").glob("*.md")), *sorted((ROOT / "docs" / "adr").glob("*.md"))],
    ids=lambda page: page.name,
)
def test_links_lead_somewhere(page):
    for target in LINK.findall(page.read_text()):
        assert (page.parent / target).exists(), f"{page}: {target}"
