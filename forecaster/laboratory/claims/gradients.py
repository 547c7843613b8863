"""Claims about the gradient: whether it vanishes or explodes, and what an LSTM's cell state does about it."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from forecaster.dataset.features import available_features
from forecaster.laboratory.cells.carousel import carousel, pulse_lives
from forecaster.laboratory.cells.clipping import descend
from forecaster.laboratory.cells.gradients import (
    LARGEST_RADIUS,
    at_scales,
    explodes_from,
    growth,
    profile,
)
from forecaster.laboratory.cells.probes import price_windows, untrained_price_probes
from forecaster.laboratory.cells.weights import open_gates, untrained_weights
from forecaster.laboratory.claims.claim import ABOVE, BELOW, Claim, Rule, Said, weakest
from forecaster.laboratory.claims.effects import (
    Effect,
    difference_of_means,
    difference_of_shares,
    mean_of,
    ratio_of_means,
    spread,
)
from forecaster.laboratory.claims.runs import GATED, Evidence
from forecaster.laboratory.prices.trials import TrialSetup
from forecaster.settings import CELL_TITLES, CELLS

Float = NDArray[np.float64]

_GROUP = "gradients"
_RATE = "doublings a step"
_SEEDS, _WINDOWS, _UNITS = 5, 4, 16
_TERM_SEEDS = 20
_LARGE = 2.5  # spectral radius at which explosion is looked for in every cell
_NEAR_ONE = 1.1
_DISTANCE = 10  # steps over which the paths of an LSTM's gradient are compared
_ADDS_LITTLE = 1.1
_CLIP_SEEDS, _CLIP_STEPS, _CLIP_LAG, _CLIP_SCALE = 8, 100, 50, 1.5
_IDENTICAL = 1e-12
_MORE = Rule(ABOVE, 0.0)

UNTRAINED = Said(
    "gradient, untrained", _GROUP, "By their design alone gated cells carry the gradient further than a "
    "SimpleRNN.", _MORE, "forecast lab gradients",
)  # fmt: skip
TRAINED = Said(
    "gradient, trained", _GROUP, "Trained to equal loss, gated cells carry the gradient further than a "
    "SimpleRNN.", _MORE, "forecast lab gradients --on adding --train-steps 500",
)  # fmt: skip
EXPLODES = Said(
    "explosion", _GROUP, "The gradient of a SimpleRNN can explode as well as vanish.", Rule(ABOVE, 0.0),
    "forecast lab gradients", "growth",
)  # fmt: skip
RADIUS = Said(
    "spectral radius", _GROUP, "It explodes as soon as the recurrent matrix's spectral radius passes 1.",
    Rule(BELOW, _NEAR_ONE), "forecast lab gradients", "explodes from a radius of",
)  # fmt: skip
GATED_HOLD = Said(
    "gates and explosion", _GROUP, "Gates keep the gradient from exploding where a SimpleRNN's does.",
    Rule(BELOW, 0.0), "forecast lab gradients",
)  # fmt: skip
CLIPPING = Said(
    "clipping", _GROUP, "Clipping the gradient keeps training from diverging.", Rule(ABOVE, 0.0),
    "forecast lab gradients", "diverged, not clipped − clipped:",
)  # fmt: skip
IDENTITY = Said(
    "carousel", _GROUP, "Along the cell state itself ∂c(T)/∂c(t) is the product of the forget gates.",
    Rule(BELOW, _IDENTICAL), "forecast lab cell --cell lstm --series 1,-1,0.5", "largest difference",
)  # fmt: skip
ALONE = Said(
    "paths beside it", _GROUP, "The cell state carries the gradient alone: paths through the gates add "
    "little.", Rule(BELOW, _ADDS_LITTLE), "forecast lab gradients", "all paths / the cell state's:",
)  # fmt: skip
CONSTANT = Said(
    "carousel, bias 1", _GROUP, "With a forget bias of 1 an LSTM's cell state keeps the gradient nearly "
    "constant (half of it over the window).", Rule(ABOVE, 0.5), "forecast lab gradients", "kept",
)  # fmt: skip
TERMS = Said(
    "short and long term", _GROUP, "An LSTM's h is its short-term memory and c its long-term one.",
    Rule(ABOVE, 1.0), "forecast lab cell --cell lstm --series 1,0,0,0,0", "life of a pulse, c / h:",
)  # fmt: skip


def gradient_claims(evidence: Evidence) -> list[Claim]:
    """All claims about the gradient.

    Raises:
        BadInputError: no ticker has a whole window.
    """
    inputs = _inputs(evidence.setup, evidence.lookback)
    return [
        untrained_claim(untrained_growth(evidence.setup, evidence.lookback), evidence.lookback),
        trained_claim(evidence),
        *explosion_claims(inputs),
        clipping_claim(),
        *carousel_claims(inputs),
        terms_claim(evidence, inputs),
    ]


def _inputs(setup: TrialSetup, lookback: int) -> Float:
    """Windows of these prices, (N, T, F)."""
    panel = setup.panel
    names = available_features(panel, setup.recipe)
    return price_windows(panel, names, lookback, _WINDOWS, setup.recipe.horizon)[0]


def untrained_growth(setup: TrialSetup, lookback: int) -> dict[str, list[float]]:
    """Growth of the gradient a step back on windows of these prices before any training, a seed each.

    Raises:
        BadInputError: no ticker has a whole window.
    """
    panel = setup.panel
    grown: dict[str, list[float]] = {cell: [] for cell in CELLS}
    for seed in range(_SEEDS):
        for probe in untrained_price_probes(panel, CELLS, setup.recipe.units, lookback, _WINDOWS, seed):
            grown[probe.cell].append(growth(profile(probe).state))
    return grown


def untrained_claim(grown: Mapping[str, Sequence[float]], lookback: int) -> Claim:
    """Whether gates alone, as they are drawn, carry the gradient further."""
    measured = f"slope of log ∂h(T)/∂s(t) on prices, {lookback} days, initial weights, {_SEEDS} seeds"
    return _further(UNTRAINED, grown, measured)


def trained_claim(evidence: Evidence) -> Claim:
    """Growth of the gradient a step back in networks that have all solved the same task."""
    grown = {
        cell: [run["growth"] for run in evidence.tasks[f"short/{cell}"] if run["solved"]] for cell in CELLS
    }
    lag, seeds = evidence.size.short_lag, min(map(len, grown.values()))
    measured = (
        f"slope of log ∂h(T)/∂s(t) in networks that solved the adding problem, lag {lag}, equal parameters, "
        f"{seeds} seeds or more"
    )
    return _further(TRAINED, grown, measured)


def _further(said: Said, grown: Mapping[str, Sequence[float]], measured: str) -> Claim:
    """Whether both gated cells' gradients grow more, or fall less; refuted where one's fall more."""
    effects = {
        cell: difference_of_means(grown[cell], grown["rnn"], _RATE)
        if grown[cell] and grown["rnn"]
        else Effect.about(math.nan, math.inf, _RATE)
        for cell in GATED
    }
    cell = weakest(said.rule, effects)
    shown = ", ".join(f"{CELL_TITLES[each]} {_halving(values)}" for each, values in grown.items())
    more = f"{CELL_TITLES[cell]} − SimpleRNN, which decides; {shown}"
    return said.judged(effects[cell], measured, more, dict(grown))


def explosion_claims(inputs: Float) -> list[Claim]:
    """Growth of untrained gradients with the recurrent matrix multiplied, and where it begins.

    Args:
        inputs: (N, T, F) windows.
    """
    steps = inputs.shape[1]
    on = f"∂h(T)/∂s(t) on prices, {steps} days, {_UNITS} units, untrained, {_SEEDS} seeds"
    grown = {cell: [_powers(cell, seed, inputs) for seed in range(_SEEDS)] for cell in CELLS}
    begins = [explodes_from("rnn", _UNITS, seed, inputs) for seed in range(_SEEDS)]
    unit = "powers of ten"
    effects = {cell: mean_of(grown[cell], unit) for cell in GATED}
    worst = weakest(GATED_HOLD.rule, effects)
    shown = ", ".join(f"{CELL_TITLES[cell]} {spread(values)}" for cell, values in grown.items())
    never = sum(radius >= LARGEST_RADIUS for radius in begins)
    return [
        EXPLODES.judged(
            mean_of(grown["rnn"], unit),
            f"growth of {on}, recurrent matrix with a spectral radius of {_LARGE:g}",
            values={"growth": grown["rnn"]},
        ),
        RADIUS.judged(
            mean_of(begins, ""),
            f"smallest radius at which {on} grows going back, up to {LARGEST_RADIUS:g}",
            f"never in {never} of {_SEEDS}" if never else "tanh, where it is flat, damps it before",
            values={"radius": begins},
        ),
        GATED_HOLD.judged(
            effects[worst],
            f"growth of {on}, recurrent matrix times {_LARGE:g}",
            f"of the {CELL_TITLES[worst]}, which decides; {shown}",
            values=grown,
        ),
    ]


def _powers(cell: str, seed: int, inputs: Float) -> float:
    """Powers of ten by which the gradient grows over the window."""
    ((_, norms),) = at_scales(cell, (_LARGE,), _UNITS, seed, inputs)
    return growth(norms) * len(norms) * math.log10(2)


def clipping_claim() -> Claim:
    """Seeds whose plain descent diverges, with the gradient clipped and without."""
    runs = {
        clip: [
            descend(_UNITS, _CLIP_LAG, _CLIP_SCALE, clip, _CLIP_STEPS, seed).diverged
            for seed in range(_CLIP_SEEDS)
        ]
        for clip in (None, 1.0)
    }
    return CLIPPING.judged(
        difference_of_shares(runs[None], runs[1.0]),
        f"SimpleRNN of {_UNITS} units, recurrent matrix times {_CLIP_SCALE:g}, adding problem, lag "
        f"{_CLIP_LAG}, {_CLIP_STEPS} plain steps, {_CLIP_SEEDS} seeds",
        f"diverged: {sum(runs[None])} of {_CLIP_SEEDS} not clipped, {sum(runs[1.0])} clipped at 1",
    )


def carousel_claims(inputs: Float) -> list[Claim]:
    """The cell state's gradient against the product of forget gates.

    Args:
        inputs: (N, T, F) windows.
    """
    steps, features = inputs.shape[1:]
    weights = [untrained_weights("lstm", features, _UNITS, seed) for seed in range(_SEEDS)]
    found = [carousel(each, inputs[0]) for each in weights]
    opened = [carousel(open_gates("lstm", each, steps, seed), inputs[0]) for seed, each in enumerate(weights)]
    on = f"LSTM, {_UNITS} units, initial weights, {steps} days of prices"
    largest = max(float(each.alone.max()) for each in found)
    whole, product = ([float(each[_DISTANCE]) for each in rows] for rows in
                      ([each.whole for each in found], [each.product for each in found]))  # fmt: skip
    kept, held = ([float(each.kept[-1]) for each in rows] for rows in (found, opened))
    halves = [math.log(0.5) / math.log(float(each.kept[1])) for each in found]
    return [
        IDENTITY.judged(
            Effect.exact(largest, ""), f"{on}, all distances, gates that do not read h, {_SEEDS} seeds"
        ),
        ALONE.judged(
            ratio_of_means(whole, product),
            f"norm of ∂c(T)/∂c(t) over the largest product of forget gates, {_DISTANCE} steps back; {on}, "
            f"{_SEEDS} seeds",
        ),
        CONSTANT.judged(
            ratio_of_means(kept, [1.0] * _SEEDS),
            f"product of forget gates over the window, mean of units; {on}, {_SEEDS} seeds",
            f"half is lost in {spread(halves)} steps; with gates that begin open {spread(held)} × is kept",
        ),
    ]


def terms_claim(evidence: Evidence, inputs: Float) -> Claim:
    """How long a pulse survives in c and in h of the same networks, as they start.

    In those trained on a lag half of it is left at the end in both, so that they decide nothing.

    Args:
        evidence: with the trained ones.
        inputs: (N, T, F) windows.
    """
    lives = [
        pulse_lives("lstm", untrained_weights("lstm", inputs.shape[2], _UNITS, seed), inputs, 1)
        for seed in range(_TERM_SEEDS)
    ]
    trained = [run["pulse"] for run in evidence.tasks["long/lstm"]]
    hidden, cell = ([each[state] for each in lives] for state in ("hidden", "cell"))
    held = [spread([each[state] for each in trained]) for state in ("cell", "hidden")]
    return TERMS.judged(
        ratio_of_means([1 + each for each in cell], [1 + each for each in hidden]),
        f"steps for which half of a pulse in x is left, LSTM, {_UNITS} units, initial weights, "
        f"{inputs.shape[1]} days of prices, {_TERM_SEEDS} seeds",
        f"steps: c {spread(cell)}, h {spread(hidden)}; trained on the adding problem, lag "
        f"{evidence.size.long_lag}: c {held[0]}, h {held[1]}",
        {"hidden": hidden, "cell": cell},
    )


def _halving(growths: Sequence[float]) -> str:
    """In how many steps the gradient halves, or doubles, by the mean of its growth."""
    if not growths:
        return "no seed solved it"
    mean = float(np.mean(growths))
    return f"{'halves' if mean < 0 else 'doubles'} in {abs(1 / mean):.3g} steps" if mean else "is constant"
