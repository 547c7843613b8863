"""All claims, judged from the runs."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from forecaster.laboratory.cells.costs import measure_costs
from forecaster.laboratory.claims.claim import Claim
from forecaster.laboratory.claims.cost import TIMED_BATCH, cost_claims
from forecaster.laboratory.claims.design import design_claims
from forecaster.laboratory.claims.gradients import gradient_claims
from forecaster.laboratory.claims.memory import memory_claims
from forecaster.laboratory.claims.prices import price_claims
from forecaster.laboratory.claims.runs import Size, gather_evidence
from forecaster.laboratory.prices.trials import TrialSetup
from forecaster.settings import CELLS


def judge_claims(
    home: Path, store: TrialSetup, size: Size, jobs: int, report: Callable[[str], None]
) -> list[Claim]:
    """Run what has not been run, and judge every claim from the runs.

    Args:
        home: where outcomes are kept.
        store: the prices, see `gather_evidence`.
        size: how much is run.
        jobs: processes at once.
        report: told what is under way.

    Raises:
        ForecastError: a run failed; those done are kept.
    """
    report("timing the cells in turn")
    recipe = replace(store.recipe, lookback=size.lookback or store.recipe.lookback)
    costs = measure_costs(CELLS, store.features, recipe, TIMED_BATCH, size.repeats)
    evidence = gather_evidence(home, store, size, jobs, report)
    return [
        *design_claims(evidence),
        *gradient_claims(evidence),
        *memory_claims(evidence),
        *price_claims(evidence),
        *cost_claims(costs, evidence.setup, evidence.lookback),
    ]
