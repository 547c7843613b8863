"""Change the deciding modules in small ways, one at a time, and count the changes that a test notices.

No file is changed: each change is compiled and tested in a process of its own, forked after the slow imports.
Give the names of modules to try only these.
"""

import contextlib
import importlib.util
import multiprocessing
import os
import signal
import sys
import tempfile
import warnings
from pathlib import Path
from typing import NamedTuple, NoReturn

import cosmic_ray.plugins
import curl_cffi.requests  # noqa: F401
import hypothesis  # noqa: F401
import pandas as pd  # noqa: F401
import pyarrow.parquet  # noqa: F401
import pytest
import scipy.stats  # noqa: F401
import sklearn.metrics  # noqa: F401
from cosmic_ray.commands import init
from cosmic_ray.mutating import mutate_code
from cosmic_ray.work_db import WorkDB, use_db

ROOT = Path(__file__).parent.parent
TESTS = {
    "forecaster/service/gate.py": "tests/service/test_gate.py",
    "forecaster/ledger/alarms.py": "tests/ledger/test_alarms.py",
    "forecaster/network/risk.py": "tests/network/test_risk.py",
    "forecaster/network/step_copula.py": "tests/network/test_step_copula.py",
    "forecaster/dataset/reports_ahead.py": "tests/dataset/test_reports_ahead.py",
    "forecaster/dataset/report_features.py": "tests/dataset/test_report_features.py",
    "forecaster/dataset/walk.py": "tests/dataset/test_walk.py",
    "forecaster/evaluation/calibration.py": "tests/evaluation/test_calibration.py",
    "forecaster/network/calibrated.py": "tests/network/test_calibrated.py",
    "forecaster/service/thresholds.py": "tests/service/test_thresholds.py",
    "forecaster/evaluation/verdict.py": "tests/evaluation/test_verdict.py",
    "forecaster/evaluation/tried.py": "tests/evaluation/test_verdict.py",
    "forecaster/evaluation/joint_test.py": "tests/evaluation/test_joint_test.py",
    "forecaster/evaluation/step_tests.py": "tests/evaluation/test_step_tests.py",
    "forecaster/evaluation/significance.py": "tests/evaluation/test_significance.py",
    "forecaster/evaluation/metrics.py": "tests/evaluation/test_metrics.py",
    "forecaster/evaluation/scoring.py": "tests/evaluation/test_scoring.py",
    "forecaster/evaluation/baselines.py": "tests/evaluation/test_baselines.py",
}
LONGEST_SECONDS = 120


class Change(NamedTuple):
    """One change: which operator of Cosmic Ray, at which of its places in the module."""

    module: str
    operator: str
    occurrence: int
    line: int


def main() -> int:
    """Print killed and surviving changes by module; 1 if a module's own tests fail unchanged."""
    chosen = [name for name in TESTS if not sys.argv[1:] or Path(name).name in sys.argv[1:]]
    os.chdir(ROOT)
    warnings.filterwarnings("ignore", category=SyntaxWarning)  # of changes such as `x is 1`
    os.environ["HYPOTHESIS_STORAGE_DIRECTORY"] = tempfile.mkdtemp()
    with multiprocessing.get_context("fork").Pool(maxtasksperchild=1) as pool:
        for module in chosen:
            if not pool.apply(_passes, (module, (ROOT / module).read_text(encoding="utf-8"))):
                print(f"{module}: its tests fail without any change", file=sys.stderr)
                return 1
            changes = _changes(module)
            survived = pool.map(_survives, changes, chunksize=1)
            killed = survived.count(False)
            print(f"{module}: {killed} of {len(changes)} killed, {killed / len(changes):.0%}", flush=True)
            for change in (each for each, alive in zip(changes, survived, strict=True) if alive):
                print(f"  line {change.line}: {_changed_line(change)}")
    return 0


def _changes(module: str) -> list[Change]:
    with use_db(":memory:", WorkDB.Mode.create) as database:
        init([Path(module)], database, {})
        mutations = [item.mutations[0] for item in database.work_items]
    return [Change(module, each.operator_name, each.occurrence, each.start_pos[0]) for each in mutations]


def _changed(change: Change) -> str:
    operator = cosmic_ray.plugins.get_operator(change.operator)()
    source = (ROOT / change.module).read_text(encoding="utf-8")
    return str(mutate_code(source, operator, change.occurrence))


def _changed_line(change: Change) -> str:
    before = (ROOT / change.module).read_text(encoding="utf-8").splitlines()
    after = _changed(change).splitlines()
    differ = [new for old, new in zip(before, after, strict=False) if old != new]
    return differ[0].strip() if differ else change.operator


def _survives(change: Change) -> bool:
    return _passes(change.module, _changed(change))


def _passes(module: str, source: str) -> bool:
    """Whether the module's tests pass with this source in its place."""

    def too_long(*_: object) -> NoReturn:
        raise TimeoutError

    signal.signal(signal.SIGALRM, too_long)
    signal.alarm(LONGEST_SECONDS)
    with Path(os.devnull).open("w", encoding="utf-8") as nowhere, contextlib.redirect_stdout(nowhere):
        try:
            _import_as(module.removesuffix(".py").replace("/", "."), source)
        except Exception:  # noqa: BLE001 - a change that cannot be imported is noticed
            return False
        options = ["-x", "-p", "no:cacheprovider", "-p", "no:xdist"]
        options += ["-W", "ignore::pytest.PytestAssertRewriteWarning"]  # of what was imported before the fork
        return pytest.main([*options, TESTS[module]]) == pytest.ExitCode.OK


def _import_as(name: str, source: str) -> None:
    spec = importlib.util.find_spec(name)
    if spec is None or spec.origin is None:
        raise ImportError(name)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    exec(compile(source, spec.origin, "exec"), module.__dict__)  # noqa: S102
    package, _, own = name.rpartition(".")
    setattr(sys.modules[package], own, module)


if __name__ == "__main__":
    sys.exit(main())
