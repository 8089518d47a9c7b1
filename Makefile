# Everything that people do with this repository. `make` alone prints this help.
SHELL := /bin/bash
.DEFAULT_GOAL := help
PYTHON ?= $(shell for p in python3.11 python3.12 python3.13 python3; do \
	$$p -c 'import sys; raise SystemExit(not (3, 11) <= sys.version_info[:2] < (3, 15))' 2>/dev/null && { echo $$p; break; }; done)
BIN := .venv/bin
DATA ?= $(CURDIR)/data
# The machine may have no npm; then Node comes from a wheel into the virtual environment, which is why it is on the path.
export PATH := $(CURDIR)/$(BIN):$(PATH)
STATIC := appliance/server/web/static/index.html
UI_SOURCES := $(shell find ui -type f -not -path '*/node_modules/*' 2>/dev/null)
DOCS := $(shell find docs appliance/core appliance/engine appliance/testing -type f -not -name '*.pyc' 2>/dev/null)

.PHONY: help install ui docs run test lint check format lock image bench bench-peers chaos soak clean

help: ## print this help
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

install: $(BIN)/.installed ## set up the virtual environment in .venv

ui: $(STATIC) ## build the web UI

docs: $(BIN)/.docs ## build the documentation that the appliance serves at /docs

run: install ui docs ## start the appliance at http://127.0.0.1:4200 and run the example once
	@APPLIANCE_DATA_DIR="$(DATA)" $(BIN)/python deploy/example/first_run.py

test: install ui docs ## set everything up and run the whole test suite
	@deploy/ci/browser
	$(BIN)/python -m pytest -q -n 3 --dist loadgroup tests

lint: install ui/node_modules/.installed ## lint, types, architecture and the UI's own tests
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python deploy/ci/graphql_contract.py --check
	cd ui && npm run --silent lint && npm run --silent types && npm run --silent unused && npm run --silent test

check: lint ## lint, types, architecture and unit tests, in under two minutes
	$(BIN)/python -m pytest -q -n 2 tests/unit tests/house

format: install ## format the code and mend what the linter can mend
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lock: install ## resolve the dependencies again
	deploy/ci/lock

image: ## build the container image (BASE_IMAGE=... for another base)
	docker build $(if $(BASE_IMAGE),--build-arg BASE_IMAGE=$(BASE_IMAGE)) -f deploy/docker/Dockerfile -t appliance:local .

bench: install ## measure against this machine's floors
	$(BIN)/python -m tests.bench.run

bench-peers: install ## the same beside the peers, each in an environment of its own
	$(BIN)/python -m tests.bench.run --peers

chaos: install ## kill, stop, cut off and starve a whole site, then judge it (FOR=120 SEED=... POSTGRES=1)
	$(BIN)/python -m tests.chaos.run --seconds $(or $(FOR),120) $(if $(SEED),--seed $(SEED)) $(if $(POSTGRES),--postgres)

soak: install ## rated load for half an hour, then judge what must not grow (FOR=72h for a release)
	$(BIN)/python -m tests.bench.soak --for $(or $(FOR),30m)

clean: ## remove what was built; data and .venv stay
	rm -rf appliance/server/web/static appliance/server/web/site ui/node_modules .mypy_cache .ruff_cache build dist

$(BIN)/.installed: requirements-dev.lock pyproject.toml
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed; install it or say PYTHON=/path/to/python3.11."; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@echo "Installing the locked dependencies into .venv ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@$(BIN)/python -m compileall -q appliance
	@touch $@

$(BIN)/.node: $(BIN)/.installed requirements-node.lock
	@command -v npm >/dev/null 2>&1 || { echo "npm is missing: taking Node from a wheel ..."; \
		$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-node.lock; }
	@touch $@

ui/node_modules/.installed: $(BIN)/.node ui/package.json ui/package-lock.json
	@echo "Installing the UI's packages ..."
	@cd ui && npm ci --no-audit --no-fund --loglevel=error
	@touch $@

$(STATIC): ui/node_modules/.installed $(UI_SOURCES)
	@echo "Building the UI ..."
	@cd ui && npm run --silent build
	@touch $@

$(BIN)/.docs: $(BIN)/.installed $(DOCS)
	@$(BIN)/python deploy/ci/build_docs.py
	@touch $@
