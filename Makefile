# Every target works without HOME and without anything but make and Python 3.11 or newer.
.DEFAULT_GOAL := help
.PHONY: help setup run unit store test slow-machine check mypy pyright lint-imports collect format bench faults pictures docs docs-serve services clean

VENV_PYTHON := .venv/bin/python
# Tests wait more than they compute: five at a time keep two cores busy.
WORKERS ?= 5
CODE := $(wildcard taskflow pytest_taskflow.py workers tests examples benchmarks scripts)

# Caches stay in the environment; pyright runs the version it was installed with and asks nobody for a newer one.
export RUFF_CACHE_DIR := .venv/.cache/ruff
export XDG_CACHE_HOME := $(CURDIR)/.venv/.cache
export PYRIGHT_PYTHON_IGNORE_WARNINGS := 1
export NO_MKDOCS_2_WARNING := 1
# Tests start some thousand Python processes; each would compile every module again.
unexport PYTHONDONTWRITEBYTECODE

help: ## List the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{ printf "make %-12s %s\n", $$1, $$2 }'

setup: ## Make .venv with everything in it (instant when it is there)
	@scripts/setup

run: setup ## Run the example tasks on real workers to their end, with a live table
	@$(VENV_PYTHON) -m workers.demo

unit: setup ## Run the tests without I/O: some seconds
	@$(VENV_PYTHON) -m pytest -n 2 tests/unit

store: setup services ## Run the tests of the store's operations, on Valkey and on Redis 7
	@$(VENV_PYTHON) -m pytest -n $(WORKERS) tests/store

# One worker has RabbitMQ, one PostgreSQL, one Chromium, one the sites; a test that a busy machine failed runs again (tests/support/second_run.py).
test: check services ## Run everything: the checks, then the whole suite on real servers
	@$(VENV_PYTHON) -m pytest -p tests.support.second_run -n $(WORKERS) --dist worksteal

slow-machine: setup services ## Run the integration tests with CPU (0.2) of a processor, or TESTS="tests/faults"
	@scripts/slow-machine $(or $(CPU),0.2) $(VENV_PYTHON) -m pytest $(or $(TESTS),tests/integration)

check: setup ## Check format, lint, types and the import rules
	$(VENV_PYTHON) -m ruff format --check $(CODE)
	$(VENV_PYTHON) -m ruff check $(CODE)
	@$(MAKE) --no-print-directory --jobs 2 --output-sync=target mypy pyright lint-imports collect

# Each takes one core for some 40 s, without a cache.
mypy: setup ## Check the types with mypy
	$(VENV_PYTHON) -m mypy $(filter-out scripts,$(CODE))

pyright: setup ## Check the types with pyright
	$(VENV_PYTHON) -m pyright

lint-imports: setup ## Check the import rules
	.venv/bin/lint-imports --cache-dir .venv/.cache/import-linter

# It compiles them, too: each of the five processes of a test run would do so for itself otherwise.
collect: setup ## Import every test
	@mkdir -p .venv/.cache
	@$(VENV_PYTHON) -m pytest --collect-only -q -q > .venv/.cache/collected || { tail -40 .venv/.cache/collected; exit 1; }

format: setup ## Format the code and repair what lint can repair
	$(VENV_PYTHON) -m ruff check --fix-only $(CODE)
	$(VENV_PYTHON) -m ruff format $(CODE)

bench: setup ## Print runs/s, trigger/s and latency, paired with plain Celery
	@$(VENV_PYTHON) -m benchmarks

faults: setup services ## Have everything fail that can for SECONDS (120) per seed: SEED=7, SEEDS="1 2 3", or a new one
	@$(VENV_PYTHON) -m tests.faults $(SEED) $(SEEDS) --seconds $(or $(SECONDS),120)

pictures: setup services ## Take pictures of every page of the dashboard, into build/pictures; README=1: that of the README, too
	@if [ -n "$(README)" ]; then $(VENV_PYTHON) -m tests.dashboard.tour.readme_picture docs/pictures; fi
	@PICTURES=all TOUR_RUNS=$(or $(RUNS),1000000) $(VENV_PYTHON) -m pytest -q tests/dashboard/tour -k "every_page or signing_in" && ls -d build/pictures

docs: setup ## Build the documentation's site into build/site; a link to nothing fails it
	@$(VENV_PYTHON) -m mkdocs build --strict && ls -d build/site

docs-serve: setup ## Show the documentation's site on http://127.0.0.1:8000, rebuilt at each change
	@$(VENV_PYTHON) -m mkdocs serve

services: ## Install the servers that the tests start (Redis, RabbitMQ, PostgreSQL), Chromium and libfaketime, where that is possible
	@scripts/services

clean: ## Stop the embedded store and remove its data, caches and build output (.venv stays)
	@if [ -x $(VENV_PYTHON) ] && [ -d .taskflow ]; then \
		$(VENV_PYTHON) -c 'import pathlib, taskflow.embedded as e; e.stop_store(pathlib.Path(".taskflow"))'; fi
	@rm -rf .taskflow build dist .hypothesis .venv/.cache
	@find . -path ./.venv -prune -o -name __pycache__ -type d -exec rm -rf {} +
