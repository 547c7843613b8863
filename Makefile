# Everything runs in .venv, which the first target that needs it makes.

PYTHON ?= python3
INDEX ?= ../shared/data/sp500-2000-2019.parquet
EARNINGS ?= ../shared/data/earnings-2003-2019.csv
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet --constraint constraints.txt
# Without the notice about its successor that Material prints at every start.
MKDOCS := NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs
SOURCES := pyproject.toml constraints.txt

.DEFAULT_GOAL := help
.PHONY: help setup demo test trials slow packages engines test-lowest lint docs bench bench-peers bench-scale bench-gpu mutants fuzz container release clean

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: .venv/tool .venv/dev  ## install the tool and what its development needs into .venv

.venv/tool: $(SOURCES)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "forecast needs Python 3.11 or later; name one with: make PYTHON=python3.12 …" >&2; exit 2; }
	@echo "Installing into .venv; TensorFlow alone is half a gigabyte, this takes a minute or two …"
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(PIP) --editable .
	@$(BIN)/python -m compileall -q forecaster
	@touch $@

.venv/dev: .venv/tool
	@$(PIP) --editable '.[dev]'
	@touch $@

demo: .venv/tool  ## compare the cells on the prices that ship with the tool, predict AAPL, write the report
	$(BIN)/forecast fetch --source sample
	$(BIN)/forecast compare
	$(BIN)/forecast train
	$(BIN)/forecast predict AAPL
	$(BIN)/forecast report

test: .venv/dev  ## run the tests, on two processes
	$(BIN)/python -m pytest --numprocesses 2 --dist worksteal

trials: .venv/dev  ## run the trials that take some ten seconds each
	$(BIN)/python -m pytest --numprocesses 2 --dist worksteal -m trial

slow: .venv/dev engines  ## run the trials that take minutes, those of `make engines` too
	$(BIN)/python -m pytest -m slow --ignore tests/engines

packages: .venv/dev  ## install the wheel into empty environments, on each Python that is here, and try it
	$(BIN)/python -m pytest -m 'slow or not slow' tests/packages

# PyTorch's CPU wheel by its full version: one for CUDA brings several gigabytes.
.venv-engines/done: $(SOURCES)
	@$(PYTHON) -m venv .venv-engines
	@.venv-engines/bin/python -m pip --disable-pip-version-check install --quiet --constraint constraints.txt \
		--editable '.[jax]' 'pytest>=8' 'hypothesis>=6.100' "$$(sed -n 's/^torch==.*/&+cpu/p' constraints.txt)"
	@touch $@

engines: .venv-engines/done  ## have TensorFlow, JAX and PyTorch train, and take up each other's models, in an environment of their own
	.venv-engines/bin/python -m pytest -m 'slow or trial' tests/engines

test-lowest: .venv/dev  ## install the lowest versions that are allowed, and try the tool with them
	bash scripts/check_lowest.sh

fuzz: .venv/dev  ## give the readers of files and answers changed input for an hour, and keep what reaches new code
	@$(PIP) --editable '.[fuzz]'
	$(BIN)/python tests/fuzz/fuzz.py

lint: .venv/dev  ## check style and types, that the documents are current, and their links
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python scripts/build_reference.py --check
	$(BIN)/python scripts/build_lab.py --check
	$(MKDOCS) build

docs: .venv/dev  ## write the references anew from the code, and build the site of the documents
	$(BIN)/python scripts/build_reference.py
	$(MKDOCS) build
	@echo "Open $(CURDIR)/site/index.html"

bench: .venv/dev  ## measure speed, memory and accuracy; INDEX=FILE is the whole index in long form
	$(BIN)/python benchmarks/bench.py $(INDEX)

bench-peers: .venv/dev .venv-peers/installed  ## measure forecast beside its peers, in an environment of their own
	$(BIN)/python benchmarks/peers_bench.py $(INDEX) $(if $(wildcard $(EARNINGS)),--earnings $(EARNINGS))

.venv-peers/installed: requirements-peers.txt
	@echo "Installing the peers into .venv-peers: 4 GB, and more where PyTorch comes with CUDA …"
	@test -x .venv-peers/bin/python || $(PYTHON) -m venv .venv-peers
	@.venv-peers/bin/python -m pip --disable-pip-version-check install --quiet --requirement $<
	@touch $@

bench-scale: .venv/dev  ## measure how the commands grow from 20 to 5,000 tickers, in stores of their own
	$(BIN)/python benchmarks/scale_bench.py

bench-gpu: .venv/dev  ## targets a second on the CPU and on a GPU, and CRPS in mixed precision, by engine; exit 69 without a GPU
	$(BIN)/python benchmarks/gpu_bench.py $(wildcard $(INDEX))

mutants: .venv/dev  ## change the deciding modules, and count the changes that a test notices
	@$(PIP) --editable '.[mutants]'
	$(BIN)/python scripts/mutants.py

TOOL ?= docker
container: .venv/dev  ## build the image and let it live through a night; TOOL=docker|podman|buildah, PYTHON_IMAGE=another base
	$(BIN)/python scripts/check_container.py $(TOOL) $(PYTHON_IMAGE)

release: .venv/dev  ## build wheel and sdist into dist/, with an SBOM, and audit the pins; UNAUDITED=1 does without
	@$(PIP) --editable '.[release]'
	$(BIN)/python scripts/release.py $(if $(UNAUDITED),--unaudited)

clean:  ## remove all environments, caches and the site; prices and models stay
	rm -rf .venv .venv-lowest .venv-engines .venv-peers .pytest_cache .mypy_cache .ruff_cache .hypothesis build dist site
