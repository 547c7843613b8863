"""Gradient boosting on the inputs of linear-t: what trees find in them, quantile by quantile.

As with linear-t there is no recurrence that is learned; unlike it, the shape is free.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from forecaster.dataset.features import recipe_features
from forecaster.evaluation.fitted import Fitted, Wanted
from forecaster.evaluation.forecasts import dense_windows, places_of, read_windows
from forecaster.evaluation.metrics import FILE_LEVELS
from forecaster.evaluation.quantile_forecast import QuantileForecast
from forecaster.network.linear_t import regressors
from forecaster.network.linear_training import training_rows
from forecaster.processes import run_parallel

BOOSTED_LEVELS = np.array([0.005, 0.025, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.975, 0.995])
"""The quantiles that trees are fitted to; those between are read off on the scale of a Student-t."""
TREES = {"max_iter": 150, "learning_rate": 0.05, "max_leaf_nodes": 4, "min_samples_leaf": 500}
"""Chosen on validation days: larger trees had a higher CRPS there."""
_TAIL_DEGREES = 6.0

Float32 = NDArray[np.float32]


def boosted_trees(wanted: Wanted) -> Fitted:
    """Quantiles of the return to each step that is scored, (O, 25).

    Raises:
        BadInputError: there is no window in the training part.
    """
    panel, split, recipe = wanted.panel, wanted.data.split, wanted.recipe
    features = recipe_features(panel, recipe)
    rows, targets = training_rows(panel, features, split.train, recipe)
    found, asked = read_windows(
        lambda inputs, last: regressors(inputs, features.names, last),
        features,
        dense_windows(features, split.test, recipe.lookback, panel.target_mask),
        split.test,
        panel.target_mask,
    )
    asked = asked[places_of(wanted.origins, found)]
    tasks = []
    for step in wanted.steps:
        known = np.isfinite(targets[:, step - 1])
        inputs, came = rows[known], targets[known, step - 1]
        tasks += [Fit(inputs, came, asked, float(level), recipe.seed) for level in BOOSTED_LEVELS]
    fits = run_parallel(fit_level, tasks, wanted.report)
    sigma = features.volatility[wanted.origins.ticker, wanted.origins.day]
    by_step = {}
    for place, step in enumerate(wanted.steps):
        first = place * len(BOOSTED_LEVELS)
        boosted = np.stack(fits[first : first + len(BOOSTED_LEVELS)], axis=1)
        by_step[step] = filled(boosted) * (sigma * np.sqrt(step))[:, None].astype(np.float32)
    return Fitted(QuantileForecast(by_step))


@dataclass(frozen=True)
class Fit:
    """One quantile at one step.

    Attributes:
        rows: (N, R) regressors of training origins.
        targets: (N,) what came.
        asked: (O, R) regressors at the origins to forecast from.
        level: of the quantile.
        seed: of the trees' bins.
    """

    rows: Float32
    targets: Float32
    asked: Float32
    level: float
    seed: int


def fit_level(fit: Fit) -> Float32:
    """The quantile at each origin that is asked for, (O,), in units of the targets."""
    from sklearn.ensemble import HistGradientBoostingRegressor

    trees = HistGradientBoostingRegressor(
        loss="quantile", quantile=fit.level, early_stopping=False, random_state=fit.seed, **TREES
    )
    return np.asarray(trees.fit(fit.rows, fit.targets).predict(fit.asked), dtype=np.float32)


def filled(boosted: Float32) -> Float32:
    """Quantiles at FILE_LEVELS, (O, 25), from those at BOOSTED_LEVELS, (O, 11), which are put in order.

    Between two levels a quantile moves as that of a Student-t with 6 degrees of freedom does.
    """
    from scipy.stats import t as student

    nodes = student.ppf(BOOSTED_LEVELS, _TAIL_DEGREES)
    place = np.interp(student.ppf(FILE_LEVELS, _TAIL_DEGREES), nodes, np.arange(len(nodes)))
    lower = np.minimum(place.astype(np.intp), len(nodes) - 2)
    share = (place - lower).astype(np.float32)
    ordered = np.sort(boosted, axis=1)
    return np.asarray(ordered[:, lower] * (1 - share) + ordered[:, lower + 1] * share, dtype=np.float32)
