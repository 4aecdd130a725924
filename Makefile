# Every command a user or CI needs. `make demo`, `make test`, `make check`, `make bench`.
# Nothing here names a registry: pip uses whatever this machine is set up with.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
VENV := .venv
PY := $(VENV)/bin/python
ARGS ?=

# The tests start hundreds of nodes: without kept bytecode each would compile all of telcon again.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: install demo test check pictures bench simulate soak fuzz tidy

install: $(VENV)/.run

demo: $(VENV)/.run
	@$(PY) -m demo $(ARGS)

test: $(VENV)/.dev .venv-interop/.done
	@bash scripts/need chromium chromium-headless-shell firefox-esr pulseaudio ffmpeg faketime
	@$(PY) -m pytest -q -n 2 --dist loadfile --no-loadscope-reorder $(ARGS)

check: $(VENV)/.dev
	@$(PY) -m ruff format --check src tests demo bench simulate soak fuzz scripts
	@$(PY) -m ruff check src tests demo bench simulate soak fuzz scripts
	@$(PY) -m mypy
	@$(PY) -m pytest -q tests/rules $(ARGS)

# Every screen, on a phone and on a desk, light and dark.
pictures: $(VENV)/.dev
	@bash scripts/need chromium chromium-headless-shell
	@TELCON_SCREENSHOTS=build/pictures $(PY) -m pytest -q tests/web/test_pictures.py $(ARGS)

bench: $(VENV)/.dev
	@$(PY) -m bench $(ARGS)

SECONDS ?= 60

simulate: $(VENV)/.dev
	@PYTHONPATH=tests $(PY) -m simulate --seconds $(SECONDS) $(ARGS)

soak: $(VENV)/.dev
	@PYTHONPATH=tests $(PY) -m soak $(ARGS)

fuzz: $(VENV)/.fuzz
	@$(PY) -m fuzz $(ARGS)

tidy: $(VENV)/.dev
	@$(PY) -m ruff format src tests demo bench simulate soak fuzz scripts
	@$(PY) -m ruff check --fix src tests demo bench simulate soak fuzz scripts

$(VENV)/bin/python:
	@bash scripts/need python3-venv
	@python3 -m venv $(VENV)

$(VENV)/.run: requirements/run.txt pyproject.toml | $(VENV)/bin/python
	@$(PY) -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/run.txt
	@$(PY) -m pip install --quiet --disable-pip-version-check --no-build-isolation --no-deps -e .
	@touch $@

$(VENV)/.dev: requirements/dev.txt $(VENV)/.run
	@$(PY) -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	@touch $@

# The fuzzer is met here alone: no test needs it.
$(VENV)/.fuzz: requirements/fuzz.txt $(VENV)/.run
	@$(PY) -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/fuzz.txt
	@touch $@

# An independent implementation of the same formats, kept out of our own environment.
.venv-interop/.done: requirements/interop.txt
	@bash scripts/need python3-venv
	@python3 -m venv .venv-interop
	@.venv-interop/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/interop.txt
	@touch $@
