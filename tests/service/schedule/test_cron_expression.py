"""Cron expressions: what is one, when it comes next, and what systemd calls it."""

import shutil
import subprocess
from datetime import UTC, datetime

import pytest

from forecaster.errors import UsageError
from forecaster.service.schedule.cron_expression import next_time, parse_expression
from forecaster.service.schedule.systemd import calendar_events

SATURDAY = datetime(2026, 11, 21, 22, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    "at",
    [
        *("", "* * * *", "* * * * * *", "* * * * *\n", "@daily", "a * * * *", "1,, * * * *"),
        *("60 * * * *", "* 24 * * *", "* * 0 * *", "* * * 13 *", "* * * * 8", "5-1 * * * *", "*/0 * * * *"),
    ],
)
def test_what_is_no_expression_is_rejected(at: str) -> None:
    with pytest.raises(UsageError, match="--at"):
        parse_expression(at)


@pytest.mark.parametrize(
    ("at", "expected"),
    [
        ("30 22 * * 1-5", "2026-11-23T22:30"),  # from a Saturday to Monday
        ("*/20 * * * *", "2026-11-21T22:40"),
        ("0 0 * * 7", "2026-11-22T00:00"),
        ("0 6 13 * 5", "2026-11-27T06:00"),  # the 13th or a Friday
        ("0 0 29 2 *", "2028-02-29T00:00"),
        ("0 0 31 2 *", None),
    ],
)
def test_the_next_time(at: str, expected: str | None) -> None:
    found = next_time(at, SATURDAY)
    assert (found and found.isoformat(timespec="minutes")) == (expected and f"{expected}+00:00")


@pytest.mark.parametrize(
    ("at", "events"),
    [
        ("30 22 * * 1-5", ["Mon,Tue,Wed,Thu,Fri *-*-* 22:30:00"]),
        ("*/20 * * * *", ["*-*-* *:00,20,40:00"]),
        ("0 0 * * 7", ["Sun *-*-* 00:00:00"]),
        ("5 4 1,15 2 *", ["*-02-01,15 04:05:00"]),
        ("0 6 13 * 5", ["*-*-13 06:00:00", "Fri *-*-* 06:00:00"]),  # the 13th or a Friday
    ],
)
def test_what_systemd_calls_it(at: str, events: list[str]) -> None:
    assert calendar_events(at) == events


@pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="systemd is not installed on this machine"
)
@pytest.mark.parametrize("at", ["30 22 * * 1-5", "*/20 * * * *", "0 0 * * 7", "5 4 1,15 2 *", "0 6 13 * 5"])
def test_systemd_finds_the_same_next_moment(at: str) -> None:
    upcoming = []
    for event in calendar_events(at):
        command = ["systemd-analyze", "calendar", event, f"--base-time={SATURDAY:%Y-%m-%d %H:%M:%S} UTC"]
        said = subprocess.run(command, env={"TZ": "UTC"}, capture_output=True, text=True, check=True).stdout
        moment = said.split("Next elapse: ")[1].splitlines()[0]
        upcoming.append(datetime.strptime(moment, "%a %Y-%m-%d %H:%M:%S %Z").replace(tzinfo=UTC))
    assert min(upcoming) == next_time(at, SATURDAY)
