"""The naive forecasts by hand."""

import numpy as np
import pytest
import scipy.stats
from factories import closes_table, panel_of, random_walk_table

from forecaster.dataset.panel import Panel
from forecaster.dataset.volatility import volatility
from forecaster.evaluation.baselines import drift, naive, riskmetrics_t
from forecaster.evaluation.forecasts import Origins

WEEK = ["2020-01-13", "2020-01-14", "2020-01-15", "2020-01-16"]


def origins(*days: int) -> Origins:
    return Origins(np.zeros(len(days), dtype=np.intp), np.array(days))


@pytest.fixture
def panel() -> Panel:
    """Log returns 0.1, −0.2, 0.3."""
    return panel_of(closes_table("AAA", WEEK, np.exp(np.cumsum([0, 0.1, -0.2, 0.3])).tolist()))


def test_naive_stays_at_the_close_within_the_past_volatility(panel: Panel) -> None:
    found = naive(panel, origins(2, 3), 4)
    assert (found.location == 0).all()
    assert np.isinf(found.degrees_of_freedom).all()
    daily = np.sqrt([(0.1**2 + 0.2**2) / 2, (0.1**2 + 0.2**2 + 0.3**2) / 3])
    np.testing.assert_allclose(found.scale, np.outer(daily, np.sqrt([1, 2, 3, 4])), rtol=1e-6)


def test_drift_goes_on_at_the_mean_past_return(panel: Panel) -> None:
    found = drift(panel, origins(2, 3), 2)
    np.testing.assert_allclose(found.location, [[-0.05, -0.1], [0.2 / 3, 0.4 / 3]], rtol=1e-6)
    np.testing.assert_array_equal(found.scale, naive(panel, origins(2, 3), 2).scale)


def test_riskmetrics_has_the_volatility_of_the_latest_days_under_heavy_tails() -> None:
    panel = panel_of(random_walk_table(days=60))
    found = riskmetrics_t(panel, origins(40, 59), 3)
    deviation = scipy.stats.t(found.degrees_of_freedom, found.location, found.scale).std()
    expected = volatility(panel.log_return)[0, [40, 59], None] * np.sqrt([1, 2, 3])
    np.testing.assert_allclose(deviation, expected, rtol=1e-5)
    assert (found.degrees_of_freedom == 6).all()
    assert (found.location == 0).all()


def test_a_gap_is_bridged() -> None:
    closes = np.exp([0, 0.1, 0.3]).tolist()
    panel = panel_of(closes_table("AAA", [WEEK[0], WEEK[1], WEEK[3]], closes))
    found = drift(panel, origins(3), 1)
    # The second return spans two days; bridged, it is as large as a day's.
    assert found.location[0, 0] == pytest.approx((0.1 + 0.2 / np.sqrt(2)) / 2)
