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

CELL = 12.2, 24.4
"""Width and height of a character in the picture."""
ABOVE_TEXT = 18.5
"""From a line's top to where its text stands."""
BLOCKS = re.compile(r'<text class="([^"]+)" x="([\d.]+)" y="([\d.]+)"[^>]*>([▁▂▃▄▅▆▇█]+)</text>')


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
    picture = BLOCKS.sub(_rectangles, picture)
    # The picture must not fetch a font from elsewhere: any monospaced one will do.
    picture = re.sub(r"@font-face \{.*?\}", "", picture, flags=re.DOTALL)
    Path(target).write_text(picture.replace("Fira Code", "DejaVu Sans Mono"), encoding="utf-8")


def _rectangles(blocks: re.Match[str]) -> str:
    """Block characters as shapes: those of a font do not reach the edges of a line."""
    style, left, text, letters = blocks.groups()
    width, height = CELL
    foot = float(text) - ABOVE_TEXT + height
    return "".join(
        f'<rect class="{style}" x="{float(left) + place * width:g}" y="{foot - eighths * height / 8:g}" '
        f'width="{width}" height="{eighths * height / 8 + 0.25:g}" shape-rendering="crispEdges"/>'
        for place, letter in enumerate(letters)
        for eighths in ["▁▂▃▄▅▆▇█".index(letter) + 1]
    )


def _settled(output: str) -> str:
    """The output without its live progress: what is left on the screen when the command has ended."""
    return re.split(r"\x1b\[2K|\x1b\[\?25h", output)[-1].lstrip("\n")


if __name__ == "__main__":
    main()
