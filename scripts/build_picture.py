"""Run a command on a terminal of 80 columns and keep its screen as an SVG picture.

python scripts/build_picture.py docs/compare.svg forecast compare
"""

import os
import pty
import re
import sys
from io import StringIO
from pathlib import Path

from rich.console import Console
from rich.text import Text


def main() -> None:
    """Run the command given and write the picture."""
    target, *command = sys.argv[1:]
    os.environ |= {"COLUMNS": "80", "LINES": "50", "TERM": "xterm-256color"}
    screen = bytearray()

    def keep(descriptor: int) -> bytes:
        block = os.read(descriptor, 65536)
        screen.extend(block)
        return block

    status = pty.spawn([command[0], *command[1:]], keep)
    if status:
        sys.exit(f"{' '.join(command)} ended with {os.waitstatus_to_exitcode(status)}")
    console = Console(record=True, width=80, file=StringIO(), force_terminal=True)
    console.print(Text(f"$ {' '.join(command)}", style="bold"))
    console.print(Text.from_ansi(_settled(screen.decode().replace("\r\n", "\n"))))
    picture = console.export_svg(title="forecast")
    # The picture must not fetch a font from elsewhere: any monospaced one will do.
    picture = re.sub(r"@font-face \{.*?\}", "", picture, flags=re.DOTALL)
    Path(target).write_text(picture.replace("Fira Code", "DejaVu Sans Mono"), encoding="utf-8")


def _settled(output: str) -> str:
    """The output without its live progress: what is left on the screen when the command has ended."""
    return re.split(r"\x1b\[2K|\x1b\[\?25h", output)[-1].lstrip("\n")


if __name__ == "__main__":
    main()
