"""On any prices, dates and members: where nothing leaks nothing fails, and no shift is missed."""

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import numpy as np
import pytest
from earnings_factory import ROW, table_of_rows
from factories import random_walk_table
from hypothesis import given, settings
from hypothesis import strategies as st
from network_factory import random_network

from forecaster.dataset import features
from forecaster.dataset.membership import Selection
from forecaster.dataset.training_set import Inputs, split_by
from forecaster.evaluation.audit.causality import (
    Futures,
    change_futures,
    check_earnings,
    check_features,
    check_forecasts,
    check_market,
    check_membership,
    check_scaler,
)
from forecaster.evaluation.audit.checks import FAILED, NOT_CHECKED, PASSED, Check
from forecaster.evaluation.audit.choosing import _moved_rows
from forecaster.evaluation.audit.subject import Subject
from forecaster.prices.market import mean_log_return
from forecaster.prices.table import PriceTable
from forecaster.prices.universe import Span, Universe
from forecaster.settings import Recipe

RECIPE = Recipe(lookback=12, horizon=3)
DAYS = 400
NAMES = ("AA", "BB", "CC", "SHEL.L")
CHECKS = (check_features, check_scaler, check_market, check_earnings, check_membership)


@st.composite
def bars(draw: st.DrawFn, name: str) -> PriceTable:
    """A walk that may be listed late, end early, trade in London, lack days, or have closes alone."""
    table = random_walk_table(
        name,
        DAYS,
        draw(st.integers(0, 99)),
        after="2023-06-30",
        volatility=draw(st.sampled_from([0.002, 0.02, 0.05])),
        closes_only=draw(st.booleans()),
    )
    first, last = draw(st.integers(0, 250)), draw(st.integers(300, DAYS))
    missing = draw(st.lists(st.integers(first + 1, last - 2), max_size=12))
    kept = np.setdiff1d(np.arange(first, last), missing)
    return replace(table.take(kept), calendar="XLON" if name.endswith(".L") else "XNYS")


@st.composite
def universes(draw: st.DrawFn) -> Universe:
    spans: dict[str, tuple[Span, ...]] = {}
    for name in NAMES:
        start = date(2023, 1, 1) + timedelta(draw(st.integers(0, 700)))
        end = start + timedelta(draw(st.integers(0, 400)))
        spans[name] = draw(
            st.sampled_from([(Span(),), (Span(start),), (Span(None, end),), (Span(start, end),)])
        )
    spans["ZZ"] = (Span(date(2023, 1, 1), date(2024, 1, 1)),)
    return Universe("drawn", "test", spans)


@st.composite
def subjects(draw: st.DrawFn) -> Subject:
    whole = random_walk_table("AA", DAYS, 7, after="2023-06-30")  # so that the parts are long enough
    tables = (whole, *(draw(bars(name)) for name in draw(st.sets(st.sampled_from(NAMES[1:])))))
    others = tuple(draw(bars(name)) for name in ("OTHER", "MORE"))
    listed = draw(st.none() | universes())
    selection = None
    if listed is not None:
        selection = Selection(listed, date(2023, 1, 1), date(2025, 1, 1), NAMES, (), all_days=False)
    rows = draw(st.lists(ROW, min_size=5, max_size=40))
    stocks = (*tables, *others)
    inputs = Inputs(tables, mean_log_return(stocks), table_of_rows(rows), selection)
    return Subject(inputs, stocks)


def checked(subject: Subject) -> tuple[Futures, list[Check]]:
    futures = change_futures(subject, RECIPE, split_by(RECIPE))
    network = random_network(lookback=12, horizon=3, features=futures.past.features.names)
    return futures, [*(check(futures) for check in CHECKS), check_forecasts(futures, network)]


@given(subject=subjects())
@settings(max_examples=40)
def test_nothing_fails_where_nothing_leaks(subject: Subject) -> None:
    futures, found = checked(subject)
    assert _moved_rows(futures) == ""
    assert [each for each in found if each.state == FAILED] == []
    assert all(each.state == PASSED for each in found[:3])
    assert (found[4].state == NOT_CHECKED) == (subject.inputs.selection is None)


@given(subject=subjects(), days=st.integers(1, 9))
@settings(max_examples=20)
def test_no_shift_is_missed(subject: Subject, days: int) -> None:
    formula = features.FORMULAS["volatility"]

    def shifted(*known: Any) -> np.ndarray:
        return np.roll(formula(*known), -days, axis=-1)

    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(features.FORMULAS, "volatility", shifted)
        found = check_features(change_futures(subject, RECIPE, split_by(RECIPE)))
    assert found.state == FAILED
    assert max(leak["sessions_ahead"] for leak in found.figures["leaks"]) == days
    assert {leak["what"] for leak in found.figures["leaks"]} == {"volatility"}


def test_forecasts_of_windows_that_nobody_has_are_not_checked() -> None:
    tables = (random_walk_table("AA", DAYS),)
    subject = Subject(Inputs(tables, mean_log_return(tables)), tables)
    futures = change_futures(subject, RECIPE, split_by(RECIPE))
    network = random_network(lookback=390, horizon=3, features=futures.past.features.names)
    found = check_forecasts(futures, network)
    assert (found.state, found.found) == (NOT_CHECKED, "no origin before a cut has a full window")
