# Needs Python 3.11 or newer, git and make; everything else is installed into .venv/ from uv.lock.

PYTHON ?= python3
UV_VERSION := 0.13.8
BIN := .venv/bin
INSTALLED := .venv/.installed
QUIETLY := --quiet --disable-pip-version-check

# What benchmarks are held against lives in an environment of its own.
PEERS := .venv-peers/.installed
SIZE ?= 5000000
HISTORIES ?= 500
KILLS ?= 50
SECONDS_PER_MODE ?= 60

export UV_PYTHON_DOWNLOADS := never
export DAGSTER_DISABLE_TELEMETRY := 1
# Compiling what is imported costs 11 s of CPU once; without it every start costs them, and compiling everything at install takes 50.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help install demo test unit check format dev soak soak-marts bench-ingest bench-refresh bench-publish bench-readers bench-checks bench-tenants clean

help:  ## Show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-13s %s\n", $$1, $$2}'

install: $(INSTALLED)  ## Create .venv/ from the lock file

$(INSTALLED): uv.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "error: Python 3.11 or newer is needed: make PYTHON=python3.11 …"; exit 1; }
	@# A pip at hand spares making an environment for uv alone; a Python without pip makes one.
	@test -x .uv/bin/uv || $(PYTHON) -m pip install $(QUIETLY) --target .uv uv==$(UV_VERSION) 2>/dev/null \
		|| { $(PYTHON) -m venv .uv && .uv/bin/pip install $(QUIETLY) uv==$(UV_VERSION); }
	.uv/bin/uv sync --quiet --frozen --python $(PYTHON)
	@touch $@

demo: install  ## Set up, run real backtests, sync, build, check, publish; then show where to look
	$(BIN)/runmart demo

test: demo  ## The demo, then all tests
	@# Two processes; the tests of a file share servers and databases, so they stay together. In the order of folders the quick ones
	@# come last; in that of numbers of tests, long files of few tests would leave one process idle at the end.
	$(BIN)/pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder

unit: install  ## Only the tests that need no database
	$(BIN)/pytest tests/unit

check: install  ## Linters, types, dependencies, SQL style, definitions, descriptions of the dbt project
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/deptry --no-ansi .
	$(BIN)/runmart migrate
	eval "$$($(BIN)/runmart env)" && $(BIN)/sqlfluff lint --quiet dbt_project/models
	$(BIN)/dg check defs
	@# `dg check defs` has parsed the project.
	$(BIN)/dbt-score lint --manifest dbt_project/target/manifest.json --show failing-items

format: install  ## Format Python and SQL
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/runmart migrate
	eval "$$($(BIN)/runmart env)" && $(BIN)/sqlfluff fix --quiet dbt_project/models

dev: install  ## The Dagster UI with the code reloaded on change
	$(BIN)/runmart migrate
	eval "$$($(BIN)/runmart env)" && $(BIN)/dagster dev

soak: install  ## Every way of copying rows beside writers, kills and crashes: SECONDS_PER_MODE=60
	@$(BIN)/python -m benchmarks.soak --seconds-per-mode $(SECONDS_PER_MODE)

soak-marts: install  ## Random histories against full rebuilds, and refreshes that are killed: HISTORIES=500 KILLS=50
	@RUNMART_TEST_HISTORIES=$(HISTORIES) RUNMART_TEST_KILLS=$(KILLS) $(BIN)/pytest tests/integration/marts/test_incremental.py tests/integration/marts/test_kills.py

$(PEERS): benchmarks/requirements-peers.txt $(INSTALLED)
	.uv/bin/uv venv --quiet --allow-existing --python $(PYTHON) .venv-peers
	.uv/bin/uv pip install --quiet --system-certs --python .venv-peers/bin/python -r $<
	@touch $@

bench-ingest: install $(PEERS)  ## What first loads and syncs cost beside the psql pipe, dlt and others: SIZE=5000000
	@$(BIN)/python -m benchmarks.ingest --size $(SIZE)

bench-refresh: SIZE = 10000000
bench-refresh: install $(PEERS)  ## What refreshes cost beside the source's materialized views and a full rebuild: SIZE=10000000
	@$(BIN)/python -m benchmarks.refresh --size $(SIZE)

bench-publish: SIZE = 200000
bench-publish: install  ## What readers feel of ways to publish marts: SIZE=200000
	@$(BIN)/python -m benchmarks.publish --size $(SIZE)

bench-readers: install  ## How long 200 analysts wait for their dashboards while refreshes are published
	@$(BIN)/python -m benchmarks.readers

bench-checks: SIZE = 10000000
bench-checks: install  ## What checks cost beside Great Expectations, and when nothing has changed: SIZE=10000000
	@$(BIN)/python -m benchmarks.checks --size $(SIZE)

bench-tenants: TENANTS = 100
bench-tenants: install  ## What a sync of many tenants costs when nothing is new: TENANTS=100
	@$(BIN)/python -m benchmarks.tenants --tenants $(TENANTS)

clean:  ## Stop the embedded server and remove .runmart/ and the environments
	-test -x $(BIN)/runmart && $(BIN)/runmart down
	rm -rf .venv .venv-peers .uv .runmart dbt_project/target dbt_project/logs
