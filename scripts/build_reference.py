"""Write docs/commands.md from the commands themselves, or check that it is current (--check)."""

import sys
from pathlib import Path

from typer.main import get_command

from forecaster.cli.main import app

TARGET = Path(__file__).parent.parent / "docs" / "commands.md"
OPENING = """# Commands

Made by `make docs` from the commands' own help; do not edit.
"""


def main() -> int:
    """Write or check the reference; 1 if it is not current."""
    wanted = "\n".join([OPENING, *_sections(get_command(app), "forecast")])
    if "--check" not in sys.argv:
        TARGET.write_text(wanted, encoding="utf-8")
        return 0
    if TARGET.exists() and TARGET.read_text(encoding="utf-8") == wanted:
        return 0
    print(f"{TARGET.name} is not what the commands say: run `make docs`", file=sys.stderr)
    return 1


def _sections(command, name: str) -> list[str]:  # noqa: ANN001  (the class is the library's own)
    context = command.make_context(name, [], resilient_parsing=True, terminal_width=90, max_content_width=90)
    help_text = "\n".join(line.rstrip() for line in command.get_help(context).splitlines())
    found = [f"## {name}\n\n```text\n{help_text}\n```\n"]
    for child_name, child in getattr(command, "commands", {}).items():
        found += _sections(child, f"{name} {child_name}")
    return found


if __name__ == "__main__":
    sys.exit(main())
