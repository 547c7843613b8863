"""The small networks that the audit trains: by the user's own recipe but for sizes and steps."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from forecaster.dataset.training_set import SplitRule, TrainingSet
from forecaster.dataset.windows import supervised_days, training_stride
from forecaster.errors import BadInputError
from forecaster.evaluation.audit.subject import Subject
from forecaster.evaluation.experiment import TrainResult, train_and_forecast
from forecaster.network.fitting import Progress
from forecaster.network.linear_training import linear_recipe
from forecaster.settings import LINEAR, Recipe

MOST_TICKERS = 20
"""That are trained on: those with the most days."""
UNITS = 8
STEPS = 64
_FEWEST_EPOCHS, _MOST_EPOCHS = 2, 6
_SMALLEST_BATCH, _LARGEST_BATCH = 8, 512
_LEARNING_RATE = 0.01

Report = Callable[[str, Progress], None]


def small_recipe(recipe: Recipe, tickers: int, days: int) -> Recipe:
    """The recipe with little to train and few steps; what it reads, and of which days, stays.

    Args:
        recipe: the user's.
        tickers: how many are trained on.
        days: of the training part.
    """
    if recipe.cell == LINEAR:
        return linear_recipe(recipe)
    supervised = supervised_days(recipe.lookback, last_day_only=recipe.last_day_only)
    windows = max(tickers * days // training_stride(recipe.lookback, supervised), 1)
    epochs = int(np.clip(STEPS * _SMALLEST_BATCH // windows, _FEWEST_EPOCHS, _MOST_EPOCHS))
    batch = int(np.clip(epochs * windows // STEPS, _SMALLEST_BATCH, _LARGEST_BATCH))
    return replace(
        recipe,
        units=min(recipe.units, UNITS),
        layers=1,
        dropout=0.0,
        epochs=epochs,
        batch_size=batch,
        learning_rate=_LEARNING_RATE,
    )


def training_subject(subject: Subject) -> Subject:
    """Those of its tickers that have the most days, in their order."""
    tables = subject.inputs.tables
    longest = sorted(range(len(tables)), key=lambda place: (-len(tables[place]), place))[:MOST_TICKERS]
    return subject.of([tables[place] for place in sorted(longest)])


def train_small(
    subject: Subject, recipe: Recipe, split_rule: SplitRule, report: Callable[[Progress], None]
) -> tuple[TrainingSet, TrainResult]:
    """Build the training set, train on it and forecast its test days, all as `train` and `compare` do.

    Raises:
        BadInputError: a part has not one window.
        ForecastError: the loss became NaN.
    """
    panel = subject.inputs.panel()
    data = TrainingSet(panel, split_rule(panel.dates))
    outcome = train_and_forecast(data, recipe, report)
    if not len(outcome.origins):
        raise BadInputError(
            f"no ticker has {recipe.lookback} days in a row in the test part",
            "fetch more history, lower --lookback, or move --validation-end",
        )
    return data, outcome
