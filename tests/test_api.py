"""The public Python API, as a notebook uses it."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from dated_home import register_dated, store_dates
from factories import random_walk_table
from quick_training import train_quickly
from trained_home import RECIPE, TRAINED_ON, recent_table

import forecaster as fc
from forecaster.errors import BadInputError, NotFoundError, UsageError
from forecaster.prices.table import PriceTable
from forecaster.registry.versions import ModelRegistry

ROOT = Path(__file__).parents[1]
COLUMNS = ["ticker", "origin", "step", "date", "last_close", "median", "lo_50", "hi_50", "lo_90", "hi_90"]
COLUMNS += ["var_95", "es_95", "var_99", "es_99", "report"]
YAHOO = {"ticker": "Symbol", "date": "Date", "close": "Close", "adj_close": "Adj Close", "high": "High"}


def long_form(*tables: PriceTable) -> pd.DataFrame:
    return pd.concat(
        [pd.DataFrame({"ticker": table.ticker, "date": table.dates, **table.columns}) for table in tables],
        ignore_index=True,
    )


@pytest.fixture(scope="module")
def prices() -> pd.DataFrame:
    return long_form(*(recent_table(name, seed=seed) for seed, name in enumerate(TRAINED_ON)))


def test_a_stored_model_predicts_stored_tickers(trained_home: Path) -> None:
    model = fc.load_model("main", home=trained_home)
    assert repr(model) == "<Model main@1: gru, 4 units, 3 steps>"
    found = model.predict(["aaa", "BBB"])
    assert list(found.columns) == COLUMNS
    assert found["ticker"].tolist() == ["AAA"] * 3 + ["BBB"] * 3
    assert found["step"].tolist() == [1, 2, 3] * 2
    assert found["date"].dt.strftime("%F").tolist()[:3] == ["2026-11-23", "2026-11-24", "2026-11-25"]
    assert (found["origin"] == pd.Timestamp("2026-11-20")).all()
    assert (found["lo_90"] < found["lo_50"]).all()
    assert (found["lo_50"] < found["median"]).all()
    assert (found["median"] < found["hi_50"]).all()


def test_the_same_prices_as_a_frame_give_the_same_forecast(trained_home: Path, prices: pd.DataFrame) -> None:
    model = fc.load_model("main", home=trained_home)
    whole = fc.Home(trained_home).prices(["AAA", "BBB", "CCC", "NEW", "OLD", "SHORT", "GAPPY"])
    stored = model.predict("AAA", levels=(80, 99.5), horizon=2)
    given = model.predict("AAA", prices=whole, levels=(80, 99.5), horizon=2)
    assert list(stored.columns[6:10]) == ["lo_80", "hi_80", "lo_99.5", "hi_99.5"]
    pd.testing.assert_frame_equal(stored, given)
    assert not np.allclose(model.predict("AAA", prices=prices)["hi_90"][:2], stored["hi_99.5"])


def test_chances_stand_beside_their_prices(trained_home: Path) -> None:
    model = fc.load_model("main", home=trained_home)
    found = model.predict(["AAA", "BBB"], above="+5%", below="-2%")
    assert list(found.columns[-4:]) == ["above", "chance_above", "below", "chance_below"]
    np.testing.assert_allclose(found["above"], 1.05 * found["last_close"])
    assert found["chance_above"].between(0, 0.5).all()
    one = model.predict("BBB", above=1.05 * found["last_close"].iloc[-1])
    np.testing.assert_allclose(one["chance_above"], found["chance_above"][3:])
    with pytest.raises(UsageError, match=r"above 100 is one price for 2 tickers"):
        model.predict(["AAA", "BBB"], above=100)
    with pytest.raises(UsageError, match=r"^below '5%' is neither a price"):
        model.predict("AAA", below="5%")


def test_paths_are_drawn_whose_steps_belong_together(trained_home: Path) -> None:
    model = fc.load_model("main", home=trained_home)
    found = model.sample_paths(["AAA", "BBB"], count=2000)
    assert list(found.columns) == ["ticker", "origin", "path", "step", "date", "close"]
    assert len(found) == 2 * 2000 * 3
    assert found.loc[:3, "path"].tolist() == [1, 1, 1, 2]
    forecast = model.predict(["AAA", "BBB"], touch="+3%")
    by_step = found.groupby(["ticker", "step"])["close"]
    np.testing.assert_allclose(by_step.median(), forecast["median"], rtol=0.005)
    np.testing.assert_allclose(by_step.quantile(0.95), forecast["hi_90"], rtol=0.01)
    assert found["date"].unique().tolist() == forecast["date"].unique().tolist()
    wide = found[found["ticker"] == "BBB"]["close"].to_numpy().reshape(2000, -1)
    reached = (wide.max(axis=1) >= forecast["touch"].iloc[-1]).mean()
    assert reached == pytest.approx(forecast["chance_touch"].iloc[-1], abs=0.04)
    alone = model.sample_paths("BBB", count=2000)
    np.testing.assert_array_equal(alone["close"], wide.ravel())
    assert not np.array_equal(model.sample_paths("BBB", count=2000, seed=1)["close"], wide.ravel())
    assert len(model.sample_paths("BBB", count=1, horizon=2)) == 2


@pytest.mark.parametrize(
    "options", [{"count": 0}, {"count": 1_000_001}, {"seed": -1}, {"horizon": 9}], ids=str
)
def test_paths_that_cannot_be_drawn(trained_home: Path, options: dict[str, int]) -> None:
    with pytest.raises(UsageError, match=next(iter(options))):
        fc.load_model("main", home=trained_home).sample_paths("AAA", **options)


def test_losses_in_the_tail(trained_home: Path) -> None:
    found = fc.load_model("main", home=trained_home).predict(["AAA", "BBB"], levels=(90,))
    np.testing.assert_allclose(found["var_95"], 1 - found["lo_90"] / found["last_close"], rtol=1e-9)
    for level in (95, 99):
        assert (found[f"es_{level}"] > found[f"var_{level}"]).all()
    assert (found["var_99"] > found["var_95"]).all()
    assert (found["es_99"] < 1).all()


def test_the_market_can_be_given(trained_home: Path, prices: pd.DataFrame) -> None:
    model = fc.load_model("main@1", home=trained_home)
    returns = np.log(prices.pivot_table("adj_close", "date", "ticker")).diff().iloc[1:]
    implied, given = model.predict(prices=prices), model.predict(prices=prices, market=returns.mean(axis=1))
    pd.testing.assert_frame_equal(implied, given)
    other = model.predict(prices=prices, market=returns["AAA"] + 0.05)
    assert not np.allclose(other["hi_90"], given["hi_90"])


def test_the_future_does_not_move_a_forecast(trained_home: Path, prices: pd.DataFrame) -> None:
    model = fc.load_model("main", home=trained_home)
    day = sorted(prices["date"])[-30]
    past = prices[prices["date"] <= day]
    market = pd.Series(0.001, index=sorted(set(prices["date"])))
    shaken = market.where(market.index <= day, 0.5)
    pd.testing.assert_frame_equal(
        model.predict(prices=past, market=market), model.predict(prices=past, market=shaken)
    )


@pytest.mark.parametrize(
    "shape",
    [
        pytest.param(lambda frame: frame.set_index(["ticker", "date"]), id="two-levels"),
        pytest.param(lambda frame: frame.set_index("date"), id="date-index"),
        pytest.param(lambda frame: frame.rename(columns=str.title), id="capitals"),
        pytest.param(lambda frame: frame.rename(columns=YAHOO), id="yahoo"),
        pytest.param(lambda frame: frame.assign(date=frame["date"].astype(str)), id="text-dates"),
        pytest.param(lambda frame: frame.sample(frac=1, random_state=1), id="shuffled"),
        pytest.param(lambda frame: frame.assign(ticker=frame["ticker"].astype("category")), id="category"),
        pytest.param(lambda frame: frame.pivot_table(index="date", columns="ticker"), id="yf.download"),
        pytest.param(
            lambda frame: frame.pivot_table(index="date", columns="ticker").swaplevel(axis=1), id="by ticker"
        ),
    ],
)
def test_frames_of_many_shapes_are_read(trained_home: Path, prices: pd.DataFrame, shape: object) -> None:
    model = fc.load_model(home=trained_home)
    expected, found = model.predict(prices=prices), model.predict(prices=shape(prices))  # type: ignore[operator]
    pd.testing.assert_frame_equal(expected, found)


@pytest.mark.parametrize(
    ("frame", "error", "words"),
    [
        pytest.param([1, 2], UsageError, "is a list, not a DataFrame", id="list"),
        pytest.param(pd.DataFrame({"close": [1.0]}), BadInputError, "no column ticker", id="columns"),
        pytest.param(
            pd.DataFrame({"ticker": ["A"], "date": ["2020-01-02"], "close": [-1.0]}),
            BadInputError,
            "no row of the DataFrame can be used.*not positive",
            id="no-row",
        ),
        pytest.param(pd.DataFrame({("What", "AAPL"): [1.0]}), UsageError, "several levels", id="wide"),
        pytest.param(
            pd.DataFrame({"ticker": ["A"], "date": ["2020-01-02"], "close": [{}]}),
            BadInputError,
            "close",
            id="objects",
        ),
    ],
)
def test_frames_that_cannot_be_read_say_why(
    trained_home: Path, frame: object, error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        fc.load_model(home=trained_home).predict(prices=frame)  # type: ignore[arg-type]


def test_a_rejected_row_is_a_warning(trained_home: Path, prices: pd.DataFrame) -> None:
    bad = prices.copy()
    bad.loc[5, "close"] = np.nan
    with pytest.warns(UserWarning, match="1 rows rejected, the first: .*:5: AAA: close is missing"):
        fc.load_model(home=trained_home).predict("BBB", prices=bad)


def test_what_cannot_be_predicted_is_left_out_with_a_warning(trained_home: Path) -> None:
    model = fc.load_model(home=trained_home)
    with pytest.warns(UserWarning, match=r"left out: SHORT has 25 bars, 32 are needed"):
        found = model.predict(["SHORT", "AAA"])
    assert set(found["ticker"]) == {"AAA"}
    with pytest.raises(NotFoundError, match="ZZZ"):
        model.predict("ZZZ")
    with pytest.raises(UsageError, match="levels: 100 is out of range"):
        model.predict("AAA", levels=(100,))


def test_a_smaller_market_than_in_training_is_a_warning(trained_home: Path, prices: pd.DataFrame) -> None:
    model = fc.load_model(home=trained_home)
    assert model.card["market"] == ["AAA", "BBB", "CCC"]
    with pytest.warns(UserWarning, match="the market is that of 1 of the 3 tickers"):
        model.predict(prices=prices[prices["ticker"] == "AAA"])


def test_train_compare_save_and_load(
    tmp_path: Path, prices: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("forecaster.processes.run_isolated", lambda work, task, report: work(task, report))
    recipe = fc.Recipe(lookback=10, horizon=2, units=3, epochs=1, device="cpu")
    model = fc.train(prices, recipe)
    assert repr(model) == "<Model unsaved: gru, 3 units, 2 steps>"
    assert (model.recipe.units, model.recipe.horizon) == (3, 2)
    assert set(model.scores["model"]) == {"network", "naive", "drift", "riskmetrics-t", "linear-t"}
    with pytest.raises(UsageError, match="no prices to forecast from"):
        model.predict("AAA")
    before = model.predict(prices=prices)
    saved = model.save(tmp_path, "mine")
    assert saved.reference == "mine@1"
    kept = ModelRegistry(tmp_path).load_reference("mine", 1)
    assert (kept is not None) == (saved.card["reference"] == "linear-t")
    pd.testing.assert_frame_equal(fc.load_model("mine", home=tmp_path).predict(prices=prices), before)
    with pytest.raises(UsageError, match="registered already"):
        saved.save(tmp_path, "mine")
    result = fc.compare(prices, cells=("rnn",), recipe=recipe)
    assert set(result.table["model"]) == {"rnn", "naive", "drift", "riskmetrics-t", "linear-t"}
    assert {"ticker", "origin", "step", "date", "close", "median", "regime"} <= set(result.forecasts.columns)
    for grouping, frame in {
        "year": result.by_year,
        "regime": result.by_regime,
        "ticker": result.by_ticker,
    }.items():
        assert {"model", "step", grouping, "forecasts", "crps", "coverage_90", "skill"} <= set(frame.columns)
        whole = result.table.set_index(["model", "step"])["forecasts"].sort_index()
        assert (frame.groupby(["model", "step"])["forecasts"].sum() == whole).all()
    assert "SimpleRNN" in repr(result)
    with pytest.raises(UsageError, match="no known cell"):
        fc.compare(prices, cells=("transformer",), recipe=recipe)


def test_a_home_is_what_the_commands_work_on(own_home: Path) -> None:
    home = fc.Home(own_home)
    assert home.tickers == ["AAA", "BBB", "CCC", "GAPPY", "NEW", "OLD", "SHORT"]
    assert home.load_model().reference == "main@1"
    data = home.training_set(["AAA", "BBB"], recipe=RECIPE)
    assert data.panel.tickers == ("AAA", "BBB")
    with pytest.raises(UsageError, match="exclude each other"):
        home.training_set(["AAA"], universe="sample")
    assert home.predict("AAA")["ticker"].unique().tolist() == ["AAA"]


def test_every_public_name_has_a_docstring_and_stands_in_the_docs() -> None:
    reference = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    for name in fc.__all__:
        if name != "__version__":
            assert getattr(fc, name).__doc__
            assert f"`{name}" in reference
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = fc.nothing


def test_predicting_from_a_frame_needs_no_tensorflow_and_no_home(trained_home: Path, tmp_path: Path) -> None:
    script = f"""
import json, sys
import forecaster as fc
light = sorted(sys.modules.keys() & {{"numpy", "pandas", "pyarrow", "keras", "tensorflow"}})
model = fc.load_model("main", home={str(trained_home)!r})
import pandas as pd
found = model.predict(prices=pd.read_csv("prices.csv"))
heavy = sorted(sys.modules.keys() & {{"keras", "tensorflow", "jax", "torch"}})
print(json.dumps([light, heavy, len(found)]))
"""
    long_form(random_walk_table("AAA"), random_walk_table("BBB", seed=1)).to_csv(
        tmp_path / "prices.csv", index=False
    )
    ran = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=tmp_path
    )
    assert json.loads(ran.stdout) == [[], [], 6]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["prices.csv"]


@pytest.mark.trial
def test_the_notebook_and_the_script_run(tmp_path: Path) -> None:
    """Both in one process, as starting TensorFlow takes most of the time."""
    notebook = json.loads((ROOT / "examples" / "quickstart.ipynb").read_text(encoding="utf-8"))
    cells = ["".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert not any(cell["outputs"] for cell in notebook["cells"] if cell["cell_type"] == "code")
    script = (ROOT / "examples" / "quickstart.py").read_text(encoding="utf-8")
    assert len(script.splitlines()) <= 20
    quick = script.replace("epochs=2", "epochs=1, units=4")
    assert quick != script
    program = "\n".join([*cells, 'assert set(forecast["ticker"]) == {"AAPL", "KO"}', quick])
    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert ran.returncode == 0, ran.stderr
    assert "<Model quickstart@1: gru, 4 units, 5 steps>" in ran.stdout


def test_earnings_dates_as_a_frame(tmp_path: Path) -> None:
    (tmp_path / "dates.csv").write_text("ticker,date,when\nAAA,2026-12-01,after\nBBB,2026-10-01,before\n")
    home = fc.Home(tmp_path / "home")
    assert home.earnings().empty
    report = home.fetch(earnings=str(tmp_path / "dates.csv"))
    assert report.earnings is not None
    assert (report.earnings.tickers, report.earnings.added) == (2, 2)
    found = home.earnings(["aaa"])
    assert found.columns.tolist() == [
        "ticker",
        "date",
        "when",
        "status",
        "source",
        "known_since",
        "withdrawn",
    ]
    row = found.iloc[0]
    assert (row.ticker, row.date, row.when) == ("AAA", pd.Timestamp("2026-12-01"), "after")
    assert (row.status, row.source, row.known_since) == ("scheduled", "dates.csv", pd.Timestamp("2026-11-21"))
    assert home.earnings(["BBB"])["status"].tolist() == ["reported", "projected"]
    with pytest.raises(NotFoundError, match="no file or folder"):
        home.fetch(earnings="nowhere.csv")


@pytest.fixture
def dated(own_home: Path) -> fc.Model:
    """A model that reads dates, beside a store that has none."""
    return fc.load_model(register_dated(own_home), home=own_home)


def dates(*rows: tuple[str, str, str]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["ticker", "date", "when"])


def test_earnings_dates_may_be_given_beside_prices(dated: fc.Model, prices: pd.DataFrame) -> None:
    earnings = dates(
        ("AAA", "2026-11-23", "after"), ("BBB", "2025-11-24", "before"), ("AAA", "2026-08-20", "amc")
    )
    found = dated.predict(["AAA", "BBB", "CCC"], prices=prices, earnings=earnings)
    assert found["report"].tolist() == ["", "announced", "", "projected", *[""] * 5]
    blind = dated.predict(["CCC"], prices=prices, earnings=earnings)
    pd.testing.assert_frame_equal(blind.reset_index(drop=True), found[6:].reset_index(drop=True))
    with pytest.warns(UserWarning, match="reads earnings dates and was given none"):
        without = dated.predict(["AAA"], prices=prices)
    # The scale is twice as wide from the reaction on, see `dated_home`.
    wide, narrow = (np.log(each["hi_90"] / each["lo_90"]).to_numpy()[:3] for each in (found, without))
    np.testing.assert_allclose(wide / narrow, [1, 2, 2], rtol=1e-5)
    paths = dated.sample_paths("AAA", prices=prices, earnings=earnings, count=10)
    assert len(paths) == 30


def test_the_store_s_dates_as_a_frame_are_the_store_s_dates(dated: fc.Model) -> None:
    store_dates(dated.home, "AAA 2026-11-23 after scheduled", "BBB 2025-11-24 before", "CCC 2026-11-24")
    store_dates(dated.home, "CCC 2026-11-25 before projected", source="yahoo")
    home, names = fc.Home(dated.home), ["AAA", "BBB", "CCC"]
    whole = home.prices(["AAA", "BBB", "CCC", "NEW", "OLD", "SHORT", "GAPPY"])
    stored = dated.predict(names)
    assert set(stored["report"]) == {"", "announced", "projected"}
    given = dated.predict(names, prices=whole, earnings=home.earnings())
    pd.testing.assert_frame_equal(stored, given)


def test_a_frame_of_the_past_is_forecast_from_its_own_last_day(dated: fc.Model, prices: pd.DataFrame) -> None:
    """A date counts as known from 14 days before, whatever the clock says."""
    past = prices[prices["date"] <= pd.Timestamp("2026-10-16")]
    earnings = dates(
        ("AAA", "2026-10-21", "before"), ("BBB", "2026-10-16", "after"), ("CCC", "2026-11-05", "")
    )
    found = dated.predict(prices=past, earnings=earnings)
    assert found["report"].tolist() == ["", "", "announced", "announced", *[""] * 5]
    learned_later = dates(("AAA", "2026-10-20", "before")).assign(
        status="scheduled", source="sec", known_since=["2026-10-17"], withdrawn=[None]
    )
    assert not dated.predict("AAA", prices=past, earnings=learned_later)["report"].any()
    in_time = learned_later.assign(known_since=["2026-10-16"])
    assert dated.predict("AAA", prices=past, earnings=in_time)["report"].tolist() == ["", "announced", ""]
    early = past[past["date"] <= pd.Timestamp("2026-10-01")]
    assert not dated.predict(prices=early, earnings=earnings)["report"].any()


@pytest.mark.parametrize(
    ("frame", "error", "words"),
    [
        pytest.param([1], UsageError, "earnings is a list, not a DataFrame", id="list"),
        pytest.param(pd.DataFrame({"ticker": ["AAA"]}), BadInputError, "no column date", id="no date"),
        pytest.param(
            pd.DataFrame({"when": ["AAA"]}),
            BadInputError,
            "no column ticker and no column date",
            id="columns",
        ),
        pytest.param(
            pd.DataFrame({"ticker": ["AAA"], "date": ["never"]}),
            BadInputError,
            "no row of earnings can be used",
            id="no row",
        ),
        pytest.param(pd.DataFrame({"ticker": ["AAA"], "date": [{}]}), BadInputError, "date", id="objects"),
        pytest.param(
            pd.DataFrame({"ticker": ["ZZZ"], "date": ["2026-11-23"]}),
            BadInputError,
            "earnings has dates of ZZZ, and prices has none of them",
            id="other tickers",
        ),
        pytest.param(
            dates(("AAA", "2026-11-23", "")).assign(
                status="sure", source="sec", known_since="2026-11-01", withdrawn=None
            ),
            BadInputError,
            "the status 'sure' is not known",
            id="status",
        ),
        pytest.param(
            dates(("AAA", "2026-11-23", "")).assign(
                status="scheduled", source="sec", known_since="soon", withdrawn=None
            ),
            BadInputError,
            "known_since has values that are no dates",
            id="known_since",
        ),
    ],
)
def test_frames_of_dates_that_cannot_be_read_say_why(
    dated: fc.Model, prices: pd.DataFrame, frame: object, error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words) as caught:
        dated.predict(prices=prices, earnings=frame)  # type: ignore[arg-type]
    assert caught.value.remedy  # type: ignore[attr-defined]


def test_rows_of_dates_that_are_rejected_are_warnings(dated: fc.Model, prices: pd.DataFrame) -> None:
    earnings = dates(("AAA", "2026-11-23", "after"), ("AAA", "", "after"))
    with pytest.warns(UserWarning, match="1 rows rejected, the first: earnings:1: AAA: there is no date"):
        dated.predict("AAA", prices=prices, earnings=earnings)
    with pytest.warns(UserWarning, match="times of day that cannot be read"):
        dated.predict("AAA", prices=prices, earnings=dates(("AAA", "2026-11-23", "teatime")))
    with pytest.raises(UsageError, match="earnings= goes with prices="):
        dated.predict("AAA", earnings=earnings)
    with pytest.raises(NotFoundError, match="ZZZ"):
        dated.predict("ZZZ", prices=prices, earnings=earnings[:1])


def test_a_network_is_trained_and_compared_with_dates(
    prices: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = fc.Recipe(lookback=10, horizon=2, units=3, epochs=1, device="cpu")
    quarters = [str(day.date()) for day in pd.date_range("2025-10-01", "2026-11-20", freq="91D")]
    earnings = dates(*((ticker, date, "after") for ticker in ("AAA", "BBB") for date in quarters))
    model = fc.train(prices, recipe, earnings=earnings)
    assert model.network.features[-1] == "dates_known"
    train_quickly(monkeypatch)
    result = fc.compare(prices, cells=("rnn",), recipe=recipe, earnings=earnings)
    (row,) = (row for row in result.comparison.models if row.trained and row.model == "rnn")
    assert row.trained[0].network.features == model.network.features


def test_a_walk_through_history(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    train_quickly(monkeypatch)
    recipe = fc.Recipe(lookback=10, horizon=2, units=3, epochs=1)
    frame = long_form(*(random_walk_table(name, 700, seed) for seed, name in enumerate(("AAA", "BBB"))))
    result = fc.backtest(frame, ("rnn", "gru"), recipe, start="2016-10-03", refit="6M", keep=tmp_path)
    assert result.folds["fold"].tolist() == ["2016-10-03", "2017-04-03"]
    assert result.folds["test_last"].iloc[0] == "2017-03-31"
    assert set(result.table["model"]) == {"rnn", "gru", "naive", "drift", "riskmetrics-t", "linear-t"}
    assert (result.table.loc[result.table["model"] == "gru", "parameters"] > 0).all()
    assert sorted(set(result.by_year["year"])) == [2016, 2017]
    assert result.forecasts["origin"].min() == pd.Timestamp("2016-10-03").date()
    assert "recurrence adds" in repr(result)
    kept = sorted(path.name for path in tmp_path.iterdir())
    assert len(kept) == 6
    longer = fc.backtest(frame, ("gru",), recipe, start="2016-10-03", refit="6M", keep=tmp_path)
    assert longer.table.query("model == 'gru'")["crps"].tolist() == (
        result.table.query("model == 'gru'")["crps"].tolist()
    )
    assert sorted(path.name for path in tmp_path.iterdir()) == kept
    fc.Home(tmp_path / "home").fetch(source=_written(frame, tmp_path / "prices.csv"))
    stored = fc.Home(tmp_path / "home").backtest(
        cells=("gru",), recipe=recipe, start="2016-10-03", refit="6M", jobs=None
    )
    assert stored.table.query("model == 'gru'")["crps"].tolist() == pytest.approx(
        longer.table.query("model == 'gru'")["crps"].tolist(), rel=1e-6
    )
    with pytest.raises(UsageError, match="jobs is 0"):
        fc.backtest(frame, recipe=recipe, jobs=0)


def _written(frame: pd.DataFrame, path: Path) -> str:
    frame.to_csv(path, index=False)
    return str(path)
