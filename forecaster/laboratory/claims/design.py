"""Claims about what a cell is made of, and what recurrence is worth beside networks without it."""

from collections.abc import Mapping, Sequence

import numpy as np

from forecaster.dataset.windows import training_stride
from forecaster.evaluation.baselines import LINEAR_T
from forecaster.laboratory.cells.accounting import account, keras_parameters
from forecaster.laboratory.cells.coupling import coupling_differences
from forecaster.laboratory.cells.weights import untrained_weights
from forecaster.laboratory.claims.claim import ABOVE, BELOW, WITHIN, Claim, Rule, Said, weakest
from forecaster.laboratory.claims.effects import Effect, difference_of_forecasts
from forecaster.laboratory.claims.memory import fewer_steps, outcomes
from forecaster.laboratory.claims.prices import EQUAL, LOWER, lower, scored
from forecaster.laboratory.claims.prices import trained as trained_on
from forecaster.laboratory.claims.runs import FEW_YEARS, REMOVED, USUAL_RATE, Evidence, TrialResult
from forecaster.laboratory.memory.variants import VARIANTS, base_of
from forecaster.laboratory.prices.forms import CONVOLUTION, FEED_FORWARD, reach_of
from forecaster.laboratory.prices.trials import TrialSetup
from forecaster.settings import CELL_TITLES, CELLS

_GROUP = "design"
_IDENTICAL = 1e-12
_NEAR = 0.1  # of a ratio
_COSTS_LITTLE = 1.25  # times as many steps

PARAMETERS = Said(
    "parameters", _GROUP, "At equal units SimpleRNN, GRU and LSTM have parameters as 1 : 3 : 4.",
    Rule(BELOW, _NEAR), "forecast lab parameters", "farthest from 1 : 3 : 4 by",
)  # fmt: skip
COUPLING = Said(
    "coupling", _GROUP, "A GRU is an LSTM with coupled gates (i = 1 − f) and no tanh on the way out.",
    Rule(BELOW, _IDENTICAL), "forecast lab cell --series 1,-1,0.5 --coupling", "largest difference",
)  # fmt: skip
FEED = Said(
    "feed-forward", _GROUP, "A recurrent network forecasts better than a feed-forward one over the same "
    "window.", LOWER, "forecast compare --seeds 5", "GRU − feed-forward",
)  # fmt: skip
CONVOLVED = Said(
    "convolution", _GROUP, "A recurrent network forecasts better than a 1-D convolution over the same "
    "window.", LOWER, "forecast compare --seeds 5", "GRU − convolution",
)  # fmt: skip
LINEAR = Said(
    "linear", _GROUP, "A recurrent network forecasts better than a linear model of the same inputs.", LOWER,
    "forecast compare --seeds 5", "GRU − linear-t",
)  # fmt: skip
TINY = Said(
    "linear, equal parameters", _GROUP, "With as few parameters as a linear model of the same inputs, a "
    "recurrent network forecasts better.", LOWER, "forecast compare --units 2", "small GRU − linear-t",
)  # fmt: skip
DENSE = Said(
    "dense supervision", _GROUP, "A target at every step trains as well as one a window (within "
    f"{EQUAL} %).", Rule(WITHIN, EQUAL), "forecast compare --seeds 5", "many targets − one",
)  # fmt: skip
LENGTHS = Said(
    "variable lengths", _GROUP, "A trained network may read windows of any length (CRPS at most "
    f"{EQUAL} % higher).", Rule(BELOW, EQUAL), "forecast lab sweep --over lookback",
)  # fmt: skip
BOTH_WAYS = Said(
    "both ways", _GROUP, "A bidirectional layer forecasts better.", LOWER, "forecast compare --bidirectional",
    "both ways − one way",
)  # fmt: skip
WEEKS = Said(
    "weeks of days", _GROUP, "Reading weeks of days by a ConvLSTM1D forecasts better than a GRU day by day "
    "over the same window.", LOWER, "forecast compare --cells gru,convlstm --match parameters",
    "ConvLSTM1D − GRU",
)  # fmt: skip
_GATE_SENTENCES = {
    "lstm-no-forget": ("forget gate", "An LSTM needs its forget gate: without it, it trains more slowly."),
    "lstm-no-output": ("output gate", "An LSTM needs its output gate: without it, it trains more slowly."),
    "lstm-coupled": (
        "input and forget gate",
        "An LSTM may couple its input and forget gate (i = 1 − f): it takes at most a quarter more steps.",
    ),
    "gru-no-reset": ("reset gate", "A GRU needs its reset gate: without it, it trains more slowly."),
}
GATES = {
    variant: Said(
        name,
        _GROUP,
        sentence,
        Rule(BELOW, _COSTS_LITTLE) if VARIANTS[variant].coupled else Rule(ABOVE, 1.0),
        "forecast lab memory",
        f"steps, {VARIANTS[variant].title} / {CELL_TITLES[base_of(variant)]}:",
    )
    for variant, (name, sentence) in _GATE_SENTENCES.items()
}
SIGMOID = Said(
    "tanh as state", _GROUP, "With σ in place of tanh a cell trains more slowly.", Rule(ABOVE, 1.0),
    "forecast lab memory --lags 10",
)  # fmt: skip


def design_claims(evidence: Evidence) -> list[Claim]:
    """All claims about design."""
    return [
        parameter_claim(evidence.setup),
        coupling_claim(),
        *without_recurrence_claims(evidence),
        dense_claim(evidence),
        lengths_claim(evidence),
        both_ways_claim(evidence),
        weeks_claim(evidence),
        *(gate_claim(evidence, variant) for variant in REMOVED),
        sigmoid_claim(evidence),
    ]


def parameter_claim(setup: TrialSetup) -> Claim:
    """1 : 3 : 4, by Keras's count and by formula."""
    features, units = setup.features, setup.recipe.units
    counts = {cell: keras_parameters(cell, features, units) for cell in CELLS}
    published = account("gru", features, units, reset_after=False).parameters / counts["rnn"]
    ratios = {cell: counts[cell] / counts["rnn"] for cell in CELLS}
    farthest = max(abs(ratios["lstm"] - 4), abs(published - 3), abs(ratios["gru"] - 3))
    return PARAMETERS.judged(
        Effect.exact(farthest, ""),
        f"Keras's count, {units} units, {features} features; GRU also as published",
        f"1 : {ratios['gru']:.2f} : {ratios['lstm']:.2f}; the published GRU {published:.2f}",
        counts | {"gru_as_published": published * counts["rnn"]},
    )


def coupling_claim() -> Claim:
    """The coupled LSTM against the GRU, and what each cut tie does."""
    inputs = np.random.default_rng(0).normal(size=(200, 5))
    whole, *cuts = coupling_differences(untrained_weights("gru", 5, 16, 0, reset_after=False), inputs)
    least = min(cut.largest for cut in cuts)
    return COUPLING.judged(
        Effect.exact(whole.largest, ""),
        "over 200 steps and 16 units; and with one tie cut",
        f"with a tie cut {least:.2f} or more",
        {each.what: each.largest for each in (whole, *cuts)},
    )


def without_recurrence_claims(evidence: Evidence) -> list[Claim]:
    """The GRU against what reads the same windows without a state."""
    prices, on = evidence.prices, scored(evidence)
    gru = prices["large/gru"]
    sees = f"over the last {reach_of(evidence.lookback)} days; {on}"
    rows = (
        (FEED, FEED_FORWARD, f"one hidden layer {sees}"),
        (CONVOLVED, CONVOLUTION, f"causal layers of three days {sees}"),
        (LINEAR, LINEAR_T, f"{on}; linear-t is fitted exactly"),
    )
    tiny, linear = prices["tiny/gru"], prices[LINEAR_T]
    return [
        *(
            lower(said, gru, prices[form], measured, _sizes(gru, prices[form]))
            for said, form, measured in rows
        ),
        lower(TINY, tiny, linear, on, _sizes(tiny, linear)),
    ]


def dense_claim(evidence: Evidence) -> Claim:
    """A loss on the last half of each window against one on its last day."""
    prices = evidence.prices
    many, one = prices["years/many targets"], prices["years/one target"]
    ratio = _seconds(one) / _seconds(many)
    return lower(
        DENSE, many, one,
        f"{scored(evidence, None, FEW_YEARS, 'years/one target')}; with one target a window an epoch takes "
        f"one day in "
        f"{training_stride(evidence.lookback, 1)}",
        f"one target a window takes {ratio:.1f} times as long to train",
    )  # fmt: skip


def lengths_claim(evidence: Evidence) -> Claim:
    """The same networks used at other lengths than they were trained at: the worst of them decides."""
    runs = evidence.prices["used at/gru"]
    trained = str(evidence.lookback)
    effects = {
        length: difference_of_forecasts(_used(runs, length), _used(runs, trained), same_networks=True)
        for length in map(str, evidence.size.lengths)
        if length != trained
    }
    days = len(runs[0]["used_at"][trained]["days"])
    length = weakest(LENGTHS.rule, effects)
    shown = ", ".join(f"{each} days {effect.value:+.2f} %" for each, effect in effects.items())
    return LENGTHS.judged(
        effects[length],
        f"CRPS one day ahead of the same networks at a window's last day, {days:,} test days; "
        f"{trained_on(evidence)}",
        f"at {length} days, which decides, against {trained}; {shown}",
        {each: effect.value for each, effect in effects.items()},
    )


def both_ways_claim(evidence: Evidence) -> Claim:
    """Both directions against one, each with one target a window and the same windows."""
    prices = evidence.prices
    return lower(
        BOTH_WAYS, prices["years/both ways"], prices["years/one target"],
        f"{scored(evidence, None, FEW_YEARS, 'years/one target')}; both have one target a window",
        _sizes(prices["years/both ways"], prices["years/one target"]),
    )  # fmt: skip


def weeks_claim(evidence: Evidence) -> Claim:
    """The ConvLSTM1D against the GRU, each with one target a window and the same windows."""
    prices = evidence.prices
    weekly, daily = prices["years/convlstm"], prices["years/one target"]
    return lower(
        WEEKS, weekly, daily,
        f"{scored(evidence, None, FEW_YEARS, 'years/one target')}; both have one target a window, equal "
        "parameters",
        f"{_sizes(weekly, daily)}; the ConvLSTM1D takes {_seconds(weekly) / _seconds(daily):.1f} times as "
        "long to train",
    )  # fmt: skip


def gate_claim(evidence: Evidence, variant: str) -> Claim:
    """A cell with a gate taken out against the whole one, at equal units."""
    base = base_of(variant)
    groups = [f"removed/{variant}", f"long/{base}"]
    size, on_prices = evidence.size, evidence.prices.get(groups[0])
    shown = outcomes(evidence, groups, ["without", "whole"])
    if on_prices:
        difference = difference_of_forecasts(on_prices, evidence.prices[f"large/{base}"])
        shown = f"{shown}; CRPS on prices, without − whole {difference}"
    return GATES[variant].judged(
        fewer_steps(evidence, *groups),
        f"steps until the adding problem is solved, lag {size.long_lag}, equal units, gates begin open, rate "
        f"{USUAL_RATE:g}, {size.seeds} seeds, {size.steps:,} steps at most",
        shown,
    )


def sigmoid_claim(evidence: Evidence) -> Claim:
    """σ in place of tanh in the state and candidate of each cell: the one that loses least decides."""
    effects = {cell: fewer_steps(evidence, f"sigmoid/{cell}", f"short/{cell}") for cell in CELLS}
    cell = weakest(SIGMOID.rule, effects)
    size = evidence.size
    return SIGMOID.judged(
        effects[cell],
        f"steps until the adding problem is solved, lag {size.short_lag}, {size.short_seeds} seeds, "
        f"{size.steps:,} steps at most",
        f"{CELL_TITLES[cell]} with σ / with tanh, which decides; "
        f"{outcomes(evidence, [f'sigmoid/{each}' for each in CELLS], [CELL_TITLES[each] for each in CELLS])}",
    )


def _used(runs: Sequence[TrialResult], length: str) -> list[Mapping[str, object]]:
    return [run["used_at"][length] for run in runs]


def _seconds(runs: Sequence[TrialResult]) -> float:
    return float(np.mean([run["seconds"] for run in runs]))


def _sizes(first: Sequence[TrialResult], second: Sequence[TrialResult]) -> str:
    return f"parameters {first[0]['parameters']:,} and {second[0]['parameters']:,}"
