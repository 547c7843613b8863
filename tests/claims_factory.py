"""Outcomes of trainings that were never run, for the claims that are judged from them."""

from dataclasses import asdict

import numpy as np
from factories import panel_of, random_walk_table

from forecaster.dataset.features import available_features
from forecaster.dataset.split import split_days
from forecaster.dataset.training_set import TrainingSet
from forecaster.laboratory.claims.claim import Claim
from forecaster.laboratory.claims.runs import QUICK, Evidence, price_groups, task_groups
from forecaster.laboratory.prices.trials import TrialSetup
from forecaster.settings import Recipe

TICKERS = ("A", "B", "C")


def made_up_setup(tickers: tuple[str, ...] = TICKERS) -> TrialSetup:
    """Prices of the tickers, on which nothing is trained."""
    panel = panel_of(*(random_walk_table(ticker, 600, seed) for seed, ticker in enumerate(tickers)))
    data = TrainingSet(panel, split_days(panel.dates, Recipe().horizon))
    inputs = available_features(panel, Recipe())[:5]
    return TrialSetup(data, tickers, panel.digest()[:16], inputs, Recipe())


SETUP = made_up_setup()
DAYS = 300


def price_run(level: float, seed: int = 0, **others: object) -> dict[str, object]:
    """An outcome whose daily CRPS is `level` with a little noise that all trials share in part."""
    shared = np.random.default_rng(1).normal(0, 0.1, DAYS)
    noise = np.random.default_rng(seed).normal(0, 0.001, DAYS)
    daily = {"days": list(range(DAYS)), "daily_crps": (level + shared + noise).tolist()}
    usual = {
        "crps": level,
        "parameters": 10,
        "seconds": 1.0,
        "losses": [1.0],
        "validation_losses": [1.0 + 0.001 * seed],
        "shock": [0.1 + 0.001 * seed] * 6,
        "tuned": {"recipe": asdict(SETUP.recipe), "trials": 4},
        "used_at": {str(length): daily for length in QUICK.lengths},
    }
    return usual | daily | others


def task_run(steps: int, seed: int = 0, **others: object) -> dict[str, object]:
    """An outcome of a task that was solved after so many steps, or was not within the budget."""
    solved = steps < QUICK.steps
    usual = {
        "steps": steps,
        "solved": solved,
        "error": 0.001 if solved else 0.2,
        "growth": -0.2 + 0.01 * seed,
        "pulse": {"hidden": 5.0 + seed, "cell": 5.0 + seed},
    }
    return usual | others


def evidence(
    levels: dict[str, float] | None = None,
    steps: dict[str, int] | None = None,
    prices: dict[str, dict[str, object]] | None = None,
    tasks: dict[str, dict[str, object]] | None = None,
) -> Evidence:
    """Runs in which every group is alike, but for those named.

    Args:
        levels: CRPS by group of prices, 1 without it.
        steps: until solved by group of tasks, 100 without it.
        prices, tasks: what else is other, by group.
    """
    levels, steps, prices, tasks = levels or {}, steps or {}, prices or {}, tasks or {}
    by_price = {
        name: [price_run(levels.get(name, 1.0), seed, **prices.get(name, {})) for seed in range(QUICK.seeds)]
        for name in price_groups(SETUP, QUICK)
    }
    by_task = {
        name: [task_run(steps.get(name, 100), seed, **tasks.get(name, {})) for seed, _ in enumerate(trials)]
        for name, trials in task_groups(QUICK).items()
    }
    return Evidence(SETUP, SETUP, QUICK, by_price, by_task)


def verdict(name: str, judged: list[Claim]) -> str:
    """That of the claim with the name."""
    return next(claim.verdict for claim in judged if claim.name == name)
