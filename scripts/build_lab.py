"""Fill the laboratory's chapters with what the commands print.

    build_lab.py HOME [CHAPTER…]   run every command of the chapters (all) on a home folder with the
                                   sample's prices and a trained model, and write what they print
    build_lab.py --check           run the commands marked as checked, and compare

A command that saves a picture names it as docs/lab/NAME.svg: it runs in the repository's root. One that
stands in a block of shell commands is run for its picture alone.
A block marked `<!-- checked -->` needs neither prices nor training, and prints the same everywhere.
"""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
CHAPTERS = ROOT / "docs" / "lab"
_BLOCK = re.compile(
    r"(?P<mark><!-- checked -->\n)?```console\n\$ (?P<command>forecast [^\n]*)\n.*?```", re.DOTALL
)
_PICTURE = re.compile(r"```sh\n(forecast lab [^\n]* --save docs/lab/[^\n]*)\n```")


def main() -> int:
    """Write the chapters, or check them; 1 if one is not what the commands print."""
    names = sys.argv[1:]
    if not names or names == ["--help"]:
        print(__doc__)
        return 2
    if names == ["--check"]:
        stale = [
            path.name for path in sorted(CHAPTERS.glob("*.md")) if filled(path, None) != path.read_text()
        ]
        for name in stale:
            print(f"{name} is not what the commands print: run scripts/build_lab.py", file=sys.stderr)
        return 1 if stale else 0
    home, *chosen = names
    for path in sorted(CHAPTERS.glob("*.md")):
        if not chosen or path.stem in chosen:
            path.write_text(filled(path, home), encoding="utf-8")
    return 0


def filled(path: Path, home: str | None) -> str:
    """A chapter with its commands' output put in; without a home, only that of the checked ones."""

    def fill(found: re.Match[str]) -> str:
        if home is None and not found["mark"]:
            return found[0]
        return f"{found['mark'] or ''}```console\n$ {found['command']}\n{printed(found['command'], home)}```"

    text = path.read_text(encoding="utf-8")
    if home is not None:
        for command in _PICTURE.findall(text):
            printed(command, home)
    return _BLOCK.sub(fill, text)


def printed(command: str, home: str | None) -> str:
    """What a command prints in 80 columns without colour."""
    environment = os.environ | {"COLUMNS": "80", "NO_COLOR": "1"}
    if home is not None:
        environment["FORECAST_HOME"] = str(Path(home).resolve())
    arguments = [sys.executable, "-m", "forecaster.cli.main", *shlex.split(command)[1:]]
    # A chapter's picture is saved as docs/lab/….svg, wherever this script is started.
    run = subprocess.run(arguments, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    return "\n".join(line.rstrip() for line in run.stdout.splitlines()) + "\n"


if __name__ == "__main__":
    sys.exit(main())
