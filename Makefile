# Everything you do with this repository. `make` without a target prints the help below.
SHELL := /bin/bash
.DEFAULT_GOAL := help
PYTHON ?= $(shell for p in python3.11 python3.12 python3.13 python3; do \
	$$p -c 'import sys; raise SystemExit(not (3, 11) <= sys.version_info[:2] < (3, 15))' 2>/dev/null && { echo $$p; break; }; done)
BIN := .venv/bin
DATA ?= $(CURDIR)/data
# Where there is no npm, Node is installed from a wheel into the virtual environment, which is therefore on the path.
export PATH := $(CURDIR)/$(BIN):$(PATH)
STATIC := appliance/server/web/static/index.html
UI_SOURCES := $(shell find ui -type f -not -path '*/node_modules/*' 2>/dev/null)
DOCS := $(shell find docs appliance/core appliance/engine appliance/testing -type f -not -name '*.pyc' 2>/dev/null)

# The parts of `make lint` and `make check` run two at a time; each prints its output in one piece.
TWO_AT_A_TIME := $(MAKE) --no-print-directory --jobs=2 --keep-going --output-sync=target
LINTS := lint-ui-tests lint-security lint-types lint-ui-types lint-ui-style lint-ui-unused lint-ui-contract lint-imports lint-style

.PHONY: help install hooks ui docs run test test-full fuzz lint check unit $(LINTS) format lock sbom dist image conformance-kubernetes bench bench-peers chaos soak clean

help: ## print this help
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

install: $(BIN)/.installed hooks ## set up the virtual environment in .venv

hooks:
	@deploy/ci/install_hooks

ui: $(STATIC) ## build the web UI

docs: $(BIN)/.docs ## build the documentation that the appliance serves at /docs

run: install ui docs ## start the appliance at http://127.0.0.1:4200 and run the example once
	@APPLIANCE_DATA_DIR="$(DATA)" APPLIANCE_WHEELS="$${APPLIANCE_WHEELS:-$(CURDIR)/dist/wheels:$(DATA)/wheels}" $(BIN)/python deploy/example/first_run.py

test: install ui docs ## set everything up and run the whole test suite
	@deploy/ci/browser
	@deploy/ci/servers
	cd ui && npm run --silent test
	$(BIN)/python -m tests.suite --durations=20

test-full: install ui docs ## run everything in its long form, storms on several seeds included (hours)
	@deploy/ci/browser
	@deploy/ci/servers
	$(BIN)/python -m tests.full_run $(ARGS)

fuzz: install ## send requests that hardly anybody would send, on both databases (REQUESTS=300000 SEED=1)
	APPLIANCE_FUZZ=$(or $(REQUESTS),300000) APPLIANCE_FUZZ_SEED=$(or $(SEED),1) $(BIN)/python -m pytest -q -s -n 2 tests/integration/test_fuzz.py tests/integration/test_fuzz_doors.py

lint: install ui/node_modules/.installed ## check style, types and architecture, and test the UI's rules
	@$(TWO_AT_A_TIME) $(LINTS)

check: install ui/node_modules/.installed ## run the linters and the unit tests, in under 90 seconds
	@$(TWO_AT_A_TIME) unit $(LINTS)

unit:
	$(BIN)/python -m pytest -q -n 2 --depth quick tests/unit tests/house

lint-style:
	$(BIN)/ruff check --quiet .
	$(BIN)/ruff format --check --quiet .

lint-types:
	$(BIN)/mypy

lint-security:
	$(BIN)/python -m bandit --quiet --recursive --configfile pyproject.toml appliance deploy
	$(BIN)/python deploy/ci/secret_scan.py

lint-imports:
	$(BIN)/lint-imports

lint-ui-style:
	cd ui && npm run --silent lint

lint-ui-unused:
	cd ui && npm run --silent unused

lint-ui-contract:
	$(BIN)/python deploy/ci/graphql_contract.py --check

lint-ui-types:
	cd ui && npm run --silent types

lint-ui-tests:
	cd ui && npm run --silent test -- --project lib

format: install ## format the code and apply the linter's fixes
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lock: install ## resolve the dependencies again and write the lock files
	deploy/ci/lock

sbom: install ## write the software bill of materials to dist/sbom.cdx.json (CycloneDX)
	@$(BIN)/python deploy/ci/sbom.py dist/sbom.cdx.json

dist: install ui docs ## build the wheel, and fetch those of the dependencies, into dist/ (PYTHONS="3.12 3.13" for these versions, too)
	@$(BIN)/python deploy/ci/dist.py dist $(addprefix --python ,$(PYTHONS))

image: ## build the container image (BASE_IMAGE=... for another base image)
	docker build $(if $(BASE_IMAGE),--build-arg BASE_IMAGE=$(BASE_IMAGE)) -f deploy/docker/Dockerfile -t appliance:local .

conformance-kubernetes: install ## try Kubernetes agents on a cluster: APPLIANCE_TEST_KUBECONFIG=, APPLIANCE_TEST_IMAGE=, APPLIANCE_TEST_HOST=
	@$(BIN)/python -m pytest -q tests/conformance/test_agents.py -k kubernetes

bench: install ## benchmark relative to the best that this machine can do
	$(BIN)/python -m tests.bench.run

bench-peers: install ## benchmark comparable products too, each in its own environment
	$(BIN)/python -m tests.bench.run --peers
	$(BIN)/python -m tests.bench.comparison --docs

chaos: install ## break a whole site at random, then verify its data (FOR=120 SEED=... POSTGRES=1)
	$(BIN)/python -m tests.chaos.run --seconds $(or $(FOR),120) $(if $(SEED),--seed $(SEED)) $(if $(POSTGRES),--postgres)

soak: install ## apply the rated load for half an hour, then check for leaks (FOR=72h before a release)
	$(BIN)/python -m tests.bench.soak --for $(or $(FOR),30m)

clean: ## remove build output; data and .venv stay
	rm -rf appliance/server/web/static appliance/server/web/site ui/node_modules .mypy_cache .ruff_cache build dist

$(BIN)/.installed: requirements-dev.lock pyproject.toml
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is required. Install it, or run make PYTHON=/path/to/python3.11."; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@echo "Installing the locked dependencies into .venv ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements-dev.lock
	@$(BIN)/python -m pip uninstall -qq --disable-pip-version-check --yes appliance  # as this package was once called
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@$(BIN)/python -m compileall -q appliance
	@touch $@

$(BIN)/.node: $(BIN)/.installed requirements-node.lock
	@command -v npm >/dev/null 2>&1 || { echo "npm is not installed: installing Node from a wheel ..."; \
		$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements-node.lock; }
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
