"""`forecast predict` where earnings dates are stored, and where they are not."""

import json
from pathlib import Path
from typing import Any

import pytest
from dated_home import register_dated, store_dates
from factories import filled_store
from trained_home import recent_table

from forecaster.cli.main import run
from forecaster.errors import ExitCode

ANNOUNCED = "AAA 2026-11-23 after scheduled"


def predict(capsys: pytest.CaptureFixture[str], home: Path, *arguments: str) -> tuple[str, str]:
    """What is printed, its lines and blanks as one blank each, and the errors."""
    assert run(["predict", *arguments, "--home", str(home)]) == ExitCode.DONE
    captured = capsys.readouterr()
    assert max(map(len, captured.out.splitlines())) <= 80 or "--json" in arguments
    return captured.out, captured.err


def in_one_line(text: str) -> str:
    return " ".join(text.split())


def documents(capsys: pytest.CaptureFixture[str], home: Path, *arguments: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(predict(capsys, home, *arguments, "--json")[0])["predictions"]
    return found


def test_the_session_is_marked_and_a_line_says_when(
    own_home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store_dates(own_home, ANNOUNCED)
    model = register_dated(own_home)
    (document,) = documents(capsys, own_home, "AAA", "--model", model)
    (report,) = document["reports"]
    assert report | {"expected_move_percent": None} == {
        "date": "2026-11-23",
        "when": "after",
        "status": "scheduled",
        "source": "dates.csv",
        "reaction_date": "2026-11-24",
        "step": 2,
        "expected_move_percent": None,
    }
    moves = [step["expected_move_percent"] for step in document["steps"]]
    assert report["expected_move_percent"] == pytest.approx((moves[1] ** 2 - moves[0] ** 2) ** 0.5)
    assert (document["reports_known"], document["reports_read"]) == (True, True)

    out, err = predict(capsys, own_home, "AAA", "--model", model)
    assert err == ""
    assert [line.split()[0] for line in out.splitlines() if " * " in line[:14]] == ["2026-11-24"]
    assert (
        "* AAA reports after the close on 23 Nov (announced): the close of 24 Nov is the first after it. "
        f"Expected move over it ±{report['expected_move_percent']:.1f} %."
    ) in in_one_line(out)
    chart = out[out.index("┌") : out.index("└")]
    assert chart.count("*") == 1


@pytest.mark.parametrize(
    ("row", "on", "text"),
    [
        pytest.param(
            "AAA 2026-11-23 before scheduled",
            "2026-11-20",
            "* AAA reports before the open on 23 Nov (announced): the close of 23 Nov is the first after it. "
            "Expected move",
            id="before",
        ),
        pytest.param(
            "AAA 2026-11-23 during scheduled",
            "2026-11-20",
            "* AAA reports during the session of 23 Nov (announced): the close of 23 Nov",
            id="during",
        ),
        pytest.param(
            "AAA 2026-11-23 unknown scheduled",
            "2026-11-20",
            "* AAA reports on 23 Nov (announced, the time by its habit): the close of 24 Nov",
            id="unknown",
        ),
        pytest.param(
            "AAA 2026-11-23 after projected",
            "2026-11-20",
            "? AAA likely reports about 23 Nov (an estimate of dates.csv): the close of 24 Nov may be the "
            "first after it.",
            id="estimated",
        ),
        pytest.param(
            "AAA 2025-11-24 after",
            "2026-11-20",
            "? AAA likely reports about 23 Nov (projected from last year): the close of 24 Nov may be",
            id="projected",
        ),
        pytest.param(
            "OLD 2026-11-16 after",
            "2026-11-20",
            "* OLD reported after the close on 16 Nov: the close of 17 Nov is the first after it. Expected",
            id="reported after the last price",
        ),
    ],
)
def test_how_certain_a_date_is(
    own_home: Path, capsys: pytest.CaptureFixture[str], row: str, on: str, text: str
) -> None:
    store_dates(own_home, row, on=on)
    out, _ = predict(capsys, own_home, row.split(maxsplit=1)[0], "--model", register_dated(own_home))
    legend = out[: out.index("┌")]
    assert text in in_one_line(legend)
    assert ("Expected move" in legend) == (not text.startswith("?"))


def test_a_model_that_reads_no_dates_says_that_it_does_not_know(
    own_home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store_dates(own_home, ANNOUNCED)
    out, _ = predict(capsys, own_home, "AAA")
    text = in_one_line(out)
    assert "first after it. main@1 does not read earnings dates, and its intervals do not know of it." in text
    assert "Expected move over" not in text
    (document,) = documents(capsys, own_home, "AAA")
    assert document["reports"][0]["expected_move_percent"] is None
    assert not document["reports_read"]


def test_who_never_used_dates_is_not_told_of_them(own_home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out, _ = predict(capsys, own_home, "AAA")
    assert "earnings" not in out
    assert "report" not in out
    (document,) = documents(capsys, own_home, "AAA")
    assert (document["reports"], document["reports_known"]) == ([], False)


@pytest.mark.parametrize("model", ["main", "dated"])
def test_a_ticker_without_dates_is_named_where_dates_are_in_use(
    own_home: Path, capsys: pytest.CaptureFixture[str], model: str
) -> None:
    register_dated(own_home)
    if model == "main":
        store_dates(own_home, "BBB 2026-11-23 after scheduled")
    out, _ = predict(capsys, own_home, "AAA", "--model", model)
    assert "No earnings date is known of AAA; bring them with `forecast fetch --earnings`." in in_one_line(
        out
    )


def test_indices_and_coins_never_report(own_home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    filled_store(own_home, recent_table("^GSPC", seed=9))
    out, _ = predict(capsys, own_home, "^GSPC", "--model", register_dated(own_home))
    assert "No earnings date" not in out


def test_many_tickers_have_a_column_of_their_first_reports(
    own_home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = [f"T{number}" for number in range(6)]
    filled_store(own_home, *(recent_table(name, seed=seed) for seed, name in enumerate(names)))
    model = register_dated(own_home)
    plain, _ = predict(capsys, own_home, *names, "--model", model)
    assert "  report  " not in plain
    assert "No earnings date is known of T0, T1, T2, T3, T4" in in_one_line(plain)
    store_dates(own_home, "T0 2026-11-23 before scheduled", "T1 2025-11-24 before", "T2 2026-11-10 before")
    out, _ = predict(capsys, own_home, *names, "--model", model)
    lines = {line.split()[0]: line.split() for line in reversed(out.splitlines()) if line}
    assert "report" in lines["ticker"]
    assert lines["T0"][3:6] == ["23", "Nov", "am"]
    assert lines["T1"][3:5] == ["23", "Nov?"]
    assert "Nov" not in lines["T2"]
    assert "No earnings date is known of T3, T4, T5;" in in_one_line(out)
    assert "does not read earnings dates" not in out
    out, _ = predict(capsys, own_home, *names)
    assert "main@1 does not read earnings dates, and its intervals know of none of them" in in_one_line(out)


def test_the_nearest_report_comes_first(own_home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names = [f"T{number}" for number in range(6)]
    filled_store(own_home, *(recent_table(name, seed=seed) for seed, name in enumerate(names)))
    model = register_dated(own_home)
    dates = (
        "T1 2026-11-24 after scheduled",
        "T3 2026-11-23 after scheduled",
        "T5 2026-11-20 after scheduled",
    )
    store_dates(own_home, *dates)
    arguments = (*names, "--model", model, "--sort", "report")
    order = ["T5", "T3", "T1", "T0", "T2", "T4"]
    assert [item["ticker"] for item in documents(capsys, own_home, *arguments)] == order
    out, _ = predict(capsys, own_home, *arguments)
    rows = [line.split() for line in out.splitlines() if line.startswith("T")]
    assert [row[0] for row in rows] == order
    assert [row[3:6] for row in rows[:3]] == [["20", "Nov", "pm"], ["23", "Nov", "pm"], ["24", "Nov", "pm"]]
    assert "nearest report first" in in_one_line(out)
    assert "report: the first ahead; am: before the open, pm: after the close" in in_one_line(out)
