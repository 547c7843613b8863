"""The user's crontab: one marked block a home folder, everybody else's lines byte for byte as they were."""

import re
import shlex
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from forecaster.errors import DiskError, UnavailableError, UsageError
from forecaster.service.schedule.cron_expression import parse_expression

_NONE_YET = "no crontab for"
_NO_BREAK = "# the line before the block had no line break"


def block_of(home: Path, expression: str, command: Sequence[str], log: Path) -> str:
    """The lines to stand in the crontab, with their marks; output goes to `log` and on to cron's mail.

    Raises:
        UsageError: the expression is none, or a path cannot stand in a crontab.
    """
    parse_expression(expression)
    begin, end = _marks(home)
    words = f"{shlex.join(command)} 2>&1 | tee -a {shlex.quote(str(log))}"
    if any(ord(letter) < 32 for letter in words):
        raise UsageError("a path with a line break cannot stand in a crontab", "choose another --home")
    return f"{begin}\n{' '.join(expression.split())} {_escaped(words)}\n{end}\n"


def with_block(crontab: bytes, home: Path, block: str) -> bytes:
    """The crontab with `block` at its end, in the place of the home folder's old one if there is one.

    Raises:
        UsageError: the old block's end mark is missing.
    """
    rest = without_block(crontab, home)
    if rest and not rest.endswith(b"\n"):
        begin, command, end = block.removesuffix("\n").split("\n")
        return rest + f"\n{begin}\n{command}\n{_NO_BREAK}\n{end}\n".encode()
    return rest + block.encode()


def without_block(crontab: bytes, home: Path) -> bytes:
    """The crontab as it was before the block was put in.

    Raises:
        UsageError: its end mark is missing.
    """
    span = _span(crontab, home)
    if span is None:
        return crontab
    before, block, after = crontab[: span[0]], crontab[span[0] : span[1]], crontab[span[1] :]
    if f"\n{_NO_BREAK}\n".encode() in block and not after:
        before = before.removesuffix(b"\n")
    return before + after


def scheduled(crontab: bytes, home: Path) -> str | None:
    """The line of the home folder's block; None if there is none."""
    span = _span(crontab, home)
    return None if span is None else crontab[span[0] : span[1]].decode(errors="replace").split("\n")[1]


def read_crontab() -> bytes:
    """The user's crontab; empty if there is none.

    Raises:
        UnavailableError: there is no `crontab` on this machine.
        DiskError: it fails.
    """
    done = subprocess.run([_program(), "-l"], capture_output=True, check=False)  # noqa: S603
    if done.returncode and _NONE_YET.encode() not in done.stderr:
        raise DiskError(f"crontab -l failed: {_one_line(done.stderr)}", "ask the machine's administrator")
    return b"" if done.returncode else done.stdout


def write_crontab(content: bytes) -> None:
    """Put `content` in the place of the user's crontab; without content there is none any more.

    Raises:
        UnavailableError: there is no `crontab` on this machine.
        DiskError: it fails; the old one stands.
    """
    arguments = [_program(), "-"] if content else [_program(), "-r"]
    done = subprocess.run(arguments, input=content, capture_output=True, check=False)  # noqa: S603
    if done.returncode:
        raise DiskError(f"crontab failed: {_one_line(done.stderr)}", "the old crontab stands")


def daemon_runs() -> bool:
    """Whether a process called cron or crond is there to read crontabs."""
    for entry in Path("/proc").glob("[0-9]*/comm"):
        try:
            if entry.read_text().strip() in {"cron", "crond"}:
                return True
        except OSError:
            continue
    return False


def _escaped(words: str) -> str:
    """A shell's words as a crontab has them.

    cron ends a command at a bare %, whatever quotes stand around it. Before % or another backslash, one cron
    takes a backslash away and another does not: so none stands there, but closes the shell's quotes and opens
    them again.
    """
    return re.sub(r"\\(?=[\\%])", r"\\''", words).replace("%", r"\%")


def _marks(home: Path) -> tuple[str, str]:
    if any(ord(letter) < 32 for letter in str(home)):
        raise UsageError("a path with a line break cannot stand in a crontab", "choose another --home")
    return f"# BEGIN forecast {home}", f"# END forecast {home}"


def _span(crontab: bytes, home: Path) -> tuple[int, int] | None:
    """Where the home folder's block begins and ends."""
    begin, end = (f"{mark}\n".encode() for mark in _marks(home))
    first = 0 if crontab.startswith(begin) else crontab.find(b"\n" + begin) + 1
    if first == 0 and not crontab.startswith(begin):
        return None
    last = crontab.find(b"\n" + end, first)
    if last < 0:
        raise UsageError(
            f"the crontab has {begin.decode().strip()!r} but not its end", "fix it with `crontab -e`"
        )
    return first, last + 1 + len(end)


def _program() -> str:
    found = shutil.which("crontab")
    if found is None:
        raise UnavailableError(
            "there is no crontab on this machine", "install cron (Debian: apt install cron)"
        )
    return found


def _one_line(output: bytes) -> str:
    return " ".join(output.decode(errors="replace").split())
