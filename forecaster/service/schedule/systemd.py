"""A timer of the user's systemd: two unit files a home folder, named after it."""

import os
import pwd
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from forecaster.errors import BadInputError, DiskError, UnavailableError, UsageError
from forecaster.files import digest_bytes, read_regular, write_atomically
from forecaster.service.schedule.cron_expression import parse_expression

_SERVICE = """\
[Unit]
Description=forecast run, {home}

[Service]
Type=oneshot
ExecStart={command}
StandardOutput=append:{log}
StandardError=append:{log}
"""
_TIMER = """\
# {expression}
[Unit]
Description=forecast run, {home}

[Timer]
{calendars}
Persistent=true

[Install]
WantedBy=timers.target
"""
_WEEKDAYS = ("Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat")


def calendar_events(expression: str) -> list[str]:
    """What systemd's OnCalendar calls the moments of a cron expression.

    Where both are restricted, cron takes a day by its number or by its weekday, systemd by both: that
    makes two events.

    Example: `30 22 * * 1-5` gives `Mon,Tue,Wed,Thu,Fri *-*-* 22:30:00`.

    Raises:
        UsageError: it is no expression.
    """
    minutes, hours, days, months, weekdays = parse_expression(expression)
    by_day, by_weekday = (not expression.split()[place].startswith("*") for place in (2, 4))
    named = ",".join(_WEEKDAYS[number] for number in sorted(weekdays))
    named = "" if len(weekdays) == len(_WEEKDAYS) else f"{named} "
    month, clock = _listed(months, 12), f"{_listed(hours, 24)}:{_listed(minutes, 60)}:00"
    if by_day and by_weekday:
        return [f"*-{month}-{_listed(days, 31)} {clock}", f"{named}*-{month}-* {clock}"]
    return [f"{named}*-{month}-{_listed(days, 31)} {clock}"]


def unit_files(home: Path, expression: str, command: Sequence[str], log: Path) -> dict[str, str]:
    """The content of the service and of the timer, by their file names.

    Raises:
        UsageError: the expression is none, or a path cannot stand in a unit file.
    """
    if any(ord(letter) < 32 for word in (*command, str(log), str(home)) for letter in word):
        raise UsageError("a path with a line break cannot stand in a unit file", "choose another --home")
    words = " ".join(f'"{_escaped(word)}"' for word in command)
    place = _specifiers(str(home))
    calendars = "\n".join(f"OnCalendar={event}" for event in calendar_events(expression))
    return {
        f"{_name(home)}.service": _SERVICE.format(home=place, command=words, log=_specifiers(str(log))),
        f"{_name(home)}.timer": _TIMER.format(
            home=place, calendars=calendars, expression=" ".join(expression.split())
        ),
    }


def install(home: Path, expression: str, command: Sequence[str], log: Path) -> None:
    """Write the two files in the place of older ones and start the timer; or leave all as it was.

    Raises:
        UsageError: as `unit_files`.
        UnavailableError: no systemd of the user's answers.
        DiskError: the disk or systemd fails.
    """
    files = unit_files(home, expression, command, log)
    _systemctl("show-environment")
    folder = _folder()
    before = {name: _content(folder / name) for name in files}
    try:
        for name, content in files.items():
            write_atomically(folder / name, content)
        _systemctl("daemon-reload")
        _systemctl("enable", f"{_name(home)}.timer")
        _systemctl("restart", f"{_name(home)}.timer")
    except (DiskError, UnavailableError):
        for name, old in before.items():
            (folder / name).unlink(missing_ok=True)
            if old is not None:
                write_atomically(folder / name, old)
        raise


def remove(home: Path) -> None:
    """Stop the timer and take the two files away.

    Raises:
        UnavailableError, DiskError: as `install`.
    """
    _systemctl("disable", "--now", f"{_name(home)}.timer")
    for ending in ("timer", "service"):
        (_folder() / f"{_name(home)}.{ending}").unlink(missing_ok=True)
    _systemctl("daemon-reload")


def scheduled(home: Path) -> str | None:
    """The cron expression of the timer for `home`; None if there is none."""
    content = _content(_folder() / f"{_name(home)}.timer")
    return None if content is None else content.split("\n")[0].removeprefix("# ")


def timer_runs(home: Path) -> bool:
    """Whether the user's systemd waits for the timer's next moment."""
    try:
        return _systemctl("is-active", f"{_name(home)}.timer") == "active"
    except (UnavailableError, DiskError):
        return False


def lingers() -> bool:
    """Whether the user's systemd runs while the user is logged out."""
    return Path("/var/lib/systemd/linger", pwd.getpwuid(os.getuid()).pw_name).exists()


def _listed(numbers: frozenset[int], every: int) -> str:
    return "*" if len(numbers) == every else ",".join(f"{number:02}" for number in sorted(numbers))


def _name(home: Path) -> str:
    return f"forecast-{digest_bytes(str(home).encode())[:8]}"


def _folder() -> Path:
    return Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "systemd" / "user"


def _content(path: Path) -> str | None:
    try:
        return read_regular(path).decode(errors="replace")
    except (FileNotFoundError, BadInputError, DiskError):
        return None


def _escaped(word: str) -> str:
    """As it stands between double quotes in ExecStart: no variables, no specifiers, no escapes."""
    quoted = word.replace("\\", "\\\\").replace('"', '\\"')
    return _specifiers(quoted.replace("$", "$$"))


def _specifiers(text: str) -> str:
    return text.replace("%", "%%")


def _systemctl(*words: str) -> str:
    """What `systemctl --user` answers.

    Raises:
        UnavailableError: it is not there, or reaches no systemd.
        DiskError: it fails.
    """
    program = shutil.which("systemctl")
    if program is None:
        raise UnavailableError("there is no systemd on this machine", "leave --systemd out to let cron do it")
    done = subprocess.run(  # noqa: S603
        [program, "--user", *words], capture_output=True, text=True, check=False
    )
    said = " ".join((done.stderr or done.stdout).split())
    if "connect to bus" in said or "not been booted with systemd" in said:
        raise UnavailableError(
            f"no systemd of this user's answers: {said}",
            "log in as the user, or leave --systemd out to let cron do it",
        )
    if done.returncode:
        raise DiskError(f"systemctl --user {words[0]} failed: {said}", "see `journalctl --user`")
    return done.stdout.strip()
