# `make lab` sets the lab up and opens it; `make test` runs every check. Both work on a bare machine.
PYTHON ?= python3
PORT ?= 8501
BIN := .venv/bin
INSTALL := $(BIN)/pip install --quiet
COMPILE := $(BIN)/python -m wbc_core.curation.compile_loops

.PHONY: lab test ready lint types unit clean

lab: .venv/ready
	@exec $(BIN)/wbc lab --port $(PORT)

test: lint types unit

ready: .venv/ready-dev

lint: .venv/ready-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: .venv/ready-dev
	$(BIN)/mypy

# Half of their time tests wait for a browser, a server or a job: four processes keep two cores busy. A second
# thread of each would only wait in a loop for its turn.
unit: export OMP_NUM_THREADS = 1
unit: export OPENBLAS_NUM_THREADS = 1
unit: .venv/imported .venv/compiled
	$(BIN)/pytest -q -n 4 --dist loadfile --durations=15

.venv/pyvenv.cfg:
	$(PYTHON) -m venv .venv

.venv/ready: requirements.txt pyproject.toml | .venv/pyvenv.cfg
	$(INSTALL) -r requirements.txt
	$(COMPILE)
	@touch $@

.venv/ready-dev: requirements.txt pyproject.toml | .venv/pyvenv.cfg
	$(INSTALL) -r requirements.txt -e '.[dev]'
	@touch $@

.venv/compiled: .venv/ready-dev
	$(COMPILE)
	@touch $@

# What the tests import is compiled once, instead of by each of their processes at the same time.
.venv/imported: .venv/ready-dev
	-$(BIN)/pytest -q --collect-only >/dev/null
	@touch $@

clean:
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis
