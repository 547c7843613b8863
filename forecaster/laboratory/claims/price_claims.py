"""The claims that are about prices: CRPS on the test days, with its uncertainty."""

from collections.abc import Sequence

import numpy as np

from forecaster.laboratory.claims.evidence import DEEP, WIDE, YEARS_BOTH_WAYS, Evidence, TrialResult
from forecaster.laboratory.claims.verdicts import (
    NOT_SUPPORTED,
    SUPPORTED,
    UNDECIDED,
    Claim,
    Difference,
    below,
    difference_of_forecasts,
    within,
)

_EQUAL = 0.5  # per cent of CRPS within which two forecasts count as equally good


def price_claims(evidence: Evidence) -> list[Claim]:
    """All claims about forecasts of prices."""
    prices, tickers = evidence.prices, len(evidence.setup.tickers)
    units = evidence.setup.recipe.units
    days = len(prices["large/gru"][0]["days"])
    on = f"CRPS one day ahead, {days:,} test days, {evidence.size.seeds} seeds"
    small = f"{on}, trained on one ticker"
    large = f"{on}, trained on {tickers} tickers"
    compare = "forecast compare --seeds 5"
    by_tickers = "forecast lab sweep --over tickers"
    return [
        _lower("small data", "On little data a GRU forecasts better than an LSTM.", small,
               "GRU − LSTM", prices["small/gru"], prices["small/lstm"], by_tickers),
        _lower("large data", "On much data an LSTM forecasts better than a GRU.", large,
               "LSTM − GRU", prices["large/lstm"], prices["large/gru"], by_tickers),
        _alike("GRU or LSTM", f"GRU and LSTM forecast equally well (within {_EQUAL} %).",
               f"{large}, equal parameters", prices["large/gru"], prices["matched/lstm"],
               f"{compare} --match parameters"),
        _lower("gates on prices", "Gated cells forecast prices better than a SimpleRNN.", large,
               "GRU − SimpleRNN", prices["large/gru"], prices["large/rnn"], compare),
        _lower("both ways", "A bidirectional layer forecasts better.",
               f"{on}, trained on {YEARS_BOTH_WAYS} years; it sees no day after its window",
               "both ways − one way", prices["years/both ways"], prices["years/gru"],
               "forecast compare --bidirectional"),
        _overfits("more units", f"More units overfit ({units} → {WIDE}).", small, prices["wide/gru"],
                  prices["small/gru"], "forecast lab sweep --over units"),
        _overfits("more layers", f"More layers overfit (1 → {DEEP}).", small, prices["deep/gru"],
                  prices["small/gru"], "forecast lab sweep --over layers"),
    ]  # fmt: skip


def _lower(
    name: str,
    sentence: str,
    measured: str,
    what: str,
    first: Sequence[TrialResult],
    second: Sequence[TrialResult],
    command: str,
) -> Claim:
    """A claim that the first has the lower CRPS."""
    difference = difference_of_forecasts(first, second)
    return _claim(name, sentence, measured, what, difference, below(difference), command)


def _alike(
    name: str,
    sentence: str,
    measured: str,
    first: Sequence[TrialResult],
    second: Sequence[TrialResult],
    command: str,
) -> Claim:
    difference = difference_of_forecasts(first, second)
    return _claim(name, sentence, measured, "GRU − LSTM", difference, within(difference, _EQUAL), command)


def _claim(
    name: str, sentence: str, measured: str, what: str, difference: Difference, verdict: str, command: str
) -> Claim:
    return Claim(
        name=name,
        sentence=sentence,
        measured=measured,
        figure=f"{what} {difference}",
        verdict=verdict,
        command=command,
        values={"difference_percent": difference.mean, "margin_percent": difference.margin},
    )


def _overfits(
    name: str,
    sentence: str,
    measured: str,
    larger: Sequence[TrialResult],
    usual: Sequence[TrialResult],
    command: str,
) -> Claim:
    """Overfitting: it fits the training days better, and the test days worse.

    Early stopping keeps the best epoch of both, so this is what is left of it.
    """
    test = difference_of_forecasts(larger, usual)
    fit = float(
        np.mean([run["losses"][-1] for run in larger]) - np.mean([run["losses"][-1] for run in usual])
    )
    verdict = UNDECIDED
    if test.clear:
        verdict = SUPPORTED if test.mean > 0 and fit < 0 else NOT_SUPPORTED
    return Claim(
        name=name,
        sentence=sentence,
        measured=f"{measured}; early stopping in both",
        figure=f"training loss {fit:+.3f}, test CRPS {test}",
        verdict=verdict,
        command=command,
        values={"training_loss": fit, "difference_percent": test.mean, "margin_percent": test.margin},
    )
