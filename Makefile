# `make demo` and `make test` are all a new user needs: each sets itself up first.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
INSTALL := $(BIN)/python -m pip install -q --disable-pip-version-check -c constraints.txt
WORKERS ?= 2

.PHONY: setup demo test lint format bench docs clean

setup: .venv/.installed

# The stamp comes last, so a set-up that was cut short is done again.
.venv/.installed: pyproject.toml constraints.txt
	@test -n "$(PYTHON)" || { echo "python3.11 (or another python3, 3.11 or later) is needed and was not found"; exit 1; }
	@echo "Setting up .venv (some minutes the first time)"
	@test -x $(BIN)/pip || $(PYTHON) -m venv .venv
	@$(INSTALL) -e '.[dev,train,onnx,web,cluster]'
	@touch $@

demo: setup
	$(BIN)/camn demo

# One thread per worker: two workers that each take every core only get in each other's way.
test: lint
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -n $(WORKERS)

lint: setup
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/lint-imports
	$(BIN)/pyright --pythonpath $(BIN)/python

format: setup
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

bench: setup
	$(BIN)/camn benchmark
	$(BIN)/python bench/loader.py

docs: .venv/.installed-docs
	$(BIN)/mkdocs build --strict

.venv/.installed-docs: .venv/.installed
	@$(INSTALL) -e '.[docs]'
	@touch $@

clean:
	rm -rf .venv site .pytest_cache .ruff_cache .hypothesis .import_linter_cache
