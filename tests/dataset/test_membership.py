"""Targets count only while a company is a member."""

from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from factories import closes_table, filled_store, panel_of, random_walk_table
from quick_training import train_quickly

from forecaster.dataset.features import available_features
from forecaster.dataset.membership import (
    describe_selection,
    member_days,
    restrict_targets,
    select_members,
)
from forecaster.dataset.panel import Panel
from forecaster.dataset.split import split_days
from forecaster.dataset.training_set import TrainingSet
from forecaster.errors import BadInputError, NotFoundError
from forecaster.evaluation.baselines import BASELINES, linear_t
from forecaster.evaluation.experiment import TrainResult, train_and_forecast
from forecaster.evaluation.scoring import actuals, score_step
from forecaster.prices.universe import Span, Universe
from forecaster.settings import Recipe

DATES = ["2011-12-29", "2011-12-30", "2012-01-03", "2012-01-04", "2012-01-05", "2012-01-06"]
RECIPE = Recipe(lookback=12, horizon=2, units=4, epochs=2, batch_size=16, device="cpu")


def universe(complete_from: str | None = None, **spans: list[tuple[str | None, str | None]]) -> Universe:
    def day(text: str | None) -> date | None:
        return text and date.fromisoformat(text)

    read = {name: tuple(Span(day(first), day(last)) for first, last in each) for name, each in spans.items()}
    return Universe("mine", "mine.csv", read, day(complete_from))


def test_days_of_membership_by_hand() -> None:
    members = universe(
        AA=[("2011-12-30", "2012-01-03"), ("2012-01-06", None)],
        BB=[(None, "2012-01-01")],
        CC=[("2012-01-05", "2012-01-05")],
    )
    target_mask = member_days(members, ["AA", "BB", "CC"], np.array(DATES, "datetime64[D]"))
    assert target_mask.astype(int).tolist() == [[0, 1, 1, 0, 0, 1], [1, 1, 0, 0, 0, 0], [0, 0, 0, 0, 1, 0]]


def test_before_the_list_is_complete_every_day_counts() -> None:
    members = universe("2012-01-01", AA=[("2012-01-05", None)])
    target_mask = member_days(members, ["AA"], np.array(DATES, "datetime64[D]"))
    assert target_mask.astype(int).tolist() == [[1, 1, 0, 0, 1, 1]]


def test_who_can_be_trained_on_and_who_is_missing(tmp_path: Path) -> None:
    closes = [10.0, 11, 12, 13, 14, 15]
    store = filled_store(
        tmp_path,
        *(closes_table(name, DATES, closes) for name in ("IN", "LATER", "STRANGER", "^GSPC")),
        closes_table("REUSED", DATES[3:], closes[3:]),
    )
    members = universe(
        IN=[(None, "2012-01-04")],
        LATER=[("2020-01-02", None)],  # joined after all prices of the store
        REUSED=[(None, "2012-01-03")],  # left before this company's prices begin
        GONE=[("2012-01-05", None)],
        LONGAGO=[(None, "2001-12-31")],
    )
    members = replace(members, spans={**members.spans, "^GSPC": (Span(),)})
    selection = select_members(store, members, all_days=False)
    assert (selection.tickers, selection.missing) == (("IN",), ("GONE", "REUSED"))
    assert (str(selection.first), str(selection.last)) == ("2011-12-29", "2012-01-06")
    assert selection.counting is members
    every_day = select_members(store, members, all_days=True)
    assert (every_day.tickers, every_day.missing) == (("IN", "REUSED"), ("GONE",))
    assert every_day.counting is None
    with pytest.raises(NotFoundError, match="has no prices of mine"):
        select_members(store, universe(ELSE=[(None, None)]), all_days=False)


def test_a_list_without_dates_counts_every_day(tmp_path: Path) -> None:
    store = filled_store(tmp_path)
    selection = select_members(store, universe(AAA=[(None, None)]), all_days=False)
    assert (selection.tickers, selection.counting) == (("AAA",), None)


def test_rows_are_counted_by_part(tmp_path: Path) -> None:
    store = filled_store(tmp_path)
    members = universe(AAA=[(None, None)], BBB=[("2015-03-02", None)])
    selection = select_members(store, members, all_days=False)
    panel = restrict_targets(panel_of(*store.read_many(selection.tickers)), selection.counting)
    described = describe_selection(selection, panel, split_days(panel.dates, 2))
    before = np.count_nonzero(panel.dates < np.datetime64("2015-03-02"))
    # 300 days: 225 of training and 30 of validation, less the two steps; 45 of test, less the last day.
    assert described["rows"] == {
        "train": {"counted": 2 * 223 - before, "left_out": before},
        "validation": {"counted": 56, "left_out": 0},
        "test": {"counted": 88, "left_out": 0},
    }
    late = universe(AAA=[("2015-12-30", None)])
    with pytest.raises(BadInputError, match="no row of the train part"):
        describe_selection(
            selection, restrict_targets(panel_of(store.read("AAA")), late), split_days(panel.dates, 2)
        )


def leaving_panel(*, changed: bool, target_mask: bool) -> Panel:
    """Two tickers, of which the second leaves on day 150; its later returns may be changed."""
    panel = panel_of(*(random_walk_table(name, 260, seed) for seed, name in enumerate(("AAA", "BBB"))))
    log_return = panel.log_return.copy()
    if changed:
        log_return[1, 153:] *= -3  # the last origin that counts is 150, and its targets end on 152
    members = universe(AAA=[(None, None)], BBB=[(None, str(panel.dates[150]))])
    return restrict_targets(replace(panel, log_return=log_return), members if target_mask else None)


def outcome_of(panel: Panel) -> TrainResult:
    return train_and_forecast(TrainingSet(panel, split_days(panel.dates, 2)), RECIPE, lambda _: None)


def test_what_happens_to_a_company_that_left_changes_nothing() -> None:
    one, other = (leaving_panel(changed=changed, target_mask=True) for changed in (False, True))
    first, second = outcome_of(one), outcome_of(other)
    assert first.trained.losses == second.trained.losses
    assert first.trained.validation_losses == second.trained.validation_losses
    for name, weight in first.trained.network.weights.items():
        np.testing.assert_array_equal(weight, second.trained.network.weights[name])
    assert set(first.origins.ticker) == {0}
    split = split_days(one.dates, 2)
    for baseline in BASELINES.values():
        scores = [
            score_step(
                baseline(panel, outcome.origins, 2), actuals(panel, outcome.origins, 2, split.train), 1
            ).scores
            for panel, outcome in ((one, first), (other, second))
        ]
        assert scores[0] == scores[1]
    fits = [
        linear_t(TrainingSet(panel, split), RECIPE, outcome.origins)
        for panel, outcome in ((one, first), (other, second))
    ]
    np.testing.assert_array_equal(fits[0].scale, fits[1].scale)
    assert split.train.stop > 153  # the changed days are days of training


@pytest.fixture(scope="module")
def without_membership() -> TrainResult:
    return outcome_of(leaving_panel(changed=False, target_mask=False))


def test_without_membership_it_changes_much(without_membership: TrainResult) -> None:
    first, second = without_membership, outcome_of(leaving_panel(changed=True, target_mask=False))
    assert first.trained.losses != second.trained.losses
    assert set(first.origins.ticker) == {0, 1}


def test_a_member_on_all_days_is_trained_as_without_membership(without_membership: TrainResult) -> None:
    panel = leaving_panel(changed=False, target_mask=False)
    assert panel.target_mask is None
    everyone = restrict_targets(panel, universe(AAA=[(None, None)], BBB=[(None, None)]))
    assert everyone.target_mask is not None
    assert everyone.target_mask.all()
    first, second = without_membership, outcome_of(everyone)
    assert first.trained.losses == second.trained.losses
    np.testing.assert_array_equal(first.forecast.location, second.forecast.location)


def test_only_members_days_are_forecast_from(monkeypatch: pytest.MonkeyPatch) -> None:
    """A ticker that comes in the middle of the test part; days before are inputs and no origins."""
    train_quickly(monkeypatch)
    panel = panel_of(random_walk_table("AAA", 260))
    split = split_days(panel.dates, 2)
    joined = split.test.start + 7
    target_mask = np.ones(panel.shape, dtype=bool)
    target_mask[0, split.test.start : joined] = False
    outcome = outcome_of(replace(panel, target_mask=target_mask))
    assert sorted(outcome.origins.day) == list(range(joined, split.test.stop))
    assert available_features(panel) == outcome.trained.network.features
