"""The public Python API: models, training and comparing with DataFrames in and out, and a home folder.

The names stand in `forecaster` itself: `import forecaster as fc; fc.load_model("main")`.
"""

import os
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from forecaster.dataset.panel import build_panel
from forecaster.dataset.training_set import TrainingSet, choose, load_training_set, split_by
from forecaster.errors import UsageError
from forecaster.network.recurrent import RecurrentNetwork
from forecaster.prices.market import INDEX_MARK, MarketSeries, mean_log_return
from forecaster.prices.store import PriceStore
from forecaster.prices.table import PriceTable
from forecaster.registry.versions import ModelRegistry, RegisteredModel, check_model_name
from forecaster.settings import CELLS, Recipe, Settings, current_time, find_home, load_settings, override

if TYPE_CHECKING:
    import pandas as pd

    from forecaster.evaluation.comparison import Comparison
    from forecaster.evaluation.verdict import Verdict
    from forecaster.network.fitting import Progress

LEVELS = (50, 90)


@dataclass(frozen=True)
class Model:
    """A trained network that forecasts without TensorFlow.

    Attributes:
        reference: NAME@VERSION; empty while it is not saved.
        card: how it was trained, on what, and its test scores.
        network: its weights.
        home: the folder whose prices `predict` reads; None without one.
    """

    reference: str
    card: Mapping[str, Any]
    network: RecurrentNetwork
    home: Path | None = None
    _keras_file: bytes = b""

    def __repr__(self) -> str:
        """Like <Model main@3: gru, 32 units, 5 steps>."""
        network = self.network
        name = self.reference or "unsaved"
        return f"<Model {name}: {network.cell}, {network.units} units, {network.horizon} steps>"

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
        levels: Sequence[float] = LEVELS,
        horizon: int | None = None,
    ) -> "pd.DataFrame":
        """Forecast tickers from their last close.

        Args:
            tickers: symbols; None for all of `prices`, or of the home folder.
            prices: long form: ticker, date, close, and adj_close, high, low, volume where there are any.
                Without it the prices of the home folder are read.
            market: daily log returns of the market by date; without it the mean of all tickers of `prices`,
                or of the home folder's.
            levels: central intervals, in per cent.
            horizon: steps, at most those that the network was trained for; None for all of them.

        Returns:
            A row for each ticker and step: ticker, origin (day of the last close), step, date, last_close,
            median, then lo_50, hi_50, lo_90, hi_90 and so on. Prices are in the currency of the input.
            Tickers that cannot be forecast are left out with a warning.

        Raises:
            UsageError: there are no prices to read, or a level or the horizon is out of range.
            NotFoundError, BadInputError: not one ticker can be forecast.
        """
        raise NotImplementedError

    def save(self, home: str | Path, name: str = "main") -> "Model":
        """Register the model in a home folder as the next version of `name`, in service from now on.

        Raises:
            UsageError: `name` is no name of a model, or this model was loaded, not trained.
            DiskError, TryLaterError: the folder cannot be written.
        """
        if not self._keras_file:
            raise UsageError(f"{self.reference} is registered already", "copy its folder instead")
        folder = find_home(Path(home), os.environ, Path.cwd())
        version = ModelRegistry(folder).register(name, self.network, dict(self.card), self._keras_file)
        return _model(ModelRegistry(folder).load(f"{name}@{version}"), folder)


@dataclass(frozen=True)
class ComparisonResult:
    """What `compare` found.

    Attributes:
        comparison: models, scores and forecasts, as the command shows them.
        verdict: what that means.
        recipes: one for each cell.
    """

    comparison: "Comparison"
    verdict: "Verdict"
    recipes: tuple[Recipe, ...]

    def __repr__(self) -> str:
        """The verdict's sentences."""
        return self.verdict.text

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
    def forecasts(self) -> "pd.DataFrame":
        """Every test forecast: model, ticker, origin, step, date, last_close, close, median, quantiles."""
        import pyarrow as pa

        from forecaster.evaluation.forecast_file import forecast_tables

        frame: pd.DataFrame = pa.concat_tables(forecast_tables(self.comparison)).to_pandas()
        return frame


class Home:
    """A folder with prices, models and settings: what the commands work on.

    Args:
        path: the folder; None: FORECAST_HOME, the nearest parent with a forecast.toml, or the current one.

    Raises:
        UsageError: its forecast.toml, or a FORECAST_… variable, is invalid.
    """

    def __init__(self, path: str | Path | None = None) -> None:
        chosen = None if path is None else Path(path)
        folder = find_home(chosen, os.environ, Path.cwd())
        self.settings: Settings = load_settings(folder, os.environ)

    def __repr__(self) -> str:
        """Like Home('/home/me/stocks')."""
        return f"Home({str(self.path)!r})"

    @property
    def path(self) -> Path:
        """The folder."""
        return self.settings.home

    @property
    def tickers(self) -> list[str]:
        """The tickers whose prices are stored, sorted."""
        return PriceStore(self.path).tickers()

    def prices(self, tickers: Sequence[str] | None = None) -> "pd.DataFrame":
        """Stored prices in long form: ticker, date and the columns of a price table.

        Raises:
            NotFoundError, BadInputError: a ticker is not stored, or its file is damaged.
        """
        import pandas as pd

        store = PriceStore(self.path)
        tables = store.read_many(choose(store, tickers).tickers)
        frames = [
            pd.DataFrame(
                {"ticker": table.ticker, "date": table.dates.astype("datetime64[s]"), **table.columns}
            )
            for table in tables
        ]
        return pd.concat(frames, ignore_index=True)

    def training_set(
        self,
        tickers: Sequence[str] | None = None,
        *,
        universe: str | None = None,
        all_days: bool = False,
        recipe: Recipe | None = None,
    ) -> TrainingSet:
        """The prices of tickers, or of a universe's members, split as the recipe says.

        Args:
            tickers: symbols; None for all that are stored.
            universe: sp500, sample, a list in data/universe/ or a file; in place of `tickers`.
            all_days: with a universe, whether days outside membership count as targets too.
            recipe: the settings' recipe without it.

        Raises:
            UsageError: the arguments do not go together.
            NotFoundError, BadInputError: prices are missing, damaged or too few.
        """
        from forecaster.prices.universe import find_universe

        if all_days and universe is None:
            raise UsageError("all days can be chosen for a universe only", "without one all days count")
        if tickers and universe is not None:
            raise UsageError("tickers and a universe exclude each other", "give one of them")
        store = PriceStore(self.path)
        listed = None if universe is None else find_universe(universe, self.path)
        chosen = choose(store, tickers, listed, all_days=all_days)
        return load_training_set(store, chosen, split_by(recipe or self.settings.train))

    def load_model(self, reference: str | None = None) -> Model:
        """NAME@VERSION, NAME's champion, or by default the champion of `main` or of the only model.

        Raises:
            NotFoundError: there is no such model.
            BadInputError: its files are damaged.
        """
        return _model(ModelRegistry(self.path).load(reference), self.path)

    def train(
        self,
        tickers: Sequence[str] | None = None,
        recipe: Recipe | None = None,
        *,
        universe: str | None = None,
        name: str = "main",
    ) -> Model:
        """Train on stored prices, and register the network as the next version of `name`, in service.

        Raises:
            NotFoundError, BadInputError: prices are missing, damaged or too few.
            ForecastError: the loss became NaN.
        """
        chosen = recipe or self.settings.train
        check_model_name(name)
        data = self.training_set(tickers, universe=universe, recipe=chosen)
        return train_on(data, chosen).save(self.path, name)

    def compare(
        self,
        tickers: Sequence[str] | None = None,
        cells: Sequence[str] = CELLS,
        recipe: Recipe | None = None,
        *,
        universe: str | None = None,
        match: str = "units",
        seeds: int = 1,
    ) -> ComparisonResult:
        """As `compare`, on stored prices."""
        chosen = recipe or self.settings.train
        data = self.training_set(tickers, universe=universe, recipe=chosen)
        return compare_on(data, cells, chosen, match=match, seeds=seeds)

    def predict(
        self, tickers: Sequence[str] | str | None = None, *, model: str | None = None, **options: Any
    ) -> "pd.DataFrame":
        """As `Model.predict`, by the model in service."""
        return self.load_model(model).predict(tickers, **options)


def load_model(reference: str | None = None, home: str | Path | None = None) -> Model:
    """Load a registered model: NAME, NAME@VERSION, or by default `main` or the only one there is.

    Args:
        reference: which model.
        home: its home folder; found as the commands find it where it is None.

    Raises:
        NotFoundError: there is no such model.
        BadInputError: its files are damaged.
    """
    return Home(home).load_model(reference)


def train(
    prices: "pd.DataFrame",
    recipe: Recipe | None = None,
    *,
    market: "pd.Series | None" = None,
    report: "Callable[[Progress], None] | None" = None,
) -> Model:
    """Train one network on a DataFrame of prices, and test it beside the baselines.

    Args:
        prices: long form: ticker, date, close, and adj_close, high, low, volume where there are any.
        recipe: what to train; Recipe() without it.
        market: daily log returns of the market by date; the mean of all tickers without it.
        report: called after every batch.

    Raises:
        BadInputError: the prices are too few, or no row can be used.
        ForecastError: the loss became NaN.
    """
    chosen = recipe or Recipe()
    return train_on(_training_set(prices, market, chosen), chosen, report or (lambda _: None))


def train_on(
    data: TrainingSet, recipe: Recipe, report: "Callable[[Progress], None]" = lambda _: None
) -> Model:
    """`train` on a training set.

    Raises:
        BadInputError: the prices are too few.
        ForecastError: the loss became NaN.
    """
    from forecaster.service.candidate import train_candidate

    candidate = train_candidate(data, recipe, _now(), report)
    trained = candidate.trained
    return Model("", candidate.card, trained.network, None, trained.keras_file)


def compare(
    prices: "pd.DataFrame",
    cells: Sequence[str] = CELLS,
    recipe: Recipe | None = None,
    *,
    market: "pd.Series | None" = None,
    match: str = "units",
    seeds: int = 1,
) -> ComparisonResult:
    """Train the cells on the same windows and test them on the same days, beside the baselines.

    Args:
        prices: as for `train`.
        cells: of rnn, lstm and gru.
        recipe: what to train; its cell is replaced by each of `cells`.
        market: as for `train`.
        match: `units` for equal units, `parameters` for about equal parameters.
        seeds: runs of each cell.

    Raises:
        UsageError: a cell or `match` is not known.
        BadInputError: the prices are too few, or no row can be used.
        ForecastError: a loss became NaN.
    """
    chosen = recipe or Recipe()
    return compare_on(_training_set(prices, market, chosen), cells, chosen, match=match, seeds=seeds)


def compare_on(
    data: TrainingSet,
    cells: Sequence[str],
    recipe: Recipe,
    *,
    match: str = "units",
    seeds: int = 1,
    report: "Callable[[str, int, Progress], None]" = lambda *_: None,
    isolated: bool = False,
) -> ComparisonResult:
    """`compare` on a training set.

    Args:
        data: prices and split.
        cells: as for `compare`.
        recipe: as for `compare`.
        match: as for `compare`.
        seeds: as for `compare`.
        report: called with cell, number of the run, and progress.
        isolated: whether each training has a process of its own, so that time and memory are its alone.

    Raises:
        UsageError, BadInputError, ForecastError: as `compare`.
    """
    from forecaster.dataset.features import available_features
    from forecaster.evaluation.comparison import cell_recipes, compare_cells
    from forecaster.evaluation.verdict import judge
    from forecaster.processes import run_isolated

    unknown = [cell for cell in cells if cell not in CELLS]
    if unknown or not cells:
        raise UsageError(f"cells {list(cells)} names no known cell", f"choose from {', '.join(CELLS)}")
    if match not in ("units", "parameters"):
        raise UsageError(f"match {match!r} is not known", "choose units or parameters")
    recipes = cell_recipes(recipe, cells, len(available_features(data.panel)), match)
    run = run_isolated if isolated else _run_here
    comparison = compare_cells(data, recipes, seeds, report, run)
    return ComparisonResult(comparison, judge(comparison), tuple(recipes))


def _run_here(
    work: Callable[[Any, Callable[[Any], None]], Any], task: Any, report: Callable[[Any], None]
) -> Any:
    return work(task, report)


def _now() -> datetime:
    return current_time(os.environ)


def _model(registered: RegisteredModel, home: Path | None) -> Model:
    return Model(registered.reference, registered.card, registered.network, home)


def _training_set(prices: "pd.DataFrame", market: "pd.Series | None", recipe: Recipe) -> TrainingSet:
    tables = _tables(prices)
    panel = build_panel(tables, _market(tables, market))
    return TrainingSet(panel, split_by(recipe)(panel.dates))


def _tables(prices: "pd.DataFrame") -> tuple[PriceTable, ...]:
    """The checked tables of a DataFrame; a warning tells of rows that were rejected."""
    from forecaster.prices.importing.frames import tables_from_frame

    found = tables_from_frame(prices, _now())
    rejections = found.log.rejections
    if rejections:
        warnings.warn(f"{len(rejections)} rows rejected, the first: {rejections[0]}", stacklevel=4)
    return found.tables


def _market(tables: Sequence[PriceTable], given: "pd.Series | None") -> MarketSeries:
    """The market that was given, else the mean of the tables' returns; indices are left out."""
    if given is None:
        return mean_log_return(table for table in tables if not table.ticker.startswith(INDEX_MARK))
    dates = np.asarray(given.index, dtype="datetime64[D]")
    order = np.argsort(dates)
    return MarketSeries(dates[order], np.asarray(given, dtype=float)[order], np.zeros(len(dates), dtype=int))
