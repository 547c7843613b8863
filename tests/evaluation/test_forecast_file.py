"""The forecasts file: its columns, and that each row is right."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from comparison_factory import Compared

from forecaster.dataset.volatility import volatility
from forecaster.errors import UsageError
from forecaster.evaluation.forecast_file import check_output, write_forecasts

COLUMNS = ["model", "ticker", "origin", "step", "date", "last_close", "close", "median"]
QUANTILES = [
    *("q005", "q01", "q025"),
    *(f"q{percent:02d}" for percent in range(5, 100, 5)),
    *("q975", "q99", "q995"),
]


@pytest.fixture(scope="module")
def frames(walk: Compared, tmp_path_factory: pytest.TempPathFactory) -> dict[str, pd.DataFrame]:
    folder = tmp_path_factory.mktemp("forecasts")
    for ending in ("parquet", "csv"):
        write_forecasts(folder / f"all.{ending}", walk.comparison)
    frames = {"parquet": pd.read_parquet(folder / "all.parquet"), "csv": pd.read_csv(folder / "all.csv")}
    return {
        form: frame.assign(origin=pd.to_datetime(frame["origin"]), date=pd.to_datetime(frame["date"]))
        for form, frame in frames.items()
    }


def test_both_forms_hold_the_documented_columns(frames: dict[str, pd.DataFrame]) -> None:
    for frame in frames.values():
        assert list(frame.columns) == [*COLUMNS, *QUANTILES, "regime"]
    for name in COLUMNS[5:] + QUANTILES:
        np.testing.assert_allclose(frames["csv"][name], frames["parquet"][name])
    for name in COLUMNS[:5]:
        assert (frames["csv"][name] == frames["parquet"][name]).all()


def test_one_row_a_model_ticker_origin_and_step(walk: Compared, frames: dict[str, pd.DataFrame]) -> None:
    frame = frames["parquet"]
    models = {"rnn", "gru", "naive", "drift", "riskmetrics-t", "linear-t", "historical"}
    assert set(frame["model"]) == models
    assert not frame.duplicated(["model", "ticker", "origin", "step"]).any()
    known = np.isfinite(walk.comparison.actual.log_return).sum()
    assert (frame.groupby("model").size() == known).all()


def test_close_is_the_actual(walk: Compared, frames: dict[str, pd.DataFrame]) -> None:
    panel, frame = walk.comparison.panel, frames["parquet"]
    closes = pd.DataFrame(panel.close, panel.tickers, pd.DatetimeIndex(panel.dates))
    for day, column in (("date", "close"), ("origin", "last_close")):
        expected = [
            closes.loc[ticker, when] for ticker, when in zip(frame["ticker"], frame[day], strict=True)
        ]
        np.testing.assert_array_equal(frame[column], expected)
    sessions = pd.Series(range(len(panel.dates)), index=pd.DatetimeIndex(panel.dates))
    assert (sessions[frame["date"]].to_numpy() - sessions[frame["origin"]].to_numpy() == frame["step"]).all()


def test_the_regime_is_that_of_the_market_at_the_origin(
    walk: Compared, frames: dict[str, pd.DataFrame]
) -> None:
    panel, split = walk.comparison.panel, walk.comparison.split
    sigma = volatility(panel.market_return)
    low, high = np.nanquantile(sigma[split.train.start : split.train.stop], [1 / 3, 2 / 3])
    rows = frames["parquet"]
    now = sigma[np.searchsorted(panel.dates, rows["origin"].to_numpy().astype("M8[D]"))]
    expected = np.where(now < low, "calm", np.where(now < high, "normal", "turbulent"))
    assert (rows["regime"] == expected).all()
    assert len(set(rows["regime"])) > 1


def test_quantiles_ascend_around_the_median(frames: dict[str, pd.DataFrame]) -> None:
    frame = frames["parquet"]
    assert (np.diff(frame[QUANTILES], axis=1) > 0).all()
    np.testing.assert_allclose(frame["q50"], frame["median"], rtol=1e-6)


def test_the_file_and_the_table_agree(walk: Compared, frames: dict[str, pd.DataFrame]) -> None:
    rows = frames["parquet"].query("model == 'gru' and step == 2")
    scores = walk.comparison.model("gru").steps[2]
    assert (rows["close"] - rows["median"]).abs().mean() == pytest.approx(scores.mae, rel=1e-5)
    held = (rows["q05"] <= rows["close"]) & (rows["close"] <= rows["q95"])
    assert held.mean() == pytest.approx(scores.coverage_90)


def test_a_file_that_could_not_be_written_is_rejected_before_the_work(tmp_path: Path) -> None:
    check_output(None)
    check_output(tmp_path / "new.csv")
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(UsageError, match=r"neither \.parquet nor \.csv"):
        check_output(tmp_path / "all.xlsx")
    with pytest.raises(UsageError, match="is a folder"):
        check_output(tmp_path / "folder.csv")
