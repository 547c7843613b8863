"""What fitting a baseline to each ticker needs and gives."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from forecaster.dataset.panel import Panel
from forecaster.dataset.training_set import TrainingSet
from forecaster.evaluation.baselines import riskmetrics_t
from forecaster.evaluation.forecasts import Forecast, Origins
from forecaster.network.student_t import ForecastDistribution
from forecaster.processes import run_parallel
from forecaster.settings import Recipe

Series = TypeVar("Series")
Fit = TypeVar("Fit")

LEAST_DAYS = 250
"""Training days of a ticker below which nothing is fitted to it."""
_TICKERS_A_TASK = 8


@dataclass(frozen=True)
class Wanted:
    """The forecasts that are wanted of a baseline.

    Attributes:
        data: prices and split; what is fitted sees the training part only, and what is carried on from day
            to day sees the days up to each origin.
        recipe: of the networks that are to be compared with it.
        origins: in the test part, each with a full window.
        steps: those that are scored: quantiles without a formula are made for no others.
        report: told how many fits are done, and of how many.
    """

    data: TrainingSet
    recipe: Recipe
    origins: Origins
    steps: Sequence[int]
    report: Callable[[int, int], None] = lambda *_: None

    @property
    def panel(self) -> Panel:
        """The prices."""
        return self.data.panel

    @property
    def horizon(self) -> int:
        """The days ahead that are forecast."""
        return self.recipe.horizon

    @cached_property
    def rows(self) -> tuple[NDArray[np.intp], ...]:
        """For each ticker, the places of its origins."""
        order = np.argsort(self.origins.ticker, kind="stable")
        count = np.bincount(self.origins.ticker, minlength=self.panel.shape[0])
        return tuple(np.split(order, np.cumsum(count)[:-1]))

    def training_returns(self, ticker: int) -> NDArray[np.float64]:
        """The known daily log returns of the training part, of one row of the panel."""
        train = self.data.split.train
        returns = self.panel.log_return[ticker, train.start : train.stop].astype(np.float64)
        return returns[np.isfinite(returns)]

    def walk(self) -> ForecastDistribution:
        """What stands in where nothing can be fitted, RiskMetrics-t's forecasts, in arrays of their own."""
        return riskmetrics_t(self.panel, self.origins, self.horizon)


@dataclass(frozen=True)
class Fitted:
    """A baseline's forecasts at O origins.

    `substituted` are the tickers with origins that it could not be fitted to, by too few prices or a fit that
    failed; RiskMetrics-t stands in for them.
    """

    forecast: Forecast
    substituted: tuple[str, ...] = ()


def fit_tickers(
    wanted: Wanted,
    fit: Callable[[Series], Fit | None],
    series: Callable[[int], Series],
    forecast: Callable[[int, Fit], ForecastDistribution],
) -> Fitted:
    """Fit each ticker that has origins, on all cores, and forecast from them.

    Args:
        wanted: what is to be forecast.
        fit: of one ticker's series, None where it fails; it, the series and the fits must pickle.
        series: what is fitted of a row of the panel.
        forecast: the distributions of a fitted row, (n, H) from its n origins.
    """
    asked = [ticker for ticker, rows in enumerate(wanted.rows) if len(rows)]
    each = [series(ticker) for ticker in asked]
    tasks = [each[first : first + _TICKERS_A_TASK] for first in range(0, len(each), _TICKERS_A_TASK)]
    fits = [found for part in run_parallel(partial(_fit_all, fit), tasks, wanted.report) for found in part]
    whole, left = wanted.walk(), []
    for ticker, found in zip(asked, fits, strict=True):
        if found is None:
            left.append(wanted.panel.tickers[ticker])
            continue
        rows, own = wanted.rows[ticker], forecast(ticker, found)
        whole.location[rows], whole.scale[rows] = own.location, own.scale
        whole.degrees_of_freedom[rows] = own.degrees_of_freedom
    return Fitted(whole, tuple(left))


def _fit_all(fit: Callable[[Series], Fit | None], series: Sequence[Series]) -> list[Fit | None]:
    return [fit(each) for each in series]
