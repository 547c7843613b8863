"""Which inputs and which days moved a forecast: occlusion and integrated gradients, checked on each other.

With x the window, x′ the baseline, here 0 throughout, and F an output of the forecast:

    occlusion              F(x) − F(x with some inputs at their baseline)
    integrated gradients   (x_i − x′_i) ∫₀¹ ∂F/∂x_i (x′ + α (x − x′)) dα

Sources: Zeiler & Fergus, "Visualizing and understanding convolutional networks", 2014 (occlusion);
Sundararajan, Taly & Yan, "Axiomatic attribution for deep networks", 2017, whose axiom of completeness says
that integrated gradients sum to F(x) − F(x′).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from forecaster.dataset.panel import PANEL_COLUMNS
from forecaster.errors import UsageError
from forecaster.laboratory.cells.explained import OUTPUTS, UNIT, Explained, explained
from forecaster.prices.calendar import local_date
from forecaster.prices.earnings.store import read_reports
from forecaster.prices.market import read_market
from forecaster.prices.store import PriceStore
from forecaster.registry.versions import RegisteredModel
from forecaster.service.prediction import latest_features, predict_stored

Float = NDArray[np.float64]

LAST_DAYS = (1, 5, 20)
"""For how many last days their share is told."""
LATE = 5
"""Which of them the verdict tells."""
AGREE = 0.7
"""Below this rank correlation the two methods are said to disagree."""
APART = 0.5
"""Beyond this difference too."""
_NODES = (64, 256, 1024)
_ENOUGH = 1e-6


@dataclass(frozen=True)
class Attribution:
    """What moved one output of the forecast at one step away from that of a usual window.

    Attributes:
        step: days ahead.
        output: median, a log return, or width, the log of the scale.
        forecast, baseline: the output for the window, and where every input has its usual value.
        occlusion: by input, what the output loses when the input has its usual value on all days.
        gradients: by input, integrated gradients over all days.
        days_occlusion: (T,) what it loses when all inputs of a day have their usual values, but for the unit.
        days_gradients: (T,) integrated gradients of the days, but for the unit.
        days_size: (T,) the same with each input's part taken without its sign, so that none cancel.
    """

    step: int
    output: str
    forecast: float
    baseline: float
    occlusion: Mapping[str, float]
    gradients: Mapping[str, float]
    days_occlusion: Float
    days_gradients: Float
    days_size: Float

    @property
    def moved(self) -> float:
        """How far the forecast is from its baseline."""
        return self.forecast - self.baseline

    @property
    def gap(self) -> float:
        """What the integrated gradients' sum is off from it; zero but for rounding."""
        return sum(self.gradients.values()) - self.moved

    @property
    def last_days(self) -> dict[int, float]:
        """By number of days, the last ones' share of `days_size`; NaN where no day moves anything."""
        total = float(self.days_size.sum())
        return {
            count: float(self.days_size[-count:].sum()) / total if total else float("nan")
            for count in LAST_DAYS
            if count < len(self.days_size)
        }

    @property
    def agreement(self) -> float:
        """Spearman's rank correlation of the two methods over the inputs; NaN if one of them is constant."""
        from scipy.stats import rankdata

        first, second = (
            rankdata(np.round(list(found.values()), 12)) for found in (self.occlusion, self.gradients)
        )
        if np.ptp(first) == 0 or np.ptp(second) == 0:
            return float("nan")
        return float(np.corrcoef(first, second)[0, 1])

    @property
    def difference(self) -> float:
        """The sizes of the methods' differences over those of integrated gradients; NaN if these are zero."""
        total = sum(map(abs, self.gradients.values()))
        off = sum(abs(self.occlusion[name] - part) for name, part in self.gradients.items())
        return off / total if total else float("nan")


@dataclass(frozen=True)
class InputStudy:
    """The forecast of one ticker's last window, explained.

    Attributes:
        ticker, model, cell: what was looked at.
        dates: (T,) the days of the window.
        inputs: names of the inputs, the unit last.
        attributions: by step, the median and then the width.
    """

    ticker: str
    model: str
    cell: str
    dates: NDArray[np.datetime64]
    inputs: tuple[str, ...]
    attributions: tuple[Attribution, ...]


def study_inputs(
    store: PriceStore, used: RegisteredModel, ticker: str, steps: Sequence[int] | None = None
) -> InputStudy:
    """Explain the forecast that `forecast predict` makes of a ticker, before it is recalibrated.

    Args:
        store: prices.
        used: the model.
        ticker: symbol.
        steps: days ahead; None for the first and the last.

    Raises:
        UsageError: the model does not go so far.
        ForecastError: the ticker cannot be predicted.
    """
    network, composition = used.network, used.card.get("market", ())
    horizon = network.horizon
    chosen = tuple(dict.fromkeys((1, horizon))) if steps is None else tuple(steps)
    if any(not 1 <= step <= horizon for step in chosen):
        raise UsageError(f"--step {max(chosen)}: {used.reference} has {horizon}", f"choose 1 to {horizon}")
    for error in predict_stored(store, network, [ticker], composition=composition).failures.values():
        raise error
    today = None if store.as_of is None else local_date(store.as_of)
    latest, features = latest_features(
        network,
        [store.read(ticker, PANEL_COLUMNS)],
        read_market(store, composition),
        read_reports(store.home, [ticker]).table,
        today,
    )
    window = features.values[0, -network.lookback :].astype(np.float64)
    forecast = explained(network, window, float(features.volatility[0, -1]), chosen)
    return InputStudy(
        ticker=ticker,
        model=used.reference,
        cell=network.cell,
        dates=latest.dates[0, -network.lookback :],
        inputs=tuple(dict.fromkeys(forecast.columns)),
        attributions=attributions(forecast),
    )


def attributions(forecast: Explained) -> tuple[Attribution, ...]:
    """Both methods on every step and output of a forecast."""
    values, columns = forecast.values, np.array(forecast.columns)
    inputs = list(dict.fromkeys(forecast.columns))
    days = len(values)
    kept = np.ones((2 + len(inputs) + days, *values.shape))
    kept[1] = 0  # the baseline
    for number, name in enumerate(inputs):
        kept[2 + number][:, columns == name] = 0
    for day in range(days):
        kept[2 + len(inputs) + day, day, columns != UNIT] = 0
    outputs = forecast.outputs(kept * values)
    parts = integrated_gradients(forecast)
    found = []
    for place, step in enumerate(forecast.steps):
        for number, output in enumerate(OUTPUTS):
            whole, baseline, *without = outputs[:, place, number].tolist()
            lost = whole - np.array(without)
            mine = parts[place, number]
            by_column, of_days = mine.sum(0), mine[:, columns != UNIT]
            found.append(
                Attribution(
                    step=step,
                    output=output,
                    forecast=whole,
                    baseline=baseline,
                    occlusion=dict(zip(inputs, lost[: len(inputs)].tolist(), strict=True)),
                    gradients={name: float(by_column[columns == name].sum()) for name in inputs},
                    days_occlusion=lost[len(inputs) :],
                    days_gradients=of_days.sum(1),
                    days_size=np.abs(of_days).sum(1),
                )
            )
    return tuple(found)


def integrated_gradients(forecast: Explained) -> Float:
    """(K, 2, T, P) the part of each number of the window in each step's outputs.

    The path is integrated by Gauss and Legendre's rule, with more nodes until the parts sum to what they
    must.
    """
    values = forecast.values
    whole, baseline = forecast.outputs(np.stack([values, np.zeros_like(values)]))
    found = np.zeros((*whole.shape, *values.shape))
    for count in _NODES:
        nodes, weights = np.polynomial.legendre.leggauss(count)
        found[:] = 0
        for first in range(0, count, _NODES[0]):  # few at once, as each has slopes of all that is explained
            some = slice(first, first + _NODES[0])
            points = (nodes[some, None, None] + 1) / 2 * values
            found += np.tensordot(weights[some] / 2, forecast.slopes(points), axes=1) * values
        off = np.abs(found.sum((2, 3)) - (whole - baseline))
        if (off <= _ENOUGH * np.abs(found).sum((2, 3))).all():
            break
    return found


def verdict(attribution: Attribution) -> str:
    """What counts, in a sentence: the inputs that make up two thirds of it, and how late the days are."""
    size = {name: abs(part) for name, part in attribution.gradients.items()}
    total = sum(size.values())
    if not total:
        return "Nothing in the window moves it."
    named: list[str] = []
    for name in sorted(size, key=lambda name: -size[name]):
        named.append(name)
        if sum(size[each] for each in named) >= 2 / 3 * total or len(named) == 3:
            break
    share = sum(size[each] for each in named) / total
    said = f"{_listed(named)} {'make' if len(named) > 1 else 'makes'} up {share:.0%} of what moves it"
    days = attribution.last_days
    if LATE in days and np.isfinite(days[LATE]):
        said += f", the last {LATE} days {days[LATE]:.0%} of what days do"
    return f"{said}."


def disagreement(attribution: Attribution) -> str | None:
    """On which input the methods differ most, where they do not agree; None where they do."""
    if not (attribution.agreement < AGREE or attribution.difference > APART):
        return None
    off = {name: attribution.occlusion[name] - part for name, part in attribution.gradients.items()}
    name = max(off, key=lambda name: abs(off[name]))
    return (
        f"The methods disagree, most on {name}: what it adds depends on the other inputs, or gates are "
        "saturated. Trust neither number alone."
    )


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
