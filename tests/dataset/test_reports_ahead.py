"""The reports in a forecast: which session reacts, and nothing that was not known when it was made."""

import numpy as np
import pytest
from earnings_factory import ROW, after, day, learned_otherwise, said, table_of_rows
from factories import random_walk_table
from hypothesis import given, settings
from hypothesis import strategies as st

from forecaster.dataset.panel import LatestDays, latest_days
from forecaster.dataset.reactions import ANNOUNCED, LIKELY, coming_reactions, lay_out, read_habit
from forecaster.dataset.report_features import coming_sessions
from forecaster.dataset.reports_ahead import Outlook, reports_ahead
from forecaster.dataset.volatility import volatility
from forecaster.prices.earnings.table import EarningsTable, reports
from forecaster.prices.market import mean_log_return
from forecaster.prices.table import PriceTable

STEPS = 5
FRIDAY = day("2025-01-24")


def latest_of(*tables: PriceTable, as_of: str | None = None) -> LatestDays:
    moment = None if as_of is None else day(as_of)
    return latest_days(tables, mean_log_return(tables), 300, as_of=moment)


def until(ticker: str, last: np.datetime64, seed: int = 0) -> PriceTable:
    table = random_walk_table(ticker, 600, seed, after="2023-01-02")
    return table.take(table.dates <= last)


def outlook(found: EarningsTable | None, as_of: str | None = None) -> Outlook:
    """What a forecast of AA from Friday, 24 January 2025 knows."""
    latest = latest_of(until("AA", FRIDAY), as_of=as_of)
    return reports_ahead(latest, found, volatility(latest.log_return), STEPS)[0]


def told(found: EarningsTable | None, as_of: str | None = None) -> list[str]:
    return [
        f"{each.step} {each.reaction_date} {each.date} {each.when} {each.status} {each.source}"
        for each in outlook(found, as_of).reports
    ]


@pytest.mark.parametrize(
    ("row", "step", "reaction"),
    [
        pytest.param("2025-01-28 before", 2, "2025-01-28", id="before the open"),
        pytest.param("2025-01-28 during", 2, "2025-01-28", id="during the session"),
        pytest.param("2025-01-28 after", 3, "2025-01-29", id="after the close"),
        pytest.param("2025-01-24 after", 1, "2025-01-27", id="after the close that is the last"),
        pytest.param("2025-01-25 before", 1, "2025-01-27", id="on a Saturday"),
        pytest.param("2025-01-31 before", 5, "2025-01-31", id="on the last day of the forecast"),
    ],
)
def test_the_session_that_reacts(row: str, step: int, reaction: str) -> None:
    date, when = row.split()
    found = reports(after(("2025-01-20", said("yahoo", f"AA {row} scheduled"))))
    assert told(found) == [f"{step} {reaction} {date} {when} scheduled yahoo"]


@pytest.mark.parametrize("row", ["2025-01-24 before", "2025-01-31 after", "2025-02-10 before"])
def test_what_lies_outside_of_the_forecast_is_no_part_of_it(row: str) -> None:
    found = outlook(reports(after(("2025-01-20", said("yahoo", f"AA {row} scheduled")))))
    assert found == Outlook((), known=True)


def test_a_report_that_came_later_was_scheduled_then() -> None:
    found = reports(said("yahoo", "AA 2025-01-28 after"))
    assert told(found) == ["3 2025-01-29 2025-01-28 after scheduled yahoo"]
    # It was reported already where the forecast is made days after the last price.
    assert told(found, "2025-01-30") == ["3 2025-01-29 2025-01-28 after reported yahoo"]


def test_a_date_that_is_announced_later_is_not_known_yet() -> None:
    found = reports(after(("2025-01-25", said("yahoo", "AA 2025-01-28 before scheduled"))))
    assert outlook(found) == Outlook((), known=False)
    assert told(found, "2025-01-25") == ["2 2025-01-28 2025-01-28 before scheduled yahoo"]
    moved = reports(
        after(
            ("2025-01-20", said("yahoo", "AA 2025-01-28 before scheduled")),
            ("2025-01-26", said("yahoo", "AA 2025-01-30 before scheduled")),
        )
    )
    assert told(moved) == ["2 2025-01-28 2025-01-28 before scheduled yahoo"]
    assert told(moved, "2025-01-26") == ["4 2025-01-30 2025-01-30 before scheduled yahoo"]


def test_where_the_time_is_unknown_the_habit_tells() -> None:
    habit = ["AA 2024-07-30 before", "AA 2024-10-29 before"]
    unknown = told(reports(said("yahoo", "AA 2025-01-28")))
    assert unknown == ["3 2025-01-29 2025-01-28 unknown scheduled yahoo"]
    found = reports(said("yahoo", *habit, "AA 2025-01-28"))
    assert told(found) == ["2 2025-01-28 2025-01-28 unknown scheduled yahoo"]
    lately = reports(said("yahoo", "AA 2025-01-14 before", "AA 2025-01-28"))
    assert told(lately) == ["2 2025-01-28 2025-01-28 unknown scheduled yahoo"]


def test_a_date_that_is_not_announced_is_projected() -> None:
    # 364 days after Tuesday, 30 January 2024.
    found = outlook(reports(said("yahoo", "AA 2024-01-30 after"))).reports
    assert [(each.step, str(each.date), each.source, each.likely) for each in found] == [
        (3, "2025-01-28", "projection", True)
    ]
    # After the last close: Monday reacts, also where the forecast is made on the weekend.
    friday = reports(said("yahoo", "AA 2024-01-26 after"))
    for as_of in (None, "2025-01-24", "2025-01-26"):
        assert told(friday, as_of) == ["1 2025-01-27 2025-01-24 after projected projection"]
    estimate = reports(after(("2025-01-20", said("yahoo", "AA 2025-01-28 after projected"))))
    assert [(each.source, each.likely) for each in outlook(estimate).reports] == [("yahoo", True)]
    never_confirmed = reports(after(("2024-01-20", said("yahoo", "AA 2024-01-30 after projected"))))
    assert outlook(never_confirmed).reports == ()
    announced = reports(said("yahoo", "AA 2024-01-30 after", "AA 2025-01-30 after"))
    assert told(announced) == ["5 2025-01-31 2025-01-30 after scheduled yahoo"]


def test_dates_of_more_than_a_year_ago_tell_nothing() -> None:
    assert not outlook(reports(said("yahoo", "AA 2024-01-25 after"))).known
    assert outlook(reports(said("yahoo", "AA 2024-01-26 after"))).known
    assert outlook(None) == outlook(reports(said("yahoo", "BB 2025-01-28 after"))) == Outlook()


def test_each_ticker_has_its_own_days() -> None:
    one, other = until("AA", FRIDAY), until("BB", FRIDAY - 3, seed=1)
    latest = latest_of(one, other)
    rows = [f"{ticker} {date} before" for ticker in ("AA", "BB") for date in ("2025-01-28", "2024-10-29")]
    found = reports_ahead(latest, reports(said("yahoo", *rows)), volatility(latest.log_return), STEPS)
    assert [[each.step for each in ticker.reports] for ticker in found] == [[2], [5]]  # BB ends on the 21st


@settings(max_examples=40)
@given(st.lists(ROW, max_size=8), st.lists(ROW, max_size=8), st.integers(0, 20))
def test_only_what_was_known_then_is_told_and_it_is_what_the_network_reads(
    rows: list, others: list, wait: int
) -> None:
    found, today = table_of_rows(rows), FRIDAY + wait
    latest = latest_of(until("AA", FRIDAY), until("BB", FRIDAY, seed=1), as_of=str(today))
    sigma = volatility(latest.log_return)
    outlooks = reports_ahead(latest, found, sigma, STEPS)
    changed = learned_otherwise(found, table_of_rows(others), today)
    again = reports_ahead(latest, changed, sigma, STEPS)
    assert outlooks == again
    laid = lay_out(found, latest.tickers, latest.dates, coming_sessions(latest, STEPS), latest.as_of)
    codes = coming_reactions(laid, read_habit(laid, latest.log_return, sigma), STEPS)[:, -1]
    for row, each in enumerate(outlooks):
        shown = np.zeros(STEPS, int)
        for report in each.reports:
            code = LIKELY if report.likely else ANNOUNCED
            shown[report.step - 1] = max(shown[report.step - 1], code)
        np.testing.assert_array_equal(shown, codes[row])
