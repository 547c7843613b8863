"""The audit passes on this project, and finds each leak that is planted in the functions that it calls."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from audit_factory import DAYS, RECIPE, TICKERS, subject, tables
from factories import random_walk_table
from quick_training import quick_train, train_quickly

from forecaster.dataset import features, membership, panel, report_features, training_set
from forecaster.dataset.panel import Panel
from forecaster.dataset.split import Split, split_days
from forecaster.dataset.targets import cumulative_return
from forecaster.dataset.training_set import Inputs
from forecaster.evaluation import baselines, experiment, forecasts
from forecaster.evaluation.audit.audit import Audit, audit
from forecaster.evaluation.audit.checks import FAILED, NOT_CHECKED, PASSED, TITLES, Check
from forecaster.evaluation.audit.subject import Subject
from forecaster.evaluation.audit.training import small_recipe
from forecaster.network import linear_training
from forecaster.prices.earnings import table as earnings
from forecaster.prices.earnings.table import EarningsTable, joined
from forecaster.prices.market import mean_log_return
from forecaster.settings import Recipe

Patch = pytest.MonkeyPatch


@pytest.fixture
def quick(monkeypatch: Patch) -> Patch:
    """Networks in closed form; then what is planted."""
    train_quickly(monkeypatch)
    return monkeypatch


def states(found: Audit) -> dict[str, str]:
    return {check.check: check.state for check in found.checks}


def check(found: Audit, name: str) -> Check:
    return next(each for each in found.checks if each.check == name)


def failing(found: Audit) -> set[str]:
    return {each.check for each in found.failed}


def audited(recipe: Recipe = RECIPE, **kinds: bool) -> Audit:
    return audit(subject(**kinds), recipe)


@pytest.mark.usefixtures("quick")
def test_all_checks_pass_on_random_walks() -> None:
    found = audited(dated=True, listed=True)
    assert states(found) == dict.fromkeys(TITLES, PASSED) | {"restated": NOT_CHECKED}
    assert found.passed
    assert list(states(found)) == list(TITLES)
    assert found.text == (
        "All 10 checks passed; not checked: 1. No look-ahead was found on these prices and settings."
    )
    assert len(found.cuts) == 4
    assert found.recipe.units == 4
    for name in ("shuffled", "random-walk"):
        levels = {skill["step"]: skill["level"] for skill in check(found, name).figures["skills"]}
        assert levels == {1: 0.0025, 3: 0.0025}


@pytest.mark.usefixtures("quick")
def test_what_does_not_apply_is_never_passed() -> None:
    found = audited()
    for name, why in (
        ("earnings", "no earnings dates are known"),
        ("membership", "no universe was named, so that all days of all tickers count"),
        ("restated", "prices in a DataFrame belong to no registered model"),
    ):
        assert (check(found, name).state, check(found, name).found) == (NOT_CHECKED, why)
    prices = audited(replace(RECIPE, features="prices"), dated=True)
    assert check(prices, "earnings").found == "the recipe reads prices only"


def everything(log_return: np.ndarray) -> np.ndarray:
    """A scaler that is fitted to all days, those of the test too."""
    spread = np.sqrt(np.nanmean(np.square(log_return), axis=-1, keepdims=True))
    return np.broadcast_to(spread, log_return.shape).astype(np.float32)


def test_a_scaler_fitted_to_everything_is_found(quick: Patch) -> None:
    quick.setattr(features, "volatility", everything)
    found = check(audited(), "scaler")
    assert found.state == FAILED
    first, cut = found.figures["leaks"][-1]["day"], found.figures["leaks"][-1]["cut"]
    ahead = found.figures["leaks"][-1]["sessions_ahead"]
    assert first == "2015-01-02"
    assert ahead > DAYS / 2
    assert found.found.startswith(
        f"the volatility σ of AAA on {first} changes when prices after {cut} do: it sees at least {ahead} "
    )


@pytest.mark.parametrize("days", [1, 5])
@pytest.mark.parametrize("name", ["return", "range", "volume", "market_volatility"])
def test_a_feature_that_is_shifted_is_found_with_its_distance(quick: Patch, name: str, days: int) -> None:
    formula = features.FORMULAS[name]
    quick.setitem(features.FORMULAS, name, lambda *known: np.roll(formula(*known), -days, axis=-1))
    found = audited()
    leak = check(found, "features")
    assert {"features"} <= failing(found) <= {"features", "forecasts", "purge", "random-walk", "shuffled"}
    assert {each["what"] for each in leak.figures["leaks"]} == {name}
    # What is clipped or filled in may be the same by chance, but not on all days.
    assert max(each["sessions_ahead"] for each in leak.figures["leaks"]) == days
    words = "1 session" if days == 1 else "5 sessions"
    assert leak.found.endswith(f"it sees at least {words} ahead")
    assert leak.found.startswith(f"{name} of ")


def target_itself(known: Panel, sigma: np.ndarray, _: np.ndarray) -> np.ndarray:
    row, day = np.indices(known.shape)
    moved = cumulative_return(known.log_return, row.ravel(), day.ravel(), 1)
    return moved.reshape(known.shape) / sigma


def test_the_target_among_the_features_is_found_in_three_ways(quick: Patch) -> None:
    quick.setitem(features.FORMULAS, "return", target_itself)
    found = audited()
    assert {"features", "shuffled", "random-walk"} <= failing(found)
    for name in ("shuffled", "random-walk"):
        leak = check(found, name)
        assert leak.figures["skills"][0]["at_least"] > 0.9
        assert "1 session ahead" in leak.found
        assert leak.found.endswith("nothing can be known there, so something sees ahead")
    assert found.text.startswith(f"{len(found.failed)} of 8 checks failed; not checked: 3. ")


def test_a_market_that_comes_too_early_is_found(quick: Patch) -> None:
    align = panel._align
    quick.setattr(panel, "_align", lambda *known: np.roll(align(*known), -1))
    found = check(audited(), "market")
    assert found.state == FAILED
    assert found.found.startswith("the market's return on 20")
    assert found.found.endswith("it sees at least 1 session ahead")


@pytest.mark.parametrize("early", [1, 10, 200])
def test_earnings_dates_that_are_known_too_early_are_found(quick: Patch, early: int) -> None:
    honest = EarningsTable.known_from.fget
    quick.setattr(EarningsTable, "known_from", property(lambda self: honest(self) - early))
    found = audited(dated=True)
    assert failing(found) == {"earnings"}
    leak = check(found, "earnings")
    assert "when dates announced after" in leak.found
    assert leak.figures["leaks"][0]["what"].startswith(("reports_within", "reaction_within"))


def test_that_dates_are_dropped_before_they_were_withdrawn_is_found(quick: Patch) -> None:
    """On each cut day a report is expected for the next session; a day later that is no longer believed."""
    bars = subject(dated=True)
    cuts = np.array(audit(bars, RECIPE).cuts, "datetime64[D]")
    count = len(cuts)
    sudden = EarningsTable(
        ticker=np.full(count, "AAA"),
        date=cuts + 1,
        when=np.full(count, "before"),
        status=np.full(count, "scheduled"),
        source=np.full(count, "yahoo"),
        announced=cuts - 5,
        withdrawn=cuts + 1,
    )
    moved = replace(bars, inputs=replace(bars.inputs, reports=joined(bars.inputs.reports, sudden)))
    assert check(audit(moved, RECIPE), "earnings").state == PASSED
    honest = report_features.lay_out
    quick.setattr(report_features, "lay_out", lambda found, *days: honest(found.take(found.live), *days))
    found = audit(moved, RECIPE)
    assert failing(found) == {"earnings"}
    assert check(found, "earnings").figures["leaks"][0]["ticker"] == "AAA"


def test_that_unrecorded_dates_are_taken_as_known_for_months_is_found(quick: Patch) -> None:
    quick.setattr(earnings, "KNOWN_AHEAD", 80)
    bars = subject(dated=True)
    unrecorded = np.full(len(bars.inputs.reports), np.datetime64("NaT"))
    told = replace(bars.inputs.reports, announced=unrecorded, withdrawn=unrecorded)
    found = audit(replace(bars, inputs=replace(bars.inputs, reports=told)), replace(RECIPE, horizon=21))
    assert failing(found) == {"earnings"}


def test_later_members_are_found(quick: Patch) -> None:
    def members_of_the_last_day(universe: Any, tickers: Any, dates: Any) -> np.ndarray:
        last = dates[-1].astype(object)
        now = [universe.is_member(name, last, last) for name in tickers]
        return np.repeat(np.array(now)[:, None], len(dates), axis=1)

    quick.setattr(membership, "member_days", members_of_the_last_day)
    found = audited(listed=True)
    assert failing(found) == {"membership"}
    leak = check(found, "membership")
    assert leak.found.startswith("which days count of AAA on 2015-01-02 changes when members after ")


@pytest.mark.parametrize(
    ("part", "between"), [("train", "train to validation"), ("validation", "validation to test")]
)
def test_a_purge_that_is_removed_is_found(quick: Patch, part: str, between: str) -> None:
    def without_purge(dates: Any, horizon: int, *ends: Any) -> Split:
        split = split_days(dates, horizon, *ends)
        whole = getattr(split, part)
        return replace(split, **{part: range(whole.start, whole.stop + horizon)})

    quick.setattr(training_set, "split_days", without_purge)
    found = check(audited(), "purge")
    assert found.state == FAILED
    assert found.found.startswith(
        f"{between}: 0 sessions between the parts, and targets reach 3 ahead: from origin 201"
    )
    assert found.found.endswith("they see up to 3 sessions of the next part")


def test_a_purge_that_is_a_day_short_is_found(quick: Patch) -> None:
    quick.setattr(
        training_set, "split_days", lambda dates, horizon, *ends: split_days(dates, horizon - 1, *ends)
    )
    found = check(audited(), "purge")
    assert found.figures["gaps"] == {"train to validation": 2, "validation to test": 2}
    dates = subject().inputs.panel().dates
    last = dates[split_days(dates, RECIPE.horizon - 1).train.stop - 1]  # the only one that reaches over
    assert f"from origin {last} on they see up to 1 session of the next part" in found.found


def test_targets_that_reach_over_the_purge_are_found(quick: Patch) -> None:
    """The split is right, but a window too many is trained on."""
    grid = linear_training.grid_windows

    def longer(valid: Any, origins: range, *sizes: Any, **options: Any) -> Any:
        return grid(valid, range(origins.start, origins.stop + 2), *sizes, **options)

    def counted(windows: Any, steps: Any, origins: range, mask: Any) -> Any:
        return supervision(windows, steps, range(origins.start, origins.stop + 2), mask)

    supervision = linear_training.supervision
    quick.setattr(linear_training, "grid_windows", longer)
    quick.setattr(linear_training, "supervision", counted)
    found = check(audited(), "purge")
    assert found.state == FAILED
    assert found.found.startswith("targets of 12 of ")


def test_training_on_the_days_of_the_purge_is_found(quick: Patch) -> None:
    """The split is right, but the network is trained on later origins."""

    def train(known: Panel, names: Any, split: Split, *others: Any, **named: Any) -> Any:
        return quick_train(
            known, names, replace(split, train=range(split.validation.start)), *others, **named
        )

    quick.setattr(experiment, "train_network", train)
    found = audited()
    assert failing(found) == {"purge"}
    assert check(found, "purge").found.startswith("the training loss of epoch 1 changes when prices after ")


def stopping_on(days: Callable[[Split], range]) -> Any:
    """A training whose validation loss is the size of the moves on some days."""

    def train(known: Panel, names: Any, split: Split, *others: Any, **named: Any) -> Any:
        trained = quick_train(known, names, split, *others, **named)
        part = days(split)
        loss = float(np.nanmean(np.abs(known.log_return[:, part.start : part.stop])))
        return replace(trained, validation_losses=(loss,))

    return train


@pytest.mark.parametrize("days", [1, 20])
def test_test_days_in_validation_are_found(quick: Patch, days: int) -> None:
    quick.setattr(experiment, "train_network", stopping_on(lambda split: split.validation))
    assert check(audited(), "test-days").state == PASSED
    overlapping = stopping_on(lambda split: range(split.validation.start, split.test.start + days))
    quick.setattr(experiment, "train_network", overlapping)
    found = audited()
    assert failing(found) == {"test-days"}
    leak = check(found, "test-days")
    assert leak.found.startswith(
        "the validation loss, which decides when to stop, of epoch 1 changes when prices after"
    )
    assert leak.found.endswith(
        f"test days, from {leak.figures['test_start']} on, are used in training or in choosing"
    )


def test_training_on_test_days_is_found(quick: Patch) -> None:
    def train(known: Panel, names: Any, split: Split, *others: Any, **named: Any) -> Any:
        return quick_train(known, names, replace(split, train=range(split.test.stop - 5)), *others, **named)

    quick.setattr(experiment, "train_network", train)
    leak = check(audited(), "test-days")
    assert leak.state == FAILED
    assert "the weights that were kept" in leak.found


def test_windows_that_end_a_day_late_are_found(quick: Patch) -> None:
    gather = forecasts.gather
    quick.setattr(
        forecasts, "gather", lambda known, windows: gather(known, replace(windows, start=windows.start + 1))
    )
    found = audited()
    assert failing(found) == {"forecasts"}
    leak = check(found, "forecasts")
    assert leak.found.startswith("the rnn's forecast of ")
    assert leak.found.endswith("it sees at least 1 session ahead")


def test_a_baseline_that_knows_the_future_is_found(quick: Patch) -> None:
    quick.setattr(baselines, "volatility", everything)
    found = check(audited(), "forecasts")
    assert found.state == FAILED
    assert found.found.startswith("the forecast of riskmetrics-t of ")


@pytest.mark.slow
def test_real_networks_pass_and_find_a_target_among_the_features(monkeypatch: Patch) -> None:
    found = audited(dated=True, listed=True)
    assert found.passed
    assert check(found, "test-days").state == PASSED
    assert len(check(found, "test-days").figures["validation_losses"][0]) == found.recipe.epochs
    monkeypatch.setitem(features.FORMULAS, "return", target_itself)
    assert {"features", "shuffled", "random-walk"} <= failing(audited())


@pytest.mark.trial
def test_real_networks_that_stop_on_test_days_are_found(monkeypatch: Patch) -> None:
    train = experiment.train_network

    def overlapping(known: Panel, names: Any, split: Split, *others: Any, **named: Any) -> Any:
        later = range(split.validation.start, split.test.start + 20)
        return train(known, names, replace(split, validation=later), *others, **named)

    monkeypatch.setattr(experiment, "train_network", overlapping)
    found = audited()
    assert failing(found) == {"test-days"}
    assert "the validation loss, which decides when to stop" in check(found, "test-days").found


@pytest.mark.slow
@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"cell": "gru", "bidirectional": True}, id="both-ways"),
        pytest.param({"cell": "convlstm", "lookback": 20}, id="weeks"),
        pytest.param({"cell": "lstm", "horizon": 1}, id="one-step"),
        pytest.param({"cell": "linear"}, id="linear"),
    ],
)
def test_other_recipes_pass(changes: dict[str, Any]) -> None:
    found = audited(replace(RECIPE, **changes), dated=True)
    assert found.passed
    assert check(found, "random-walk").state == PASSED


@pytest.mark.usefixtures("quick")
def test_of_many_tickers_some_are_audited_and_fewer_trained_on() -> None:
    names = tuple(f"T{number:03}" for number in range(130))
    bars = [table.take(slice(20 * (row % 2), None)) for row, table in enumerate(tables(200, names))]
    found = audit(subject(*bars), RECIPE)
    assert found.passed
    assert len(found.tickers) == 100
    assert found.tickers[0] == "T000"
    assert found.tickers[-1] == "T129"
    assert len(found.trained_tickers) == 20
    assert set(found.trained_tickers) <= set(found.tickers)
    assert all(int(name[1:]) % 2 == 0 for name in found.trained_tickers)  # those with all days
    assert (
        check(found, "market").found == "the market's return, the mean of 130 tickers, does not move either"
    )


@pytest.mark.usefixtures("quick")
def test_a_market_of_nobody_is_not_checked() -> None:
    inputs = Inputs((random_walk_table("^GSPC", DAYS),), mean_log_return(()))
    assert check(audit(Subject(inputs, ()), RECIPE), "market").state == NOT_CHECKED


@pytest.mark.usefixtures("quick")
def test_a_step_with_too_few_days_is_said() -> None:
    found = audited(replace(RECIPE, horizon=20))
    for name in ("shuffled", "random-walk"):
        assert [skill["step"] for skill in check(found, name).figures["skills"]] == [1]
        assert check(found, name).found.endswith("; too few test days to tell 20 sessions ahead")


@pytest.mark.usefixtures("quick")
def test_a_slip_in_the_data_at_a_cut_is_named() -> None:
    """Whether a move is a slip is told from what follows, so that the market sees ahead there."""
    whole = tables()
    cut = np.searchsorted(whole[0].dates, np.datetime64(audited().cuts[2]))
    columns = {name: np.array(values) for name, values in whole[0].columns.items()}
    for name in ("open", "high", "low", "close", "adj_close"):
        columns[name][cut - 1 : cut + 2] /= 10
    found = audit(subject(replace(whole[0], columns=columns), *whole[1:]), RECIPE)
    assert failing(found) >= {"market"}
    assert "some prices cannot be right (AAA on " in check(found, "market").found
    assert check(found, "scaler").state == PASSED


@pytest.mark.parametrize(("tickers", "days"), [(1, 5000), (20, 1000), (20, 6000)])
@pytest.mark.parametrize(("cell", "bidirectional"), [("lstm", False), ("lstm", True), ("convlstm", False)])
def test_small_networks_take_some_64_steps(tickers: int, days: int, cell: str, bidirectional: bool) -> None:
    recipe = Recipe(cell=cell, layers=2, dropout=0.3, bidirectional=bidirectional)
    small = small_recipe(recipe, tickers, days)
    windows = tickers * days // (5 if recipe.last_day_only else 60)
    steps = small.epochs * (windows // small.batch_size)
    assert 50 <= steps <= 100
    assert (small.units, small.layers, small.dropout) == (8, 1, 0.0)
    same = ("cell", "lookback", "horizon", "bidirectional", "features", "seed")
    assert all(getattr(small, name) == getattr(recipe, name) for name in same)


@pytest.mark.usefixtures("quick")
def test_tickers_are_those_of_the_subject() -> None:
    assert audited().tickers == TICKERS
