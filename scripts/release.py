"""Build wheel and sdist into dist/, with an SBOM of what they run on, and look for known vulnerabilities.

With --unaudited a database of vulnerabilities that cannot be reached does not stop the release; what it knows
to be vulnerable always does.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from forecaster import __version__

ROOT = Path(__file__).parents[1]
DIST = ROOT / "dist"
PINS = ROOT / "constraints.txt"
TOOLS = Path(sys.executable).parent
NAMED = 5


def main() -> int:
    """Make the release; 1 if it must not be published."""
    print(f"Building forecaster {__version__} …", flush=True)
    _run(sys.executable, "-m", "hatchling", "build", "--directory", DIST)
    _write_sbom(
        DIST / f"forecaster-{__version__}-py3-none-any.whl", DIST / f"forecaster-{__version__}.cdx.json"
    )
    print("Looking for known vulnerabilities of the pinned versions …", flush=True)
    words = (
        "--requirement",
        PINS,
        "--no-deps",
        "--disable-pip",
        "--format",
        "json",
        "--progress-spinner",
        "off",
    )
    # It ends with 1 both for what it finds and for a failure of its own: only its answer tells.
    audit = subprocess.run([TOOLS / "pip-audit", *words], capture_output=True, text=True, check=False)
    lines, sound = judge_audit(audit.stdout, unaudited="--unaudited" in sys.argv)
    print("\n".join([*lines, *sorted(path.relative_to(ROOT).as_posix() for path in DIST.iterdir())]))
    return 0 if sound else 1


def judge_audit(answer: str, *, unaudited: bool) -> tuple[list[str], bool]:
    """What to say of pip-audit's answer in JSON, and whether the release may go on.

    pip-audit calls a set of packages sound of which its database knew none: those count as unaudited here.

    Args:
        answer: what it printed; no JSON where the database could not be reached.
        unaudited: go on where packages were not audited.
    """
    try:
        packages: list[dict[str, Any]] = json.loads(answer)["dependencies"]
    except (ValueError, KeyError):
        packages = []
    found = [
        f"{package['name']} {package['version']}: {flaw['id']}, fixed in {' or '.join(flaw['fix_versions'])}"
        for package in packages
        for flaw in package.get("vulns", ())
    ]
    if found:
        return [*found, "raise the pins in constraints.txt"], False
    skipped = [package["name"] for package in packages if "skip_reason" in package]
    if packages and not skipped:
        return [f"No known vulnerability in {len(packages)} packages."], True
    if packages:
        named = f"{', '.join(skipped[:NAMED])}{' …' if len(skipped) > NAMED else ''}"
        reason = f"its database knows nothing of {len(skipped)} of {len(packages)} packages: {named}"
    else:
        reason = "its database could not be reached"
    remedy = "released all the same" if unaudited else "UNAUDITED=1 releases all the same"
    return [f"NOT AUDITED: {reason}; {remedy}"], unaudited


def _write_sbom(wheel: Path, sbom: Path) -> None:
    """List what the wheel and the pinned versions it needs bring into an empty environment."""
    with tempfile.TemporaryDirectory() as folder:
        environment = Path(folder) / "environment"
        python = environment / "bin" / "python"
        _run(TOOLS / "uv", "venv", "--quiet", "--python", sys.executable, environment)
        _run(TOOLS / "uv", "pip", "install", "--quiet", "--python", python, "--constraint", PINS, wheel)
        for origin in environment.rglob(f"forecaster-{__version__}.dist-info/direct_url.json"):
            origin.unlink()  # where the wheel lay on this machine is nobody's business
        form = ("--output-reproducible", "--of", "JSON", "--pyproject", ROOT / "pyproject.toml")
        _run(TOOLS / "cyclonedx-py", "environment", *form, "--output-file", sbom, python)
    content = json.loads(sbom.read_text(encoding="utf-8"))
    content["metadata"]["component"]["version"] = __version__  # pyproject.toml leaves it to the package
    sbom.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def _run(*words: str | Path) -> None:
    subprocess.run(words, cwd=ROOT, check=True)


if __name__ == "__main__":
    sys.exit(main())
