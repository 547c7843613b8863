"""Parts do not touch, whatever the horizon, and wrong dates are named."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from forecaster.dataset.split import split_days
from forecaster.errors import BadInputError, UsageError
from forecaster.prices.calendar import sessions_between

DATES = sessions_between(np.datetime64("2000-01-01"), np.datetime64("2019-12-31"))


def test_the_index_split_of_the_recipe() -> None:
    split = split_days(DATES, 5, "2015-12-31", "2016-12-31")
    # The last training target is 2015's last session; the purged origins are the five before it.
    assert str(DATES[split.train[-1]]) == "2015-12-23"
    assert str(DATES[split.train[-1] + 5]) == "2015-12-31"
    assert str(DATES[split.validation[0]]) == "2016-01-04"
    assert str(DATES[split.validation[-1] + 5]) == "2016-12-30"
    assert str(DATES[split.test[0]]) == "2017-01-03"
    assert str(DATES[split.test[-1]]) == "2019-12-30"


@given(st.integers(300, 5000), st.integers(1, 21))
def test_horizon_days_lie_between_the_parts_and_no_target_crosses(days: int, horizon: int) -> None:
    split = split_days(DATES[:days], horizon)
    assert split.validation.start - split.train[-1] - 1 == horizon
    assert split.test.start - split.validation[-1] - 1 == horizon
    assert split.train[-1] + horizon < split.validation.start
    assert split.validation[-1] + horizon < split.test.start


@pytest.mark.parametrize(
    ("ends", "words"),
    [
        pytest.param(("2016-12-31", "2015-12-31"), "is not before", id="wrong order"),
        pytest.param(("2016-12-31", "2016-12-31"), "is not before", id="the same day"),
        pytest.param(("1999-01-01", None), "outside the prices", id="before the prices"),
        pytest.param(("2015-13-01", None), "is not a date", id="no such month"),
        pytest.param(("soon", None), "is not a date", id="no date"),
        pytest.param(("NaT", None), "is not a date", id="not a time"),
        pytest.param(("2015", None), "is not a date", id="a year"),
    ],
)
def test_wrong_dates_are_rejected(ends: tuple[str, str | None], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        split_days(DATES, 5, *ends)


def test_too_few_days_say_how_many_are_needed() -> None:
    with pytest.raises(BadInputError, match="days to forecast from, of 60 trading days"):
        split_days(DATES[:60], 5)
