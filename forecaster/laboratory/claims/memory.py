"""Claims about what a cell can learn to remember, from trainings on the synthetic tasks.

Who is sooner is told by optimiser steps until a task is solved, which is training to equal loss; a seed that
does not solve it counts with the whole budget, so that a difference is rather more than what is found.
"""

from collections.abc import Sequence

from forecaster.laboratory.claims.claim import ABOVE, BELOW, Claim, Rule, Said, weakest
from forecaster.laboratory.claims.effects import (
    POINTS,
    Effect,
    difference_of_means,
    difference_of_shares,
    ratio_of_means,
    share_of,
)
from forecaster.laboratory.claims.runs import GATED, KERAS, OPEN, RATES, USUAL_RATE, Evidence
from forecaster.laboratory.memory.training import BATCHES_A_LOOK
from forecaster.settings import CELL_TITLES, CELLS

_GROUP = "memory"
_FEWER = Rule(BELOW, 1.0)
_HALF, _WRONG = 50.0, 5.0  # per cent of seeds; points of wrong answers

SHORT = Said(
    "short lags", _GROUP, "A SimpleRNN suffices where dependencies are short (half of the seeds or more).",
    Rule(ABOVE, _HALF), "forecast lab memory --lags 10", "solved by",
)  # fmt: skip
LONG = Said(
    "long lags", _GROUP, "Gated cells bridge long lags that a SimpleRNN does not.", Rule(ABOVE, 0.0),
    "forecast lab memory",
)  # fmt: skip
ORDER = Said(
    "temporal order", _GROUP, "Gated cells learn which of two signals came first over a long lag, a "
    "SimpleRNN does not.", Rule(ABOVE, _WRONG), "forecast lab memory --task order",
)  # fmt: skip
REACH = {
    start: Said(
        f"LSTM or GRU, {title}", _GROUP, f"An LSTM learns a long lag sooner than a GRU, {sentence}, at rates "
        f"of {RATES[0]:g} and {RATES[1]:g}.", _FEWER,
        f"forecast lab memory --cells lstm,gru --start {start}",
    )
    for start, title, sentence in (
        (OPEN, "open gates", "with gates that begin open"),
        (KERAS, "Keras's start", "with Keras's initial weights"),
    )
}  # fmt: skip
STACKED = Said(
    "stacked LSTM", _GROUP, "A second LSTM layer extends the lag that a network bridges.", _FEWER,
    "forecast lab memory --cells lstm", "steps, two layers / one:",
)  # fmt: skip
SOONER = Said(
    "training to equal loss", _GROUP, "Gated cells train in fewer steps than a SimpleRNN to equal loss.",
    _FEWER, "forecast lab memory --lags 10",
)  # fmt: skip
AGREEMENT = Said(
    "number agreement", _GROUP, "A SimpleRNN loses the number of a distant subject (the cats … were), gated "
    "cells keep it.", Rule(ABOVE, _WRONG), "forecast lab memory --task agreement --start keras",
)  # fmt: skip
FEW = Said(
    "few examples", _GROUP, "On few examples with a long lag a GRU learns sooner than an LSTM.", _FEWER,
    "forecast lab memory --cells lstm,gru", "steps, GRU / LSTM:",
)  # fmt: skip


def memory_claims(evidence: Evidence) -> list[Claim]:
    """All claims about memory."""
    return [
        short_claim(evidence),
        long_claim(evidence),
        order_claim(evidence),
        *(reach_claim(evidence, start) for start in (OPEN, KERAS)),
        stacked_claim(evidence),
        sooner_claim(evidence),
        agreement_claim(evidence),
        few_claim(evidence),
    ]


def fewer_steps(evidence: Evidence, group: str, other: str) -> Effect:
    """Steps until solved, the group's over the other's."""
    return ratio_of_means(evidence.steps(group), evidence.steps(other), BATCHES_A_LOOK)


def outcomes(evidence: Evidence, groups: Sequence[str], titles: Sequence[str]) -> str:
    """How many seeds of each group solved the task, and after how many steps."""
    parts = []
    for group, title in zip(groups, titles, strict=True):
        solved, steps = evidence.solved(group), evidence.steps(group)
        parts.append(f"{title} {sum(solved)} of {len(solved)} in {sum(steps) / len(steps):,.0f}")
    return f"solved, in steps: {', '.join(parts)}"


def short_claim(evidence: Evidence) -> Claim:
    """Whether a SimpleRNN solves the short lag."""
    solved = evidence.solved("short/rnn")
    return SHORT.judged(
        share_of(solved),
        f"adding problem, lag {evidence.size.short_lag}, {len(solved)} seeds",
        _by_cell(evidence, "short"),
    )


def long_claim(evidence: Evidence) -> Claim:
    """Who solves the long lag, the weaker of the gated cells against the SimpleRNN."""
    plain = evidence.solved("long/rnn")
    effects = {cell: difference_of_shares(evidence.solved(f"long/{cell}"), plain) for cell in GATED}
    cell = weakest(LONG.rule, effects)
    return LONG.judged(
        effects[cell],
        f"adding problem, lag {evidence.size.long_lag}, {_usual(evidence)}",
        f"{CELL_TITLES[cell]} − SimpleRNN, which decides; {_by_cell(evidence, 'long')}",
    )


def reach_claim(evidence: Evidence, start: str) -> Claim:
    """LSTM against GRU from one start, at both rates."""
    effects = {
        rate: fewer_steps(evidence, f"{start}/{rate}/lstm", f"{start}/{rate}/gru")
        for rate in (f"{each:g}" for each in RATES)
    }
    rate = weakest(REACH[start].rule, effects)
    groups = [
        (f"{start}/{each:g}/{cell}", f"{CELL_TITLES[cell]} at {each:g}") for each in RATES for cell in GATED
    ]
    return REACH[start].judged(
        effects[rate],
        f"steps until the adding problem is solved, lag {evidence.size.long_lag}, equal parameters, "
        f"{evidence.size.seeds} seeds, {evidence.size.steps:,} steps at most",
        f"LSTM / GRU at the rate {rate}, which decides; {outcomes(evidence, *zip(*groups, strict=True))}",
    )


def stacked_claim(evidence: Evidence) -> Claim:
    """Two layers of an LSTM against one of as many parameters."""
    return STACKED.judged(
        fewer_steps(evidence, "stacked/lstm", "long/lstm"),
        f"steps until the adding problem is solved, lag {evidence.size.long_lag}, {_usual(evidence)}",
        outcomes(evidence, ["stacked/lstm", "long/lstm"], ["two layers", "one"]),
    )


def sooner_claim(evidence: Evidence) -> Claim:
    """Steps to equal loss at a lag that all cells solve."""
    effects = {cell: fewer_steps(evidence, f"short/{cell}", "short/rnn") for cell in GATED}
    cell = weakest(SOONER.rule, effects)
    return SOONER.judged(
        effects[cell],
        f"steps until the adding problem is solved, lag {evidence.size.short_lag}, equal parameters, "
        f"{evidence.size.short_seeds} seeds",
        f"{CELL_TITLES[cell]} / SimpleRNN, which decides; {_by_cell(evidence, 'short')}",
    )


def order_claim(evidence: Evidence) -> Claim:
    """Temporal order over the long lag."""
    measured = f"wrong orders of two signals in noise, lag {evidence.size.long_lag}, {_usual(evidence)}"
    return _fewer_wrong(ORDER, evidence, "order", measured)


def agreement_claim(evidence: Evidence) -> Claim:
    """The verb's number after a long sentence."""
    size = evidence.size
    measured = (
        f"wrong verbs in a made-up language, {size.distance - 3} words between subject and verb, every "
        f"fourth a noun; Keras's initial weights, {size.seeds} seeds, {size.steps:,} steps at most"
    )
    return _fewer_wrong(AGREEMENT, evidence, "agreement", measured)


def _fewer_wrong(said: Said, evidence: Evidence, kind: str, measured: str) -> Claim:
    """Wrong answers of the SimpleRNN, less those of the weaker gated cell."""
    wrong = {
        cell: [100 * float(run["error"] or 0.0) for run in evidence.tasks[f"{kind}/{cell}"]] for cell in CELLS
    }
    effects = {cell: difference_of_means(wrong["rnn"], wrong[cell], POINTS) for cell in GATED}
    cell = weakest(said.rule, effects)
    shown = ", ".join(f"{CELL_TITLES[each]} {sum(runs) / len(runs):.1f}" for each, runs in wrong.items())
    return said.judged(
        effects[cell],
        measured,
        f"SimpleRNN − {CELL_TITLES[cell]}, which decides; % wrong: {shown}; {_by_cell(evidence, kind)}",
        wrong,
    )


def few_claim(evidence: Evidence) -> Claim:
    """GRU against LSTM on a small fixed set."""
    return FEW.judged(
        fewer_steps(evidence, "few/gru", "few/lstm"),
        f"steps until new sequences of the adding problem are solved, lag {evidence.size.long_lag}, trained "
        f"on {evidence.size.examples} sequences again and again, {_usual(evidence)}",
        outcomes(evidence, ["few/gru", "few/lstm"], ["GRU", "LSTM"]),
    )


def _by_cell(evidence: Evidence, kind: str) -> str:
    return outcomes(evidence, [f"{kind}/{cell}" for cell in CELLS], [CELL_TITLES[cell] for cell in CELLS])


def _usual(evidence: Evidence) -> str:
    size = evidence.size
    return (
        f"equal parameters, gates begin open, rate {USUAL_RATE:g}, {size.seeds} seeds, {size.steps:,} steps "
        "at most"
    )
