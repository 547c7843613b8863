"""The user's crontab: one marked block a home folder, everybody else's lines byte for byte as they were."""

import re
import shlex
import shutil
import subprocess
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

from forecaster.errors import DiskError, UnavailableError, UsageError

_FIELDS = (
    ("minute", 0, 59),
    ("hour", 0, 23),
    ("day of the month", 1, 31),
    ("month", 1, 12),
    ("weekday", 0, 7),
)
_PART = re.compile(r"(\*|(\d{1,2})(-(\d{1,2}))?)(/(\d{1,2}))?")
_LONGEST_DAYS = 366 * 8 + 1  # the 29th of February may be eight years away
_NONE_YET = "no crontab for"
_NO_BREAK = "# the line before the block had no line break"


def parse_expression(expression: str) -> tuple[frozenset[int], ...]:
    """The five sets of numbers that a cron expression names: numbers, *, ranges, steps and lists.

    Example: `30 22 * * 1-5` gives {30}, {22}, all days, all months, {1, 2, 3, 4, 5}; Sunday is 0.

    Raises:
        UsageError: it is not one.
    """
    words = expression.split()
    if len(words) != len(_FIELDS) or "\n" in expression or "\r" in expression:
        raise UsageError(
            f"--at {expression!r} is not five fields on one line",
            'write it like "30 22 * * 1-5": minute, hour, day of the month, month, weekday',
        )
    fields = [
        frozenset(number for part in word.split(",") for number in _numbers(part, *field))
        for word, field in zip(words, _FIELDS, strict=True)
    ]
    fields[4] = frozenset(number % 7 for number in fields[4])
    return tuple(fields)


def next_time(expression: str, after: datetime) -> datetime | None:
    """The first minute after `after` that the expression names, in its time zone; None if there is none.

    As cron has it, a day counts by its number or by its weekday where both are restricted.

    Raises:
        UsageError: it is no expression.
    """
    minutes, hours, days, months, weekdays = parse_expression(expression)
    by_day, by_weekday = (not expression.split()[place].startswith("*") for place in (2, 4))
    first = after.replace(second=0, microsecond=0) + timedelta(minutes=1)
    midnight = first.replace(hour=0, minute=0)
    for offset in range(_LONGEST_DAYS):
        day = midnight + timedelta(days=offset)
        right_day, right_weekday = day.day in days, day.isoweekday() % 7 in weekdays
        both = right_day or right_weekday if by_day and by_weekday else right_day and right_weekday
        if not both or day.month not in months:
            continue
        for hour in sorted(hours):
            for minute in sorted(minutes):
                moment = day.replace(hour=hour, minute=minute)
                if moment >= first:
                    return moment
    return None


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
    # cron ends a command at a bare %, whatever quotes stand around it.
    line = f"{' '.join(expression.split())} " + words.replace("%", r"\%")
    return f"{begin}\n{line}\n{end}\n"


def with_block(crontab: bytes, home: Path, block: str) -> bytes:
    """The crontab with `block` at its end, in the place of the home folder's old one if there is one.

    Raises:
        UsageError: the old block's end mark is missing.
    """
    rest = without_block(crontab, home)
    if rest and not rest.endswith(b"\n"):
        begin, command, end = block.splitlines()
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
    return None if span is None else crontab[span[0] : span[1]].decode(errors="replace").splitlines()[1]


def read_crontab() -> bytes:
    """The user's crontab; empty if there is none.

    Raises:
        UnavailableError: there is no `crontab` on this machine.
        DiskError: it refuses.
    """
    done = subprocess.run([_program(), "-l"], capture_output=True, check=False)  # noqa: S603
    if done.returncode and _NONE_YET.encode() not in done.stderr:
        raise DiskError(f"crontab -l refuses: {_one_line(done.stderr)}", "ask the machine's administrator")
    return b"" if done.returncode else done.stdout


def write_crontab(content: bytes) -> None:
    """Put `content` in the place of the user's crontab; without content there is none any more.

    Raises:
        UnavailableError: there is no `crontab` on this machine.
        DiskError: it refuses; the old one stands.
    """
    arguments = [_program(), "-"] if content else [_program(), "-r"]
    done = subprocess.run(arguments, input=content, capture_output=True, check=False)  # noqa: S603
    if done.returncode:
        raise DiskError(f"crontab refuses: {_one_line(done.stderr)}", "the old crontab stands")


def daemon_runs() -> bool:
    """Whether a process called cron or crond is there to read crontabs."""
    for entry in Path("/proc").glob("[0-9]*/comm"):
        try:
            if entry.read_text().strip() in {"cron", "crond"}:
                return True
        except OSError:
            continue
    return False


def _numbers(part: str, name: str, least: int, most: int) -> range:
    match = _PART.fullmatch(part)
    if match is None:
        raise UsageError(f"--at: {part!r} is no {name}", f"use numbers from {least} to {most}, *, - , and /")
    first, last, step = (None if match[place] is None else int(match[place]) for place in (2, 4, 6))
    low = least if first is None else first
    high = most if first is None else low if last is None else last
    if not least <= low <= high <= most or step == 0 or (step and first is not None and last is None):
        raise UsageError(f"--at: {part!r} is no {name}", f"it goes from {least} to {most}")
    return range(low, high + 1, step or 1)


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
            f"the crontab has {begin.decode().strip()!r} but not its end", "mend it with `crontab -e`"
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
