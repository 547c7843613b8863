"""A home folder as an object: what the commands do, as methods; part of the public Python API."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from forecaster.api import ComparisonResult, Model, compare_on, model_of, train_on
from forecaster.dataset.training_set import TrainingSet, choose, load_training_set, split_by
from forecaster.errors import UsageError
from forecaster.prices.store import PriceStore
from forecaster.registry.versions import ModelRegistry, check_model_name
from forecaster.settings import CELLS, Recipe, Settings, find_home, load_settings

if TYPE_CHECKING:
    import pandas as pd


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
        return model_of(ModelRegistry(self.path).load(reference), self.path)

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
