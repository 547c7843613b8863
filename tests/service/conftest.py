import sys
from pathlib import Path

import pytest

CRONTAB = """#!{python}
import pathlib, sys
table = pathlib.Path({table!r})
if sys.argv[1] == "-l":
    if not table.exists():
        sys.exit("no crontab for tester")
    sys.stdout.buffer.write(table.read_bytes())
elif sys.argv[1] == "-r":
    table.unlink()
else:
    content = sys.stdin.buffer.read()
    if not content.endswith(b"\\n"):
        sys.exit("new crontab file is missing newline before EOF, can't install.")
    table.write_bytes(content)
"""


@pytest.fixture
def table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file that the stand-in keeps the crontab in."""
    table, program = tmp_path / "table", tmp_path / "bin" / "crontab"
    program.parent.mkdir()
    program.write_text(CRONTAB.format(python=sys.executable, table=str(table)))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent))
    return table
