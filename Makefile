# `make lab` sets the lab up and opens it; `make test` runs every check. Both work on a bare machine.
PYTHON ?= python3
PORT ?= 8501
BIN := .venv/bin

.PHONY: lab test ready lint types unit clean

lab: .venv/ready
	@exec $(BIN)/wbc lab --port $(PORT)

test: lint types unit

ready: .venv/ready-dev .venv/mlflow/ready

lint: .venv/ready-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: .venv/ready-dev
	$(BIN)/mypy

# Two processes on two cores: a second thread of each would only wait in a loop for its turn.
unit: export OMP_NUM_THREADS = 1
unit: export OPENBLAS_NUM_THREADS = 1
unit: ready
	$(BIN)/pytest -q -n 2 --dist loadfile --durations=15

.venv/pyvenv.cfg:
	$(PYTHON) -m venv .venv

.venv/ready: requirements.txt pyproject.toml | .venv/pyvenv.cfg
	$(BIN)/pip install --quiet -r requirements.txt
	$(BIN)/python -m wbc_core.curation.compile_loops
	@touch $@

.venv/ready-dev: .venv/ready
	$(BIN)/pip install --quiet -e '.[dev]'
	@touch $@

# The tests' MLflow server has a place of its own: it wants an older pyarrow than the lab uses.
.venv/mlflow/ready: | .venv/pyvenv.cfg
	$(PYTHON) -m venv .venv/mlflow
	.venv/mlflow/bin/pip install --quiet 'mlflow>=3.17,<4'
	@touch $@

clean:
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis
