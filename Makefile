# `make demo` and `make test` need only Python 3.11 and make; the first run sets up .venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: demo test check soak bench bench-peers ecosystem setup lock clean

demo: $(READY)
	@$(BIN)/qctrl demo

# Each worker has a core; threads of linear algebra would only get into each other's way.
test: $(READY)
	OPENBLAS_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile --cov --cov-report=term-missing:skip-covered

check: $(READY)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/basedpyright
	$(BIN)/lint-imports

bench: $(READY)
	$(BIN)/python -m pytest benchmarks --benchmark-only --benchmark-disable-gc -q

# Jobs of all kinds, faults among them, for so long; then random inputs that no earlier run has seen.
SOAK_MINUTES ?= 10
soak: $(READY)
	$(BIN)/python -m pytest tests/soak --soak $(SOAK_MINUTES) -s
	TEST_SEED=$$(date +%s) $(BIN)/python -m pytest tests/property -n 2 --dist loadfile -q

# Other compilers and solvers, installed under build/peers/, beside ours in the same run.
bench-peers: $(READY)
	$(BIN)/python -m benchmarks.peers
	$(BIN)/python -m benchmarks.peers.solvers

# Suites of third parties on our devices, installed under build/ecosystem/.
ecosystem: $(READY)
	$(BIN)/python -m benchmarks.ecosystem

setup: $(READY)

$(READY): pyproject.toml constraints.txt
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[dev]"
	@touch $(READY)

# Writes constraints.txt anew from what is installed now.
lock: $(READY)
	$(BIN)/python -m pip freeze --exclude-editable | grep -v '^qctrl-stack' > constraints.txt

clean:
	rm -rf $(VENV) dist build .pytest_cache .ruff_cache .hypothesis .coverage
