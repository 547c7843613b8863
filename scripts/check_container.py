"""Build the image and let it live through a night against the stand-in for Yahoo.

    check_container.py [TOOL] [PYTHON]

TOOL is docker (the default), podman or buildah; PYTHON the image to build on, else the Dockerfile's own. The
container fetches two made-up companies, trains, and does the work of the next evening as its user without
rights; then `doctor`, the image's health check, looks at the home folder.
"""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from yahoo_server import company, serving  # noqa: E402  (a helper of the tests)

NAME = "forecaster-checked"
EVENINGS = ("2026-01-05T22:30:00", "2026-01-06T22:30:00")
TRAINING = ("--lookback", "20", "--horizon", "2", "--units", "4", "--epochs", "1", "--quiet")
STEPS = (
    (0, ("forecast", "fetch", "AAA", "BBB", "--quiet")),
    (0, ("forecast", "train", *TRAINING)),
    (0, ("forecast", "predict", "AAA", "BBB", "--record", "--quiet")),
    (1, ("forecast", "run")),
    (1, ("forecast", "doctor")),
    (1, ("forecast", "predict", "AAA")),
    (
        1,
        (
            "python",
            "-c",
            "import os; assert os.getuid() == 10001 and not os.access('/opt/forecast', os.W_OK)",
        ),
    ),
)


def main() -> int:
    """Print each step; 1 if one failed."""
    tool, *python = sys.argv[1:] or ["docker"]
    if tool not in ("docker", "podman", "buildah"):
        print(__doc__)
        return 2
    based = [f"--build-arg=PYTHON={python[0]}"] if python else []
    # So isolated, Buildah needs neither a daemon nor namespaces of its own.
    isolated = ["--isolation=chroot", "--format=docker"] if tool == "buildah" else []
    subprocess.run([tool, "build", *based, *isolated, "--tag", NAME, str(ROOT)], check=True)
    companies = [company(name, "2024-06-03", "2027-12-31", persistence=0.8) for name in ("AAA", "BBB")]
    with serving(*companies) as yahoo, home(tool):
        settings = {"FORECAST_YAHOO_URL": yahoo.url, "FORECAST_YAHOO_RATE": "0"}
        for evening, command in STEPS:
            yahoo.now = datetime.fromisoformat(f"{EVENINGS[evening]}+00:00")
            given = settings | {"FORECAST_NOW": EVENINGS[evening]}
            found = subprocess.run(in_container(tool, given, command), check=False).returncode
            print(f"{' '.join(command)}: {found}", flush=True)
            if found:
                return 1
    return 0


@contextmanager
def home(tool: str) -> Iterator[None]:
    """A volume; with Buildah, a container that keeps its own."""
    if tool == "buildah":
        begin, end = [tool, "from", "--name", NAME, NAME], [tool, "rm", NAME]
    else:
        begin, end = [tool, "volume", "create", NAME], [tool, "volume", "rm", "--force", NAME]
    subprocess.run(begin, check=True)
    try:
        yield
    finally:
        subprocess.run(end, check=True)


def in_container(tool: str, environment: dict[str, str], command: tuple[str, ...]) -> list[str]:
    """What runs the command, whose first word takes the place of the entry point."""
    given = [f"--env={name}={value}" for name, value in environment.items()]
    if tool == "buildah":
        return [tool, "run", "--isolation=chroot", *given, NAME, "--", *command]
    volume = [f"--volume={NAME}:/data", f"--entrypoint={command[0]}"]
    return [tool, "run", "--rm", "--network=host", *given, *volume, NAME, *command[1:]]


if __name__ == "__main__":
    sys.exit(main())
