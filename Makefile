# Bootstrap and shortcuts. Everything runs in .venv/, made here from requirements.lock; nothing else is set up.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# For the steps, and for whatever they start.
export PATH := $(CURDIR)/$(BIN):$(PATH)
export MLFLOW_DISABLE_TELEMETRY := true
export DVC_NO_ANALYTICS := true
# Where nothing may be written at home, as in some containers: else pip, uv, Snakemake and Matplotlib end or complain.
ifneq ($(shell test -w "$$HOME" && echo yes),yes)
export XDG_CACHE_HOME ?= $(CURDIR)/.cache
export XDG_CONFIG_HOME ?= $(CURDIR)/.cache/config
endif
# Each step is a process: told to keep no bytecode, as a container often is, all would compile PyTorch anew, for seconds.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help results status test miniature claims lint mlflow docs lock clean in-place

help:  ## this list
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "make %-10s %s\n", $$1, $$2}'

results: $(VENV)/ready  ## run the whole graph of params.yaml: data, trainings, tables, figures, report
	@snakemake
	@ncfl verify --quiet --tell-dvc
	@ncfl summary

status: $(VENV)/ready  ## what is done of each experiment, what is stale and why
	@ncfl status

test: $(VENV)/ready  ## the tests: units, both engines, one small run end to end
	@pytest -n 2 --dist worksteal tests/workflow tests/end_to_end tests/unit

miniature: $(VENV)/ready  ## the preset paper on all eight datasets with few iterations and frames: for the night
	@pytest tests/miniature

claims: $(VENV)/ready  ## what the results in results/ must show
	@pytest tests/claims

lint: $(VENV)/ready  ## style
	@ruff check . && ruff format --check .

mlflow: $(VENV)/ready  ## browse the runs, also while steps run; says at which address
	@ncfl mlflow-sync
	@test -f results/mlflow/mlflow.db || { echo 'no runs yet: make results'; exit 2; }
	@ncfl mlflow-sync --follow & trap "kill $$!" EXIT; \
	mlflow server --backend-store-uri sqlite:///results/mlflow/mlflow.db --workers 1 --host 127.0.0.1 --port 5000 --uvicorn-opts '--log-level warning'

docs: $(VENV)/ready  ## the documents as a site: results/site/index.html
	@NO_MKDOCS_2_WARNING=1 mkdocs build --quiet --strict

lock: $(VENV)/ready  ## resolve requirements.in into requirements.lock again
	@tools/lock $(BIN)/uv

clean:  ## remove results, prepared data and the engines' records; keep .venv/ and what was fetched
	find results -mindepth 1 -maxdepth 1 ! -name README.md -exec rm -rf {} +
	rm -rf data/prepared .snakemake .dvc/cache .dvc/tmp

# The marker bears a date, so that a changed lock installs again, and the folder that it was made for.
$(VENV)/ready: requirements.lock pyproject.toml tools/bootstrap tools/dvc tools/plots_page | in-place
	@tools/bootstrap $(PYTHON) $(VENV)
	@pwd -P > $@

# The programs of an environment hold its path: copied ones would run the code of the original, moved ones nothing.
in-place:
	@[ ! -s $(VENV)/ready ] || [ "$$(cat $(VENV)/ready)" = "$$(pwd -P)" ] || { \
	echo "$(VENV) was made in $$(cat $(VENV)/ready), and the project was copied or moved: rm -rf $(VENV), then make again" >&2; exit 2; }
