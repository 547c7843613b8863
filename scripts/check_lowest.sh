#!/usr/bin/env bash
# Installs the lowest allowed version of every direct dependency into .venv-lowest, then imports every module,
# runs the demo's commands on a small network, and the quick tests.
set -euo pipefail
cd "$(dirname "$0")/.."
bin=$PWD/.venv-lowest/bin
export TF_CPP_MIN_LOG_LEVEL=3
.venv/bin/uv venv --quiet --clear --python .venv/bin/python .venv-lowest
.venv/bin/uv pip install --quiet --python "$bin/python" --resolution lowest-direct --editable '.[excel,tune]' \
    'pytest>=8' 'pytest-xdist>=3.6' 'hypothesis>=6.100'
"$bin/python" - <<'END'
import importlib
import pkgutil

import forecaster

for module in pkgutil.walk_packages(forecaster.__path__, "forecaster."):
    importlib.import_module(module.name)
END
home=$(mktemp -d)
trap 'rm -rf "$home"' EXIT
small=(AAPL MSFT --epochs 1 --units 4 --lookback 20 --quiet)
"$bin/forecast" --home "$home" fetch --source sample --quiet
# One cell in a process of its own; what the others compute is told by the tests below.
"$bin/forecast" --home "$home" compare --cells rnn "${small[@]}"
"$bin/forecast" --home "$home" train "${small[@]}"
"$bin/forecast" --home "$home" predict AAPL --json --quiet > /dev/null
# Warnings of old libraries about each other are not ours to fix.
"$bin/python" -m pytest --numprocesses 2 --dist worksteal -W default --ignore tests/dataset/test_membership.py tests/dataset tests/evaluation tests/ledger tests/registry \
    tests/network/test_artifact.py tests/network/test_recurrent.py tests/network/test_cells.py \
    --ignore tests/evaluation/test_confidence_set.py --ignore tests/evaluation/test_extra_baselines.py \
    tests/prices/test_store.py tests/prices/importing tests/prices/earnings tests/service/test_prediction.py tests/cli/test_predict.py \
    tests/test_settings.py
