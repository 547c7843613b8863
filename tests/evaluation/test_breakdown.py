"""Scores by ticker, year and regime: held against pandas, on the rows of the forecasts file."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from comparison_factory import Compared

from forecaster.dataset.volatility import REGIMES, market_regimes
from forecaster.evaluation.breakdown import scores_by
from forecaster.evaluation.forecast_file import forecast_tables


@pytest.fixture(scope="module")
def rows(walk: Compared) -> pd.DataFrame:
    frame = pa.concat_tables(forecast_tables(walk.comparison)).to_pandas()
    return frame.assign(
        year=pd.to_datetime(frame["origin"]).dt.year,
        covered=(frame["q05"] <= frame["close"]) & (frame["close"] <= frame["q95"]),
        error=np.abs(np.log(frame["close"] / frame["median"])),
    )


@pytest.mark.parametrize("grouping", ["year", "regime", "ticker"])
def test_each_group_is_what_pandas_finds(walk: Compared, rows: pd.DataFrame, grouping: str) -> None:
    found = (
        pd.DataFrame(scores_by(walk.comparison, grouping)).set_index(["model", "step", grouping]).sort_index()
    )
    groups = rows.groupby(["model", "step", grouping])
    assert (found["forecasts"] == groups.size()).all()
    np.testing.assert_allclose(found["coverage_90"], groups["covered"].mean(), atol=1e-5)
    np.testing.assert_allclose(found["mae_return"], groups["error"].mean(), rtol=1e-4)


@pytest.mark.parametrize("grouping", ["year", "regime", "ticker"])
def test_groups_add_up_to_the_whole(walk: Compared, grouping: str) -> None:
    found = pd.DataFrame(scores_by(walk.comparison, grouping))
    for (model, step), part in found.groupby(["model", "step"]):
        scores = walk.comparison.model(str(model)).steps[int(str(step))]
        assert part["forecasts"].sum() == scores.forecasts
        assert np.average(part["crps"], weights=part["forecasts"]) == pytest.approx(scores.crps, rel=1e-4)


def test_skills_are_over_the_named_baselines(walk: Compared) -> None:
    found = pd.DataFrame(scores_by(walk.comparison, "year")).set_index(["model", "step", "year"])["crps"]
    first = next(row for row in scores_by(walk.comparison, "year") if row["model"] == "gru")
    for name, model in (
        ("skill", "naive"),
        ("over_riskmetrics_t", "riskmetrics-t"),
        ("over_linear_t", "linear-t"),
    ):
        expected = 1 - first["crps"] / found[model, first["step"], first["year"]]
        assert first[name] == pytest.approx(expected, abs=1e-4)


def test_a_regime_knows_nothing_of_later_days() -> None:
    market = np.random.default_rng(0).normal(0, 0.01, 400).astype(np.float32)
    changed = market.copy()
    changed[300:] *= 30
    before, after = market_regimes(market, range(200)), market_regimes(changed, range(200))
    np.testing.assert_array_equal(before[:300], after[:300])
    assert (after[302:] == REGIMES.index("turbulent")).all()


def test_regimes_are_the_thirds_of_the_training_days() -> None:
    market = np.random.default_rng(1).normal(0, 0.01, 620).astype(np.float32)
    shares = np.bincount(market_regimes(market, range(620)), minlength=4) / 601  # known from the 20th day on
    assert shares[:3] == pytest.approx([1 / 3] * 3, abs=0.005)
    assert (market_regimes(market, range(620))[:19] == REGIMES.index("unknown")).all()


def test_several_markets_have_one_regime() -> None:
    market = np.random.default_rng(2).normal(0, 0.01, (2, 300)).astype(np.float32)
    market[1, :200] = np.nan
    both = market_regimes(market, range(150))
    np.testing.assert_array_equal(both[:200], market_regimes(market[0], range(150))[:200])
    assert (market_regimes(np.full(50, np.nan, np.float32), range(30)) == REGIMES.index("unknown")).all()
