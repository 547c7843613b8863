"""Claims about forecasts of prices: CRPS on the test days, with its uncertainty over days and seeds."""

from collections.abc import Mapping, Sequence

import numpy as np

from forecaster.laboratory.claims.claim import ABOVE, BELOW, WITHIN, Claim, Rule, Said, weakest
from forecaster.laboratory.claims.effects import (
    Effect,
    difference_of_forecasts,
    difference_of_means,
    ratio_of_means,
)
from forecaster.laboratory.claims.runs import DEEP, GATED, TUNED, WIDE, Evidence, TrialResult
from forecaster.laboratory.prices.trials import AFTERWARDS, SHOCK, TUNE_FOLDS
from forecaster.settings import CELL_TITLES, CELLS

_GROUP = "prices"
EQUAL = 0.5
"""Per cent of CRPS within which two forecasts count as equally good."""
LOWER, HIGHER = Rule(BELOW, 0.0), Rule(ABOVE, 0.0)
_BY_TICKERS, _COMPARE = "forecast lab sweep --over tickers", "forecast compare --seeds 5"

SMALL = Said(
    "small data", _GROUP, "On little data a GRU forecasts better than an LSTM.", LOWER, _BY_TICKERS,
    "GRU − LSTM",
)  # fmt: skip
LARGE = Said(
    "large data", _GROUP, "On much data an LSTM forecasts better than a GRU.", LOWER, _BY_TICKERS,
    "LSTM − GRU",
)  # fmt: skip
ALIKE = Said(
    "GRU or LSTM", _GROUP, f"GRU and LSTM forecast equally well (within {EQUAL} %).", Rule(WITHIN, EQUAL),
    f"{_COMPARE} --match parameters", "GRU − LSTM",
)  # fmt: skip
GATES = Said(
    "gates on prices", _GROUP, "Gated cells forecast prices better than a SimpleRNN.", LOWER, _COMPARE
)
UNITS = Said(
    "more units", _GROUP, f"More units overfit (32 → {WIDE}): they forecast worse.", HIGHER,
    "forecast lab sweep --over units", "more − fewer units",
)  # fmt: skip
LAYERS = Said(
    "more layers", _GROUP, f"More layers overfit (1 → {DEEP}): they forecast worse.", HIGHER,
    "forecast lab sweep --over layers", "more − one layer",
)  # fmt: skip
OVERFITS = Said(
    "LSTM overfits", _GROUP, "An LSTM overfits more than a SimpleRNN of equal units.", HIGHER,
    "forecast lab sweep --over units", "LSTM − SimpleRNN",
)  # fmt: skip
OUTLIERS = Said(
    "outliers", _GROUP, "A one-day shock moves the next forecasts of gated cells less than a SimpleRNN's.",
    Rule(BELOW, 1.0), "forecast lab gates TICKER",
)  # fmt: skip
RETURNS = Said(
    "few features", _GROUP, f"From raw returns alone a GRU forecasts as well as from all features (within "
    f"{EQUAL} %).", Rule(WITHIN, EQUAL), _COMPARE, "returns − all",
)  # fmt: skip


TUNING = Said(
    "tuning", _GROUP, "A tuned LSTM forecasts better than one with the usual settings.", LOWER,
    "forecast tune --cells lstm", "tuned − untuned",
)  # fmt: skip


def price_claims(evidence: Evidence) -> list[Claim]:
    """All claims about forecasts of prices."""
    prices = evidence.prices
    small, large = scored(evidence, 1), scored(evidence)
    return [
        lower(SMALL, prices["small/gru"], prices["small/lstm"], small),
        large_claim(evidence),
        lower(ALIKE, prices["large/gru"], prices["matched/lstm"], f"{large}, equal parameters"),
        gates_claim(evidence),
        _worse(UNITS, prices["wide/gru"], prices["small/gru"], small),
        _worse(LAYERS, prices["deep/gru"], prices["small/gru"], small),
        overfits_claim(evidence),
        outliers_claim(evidence),
        lower(RETURNS, prices["returns/gru"], prices["large/gru"], large),
        *([tuning_claim(evidence)] if TUNED in prices else []),
    ]


def scored(
    evidence: Evidence, tickers: int | None = None, years: int | None = None, group: str = "large/gru"
) -> str:
    """On what a group's forecasts were scored, and how the networks were trained."""
    days = len(evidence.prices[group][0]["days"])
    return f"CRPS one day ahead, {days:,} test days; {trained(evidence, tickers, years)}"


def trained(evidence: Evidence, tickers: int | None = None, years: int | None = None) -> str:
    """How the networks on prices were trained."""
    size = evidence.size
    count = tickers or len(evidence.setup.tickers)
    span = f", the last {years} years" if years else ""
    epochs = f", {size.epochs} epochs" if size.epochs else ""
    count_of = f"{count} ticker{'s' if count > 1 else ''}"
    return f"{size.seeds} seeds, {evidence.lookback} days a window{epochs}, trained on {count_of}{span}"


def lower(
    said: Said, first: Sequence[TrialResult], second: Sequence[TrialResult], measured: str, more: str = ""
) -> Claim:
    """A claim about the first's CRPS less the second's."""
    return said.judged(difference_of_forecasts(first, second), measured, more)


def large_claim(evidence: Evidence) -> Claim:
    """LSTM and GRU on all tickers of the store; on a run's usual ones where these were not run."""
    prices, whole = evidence.prices, "whole/gru" in evidence.prices
    group, tickers = ("whole", len(evidence.store.tickers)) if whole else ("large", None)
    usual = difference_of_forecasts(prices["large/lstm"], prices["large/gru"])
    return lower(
        LARGE,
        prices[f"{group}/lstm"],
        prices[f"{group}/gru"],
        scored(evidence, tickers, group=f"{group}/gru"),
        f"trained on {len(evidence.setup.tickers)} tickers {usual}" if whole else "",
    )


def tuning_claim(evidence: Evidence) -> Claim:
    """LSTMs of the best recipe that a search before the test part found, a search a seed."""
    size, tuned = evidence.size, evidence.prices[TUNED]
    tried = [run["tuned"]["trials"] for run in tuned]
    sizes = ", ".join(
        f"{recipe['units']} × {recipe['layers']}, {recipe['lookback']} days"
        for recipe in (run["tuned"]["recipe"] for run in tuned)
    )
    return TUNING.judged(
        difference_of_forecasts(tuned, evidence.prices["large/lstm"]),
        f"{scored(evidence)}; a search a seed, {size.tune_trials} recipes or {size.tune_minutes:g} minutes "
        f"at most, on {TUNE_FOLDS} folds before the test days",
        f"{_least_to_most(tried)} recipes tried; units × layers, lookback chosen: {sizes}",
    )


def _least_to_most(counts: Sequence[int]) -> str:
    """The least and the most of them, or the one that all are."""
    least, most = min(counts), max(counts)
    return str(least) if least == most else f"{least} to {most}"


def gates_claim(evidence: Evidence) -> Claim:
    """The weaker gated cell against the SimpleRNN."""
    prices = evidence.prices
    effects = {cell: difference_of_forecasts(prices[f"large/{cell}"], prices["large/rnn"]) for cell in GATED}
    cell = weakest(GATES.rule, effects)
    other = next(each for each in GATED if each != cell)
    return GATES.judged(
        effects[cell],
        scored(evidence),
        f"{CELL_TITLES[cell]} − SimpleRNN, which decides; {CELL_TITLES[other]} {effects[other]}",
    )


def _worse(said: Said, larger: Sequence[TrialResult], usual: Sequence[TrialResult], measured: str) -> Claim:
    """A claim of overfitting: early stopping keeps the best epoch of both, so this is what is left of it."""
    fit = _fit(larger) - _fit(usual)
    return said.judged(
        difference_of_forecasts(larger, usual),
        f"{measured}; early stopping in both",
        f"training loss {fit:+.3f}",
        {"training_loss": fit},
    )


def overfits_claim(evidence: Evidence) -> Claim:
    """Loss on the validation days less that on the training days, LSTM and SimpleRNN of many units."""
    gaps = {cell: _gaps(evidence.prices[f"wide/{cell}"]) for cell in ("lstm", "rnn")}
    usual = {cell: float(np.mean(_gaps(evidence.prices[f"small/{cell}"]))) for cell in gaps}
    shown = ", ".join(
        f"{CELL_TITLES[cell]} {usual[cell]:+.3f} and {np.mean(gaps[cell]):+.3f}" for cell in gaps
    )
    return OVERFITS.judged(
        difference_of_means(gaps["lstm"], gaps["rnn"], "of log likelihood"),
        f"validation less training loss after the last epoch, {WIDE} units; {trained(evidence, 1)}",
        f"with {evidence.setup.recipe.units} and {WIDE} units: {shown}",
        gaps,
    )


def outliers_claim(evidence: Evidence) -> Claim:
    """How far a shock moves the log scale of the next days' forecasts, the more moved gated cell."""
    moves: Mapping[str, list[float]] = {
        cell: [float(np.mean(run["shock"][1:])) for run in evidence.prices[f"large/{cell}"]] for cell in CELLS
    }
    effects: dict[str, Effect] = {cell: ratio_of_means(moves[cell], moves["rnn"]) for cell in GATED}
    cell = weakest(OUTLIERS.rule, effects)
    shown = ", ".join(f"{CELL_TITLES[each]} {100 * np.mean(values):.1f}" for each, values in moves.items())
    return OUTLIERS.judged(
        effects[cell],
        f"mean move of the predicted scale on the {AFTERWARDS} days after a return of {SHOCK:g} σ in the "
        f"inputs; {trained(evidence)}",
        f"{CELL_TITLES[cell]} / SimpleRNN, which decides; in %: {shown}",
        moves,
    )


def _fit(runs: Sequence[TrialResult]) -> float:
    return float(np.mean([run["losses"][-1] for run in runs]))


def _gaps(runs: Sequence[TrialResult]) -> list[float]:
    return [run["validation_losses"][-1] - run["losses"][-1] for run in runs]
