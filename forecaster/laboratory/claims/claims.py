"""The claims, one function each: what is said, what was measured, and the verdict."""

import math
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from forecaster.dataset.panel import load_panel
from forecaster.laboratory.cells.accounting import account, keras_parameters
from forecaster.laboratory.cells.costs import Cost, measure_costs
from forecaster.laboratory.cells.coupling import coupling_differences
from forecaster.laboratory.cells.gradients import profile
from forecaster.laboratory.cells.probes import untrained_price_probes
from forecaster.laboratory.cells.weights import untrained_weights
from forecaster.laboratory.claims.evidence import Evidence, Size, gather_evidence
from forecaster.laboratory.claims.price_claims import price_claims
from forecaster.laboratory.claims.verdicts import (
    NOT_SUPPORTED,
    SUPPORTED,
    UNDECIDED,
    Claim,
    below,
    difference_of_means,
    paired_difference,
    spread,
)
from forecaster.laboratory.prices.trials import TrialSetup
from forecaster.prices.store import PriceStore
from forecaster.settings import CELL_TITLES, CELLS

_TIMED_BATCH = 64
_UNTRAINED_SEEDS, _WINDOWS = 5, 4
_FEW, _MOST = 0.2, 0.8  # shares of seeds that count as failing and as succeeding
_IDENTICAL = 1e-12
_NEAR = 0.1  # of a ratio


def judge_claims(
    home: Path, setup: TrialSetup, size: Size, jobs: int, report: Callable[[str], None]
) -> list[Claim]:
    """Run what has not been run, and judge every claim from the runs.

    Raises:
        ForecastError: a run failed; those done are kept.
    """
    report("timing the cells in turn")
    costs = measure_costs(CELLS, setup.features, setup.recipe, _TIMED_BATCH, size.repeats)
    evidence = gather_evidence(home, setup, size, jobs, report)
    return [
        parameter_ratio(setup),
        *time_claims(costs, setup),
        memory_claim(evidence),
        untrained_claim(untrained_half_lives(setup), setup),
        vanishing_claim(evidence),
        long_lag_claim(evidence),
        short_lag_claim(evidence),
        *price_claims(evidence),
        coupling_claim(),
    ]


def parameter_ratio(setup: TrialSetup) -> Claim:
    """1 : 3 : 4, by Keras's count and by formula."""
    features, units = setup.features, setup.recipe.units
    counts = {cell: keras_parameters(cell, features, units) for cell in CELLS}
    published = account("gru", features, units, reset_after=False).parameters / counts["rnn"]
    ratios = {cell: counts[cell] / counts["rnn"] for cell in CELLS}
    close = abs(ratios["lstm"] - 4) < _NEAR and abs(published - 3) < _NEAR and abs(ratios["gru"] - 3) < _NEAR
    return Claim(
        name="parameters",
        sentence="At equal units SimpleRNN, GRU and LSTM have parameters as 1 : 3 : 4.",
        measured=f"Keras's count, {units} units, {features} features; GRU also as published",
        figure=f"1 : {ratios['gru']:.2f} : {ratios['lstm']:.2f}; the published GRU {published:.2f}",
        verdict=SUPPORTED if close else NOT_SUPPORTED,
        command="forecast lab parameters",
        values=counts | {"gru_as_published": published * counts["rnn"]},
    )


def time_claims(costs: dict[str, Cost], setup: TrialSetup) -> list[Claim]:
    """Training and inference: GRU against LSTM."""
    form = f"{setup.recipe.units} units, {setup.recipe.lookback} days"
    rows = (
        ("training time", "A GRU trains faster than an LSTM of equal units.", "training_step",
         f"an optimiser step of {_TIMED_BATCH} windows, {form}, the cells in turn",
         "forecast compare --seeds 3"),
        ("inference time", "A GRU forecasts faster than an LSTM of equal units.", "forecast",
         f"one window through the cell without Keras, {form}, in turn", "forecast compare --seeds 3"),
    )  # fmt: skip
    claims = []
    for name, sentence, part, measured, command in rows:
        seconds = {cell: getattr(costs[cell], part) for cell in CELLS}
        difference = paired_difference(seconds["gru"], seconds["lstm"])
        usual = {cell: float(np.median(values)) for cell, values in seconds.items()}
        times = ", ".join(f"{CELL_TITLES[cell]} {1e3 * value:.3g}" for cell, value in usual.items())
        claims.append(
            Claim(
                name=name,
                sentence=sentence,
                measured=measured,
                figure=f"ms: {times}; GRU − LSTM {difference}",
                verdict=below(difference),
                command=command,
                values=usual | {"difference_percent": difference.mean, "margin_percent": difference.margin},
            )
        )
    return claims


def memory_claim(evidence: Evidence) -> Claim:
    """Peak memory of the process that trains: GRU against LSTM."""
    peaks = {cell: [run["peak_memory_mb"] for run in evidence.prices[f"large/{cell}"]] for cell in CELLS}
    difference = difference_of_means(peaks["gru"], peaks["lstm"])
    shown = ", ".join(f"{CELL_TITLES[cell]} {np.mean(values):,.0f}" for cell, values in peaks.items())
    return Claim(
        name="memory",
        sentence="A GRU needs less memory to train than an LSTM of equal units.",
        measured=f"peak of the training process, {len(peaks['gru'])} seeds each",
        figure=f"MB: {shown}; GRU − LSTM {difference}",
        verdict=below(difference),
        command="forecast lab sweep --over units",
        values=peaks | {"difference_percent": difference.mean, "margin_percent": difference.margin},
    )


def untrained_half_lives(setup: TrialSetup) -> dict[str, list[float]]:
    """Half-lives of the gradient on windows of these prices before any training, a seed each.

    Raises:
        BadInputError: no ticker has a whole window.
    """
    panel = load_panel(PriceStore(setup.home), setup.tickers)
    recipe = setup.recipe
    lives: dict[str, list[float]] = {cell: [] for cell in CELLS}
    for seed in range(_UNTRAINED_SEEDS):
        probes = untrained_price_probes(panel, CELLS, recipe.units, recipe.lookback, _WINDOWS, seed)
        for probe in probes:
            lives[probe.cell].append(profile(probe).half_life)
    return lives


def untrained_claim(lives: dict[str, list[float]], setup: TrialSetup) -> Claim:
    """Whether gates alone, as they are drawn, carry the gradient further."""
    return Claim(
        name="gradient, untrained",
        sentence="By their design alone gated cells carry the gradient further than a SimpleRNN.",
        measured=f"half-life of ∂h(T)/∂s(t) on prices, {setup.recipe.lookback} days, initial weights",
        figure=_lives_of(lives),
        verdict=_by_rates(lives),
        command="forecast lab gradients",
        values=dict(lives),
    )


def vanishing_claim(evidence: Evidence) -> Claim:
    """Half-life of the gradient after training on the long lag."""
    lag = evidence.size.long_lag
    lives = {
        cell: [math.inf if run["half_life"] is None else run["half_life"] for run in evidence.lags[cell, lag]]
        for cell in CELLS
    }
    return Claim(
        name="gradient, trained",
        sentence="Once trained, the gradient vanishes in a SimpleRNN and not in gated cells.",
        measured=f"half-life of ∂h(T)/∂s(t) after training on the adding problem, lag {lag}",
        figure=_lives_of(lives),
        verdict=_shortest_in_rnn(lives),
        command="forecast lab gradients --on adding --train-steps 500",
        values=dict(lives),
    )


def long_lag_claim(evidence: Evidence) -> Claim:
    """Who solves the adding problem over the long lag."""
    lag = evidence.size.long_lag
    shares, figure = _solved(evidence, lag)
    fails, succeed = shares["rnn"] <= _FEW, min(shares["lstm"], shares["gru"]) >= _MOST
    refuted = shares["rnn"] >= min(shares["lstm"], shares["gru"])
    return Claim(
        name="long lags",
        sentence="Gated cells bridge long lags, a SimpleRNN does not.",
        measured=f"adding problem, lag {lag}, equal parameters, gates begin open",
        figure=figure,
        verdict=SUPPORTED if fails and succeed else NOT_SUPPORTED if refuted else UNDECIDED,
        command="forecast lab memory",
        values=shares,
    )


def short_lag_claim(evidence: Evidence) -> Claim:
    """Whether a SimpleRNN does as well over the short lag."""
    lag = evidence.size.short_lag
    shares, figure = _solved(evidence, lag)
    verdict = SUPPORTED if shares["rnn"] >= _MOST else NOT_SUPPORTED if shares["rnn"] <= _FEW else UNDECIDED
    return Claim(
        name="short lags",
        sentence="A SimpleRNN suffices where dependencies are short.",
        measured=f"adding problem, lag {lag}, equal parameters",
        figure=figure,
        verdict=verdict,
        command=f"forecast lab memory --lags {lag}",
        values=shares,
    )


def coupling_claim() -> Claim:
    """The coupled LSTM against the GRU, and what each cut tie does."""
    inputs = np.random.default_rng(0).normal(size=(200, 5))
    whole, *cuts = coupling_differences(untrained_weights("gru", 5, 16, 0, reset_after=False), inputs)
    least = min(cuts, key=lambda cut: cut.largest)
    return Claim(
        name="coupling",
        sentence="A GRU is an LSTM with coupled gates (i = 1 − f) and no tanh on the way out.",
        measured="largest difference over 200 steps and 16 units, and with one tie cut",
        figure=f"{whole.largest:.0e}; with a tie cut {least.largest:.2f} or more",
        verdict=SUPPORTED if whole.largest < _IDENTICAL else NOT_SUPPORTED,
        command="forecast lab cell --series 1,-1,0.5 --coupling",
        values={each.what: each.largest for each in (whole, *cuts)},
    )


def _solved(evidence: Evidence, lag: int) -> tuple[dict[str, float], str]:
    runs = {cell: [run["solved"] for run in evidence.lags[cell, lag]] for cell in CELLS}
    figure = ", ".join(f"{CELL_TITLES[cell]} {sum(solved)} of {len(solved)}" for cell, solved in runs.items())
    return {cell: float(np.mean(solved)) for cell, solved in runs.items()}, f"solved: {figure}"


def _by_rates(lives: dict[str, list[float]]) -> str:
    """Whether both gated cells' gradients clearly halve less often; refuted where one's do more often."""
    rates = {cell: [1 / value for value in values] for cell, values in lives.items()}
    verdicts = [below(difference_of_means(rates[cell], rates["rnn"])) for cell in ("lstm", "gru")]
    if NOT_SUPPORTED in verdicts:
        return NOT_SUPPORTED
    return UNDECIDED if UNDECIDED in verdicts else SUPPORTED


def _shortest_in_rnn(lives: dict[str, list[float]]) -> str:
    """Supported where every seed of both gated cells outlives every SimpleRNN; refuted the other way."""
    if max(lives["rnn"]) < min(*lives["lstm"], *lives["gru"]):
        return SUPPORTED
    below_it = any(max(lives[cell]) < min(lives["rnn"]) for cell in ("lstm", "gru"))
    return NOT_SUPPORTED if below_it else UNDECIDED


def _lives_of(lives: dict[str, list[float]]) -> str:
    return "steps: " + ", ".join(f"{CELL_TITLES[cell]} {_lives(values)}" for cell, values in lives.items())


def _lives(values: Sequence[float]) -> str:
    endless = sum(not math.isfinite(value) for value in values)
    if not endless:
        return spread(values)
    return f"does not fall in {endless} of {len(values)} seeds"
