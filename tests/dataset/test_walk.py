"""Which days are refits, and which days each is tested on."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forecaster.dataset.split import SHORTEST_PART
from forecaster.dataset.walk import VALIDATION_DAYS, VALIDATION_SHARE, Walk, WalkRule, parse_period
from forecaster.errors import BadInputError, UsageError
from forecaster.prices.calendar import next_sessions

DATES = next_sessions(np.datetime64("1999-12-31"), 5031)  # 2000 to 2019


def first_days(walk: Walk) -> list[str]:
    return [fold.name for fold in walk.folds]


def test_yearly_refits_begin_on_the_first_session_of_each_year() -> None:
    walk = WalkRule("2017-01-01", "2019-12-31").folds(DATES, 5)
    assert first_days(walk) == ["2017-01-03", "2018-01-02", "2019-01-02"]
    split = walk.folds[1].split
    assert str(DATES[split.test[0]]) == "2018-01-02"
    assert str(DATES[split.test[-1]]) == "2018-12-31"
    assert str(DATES[split.validation[0]]) == "2016-12-30"  # 252 sessions before; 2017 had 251
    # the last validation target, 5 days ahead, ends on 29 December 2017, the day before the test part
    assert str(DATES[split.validation[-1] + 5]) == "2017-12-29"
    assert str(DATES[split.train[-1] + 5]) == "2016-12-29"
    assert split.train[0] == 0


def test_a_month_keeps_its_day_as_far_as_it_has_one() -> None:
    walk = WalkRule("2018-08-31", "2019-03-29", "1M").folds(DATES, 1)
    assert first_days(walk) == [
        *("2018-08-31", "2018-10-01", "2018-10-31", "2018-11-30"),
        *("2018-12-31", "2019-01-31", "2019-02-28"),
    ]


def test_sessions_are_counted_as_they_are() -> None:
    walk = WalkRule("2019-01-02", "2019-12-30", "63").folds(DATES, 5)
    begins = [fold.split.test.start for fold in walk.folds]
    assert np.diff(begins).tolist() == [63] * (len(begins) - 1)


def test_a_last_fold_of_hardly_a_day_joins_the_one_before() -> None:
    walk = WalkRule("2018-01-01", "2019-01-10").folds(DATES, 5)
    assert first_days(walk) == ["2018-01-02"]
    assert str(DATES[walk.folds[0].split.test[-1]]) == "2019-01-10"


def test_rolling_years_forget_what_is_older() -> None:
    walk = WalkRule("2018-01-01", train_years=5).folds(DATES, 5)
    assert [str(DATES[fold.split.train[0]])[:7] for fold in walk.folds] == ["2013-01", "2014-01"]


def test_without_days_the_later_half_is_tested() -> None:
    walk = WalkRule().folds(DATES, 5)
    assert walk.whole.test.start == round(len(DATES) / 2)
    assert walk.whole.test.stop == len(DATES) - 1  # the last day has no actual


@settings(max_examples=60, deadline=None)
@given(
    st.integers(300, 5000),
    st.floats(0.3, 0.9),
    st.sampled_from(["1Y", "6M", "3M", "63", "250", "2Y"]),
    st.integers(1, 21),
    st.sampled_from([None, 2.0, 5.0]),
)
def test_folds_follow_one_another_and_no_target_reaches_into_the_next_part(
    days: int, share: float, every: str, horizon: int, years: float | None
) -> None:
    dates = DATES[:days]
    rule = WalkRule(str(dates[round(share * days)]), None, every, years)
    try:
        walk = rule.folds(dates, horizon)
    except (BadInputError, UsageError):
        return
    tested = [day for fold in walk.folds for day in fold.split.test]
    assert tested == list(walk.whole.test)
    for fold in walk.folds:
        train, validation, test = fold.split.train, fold.split.validation, fold.split.test
        assert train[-1] + horizon < validation[0]
        assert validation[-1] + horizon < test[0]
        assert len(train) >= SHORTEST_PART
        assert len(validation) >= SHORTEST_PART


def test_the_shares_are_these() -> None:
    assert (VALIDATION_DAYS, VALIDATION_SHARE) == (252, 0.2)
    short = WalkRule(str(DATES[500]), str(DATES[560])).folds(DATES, 1).folds[0].split
    assert short.validation == range(400, 499)
    assert short.train == range(399)


@pytest.mark.parametrize("text", ["", "Y", "0Y", "1W", "-3", "1.5Y", "one", "1Y6M"])
def test_what_is_no_period_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="no period"):
        parse_period(text)


@pytest.mark.parametrize(
    ("rule", "error", "said"),
    [
        (WalkRule("2018-13-01"), UsageError, "--from 2018-13-01 is not a date"),
        (WalkRule(None, "soon"), UsageError, "--to soon is not a date"),
        (WalkRule("1995-01-01"), UsageError, "--from 1995-01-01 is outside the prices"),
        (WalkRule("2018-01-01", "2017-01-01"), UsageError, "there are 0 days to forecast from"),
        (WalkRule("2018-01-01", "2018-01-20"), UsageError, "there are 13 days to forecast from"),
        (WalkRule("2000-02-01"), BadInputError, "before the refit on 2000-02-01 the train part has"),
        (WalkRule("2018-01-01", train_years=0.2), BadInputError, "the validation part has"),
    ],
)
def test_what_cannot_be_walked_is_said(rule: WalkRule, error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=said):
        rule.folds(DATES, 5)
