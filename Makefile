# Everything a developer runs, by name. `make` alone explains.
.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON := .venv/bin/python
.PHONY: help setup demo test lint reference prove bench clean

help:
	@echo 'Archipel'
	@echo
	@echo '  make demo                see it: an agent and the technician'\''s screen, on this machine, no root needed'
	@echo '  make demo ARGS=--check   the same without a screen: one fault is made, explained and healed'
	@echo '  make test                lint, types, import rules and all tests that fit into twenty minutes'
	@echo
	@echo '  make lint                only ruff, mypy and the import rules'
	@echo '  make reference           write docs/reference/ anew from the source; a test holds the two together'
	@echo '  make prove               the long tests; seeds and results are written to docs/proofs/'
	@echo '  make bench               every published figure, measured here: machine, method, spread'
	@echo '  make setup               the environment in .venv, and system packages when run as root; the others call it'
	@echo '  make clean               remove what setup and the tools have made in this directory'
	@echo
	@echo '  One test:                .venv/bin/pytest tests/guards -k loopback'
	@echo '  A real k3s is used where one is on PATH, or named: make test ARCHIPEL_K3S=/path/to/k3s'

# Only these need the browser, the second broker and the second database.
test prove bench: export SETUP_FOR := tests

setup:
	@tools/setup.sh

demo: setup
	@$(PYTHON) -m tests.demo $(ARGS)

test: lint
	@$(PYTHON) -m tests.lanes $(ARGS)

lint: setup
	@echo 'lint: ruff'
	@$(PYTHON) -m ruff check --quiet
	@$(PYTHON) -m ruff format --check --quiet || { echo 'lint: run .venv/bin/ruff format'; exit 1; }
	@echo 'lint: mypy'
	@$(PYTHON) -m mypy --no-error-summary
	@echo 'lint: import rules'
	@.venv/bin/lint-imports >.import-rules.log || { cat .import-rules.log; rm -f .import-rules.log; exit 1; }
	@rm -f .import-rules.log

reference: setup
	@$(PYTHON) docs/generate.py

prove: setup
	@tools/prove.sh $(ARGS)

bench: setup
	@$(PYTHON) -m benchmarks $(ARGS)

clean:
	rm -rf .venv .tools .run build dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -not -path './.git/*' -prune -exec rm -rf {} +
