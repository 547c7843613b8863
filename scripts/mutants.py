"""Change the deciding modules in small ways, one at a time, and count the changes that a test notices.

The tree is copied first, so that nothing here is changed. Give the names of modules to try only these.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
TESTS = {
    "forecaster/service/gate.py": ["tests/service/test_gate.py"],
    "forecaster/ledger/alarms.py": ["tests/ledger/test_alarms.py"],
    "forecaster/evaluation/verdict.py": ["tests/evaluation/test_verdict.py"],
    "forecaster/evaluation/significance.py": ["tests/evaluation/test_significance.py"],
    "forecaster/evaluation/metrics.py": ["tests/evaluation/test_metrics.py"],
    "forecaster/evaluation/scoring.py": ["tests/evaluation/test_scoring.py"],
    "forecaster/evaluation/baselines.py": ["tests/evaluation/test_baselines.py"],
}
CONFIG = """
[cosmic-ray]
module-path = "{module}"
timeout = 60.0
excluded-modules = []
test-command = "{python} -m pytest -x -q -p no:cacheprovider -p no:xdist --durations=0 {tests}"

[cosmic-ray.distributor]
name = "local"
"""


def main() -> int:
    """Print killed and surviving changes by module; 1 if a module's own tests fail unchanged."""
    chosen = [name for name in TESTS if not sys.argv[1:] or Path(name).name in sys.argv[1:]]
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder)
        tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True)
        for name in tracked.stdout.split("\n"):
            if name.startswith(("forecaster/", "tests/", "pyproject.toml")):
                target = tree / name
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes((ROOT / name).read_bytes())
        for module in chosen:
            if not _try_module(tree, module):
                return 1
    return 0


def _try_module(tree: Path, module: str) -> bool:
    config, session = tree / "mutants.toml", tree / "mutants.sqlite"
    session.unlink(missing_ok=True)
    config.write_text(CONFIG.format(module=module, python=sys.executable, tests=" ".join(TESTS[module])))
    for words in (["init", config, session], ["baseline", config], ["exec", config, session]):
        done = subprocess.run(
            [Path(sys.executable).parent / "cosmic-ray", *words],
            cwd=tree,
            env={**os.environ, "PYTHONPATH": str(tree)},
            check=False,
        )
        if done.returncode:
            print(f"{module}: {words[0]} failed", file=sys.stderr)
            return False
    dump = subprocess.run(
        [Path(sys.executable).parent / "cosmic-ray", "dump", session],
        cwd=tree,
        capture_output=True,
        text=True,
        check=True,
    )
    results = [json.loads(line) for line in dump.stdout.splitlines()]
    survivors = [work for work, result in results if result and result["test_outcome"] == "survived"]
    killed = len(results) - len(survivors)
    print(f"{module}: {killed} of {len(results)} killed, {killed / max(len(results), 1):.0%}", flush=True)
    for work in survivors:
        change = work["mutations"][0]
        print(f"  line {change['start_pos'][0]}: {change['operator_name'].removeprefix('core/')}", flush=True)
    return True


if __name__ == "__main__":
    sys.exit(main())
