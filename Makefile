# Every target makes .venv when it is missing. PYTHON and pip's own environment variables
# (PIP_EXTRA_INDEX_URL, PIP_FIND_LINKS …) choose the interpreter and where packages come from.
PYTHON ?= python3.11
BIN := .venv/bin
SHELL := /bin/bash

.PHONY: demo test test-slow lint format bench clean

.venv/installed: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[eval,train,dev]'
	touch $@

demo: .venv/installed
	$(BIN)/embryo-demo run

test: .venv/installed
	$(BIN)/python -m pytest -m "not slow"

test-slow: .venv/installed
	$(BIN)/python -m pytest -m slow --timeout 3600

lint: .venv/installed
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --cache-dir .venv/import-linter

format: .venv/installed
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: .venv/installed
	set -e; for script in bench/bench_*.py; do echo "== $$script"; $(BIN)/python $$script; done

clean:
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache *.egg-info
