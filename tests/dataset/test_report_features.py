"""What networks are told of reports: by hand, the same in training and in prediction, blind to the future."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from earnings_factory import EMPTY, ROW, after, day, learned_otherwise, said, table_of_rows
from factories import closes_table, panel_of, random_walk_table
from hypothesis import given, settings
from hypothesis import strategies as st
from network_factory import random_network

from forecaster.dataset.features import ALWAYS, available_features, compute_features
from forecaster.dataset.panel import LatestDays, Panel, build_panel, latest_days
from forecaster.dataset.report_features import (
    DATES_KNOWN,
    SIZED,
    USUAL_REACTION,
    WITHIN,
    fill_report_features,
    report_features,
)
from forecaster.evaluation.forecasts import network_forecasts
from forecaster.prices.calendar import next_sessions, sessions_between
from forecaster.prices.earnings.table import EarningsTable, reports
from forecaster.prices.market import mean_log_return
from forecaster.service.prediction import predict_tables
from forecaster.settings import PRICES_ONLY, Recipe

HORIZON = 5
NAMES = report_features(HORIZON)
FLAT = 0.01
DATES = sessions_between(day("2023-11-01"), day("2025-03-31"))
TICKERS = ("BB", "AA")


def panel_with(found: EarningsTable | None, moves: dict[str, float] | None = None) -> Panel:
    """Two tickers that always move by 1 %, but AA on some days by something else."""
    steps = np.full((2, len(DATES)), FLAT)
    for date, move in (moves or {}).items():
        steps[1, np.searchsorted(DATES, day(date))] = move
    days = DATES.astype(str).tolist()
    closes = np.exp(np.cumsum(steps, axis=1))
    panel = panel_of(*(closes_table(name, days, row) for name, row in zip(TICKERS, closes, strict=True)))
    return replace(panel, reports=found)


def filled(panel: Panel, names: Sequence[str], sigma: np.ndarray) -> dict[str, np.ndarray]:
    values = np.full((*panel.shape, len(names)), np.nan, np.float32)
    fill_report_features(panel, names, sigma, values)
    return {name: values[..., place] for place, name in enumerate(names)}


class Told:
    """The values of AA by day and feature, volatility being 1 % always."""

    def __init__(self, found: EarningsTable | None, moves: dict[str, float] | None = None) -> None:
        panel = panel_with(found, moves)
        sigma = np.full(panel.shape, FLAT, np.float32)
        self.all = filled(panel, NAMES, sigma)

    def __call__(self, date: str, *names: str) -> list[float]:
        place = int(np.searchsorted(DATES, day(date)))
        return [pytest.approx(float(self.all[name][1, place]), rel=1e-5) for name in names]


def test_names_follow_the_horizon() -> None:
    assert (
        *("reports_within_1", "reports_within_2", "reports_within_3", "reports_within_4", "reports_within_5"),
        *("reaction_within_1", "reaction_within_2", "reaction_within_3", "reaction_within_4"),
        *("reaction_within_5", "usual_reaction"),
        "dates_known",
    ) == NAMES
    assert [name for name in report_features(30) if name.startswith(WITHIN)] == [
        f"reports_within_{span}" for span in (1, 2, 3, 4, 5, 10, 21, 30)
    ]
    assert report_features(1)[:3] == ("reports_within_1", "reaction_within_1", USUAL_REACTION)
    assert report_features(250)[8] == "reports_within_63"


def test_an_announced_report_before_the_open() -> None:
    told = Told(reports(said("yahoo", "AA 2025-01-28 before")))  # a Tuesday
    assert told("2025-01-24", f"{WITHIN}1", f"{WITHIN}2", f"{WITHIN}5") == [0, 4, 4]
    assert told("2025-01-27", f"{WITHIN}1", f"{WITHIN}2", f"{WITHIN}5") == [4, 4, 4]
    assert told("2025-01-28", f"{WITHIN}5", DATES_KNOWN) == [0, 1]
    assert told("2025-01-27", DATES_KNOWN) == [0]
    assert not any(values[0].any() for values in told.all.values())  # BB


def test_an_announced_report_after_the_close_moves_the_next_session() -> None:
    told = Told(reports(said("yahoo", "AA 2025-01-28 after")))
    assert told("2025-01-27", f"{WITHIN}1", f"{WITHIN}2") == [0, 4]
    assert told("2025-01-28", f"{WITHIN}1", DATES_KNOWN) == [4, 0]
    assert told("2025-01-29", f"{WITHIN}5", DATES_KNOWN) == [0, 1]


def test_a_projected_report_is_spread_over_five_sessions() -> None:
    # 364 days after 23 January 2024 is Tuesday, 21 January 2025; the reaction is likely on the 22nd, or on
    # one of the 17th, 21st, 23rd and 24th: the 20th is a holiday. Each has a fifth of a report, 0.8.
    told = Told(reports(said("yahoo", "AA 2024-01-23 after")))
    assert told("2025-01-14", f"{WITHIN}1", f"{WITHIN}2", f"{WITHIN}3", f"{WITHIN}5") == [0, 0, 0.8, 2.4]
    assert told("2025-01-16", *(f"{WITHIN}{span}" for span in range(1, 6))) == [0.8, 1.6, 2.4, 3.2, 4.0]
    assert told("2025-01-22", f"{WITHIN}1", f"{WITHIN}5") == [0.8, 1.6]
    assert told("2025-01-24", f"{WITHIN}5") == [0]


def test_a_date_that_moved_is_seen_where_it_was_believed() -> None:
    told = Told(
        reports(
            after(
                ("2025-01-20", said("yahoo", "AA 2025-02-05 before scheduled")),
                ("2025-02-03", said("yahoo", "AA 2025-02-07 before scheduled")),
            )
        )
    )
    assert told("2025-01-31", f"{WITHIN}2", f"{WITHIN}3") == [0, 4]  # Friday: Monday, Tuesday, Wednesday
    assert told("2025-02-03", f"{WITHIN}3", f"{WITHIN}4") == [0, 4]
    assert told("2025-02-05", DATES_KNOWN, f"{WITHIN}2") == [0, 4]
    assert told("2025-02-07", DATES_KNOWN) == [1]


@pytest.mark.parametrize(
    ("moved", "ahead"),
    [
        pytest.param("2024-10-29", 1, id="moved on the day itself"),
        pytest.param("2024-10-30", 2, id="moved on the next"),
    ],
)
def test_where_the_time_is_unknown_the_habit_tells(moved: str, ahead: int) -> None:
    told = Told(reports(said("yahoo", "AA 2024-10-29", "AA 2025-01-28")), {moved: -0.05})
    assert told("2024-10-29", DATES_KNOWN) == [0]  # no habit yet: after the close
    assert told("2024-10-30", DATES_KNOWN) == [1]
    expected = [4 * (span >= ahead) for span in (1, 2)]
    assert told("2025-01-27", f"{WITHIN}1", f"{WITHIN}2") == expected


def test_the_usual_reaction_is_a_mean_of_logs_and_multiplies_what_is_expected() -> None:
    found = reports(said("yahoo", "AA 2024-07-30 before", "AA 2024-10-29 before", "AA 2025-01-28 before"))
    told = Told(found, {"2024-07-30": -0.05, "2024-10-29": 0.02})
    first, second = np.log(5.01) - 0.7, np.log(2.01) - 0.7
    both = (0.8 * first + second) / 1.8
    assert told("2024-07-29", USUAL_REACTION) == [0]
    assert told("2024-10-28", USUAL_REACTION, f"{SIZED}1") == [
        pytest.approx(first, rel=1e-4),
        pytest.approx(4 * first, rel=1e-4),
    ]
    assert told("2025-01-27", USUAL_REACTION, f"{SIZED}1", f"{SIZED}5") == [
        pytest.approx(value, rel=1e-4) for value in (both, 4 * both, 4 * both)
    ]


def test_reactions_are_measured_in_the_volatility_of_the_day_before() -> None:
    panel = panel_with(reports(said("yahoo", "AA 2024-10-29 before")), {"2024-10-29": 0.05})
    place = int(np.searchsorted(DATES, day("2024-10-29")))
    sigma = np.full(panel.shape, 0.5, np.float32)
    sigma[1, place - 1] = 0.02
    usual = filled(panel, (USUAL_REACTION,), sigma)[USUAL_REACTION]
    assert usual[1, place - 1 : place + 2].tolist() == pytest.approx([0, *[np.log(2.51) - 0.7] * 2], rel=1e-4)


def test_a_report_on_the_last_day_is_past() -> None:
    told = Told(reports(said("yahoo", "AA 2025-03-31 before")))
    assert told("2025-03-31", DATES_KNOWN, f"{WITHIN}5") == [1, 0]


def test_dates_are_known_for_a_hundred_sessions_after_a_report() -> None:
    told = Told(reports(said("yahoo", "AA 2024-07-30 before")))
    known = np.flatnonzero(told.all[DATES_KNOWN][1])
    reacted = int(np.searchsorted(DATES, day("2024-07-30")))
    assert (known[0], known[-1], len(known)) == (reacted, reacted + 100, 101)


@pytest.mark.parametrize(
    "found",
    [
        pytest.param(None, id="none kept"),
        pytest.param(EMPTY, id="an empty table"),
        pytest.param(reports(said("yahoo", "CC 2025-01-28 before")), id="of another ticker"),
    ],
)
def test_all_is_zero_where_nothing_is_known(found: EarningsTable | None) -> None:
    assert all(not values.any() for values in Told(found).all.values())


@pytest.mark.parametrize("name", NAMES)
def test_each_is_the_same_alone(name: str) -> None:
    panel = panel_with(
        reports(said("yahoo", "AA 2024-07-30 before", "AA 2024-10-29", "AA 2025-01-28 before"))
    )
    sigma = np.full(panel.shape, FLAT, np.float32)
    together = filled(panel, NAMES, sigma)[name]
    assert together.any()
    np.testing.assert_array_equal(filled(panel, (name,), sigma)[name], together)


def test_a_recipe_may_leave_them_out_and_half_of_the_tickers_must_have_dates() -> None:
    found = reports(said("yahoo", "AA 2025-01-28 before"))
    panel = panel_with(found)
    assert available_features(panel, Recipe(horizon=HORIZON)) == (*ALWAYS, *NAMES)
    assert available_features(panel, Recipe(horizon=HORIZON, features=PRICES_ONLY)) == ALWAYS
    tables = [random_walk_table(name, 60, seed) for seed, name in enumerate(("AA", "BB", "CC"))]
    alone = replace(panel_of(*tables), reports=found)
    assert not any(name in NAMES for name in available_features(alone, Recipe(horizon=HORIZON)))


def random_panel(found: EarningsTable, origin: int, later: int) -> Panel:
    """Of random walks which are the same up to a day, and differ after it with the seed `later`."""
    both = []
    for seed, name in enumerate(TICKERS):
        one, other = (random_walk_table(name, 250, each, after="2024-01-02") for each in (seed, seed + later))
        columns = {
            key: np.concatenate([values[: origin + 1], other.columns[key][origin + 1 :]])
            for key, values in one.columns.items()
        }
        both.append(replace(one, columns=columns))
    return replace(panel_of(*both), reports=found)


@settings(max_examples=40)
@given(
    st.lists(ROW, max_size=10),
    st.lists(ROW, max_size=10),
    st.integers(30, 248),
    st.integers(10, 99),
)
def test_nothing_that_was_not_known_at_an_origin_moves_an_input(
    rows: list, others: list, origin: int, seed: int
) -> None:
    found = table_of_rows(rows)
    panel = random_panel(found, 249, seed)
    changed = learned_otherwise(found, table_of_rows(others), panel.dates[origin])
    names = (*ALWAYS, *NAMES)
    before, after_ = (
        compute_features(each, names).values[:, : origin + 1]
        for each in (panel, random_panel(changed, origin, seed))
    )
    np.testing.assert_array_equal(before, after_)


def test_the_property_above_can_fail() -> None:
    rows = [("AA", day("2024-07-30"), "before", "reported", 20, -1)]
    found = table_of_rows(rows)
    panel = random_panel(found, 249, 10)
    one, other = (compute_features(each, NAMES).values[1] for each in (panel, replace(panel, reports=EMPTY)))
    differs = (one != other).any(1)
    # Known from the 10th on, seen five sessions ahead.
    assert str(panel.dates[differs][0]) == "2024-07-23"


QUARTERS = tuple(day("2013-10-29") + 91 * quarter for quarter in range(53))


def years_of_reports(*tickers: str) -> EarningsTable:
    """Four a year, of unknown time every other quarter."""
    rows = [
        f"{ticker} {date + shift} {'after' if quarter % 2 else 'unknown'}"
        for shift, ticker in enumerate(tickers)
        for quarter, date in enumerate(QUARTERS)
    ]
    return reports(said("yahoo", *rows))


@pytest.mark.parametrize(
    ("days", "cuts"),
    [
        pytest.param(3000, (40, 47), id="a long history"),
        pytest.param(400, range(63, 81), id="a short one"),
    ],
)
def test_prediction_sees_what_training_sees(days: int, cuts: Sequence[int]) -> None:
    """The last days, right-aligned, give what their origins have in a panel that goes on after them."""
    tables = [random_walk_table(name, days, seed) for seed, name in enumerate(TICKERS)]
    found, market = years_of_reports(*TICKERS), mean_log_return(tables)
    # Of AA nothing is announced at last, so that reports are projected.
    found = found.take((found.ticker == "BB") | (found.date < tables[0].dates[-100]))
    names = (*ALWAYS, "range", "volume", *NAMES)
    whole = compute_features(build_panel(tables, market, found), names).values
    within = whole[..., names.index(f"{WITHIN}{HORIZON}")]
    likely = set[float]()
    for cut in cuts:
        past = [table.take(slice(days - cut)) for table in tables]
        last = compute_features(latest_days(past, market, 12 + 2000, found), names).values[:, -12:]
        expected = whole[:, days - cut - 12 : days - cut]
        np.testing.assert_allclose(last, expected, rtol=1e-3, atol=1e-4)
        assert expected[..., names.index(USUAL_REACTION)].all()
        likely.add(round(float(within[1, days - cut - 1]), 1))
    assert len(cuts) < 10 or likely == {0, 0.8, 1.6, 2.4, 3.2, 4.0}


def test_a_prediction_is_what_the_whole_history_gives() -> None:
    tables = [random_walk_table(name, 2900, seed) for seed, name in enumerate(TICKERS)]
    found, market = years_of_reports(*TICKERS), mean_log_return(tables)
    panel = build_panel(tables, market, found)
    network = random_network(lookback=12, horizon=HORIZON, features=(*ALWAYS, *NAMES))
    origins, expected = network_forecasts(
        network, compute_features(panel, network.features), range(2899, 2900)
    )
    batch = predict_tables(network, tables, market, reports=found)
    assert [each.ticker for each in batch.predictions] == [panel.tickers[row] for row in origins.ticker]
    for row, each in enumerate(batch.predictions):
        np.testing.assert_allclose(each.distribution.scale, expected.scale[row], rtol=1e-3)
        np.testing.assert_allclose(each.distribution.location, expected.location[row], rtol=1e-2, atol=1e-5)
    blind = predict_tables(network, tables, market).predictions[0]
    assert not np.allclose(blind.distribution.scale, batch.predictions[0].distribution.scale, rtol=1e-2)


def test_a_ticker_that_ends_earlier_is_told_of_its_own_days() -> None:
    one, other = (random_walk_table(name, 500, seed) for seed, name in enumerate(TICKERS))
    other = other.take(slice(490))
    found = reports(said("yahoo", f"AA {next_sessions(other.dates[-1], 3)[-1]} before"))
    latest: LatestDays = latest_days([one, other], mean_log_return([one, other]), 300, found)
    values = compute_features(latest, NAMES).values[1, -1]
    assert values[: HORIZON + 1].tolist() == [0, 0, 4, 4, 4, 0]
