"""Checks by changed futures: what is known on a day must be the same, whatever comes after it.

For some cut days all inputs after them are changed strongly, and the project's own code builds everything
anew. Whatever it had for days up to a cut must be equal, bit for bit.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from forecaster.dataset.features import Features, available_features, compute_features
from forecaster.dataset.panel import Panel
from forecaster.dataset.report_features import is_report_feature
from forecaster.dataset.split import Split
from forecaster.dataset.training_set import SplitRule
from forecaster.errors import name_some
from forecaster.evaluation.audit.checks import (
    FAILED,
    Check,
    Leak,
    find_leak,
    not_checked,
    verdict_of,
)
from forecaster.evaluation.audit.subject import (
    Subject,
    with_other_dates,
    with_other_future,
    with_other_members,
)
from forecaster.evaluation.baselines import walks
from forecaster.evaluation.forecasts import network_forecasts
from forecaster.network.network import Network
from forecaster.network.student_t import ForecastDistribution
from forecaster.prices.soundness import odd_moves
from forecaster.settings import PRICES_ONLY, Recipe

_EARLY, _LATE = 0.45, 0.6
"""Of the training days and of the test days: where the first and the last cut are."""


@dataclass(frozen=True)
class Past:
    """What is known on each day, as it is built from some inputs."""

    panel: Panel
    features: Features


@dataclass(frozen=True)
class Futures:
    """One past, and the same with other futures.

    Attributes:
        subject: what is audited.
        recipe: of the network.
        past: from the inputs as they are.
        split: its parts.
        others: by cut, a day number, from inputs that were changed after it.
    """

    subject: Subject
    recipe: Recipe
    past: Past
    split: Split
    others: Mapping[int, Past]

    @property
    def before_validation(self) -> int:
        """The cut before the validation's first day."""
        return self.split.validation.start - 1

    @property
    def figures(self) -> dict[str, Any]:
        """The cuts, for JSON documents."""
        return {"cuts": [str(self.past.panel.dates[cut]) for cut in self.others]}


def change_futures(subject: Subject, recipe: Recipe, split_rule: SplitRule) -> Futures:
    """Build the past as it is, and once for each cut: within training, before each part, within the test.

    Raises:
        UsageError, BadInputError: as of `split_rule`.
    """
    panel = subject.inputs.panel()
    split = split_rule(panel.dates)
    names = available_features(panel, recipe)
    cuts = (
        int(_EARLY * split.train.stop),
        split.validation.start - 1,
        split.test.start - 1,
        split.test.start + int(_LATE * len(split.test)),
    )
    others: dict[int, Past] = {}
    for cut in dict.fromkeys(cuts):
        changed = with_other_future(subject, panel.dates[cut]).inputs.panel()
        others[cut] = Past(changed, compute_features(changed, names))
    return Futures(subject, recipe, Past(panel, compute_features(panel, names)), split, others)


def check_features(futures: Futures) -> Check:
    """Whether each feature, and whether a day may be an input, rests on that day and earlier ones."""

    def arrays(past: Past) -> dict[str, Any]:
        values = {name: past.features.values[..., place] for place, name in enumerate(past.features.names)}
        return (
            {"the calendar of trading days": past.panel.dates.astype(np.int64)}
            | values
            | {"which days may be inputs": past.features.valid_input}
        )

    names = futures.past.features.names
    fine = f"{len(names)} features do not move on days up to a cut when prices after it do"
    figures = {**futures.figures, "features": list(names)}
    return verdict_of("features", _leaks(futures, arrays), "prices", fine, figures)


def check_scaler(futures: Futures) -> Check:
    """Whether the volatility that scales features and targets rests on past returns only."""

    def arrays(past: Past) -> dict[str, Any]:
        return {"the volatility σ": past.features.volatility}

    fine = "σ, which scales features and targets, does not move either"
    return verdict_of("scaler", _leaks(futures, arrays), "prices", fine, futures.figures)


def check_market(futures: Futures) -> Check:
    """Whether the market's return of a day rests on that day and earlier ones, and who counts in it too."""

    def arrays(past: Past) -> dict[str, Any]:
        return {"the market's return": past.panel.market_return}

    if not np.isfinite(futures.past.panel.market_return).any():
        return not_checked("market", "there is none: all tickers are indices")
    stocks = futures.subject.stocks
    of = "the series that was given" if stocks is None else f"the mean of {len(stocks):,} tickers"
    fine = f"the market's return, {of}, does not move either"
    found = verdict_of("market", _leaks(futures, arrays), "prices", fine, futures.figures)
    odd = [f"{table.ticker} on {move.day}" for table in stocks or () for move in odd_moves(table)]
    if found.state == FAILED and odd:
        # What comes within 20 sessions tells a slip of the data from a real move.
        said = f"; some prices cannot be right ({name_some(odd)}): see `forecast data verify`"
        return replace(found, found=found.found + said)
    return found


def check_earnings(futures: Futures) -> Check:
    """Whether an origin knows of a report's date no earlier than it was announced."""
    reports, past = futures.subject.inputs.reports, futures.past
    if futures.subject.inputs.dates_fault:
        return not_checked("earnings", f"the dates cannot be read: {futures.subject.inputs.dates_fault}")
    if reports is None or not len(reports):
        return not_checked("earnings", "no earnings dates are known")
    if futures.recipe.features == PRICES_ONLY:
        return not_checked("earnings", "the recipe reads prices only")
    names = [name for name in past.features.names if is_report_feature(name)]
    if not names:
        return not_checked("earnings", "fewer than half of the tickers have dates, so that none is read")
    dates, tickers = past.panel.dates, past.panel.tickers
    leaks: list[Leak] = []
    for cut in futures.others:
        other = with_other_dates(reports, tickers, dates[cut])
        found = compute_features(replace(past.panel, reports=other), past.features.names)
        for name in names:
            place = past.features.names.index(name)
            before, after = (each.values[..., place] for each in (past.features, found))
            leaks += _listed(find_leak(name, before, after, dates, cut, tickers))
    fine = (
        f"{len(names)} features of {len(reports):,} dates do not move on days up to a cut when dates that "
        "were announced later do"
    )
    figures = {**futures.figures, "features": names, "dates": len(reports)}
    return verdict_of("earnings", leaks, "dates announced", fine, figures)


def check_membership(futures: Futures) -> Check:
    """Whether a day counts as a target by that day's members, not by later ones."""
    inputs, panel = futures.subject.inputs, futures.past.panel
    if inputs.selection is None:
        return not_checked("membership", "no universe was named, so that all days of all tickers count")
    universe = inputs.selection.counting
    if universe is None:
        return not_checked("membership", "days count whether or not a ticker is a member")
    leaks: list[Leak] = []
    for cut in futures.others:
        other = with_other_members(universe, panel.dates[cut].astype(object))
        found = replace(inputs, selection=replace(inputs.selection, universe=other)).panel()
        leak = find_leak(
            "which days count", panel.target_mask, found.target_mask, panel.dates, cut, panel.tickers
        )
        leaks += _listed(leak)
    fine = "which days count does not move on days up to a cut when later members do"
    return verdict_of("membership", leaks, "members", fine, {**futures.figures, "universe": universe.name})


def check_forecasts(futures: Futures, network: Network) -> Check:
    """Whether forecasts of a network and of the walks move with what comes after their origins."""
    horizon, split = futures.recipe.horizon, futures.split
    past = futures.past
    leaks: list[Leak] = []
    count = 0
    for cut, other in futures.others.items():
        part = range(max(cut + 1 - 2 * network.lookback, 0), cut + 1)
        (origins, before), (others, after) = (_forecast(network, each, part) for each in (past, other))
        dates, tickers = past.panel.dates, past.panel.tickers
        if not (np.array_equal(origins.ticker, others.ticker) and np.array_equal(origins.day, others.day)):
            leaks.append(Leak("which origins are forecast", "", dates[part.start], dates[cut], len(part)))
            continue
        count += len(origins)
        pairs = {f"the {network.cell}'s forecast": (before, after)}
        baselines = (walks(each.panel, origins, horizon) for each in (past, other))
        ours, theirs = baselines
        pairs |= {f"the forecast of {name}": (ours[name], theirs[name]) for name in ours}
        for name, (first, second) in pairs.items():
            moved = np.flatnonzero(_moved(first, second))
            if len(moved):
                place = moved[origins.day[moved].argmin()]
                day = int(origins.day[place])
                ticker = tickers[int(origins.ticker[place])]
                leaks.append(Leak(name, ticker, dates[day], dates[cut], cut + 1 - day))
    if not count and not leaks:
        return not_checked("forecasts", "no origin before a cut has a full window")
    fine = f"{count:,} forecasts at origins up to a cut do not move when prices after it do"
    figures = {**futures.figures, "forecasts": count, "test_start": str(past.panel.dates[split.test.start])}
    return verdict_of("forecasts", leaks, "prices", fine, figures)


def _forecast(network: Network, past: Past, part: range) -> Any:
    features = past.features
    if features.names != network.features:
        features = compute_features(past.panel, network.features)
    return network_forecasts(network, features, part, past.panel.target_mask)


def _moved(first: ForecastDistribution, second: ForecastDistribution) -> Any:
    """(O,) whether a forecast differs in a bit."""
    moved = np.zeros(len(first.location), bool)
    for name in ("location", "scale", "degrees_of_freedom"):
        old, new = getattr(first, name), getattr(second, name)
        moved |= ((old != new) & ~(np.isnan(old) & np.isnan(new))).any(1)
    return moved


def _leaks(futures: Futures, arrays: Callable[[Past], Mapping[str, Any]]) -> list[Leak]:
    """Those of all arrays at all cuts."""
    panel = futures.past.panel
    before = arrays(futures.past)
    found: list[Leak] = []
    for cut, other in futures.others.items():
        after = arrays(other)
        for name in before:
            found += _listed(find_leak(name, before[name], after[name], panel.dates, cut, panel.tickers))
    return found


def _listed(leak: Leak | None) -> Sequence[Leak]:
    return () if leak is None else (leak,)
