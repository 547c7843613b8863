"""Models, training and comparing with DataFrames in and out: the public Python API, with `home.Home`.

The names stand in `forecaster` itself: `import forecaster as fc; fc.load_model("main")`.
"""

import os
import warnings
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from forecaster.dataset.panel import choose_tickers
from forecaster.dataset.training_set import Inputs, TrainingSet, split_by
from forecaster.errors import BadInputError, ForecastError, NotFoundError, UsageError, name_some
from forecaster.network.network import Network
from forecaster.prices.calendar import last_closed_session, local_date
from forecaster.prices.earnings.table import EarningsTable
from forecaster.prices.known import known_prices
from forecaster.prices.market import INDEX_MARK, MarketSeries, mean_log_return
from forecaster.prices.table import PriceTable, checked_ticker
from forecaster.registry.versions import ModelRegistry, RegisteredModel
from forecaster.settings import ALL_CELLS, CELLS, LINEAR, Recipe, current_time, find_home, override

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from forecaster.evaluation.calibration import Calibration
    from forecaster.evaluation.comparison import Comparison, FitReport
    from forecaster.evaluation.verdict import Verdict
    from forecaster.network.fitting import Progress
    from forecaster.prices.fetching import FetchLog
    from forecaster.report.pictures.picture import Picture
    from forecaster.service.prediction import Batch, Prediction

LEVELS = (50, 90)
_SHOWN = ("model", "step", "crps", "coverage_50", "coverage_90", "skill", "p_value")
"""Of a comparison's table in a notebook."""


@dataclass(frozen=True)
class Model:
    """A trained network that forecasts without TensorFlow.

    Attributes:
        reference: NAME@VERSION; empty while it is not saved.
        card: how it was trained, on what, and its test scores.
        network: its weights.
        home: the folder whose prices `predict` reads; None without one.
        calibration: what its forecasts are recalibrated by; None to leave them as they are.
    """

    reference: str
    card: Mapping[str, Any]
    network: Network
    home: Path | None = None
    calibration: "Calibration | None" = None
    _keras_file: bytes | None = None
    _reference: Network | None = None

    def __repr__(self) -> str:
        """Like <Model main@3: gru, 32 units, 5 steps>."""
        network = self.network
        name = self.reference or "unsaved"
        sizes = "" if network.cell == LINEAR else f", {network.units} units"
        several = f"{network.ensemble} × " if network.ensemble > 1 else ""
        return f"<Model {name}: {several}{network.cell}{sizes}, {network.horizon} steps>"

    def _repr_html_(self) -> str:
        from forecaster.report.notebook import shown

        last_day = self.card["prices"]["last_day"]
        said = f"{self!r}, trained on {len(self.card['tickers']):,} tickers, prices to {last_day}"
        return shown([said], self.scores[list(_SHOWN)])

    @property
    def recipe(self) -> Recipe:
        """The recipe that it was trained by."""
        return override(Recipe(), self.card["recipe"])

    @property
    def scores(self) -> "pd.DataFrame":
        """Test scores of the network and the baselines, a row for each model and step; CRPS in log return."""
        import pandas as pd

        by_model = {"network": self.card["scores"], **self.card["baselines"]}
        return pd.DataFrame(
            {"model": name, "step": int(step), **scores}
            for name, by_step in by_model.items()
            for step, scores in by_step.items()
        )

    def predict(
        self,
        tickers: Sequence[str] | str | None = None,
        *,
        prices: "pd.DataFrame | None" = None,
        market: "pd.Series | None" = None,
        earnings: "pd.DataFrame | None" = None,
        levels: Sequence[float] = LEVELS,
        horizon: int | None = None,
        above: float | str | None = None,
        below: float | str | None = None,
        touch: float | str | None = None,
    ) -> "pd.DataFrame":
        """Forecast tickers from their last close, recalibrated by `calibration`.

        Args:
            tickers: symbols; None for all of `prices`, or of the home folder.
            prices: long form: ticker, date, close, and adj_close, high, low, volume where there are any.
                Without it the prices of the home folder are read.
            market: daily log returns of the market by date; without it the mean over the tickers of
                `prices`, or of the home folder, that were the market in training (`card["market"]`).
            earnings: beside `prices`, earnings dates: ticker, date and perhaps when (before, after) or a
                time, or as `Home.earnings` gives them. A date that is not past is known from today on, a
                past one from 14 days before it. Of the home folder's tickers its own dates are taken.
            levels: central intervals, in per cent from 1 to 99.9.
            horizon: steps, at most those that the network was trained for; None for all of them.
            above: a closing price, of one ticker, or like "+5%" a change from each ticker's last close.
            below: the same.
            touch: the same.

        Returns:
            A row for each ticker and step: ticker, origin (day of the last close), step, date, last_close,
            median, then lo_50, hi_50, lo_90, hi_90 and so on. Prices are in the currency of the input. Then
            var_95, es_95, var_99, es_99: value at risk and expected shortfall, losses as shares of the last
            close; and report: whether the step is the first that reacts to a report of the company,
            announced or projected (its date is only likely), else empty. With `above`: above, the price,
            and chance_above, the chance that the step's close is above it; with `below` the same. With
            `touch`: touch and chance_touch, the chance that one of the closes up to the step is at the price
            or beyond it; what happens between closes is not seen.
            Tickers that cannot be forecast are left out with a warning; others tell of days on which fewer
            than half of the market's members have a return, and of a network that lacks earnings dates.

        Raises:
            UsageError: there are no prices to read, a level or the horizon is out of range, or `above`,
                `below` or `touch` is no price, or one price for several tickers.
            NotFoundError, BadInputError: not one ticker can be forecast.
        """
        from forecaster.network.step_copula import copula_of
        from forecaster.service.thresholds import chances, parse_thresholds

        batch = self._forecasts(tickers, prices, market, earnings, levels, horizon)
        count = len(batch.predictions) + len(batch.failures)
        thresholds = parse_thresholds({"above": above, "below": below, "touch": touch}, count)
        _report_failures(batch.failures, served=bool(batch.predictions))
        _warn_of_thin_market(batch.predictions)
        frame = _frame_of(batch.predictions, levels)
        found = [chances(each, thresholds, copula_of(self.card)) for each in batch.predictions]
        for name, threshold in thresholds.items():
            prices_asked = [threshold.price(each.last_close) for each in batch.predictions]
            frame[name] = np.repeat(prices_asked, [len(each.dates) for each in batch.predictions])
            frame[f"chance_{name}"] = np.concatenate([each[name] for each in found])
        return frame

    def plot(
        self,
        tickers: Sequence[str] | str | None = None,
        *,
        prices: "pd.DataFrame | None" = None,
        market: "pd.Series | None" = None,
        earnings: "pd.DataFrame | None" = None,
        horizon: int | None = None,
    ) -> "Picture":
        """Draw the last closes and the forecast of up to 30 tickers, with intervals and reports.

        Args:
            tickers: as for `predict`.
            prices: as for `predict`.
            market: as for `predict`.
            earnings: as for `predict`.
            horizon: as for `predict`.

        Returns:
            A picture that a notebook shows, or that `.save("AAPL.svg")`, `.png` or `.html` writes.

        Raises:
            UsageError: as `predict`, or there are more than 30 tickers.
            NotFoundError, BadInputError: not one ticker can be forecast.
        """
        from forecaster.report.fans import prediction_picture

        batch = self._forecasts(tickers, prices, market, earnings, LEVELS, horizon)
        _report_failures(batch.failures, served=bool(batch.predictions))
        return prediction_picture(batch.predictions)

    def sample_paths(
        self,
        tickers: Sequence[str] | str | None = None,
        *,
        prices: "pd.DataFrame | None" = None,
        market: "pd.Series | None" = None,
        earnings: "pd.DataFrame | None" = None,
        horizon: int | None = None,
        count: int = 1000,
        seed: int = 0,
    ) -> "pd.DataFrame":
        """Draw paths of closes whose steps belong together: a price that is high stays high for a while.

        The closes of each step by themselves are distributed as `predict` says. The steps are tied by a
        Gaussian copula that was fitted to forecasts of training days (`card["step_correlations"]`); a model
        without one takes a random walk's. How tickers move together is not modelled: their paths are drawn
        independently.

        Args:
            tickers: as for `predict`.
            prices: as for `predict`.
            market: as for `predict`.
            earnings: as for `predict`.
            horizon: as for `predict`.
            count: paths of each ticker, up to 1,000,000.
            seed: of the draws; those of a ticker do not depend on which others are drawn.

        Returns:
            A row for each ticker, path (from 1) and step: ticker, origin, path, step, date, close. Of one
            ticker, `frame["close"].to_numpy().reshape(count, -1)` has a path in each row.

        Raises:
            UsageError: as `predict`, or `count` or `seed` is out of range.
            NotFoundError, BadInputError: not one ticker can be forecast.
        """
        from forecaster.network.step_copula import copula_of
        from forecaster.service.paths import check_paths, draw_paths

        check_paths(count, seed)
        batch = self._forecasts(tickers, prices, market, earnings, LEVELS, horizon)
        _report_failures(batch.failures, served=bool(batch.predictions))
        _warn_of_thin_market(batch.predictions)
        copula = copula_of(self.card)
        return _frame_of_paths(
            batch.predictions, [draw_paths(each, copula, count, seed) for each in batch.predictions]
        )

    def save(self, home: str | Path, name: str = "main") -> "Model":
        """Register the model in a home folder as the next version of `name`, in service from now on.

        Raises:
            UsageError: `name` is no name of a model, or this model was loaded, not trained.
            DiskError, TryLaterError: the folder cannot be written.
        """
        if self._keras_file is None:
            raise UsageError(f"{self.reference} is registered already", "copy its folder instead")
        folder = find_home(Path(home), os.environ, Path.cwd())
        version = ModelRegistry(folder).register(
            name, self.network, dict(self.card), self._keras_file, reference=self._reference
        )
        return model_of(ModelRegistry(folder).load(f"{name}@{version}"), folder)

    def _forecasts(
        self,
        tickers: Sequence[str] | str | None,
        prices: "pd.DataFrame | None",
        market: "pd.Series | None",
        earnings: "pd.DataFrame | None",
        levels: Sequence[float],
        horizon: int | None,
    ) -> "Batch":
        """What `predict` asks for; failures are those of all tickers that were asked for."""
        from forecaster.service.prediction import Batch, predict_stored, predict_tables

        asked = [tickers] if isinstance(tickers, str) else list(tickers or [])
        composition = self.card.get("market", ())
        level_map = None if self.calibration is None else self.calibration.level_map
        if prices is not None:
            tables = _tables(prices)
            known_market = _market(tables, market, composition)
            wanted, missing = _pick(tables, asked)
            reports = _reports(tables, earnings)
            if not wanted:
                return Batch((), missing)
            as_of = _day_of_forecast(wanted)
            batch = predict_tables(
                self.network,
                wanted,
                known_market,
                horizon,
                levels,
                reports=reports,
                as_of=as_of,
                level_map=level_map,
            )
            if reports is None and any(each.reports_read for each in batch.predictions):
                warnings.warn(
                    "the model reads earnings dates and was given none, so that it expects no report: "
                    "give earnings=",
                    stacklevel=3,
                )
            return Batch(batch.predictions, missing | batch.failures)
        if earnings is not None:
            raise UsageError(
                "earnings= goes with prices=", "those of a home folder come with Home.fetch(earnings=…)"
            )
        if self.home is None:
            raise UsageError("there are no prices to forecast from", "give prices=, a DataFrame of long form")
        store = known_prices(self.home, _now(), os.environ)
        given = None if market is None else _market((), market)
        chosen = [checked_ticker(ticker) for ticker in asked] or choose_tickers(store, None)
        batch = predict_stored(
            store, self.network, chosen, horizon, levels, given, composition, level_map=level_map
        )
        if batch.dates_fault:
            warnings.warn(f"earnings dates are left out: {batch.dates_fault}", stacklevel=3)
        return batch


@dataclass(frozen=True)
class ComparisonResult:
    """What `compare` found.

    Attributes:
        comparison: models, scores and forecasts, as the command shows them.
        verdict: what that means.
        recipes: one for each cell.
        match: whether the cells have equal units or about equal parameters.
    """

    comparison: "Comparison"
    verdict: "Verdict"
    recipes: tuple[Recipe, ...]
    match: str

    def __repr__(self) -> str:
        """The verdict's sentences."""
        return self.verdict.text

    @property
    def document(self) -> dict[str, Any]:
        """All of it in plain values, as `compare --json` prints it."""
        from forecaster.files import plain
        from forecaster.report.documents import comparison_document

        found = comparison_document(self.comparison, self.verdict, self.recipes, self.match)
        return dict(plain({"schema": "forecast.compare/1", **found}))

    def plot(self) -> "Picture":
        """Pictures that a notebook shows, or that `.save("compare.svg")`, `.png` or `.html` writes."""
        from forecaster.report.pictures.gallery import picture_of

        return picture_of(self.document)

    def _repr_html_(self) -> str:
        from forecaster.report.notebook import shown

        document = self.document
        return shown(document["verdict"]["three_sentences"], self.table[list(_SHOWN)], self.plot())

    @property
    def table(self) -> "pd.DataFrame":
        """A row for each model and scored step, with parameters and training seconds of the cells."""
        import pandas as pd

        return pd.DataFrame(
            {
                "model": row.model,
                "kind": row.kind,
                "step": step,
                "parameters": row.trained[0].network.parameter_count() if row.trained else 0,
                "train_seconds": row.seconds().mean if row.trained else 0.0,
                **asdict(scores),
            }
            for row in self.comparison.models
            for step, scores in row.steps.items()
        )

    @property
    def by_year(self) -> "pd.DataFrame":
        """Scores by model, step and year of the origin.

        They are forecasts, crps, coverage_50, coverage_90, coverage_99, below_05, above_95, mae_return and
        skills.
        """
        return self._by("year")

    @property
    def by_regime(self) -> "pd.DataFrame":
        """As `by_year`, by the market's volatility at the origin: calm, normal or turbulent.

        The thresholds are the terciles of the training days.
        """
        return self._by("regime")

    @property
    def by_reaction(self) -> "pd.DataFrame":
        """As `by_year`, by whether the price has a report to react to up to the step.

        Empty where no earnings dates are known.
        """
        return self._by("reaction")

    @property
    def by_ticker(self) -> "pd.DataFrame":
        """As `by_year`, by ticker."""
        return self._by("ticker")

    def _by(self, grouping: str) -> "pd.DataFrame":
        import pandas as pd

        from forecaster.evaluation.breakdown import scores_by

        return pd.DataFrame(scores_by(self.comparison, grouping))

    @property
    def forecasts(self) -> "pd.DataFrame":
        """Every test forecast; those of historical and boosting only at the steps that are scored.

        Columns: model, ticker, origin, step, date, last_close, close, median, quantiles, regime, and
        report where earnings dates are known.
        """
        import pyarrow as pa

        from forecaster.evaluation.forecast_file import forecast_tables

        frame: pd.DataFrame = pa.concat_tables(forecast_tables(self.comparison)).to_pandas()
        return frame


def load_model(reference: str | None = None, home: str | Path | None = None) -> Model:
    """Load a registered model: NAME, NAME@VERSION, or by default `main` or the only one there is.

    Args:
        reference: which model.
        home: its home folder; found as the commands find it where it is None.

    Raises:
        NotFoundError: there is no such model.
        BadInputError: its files are damaged.
    """
    folder = find_home(None if home is None else Path(home), os.environ, Path.cwd())
    return model_of(ModelRegistry(folder).load(reference), folder)


def train(
    prices: "pd.DataFrame",
    recipe: Recipe | None = None,
    *,
    market: "pd.Series | None" = None,
    earnings: "pd.DataFrame | None" = None,
    report: "Callable[[Progress], None] | None" = None,
) -> Model:
    """Train one network on a DataFrame of prices, and test it beside the baselines.

    Args:
        prices: long form: ticker, date, close, and adj_close, high, low, volume where there are any.
        recipe: what to train; Recipe() without it.
        market: daily log returns of the market by date; the mean of all tickers without it.
        earnings: earnings dates, as for `Model.predict`; where half of the tickers have some, the network
            reads them.
        report: called after every batch.

    Raises:
        UsageError: the cell cannot read such windows.
        BadInputError: the prices are too few, or no row can be used.
        ForecastError: the loss became NaN.
    """
    chosen = recipe or Recipe()
    data = inputs_of(prices, market, earnings).build(split_by(chosen))
    return train_on(data, chosen, report or (lambda _: None))


def train_on(
    data: TrainingSet, recipe: Recipe, report: "Callable[[Progress], None]" = lambda _: None
) -> Model:
    """`train` on a training set.

    Raises:
        UsageError: the cell cannot read such windows.
        BadInputError: the prices are too few.
        ForecastError: the loss became NaN.
    """
    from forecaster.registry.calibration import calibration_of_card
    from forecaster.service.candidate import train_candidate

    candidate = train_candidate(data, recipe, _now(), report)
    trained, card = candidate.trained, candidate.card
    calibration = calibration_of_card(card)
    return Model("", card, trained.network, None, calibration, trained.keras_file, candidate.reference)


def compare(
    prices: "pd.DataFrame",
    cells: Sequence[str] = CELLS,
    recipe: Recipe | None = None,
    *,
    market: "pd.Series | None" = None,
    earnings: "pd.DataFrame | None" = None,
    match: str = "units",
    seeds: int = 1,
    baselines: Sequence[str] = (),
) -> ComparisonResult:
    """Train the cells on the same windows and test them on the same days, beside the baselines.

    Args:
        prices: as for `train`.
        cells: of rnn, lstm, gru and convlstm.
        recipe: what to train; its cell is replaced by each of `cells`.
        market: as for `train`.
        earnings: as for `train`.
        match: `units` for equal units, `parameters` for about equal parameters.
        seeds: runs of each cell.
        baselines: further ones, of garch-t, gjr-t, historical, auto-arima, auto-ets, theta, boosting, or all;
            some need the extra `baselines`.

    Raises:
        UsageError: a cell, a baseline or `match` is not known, a cell cannot read such windows, or a baseline
            needs what is not installed.
        BadInputError: the prices are too few, or no row can be used.
        ForecastError: a loss became NaN.
    """
    chosen = recipe or Recipe()
    data = inputs_of(prices, market, earnings).build(split_by(chosen))
    return compare_on(data, cells, chosen, match=match, seeds=seeds, baselines=baselines)


def compare_on(
    data: TrainingSet,
    cells: Sequence[str],
    recipe: Recipe,
    *,
    match: str = "units",
    seeds: int = 1,
    baselines: Sequence[str] = (),
    report: "Callable[[str, int, Progress], None]" = lambda *_: None,
    report_fits: "FitReport" = lambda *_: None,
    isolated: bool = False,
    jobs: int | None = None,
) -> ComparisonResult:
    """`compare` on a training set.

    Args:
        data: prices and split.
        cells: as for `compare`.
        recipe: as for `compare`.
        match: as for `compare`.
        seeds: as for `compare`.
        baselines: as for `compare`.
        report: called with cell, number of the run, and progress.
        report_fits: called with a further baseline's name, how many of its fits are done, and of how many.
        isolated: whether each training has a process of its own, so that time and memory are its alone.
        jobs: as for `compare_cells`.

    Raises:
        UsageError, BadInputError, ForecastError: as `compare`.
    """
    from forecaster.evaluation.comparison import compare_cells
    from forecaster.evaluation.extra_baselines import chosen_baselines
    from forecaster.evaluation.verdict import judge
    from forecaster.processes import run_isolated

    recipes = cell_recipes_on(data, cells, recipe, match)
    run = run_isolated if isolated else _run_here
    extra = chosen_baselines(baselines)
    comparison = compare_cells(data, recipes, seeds, report, run, extra, report_fits, jobs)
    return ComparisonResult(comparison, judge(comparison), tuple(recipes), match)


def cell_recipes_on(data: TrainingSet, cells: Sequence[str], recipe: Recipe, match: str) -> list[Recipe]:
    """The recipe for each cell, see `cell_recipes`.

    Raises:
        UsageError: a cell or `match` is not known, or a cell cannot read such windows.
    """
    from forecaster.dataset.features import available_features
    from forecaster.evaluation.comparison import cell_recipes

    unknown = [cell for cell in cells if cell not in ALL_CELLS]
    if unknown or not cells:
        raise UsageError(f"cells {list(cells)} names no known cell", f"choose from {', '.join(ALL_CELLS)}")
    if match not in ("units", "parameters"):
        raise UsageError(f"match {match!r} is not known", "choose units or parameters")
    return cell_recipes(recipe, cells, len(available_features(data.panel, recipe)), match)


def _run_here(
    work: Callable[[Any, Callable[[Any], None]], Any], task: Any, report: Callable[[Any], None]
) -> Any:
    return work(task, report)


def _now() -> datetime:
    return current_time(os.environ)


def model_of(registered: RegisteredModel, home: Path) -> Model:
    """A model as the registry loaded it, that predicts from the prices of `home`."""
    from forecaster.registry.calibration import calibration_at

    calibration = calibration_at(ModelRegistry(home), registered, _now())
    return Model(registered.reference, registered.card, registered.network, home, calibration)


def inputs_of(prices: "pd.DataFrame", market: "pd.Series | None", earnings: "pd.DataFrame | None") -> Inputs:
    """What a training set is built from, of DataFrames; without `market` it is the mean over `prices`.

    Raises:
        BadInputError: no row can be used.
    """
    tables = _tables(prices)
    return Inputs(tables, _market(tables, market), _reports(tables, earnings))


def _tables(prices: "pd.DataFrame") -> tuple[PriceTable, ...]:
    """The checked tables of a DataFrame; a warning tells of rows that were rejected."""
    from forecaster.prices.importing.frames import tables_from_frame

    found = tables_from_frame(prices, _now())
    _warn_of_rejections(found.log)
    return found.tables


def _reports(tables: Sequence[PriceTable], earnings: "pd.DataFrame | None") -> EarningsTable | None:
    """The dates that a DataFrame has of the tables' tickers; as `_tables` it warns of rejected rows.

    Raises:
        BadInputError: it has none.
    """
    from forecaster.prices.earnings.frames import reports_from_frame

    if earnings is None:
        return None
    found = reports_from_frame(earnings, _now())
    _warn_of_rejections(found.log)
    for text in found.log.notes:
        warnings.warn(text, stacklevel=4)
    own = found.table.of([table.ticker for table in tables])
    if not len(own):
        raise BadInputError(
            f"earnings has dates of {name_some(sorted(set(found.table.ticker.tolist())))}, and prices has "
            "none of them",
            "write the tickers alike",
        )
    return own


def _day_of_forecast(tables: Sequence[PriceTable]) -> np.datetime64 | None:
    """Today, unless a session has closed since the last price: then these are forecasts of a past day."""
    now = _now()
    if any(table.dates[-1] >= last_closed_session(now, table.calendar) for table in tables):
        return local_date(now)
    return None


def _warn_of_rejections(log: "FetchLog") -> None:
    if log.rejections:
        warnings.warn(f"{log.rejected} rows rejected, the first: {log.rejections[0]}", stacklevel=5)


def _pick(
    tables: Sequence[PriceTable], asked: Sequence[str]
) -> tuple[list[PriceTable], dict[str, ForecastError]]:
    """The tables asked for, in that order (all of them if none is), and an error for each that is missing."""
    if not asked:
        return list(tables), {}
    by_ticker = {table.ticker: table for table in tables}
    names = [checked_ticker(ticker) for ticker in asked]
    missing: dict[str, ForecastError] = {
        name: NotFoundError(f"prices has no rows of {name}", "check the spelling")
        for name in names
        if name not in by_ticker
    }
    return [by_ticker[name] for name in names if name in by_ticker], missing


def _report_failures(failures: Mapping[str, ForecastError], *, served: bool) -> None:
    """Warn of tickers that are left out; raise the first one's error where nothing is left."""
    if failures and not served:
        raise next(iter(failures.values()))
    for ticker, error in failures.items():
        reason = error.message if ticker in error.message else f"{ticker}: {error.message}"
        warnings.warn(f"left out: {reason}", stacklevel=4)


def _warn_of_thin_market(predictions: "Sequence[Prediction]") -> None:
    thin = max((each.thin_market for each in predictions), key=len, default=())
    if thin:
        last = thin[-1]
        warnings.warn(
            f"on {len(thin)} of the days looked back on, the last {last.date}, the market is that of "
            f"{last.tickers} of the {last.listed} tickers that it was in training, so the intervals are less "
            "certain: give more tickers, or market=",
            stacklevel=3,
        )


def _frame_of(predictions: "Sequence[Prediction]", levels: Sequence[float]) -> "pd.DataFrame":
    import pandas as pd

    from forecaster.network.risk import RISK_LEVELS, tail_losses

    counts = [len(each.dates) for each in predictions]
    columns: dict[str, Any] = {
        "ticker": np.repeat([each.ticker for each in predictions], counts),
        "origin": np.repeat(np.array([each.last_date for each in predictions], "M8[s]"), counts),
        "step": np.concatenate([np.arange(1, count + 1) for count in counts]),
        "date": np.concatenate([each.dates for each in predictions]).astype("M8[s]"),
        "last_close": np.repeat([each.last_close for each in predictions], counts),
        "median": np.concatenate([each.median for each in predictions]),
    }
    for level in levels:
        for end, name in enumerate(("lo", "hi")):
            columns[f"{name}_{level:g}"] = np.concatenate(
                [each.intervals[level][end] for each in predictions]
            )
    losses = [tail_losses(each.recalibrated) for each in predictions]
    for level in RISK_LEVELS:
        columns[f"var_{level}"] = np.concatenate([each[level].value_at_risk for each in losses])
        columns[f"es_{level}"] = np.concatenate([each[level].expected_shortfall for each in losses])
    columns["report"] = [text for each in predictions for text in _reports_by_step(each)]
    return pd.DataFrame(columns)


def _reports_by_step(prediction: "Prediction") -> list[str]:
    texts = [""] * len(prediction.dates)
    for report in prediction.reports:
        if texts[report.step - 1] != "announced":
            texts[report.step - 1] = "projected" if report.likely else "announced"
    return texts


def _frame_of_paths(
    predictions: "Sequence[Prediction]", closes: "Sequence[NDArray[np.float64]]"
) -> "pd.DataFrame":
    import pandas as pd

    count, steps = closes[0].shape
    origins = np.array([each.last_date for each in predictions], "M8[s]")
    dates = [np.tile(each.dates.astype("M8[s]"), count) for each in predictions]
    return pd.DataFrame(
        {
            "ticker": np.repeat([each.ticker for each in predictions], count * steps),
            "origin": np.repeat(origins, count * steps),
            "path": np.tile(np.repeat(np.arange(1, count + 1), steps), len(predictions)),
            "step": np.tile(np.arange(1, steps + 1), count * len(predictions)),
            "date": np.concatenate(dates),
            "close": np.concatenate([each.ravel() for each in closes]),
        }
    )


def _market(
    tables: Sequence[PriceTable], given: "pd.Series | None", composition: Collection[str] = ()
) -> MarketSeries:
    """The market that was given, else the mean of the tables' returns, see `mean_log_return`."""
    if given is None:
        stocks = (table for table in tables if not table.ticker.startswith(INDEX_MARK))
        return mean_log_return(stocks, composition)
    dates = np.asarray(given.index, dtype="datetime64[D]")
    order = np.argsort(dates)
    return MarketSeries(dates[order], np.asarray(given, dtype=float)[order], np.zeros(len(dates), dtype=int))
