"""Survivorship counted by hand."""

from datetime import date
from pathlib import Path

import numpy as np
import pytest
from factories import filled_store, panel_of, random_walk_table

from forecaster.cli.flags import show_survivorship
from forecaster.cli.screen import stdout_console
from forecaster.dataset.split import split_days
from forecaster.dataset.survivorship import ENDED_DAYS, count_survivors
from forecaster.dataset.training_set import choose, load_training_set, split_by
from forecaster.prices.universe import Span, Universe
from forecaster.settings import Recipe

RECIPE = Recipe(lookback=10, horizon=2)


def test_the_limit_is_a_month() -> None:
    assert ENDED_DAYS == 30


def test_a_ticker_has_ended_when_its_last_price_is_over_a_month_old() -> None:
    whole = [random_walk_table(name, 300, seed) for seed, name in enumerate("ABC")]
    dates = whole[0].dates
    for days, ended in ((30, 0), (31, 1)):
        panel = panel_of(whole[0], whole[1], whole[2].take(dates <= dates[-1] - np.timedelta64(days)))
        found = count_survivors(panel, split_days(panel.dates, 2), None)
        on_a_session = whole[2].dates[dates <= dates[-1] - np.timedelta64(days)][-1]
        assert (dates[-1] - on_a_session > np.timedelta64(30)) == bool(ended)
        assert found == {
            "tickers": 3,
            "ended_early": ended,
            "last_day": str(dates[-1]),
            "members_day": None,
            "members": None,
            "members_stored": None,
        }


def listed(**spans: Span) -> Universe:
    return Universe("mine", "list", {name: (span,) for name, span in spans.items()})


def test_members_are_counted_on_the_first_day_of_the_test(tmp_path: Path) -> None:
    """A and B are there; C has later prices only, GONE none; LEFT was a member before, LATE is after."""
    names = ("A", "B", "C", "LEFT", "LATE")
    tables = {name: random_walk_table(name, 300, seed) for seed, name in enumerate(names)}
    tables["C"] = tables["C"].take(slice(280, None))
    store = filled_store(tmp_path, *tables.values())
    dates = tables["A"].dates
    day = split_days(dates, 2).test.start
    before, after = (dates[day + step].astype(date) for step in (-1, 1))
    universe = listed(
        A=Span(), B=Span(), C=Span(), GONE=Span(), LEFT=Span(last=before), LATE=Span(first=after)
    )
    data = load_training_set(store, choose(store, universe=universe), split_by(RECIPE))
    assert data.survivorship is not None
    assert data.survivorship["members_day"] == str(dates[day])
    assert (data.survivorship["members"], data.survivorship["members_stored"]) == (4, 2)
    assert data.survivorship["tickers"] == 5


FACTS = {"tickers": 9, "ended_early": 0, "last_day": "2019-12-31"}
NOBODY = {"members_day": None, "members": None, "members_stored": None}


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        pytest.param(NOBODY, "0 of 9. All of them are survivors: trust", id="survivors"),
        pytest.param(
            NOBODY | {"ended_early": 2}, "2 of 9. Whether other delisted companies are missing", id="some"
        ),
        pytest.param(
            {"members_day": "2012-01-03", "members": 494, "members_stored": 309},
            "Of 494 members on 2012-01-03 the store has 309. Survivors are overrepresented: trust results "
            "about the price less; those about the range hold.",
            id="missing members",
        ),
    ],
)
def test_the_line_says_what_it_means(
    changes: dict[str, object], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    show_survivorship(FACTS | changes, stdout_console())
    assert says in " ".join(capsys.readouterr().out.split())


def test_nothing_is_doubted_where_all_members_are_there(capsys: pytest.CaptureFixture[str]) -> None:
    show_survivorship(
        FACTS | {"members_day": "2012-01-03", "members": 9, "members_stored": 9}, stdout_console()
    )
    assert "trust" not in capsys.readouterr().out
