"""How a release judges the answer of pip-audit, whose exit code and last line say too little."""

import importlib.util
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

SCRIPT = Path(__file__).parents[2] / "scripts" / "release.py"
SOUND = {"name": "numpy", "version": "2.4.6", "vulns": []}
UNKNOWN = {"name": "scipy", "skip_reason": "Dependency not found"}
FLAWED = {
    "name": "jinja2",
    "version": "3.1.0",
    "vulns": [{"id": "CVE-2024-22195", "fix_versions": ["3.1.3"]}, {"id": "PYSEC-1", "fix_versions": []}],
}


@pytest.fixture(scope="module")
def release() -> ModuleType:
    spec = importlib.util.spec_from_file_location("release", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("unaudited", [False, True])
@pytest.mark.parametrize(
    ("packages", "sound", "line"),
    [
        pytest.param([SOUND], True, "No known vulnerability in 1 packages.", id="sound"),
        pytest.param(
            [SOUND, FLAWED, UNKNOWN], False, "jinja2 3.1.0: CVE-2024-22195, fixed in 3.1.3", id="flawed"
        ),
        pytest.param(
            [SOUND, UNKNOWN], None, "its database knows nothing of 1 of 2 packages: scipy;", id="unknown"
        ),
        pytest.param([UNKNOWN] * 6, None, "6 of 6 packages: scipy, scipy, scipy, scipy, scipy …;", id="all"),
        pytest.param([], None, "its database could not be reached", id="nothing was audited"),
        pytest.param(None, None, "its database could not be reached", id="no answer"),
    ],
)
def test_only_what_was_audited_is_sound(
    packages: list[dict[str, Any]] | None, sound: bool | None, line: str, unaudited: bool, release: ModuleType
) -> None:
    answer = "" if packages is None else json.dumps({"dependencies": packages, "fixes": []})
    lines, goes_on = release.judge_audit(answer, unaudited=unaudited)
    assert goes_on == (unaudited if sound is None else sound)
    assert line in lines[0]
    assert ("UNAUDITED=1" in lines[0]) == (sound is None and not unaudited)
