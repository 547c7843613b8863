"""The networks whose gradients are measured: untrained or trained, on prices or on a synthetic task."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from forecaster.dataset.features import Features, available_features, compute_features
from forecaster.dataset.panel import Panel
from forecaster.dataset.targets import count_known_steps, cumulative_return
from forecaster.dataset.windows import gather, grid_windows
from forecaster.errors import BadInputError, UsageError
from forecaster.laboratory.cells.gradients import Probe
from forecaster.laboratory.cells.jacobians import cross_entropy_slope, squared_slope, student_t_slope
from forecaster.laboratory.cells.weights import untrained_weights
from forecaster.laboratory.memory.tasks import Examples
from forecaster.laboratory.memory.training import TaskNetwork
from forecaster.network.cells import CellWeights
from forecaster.network.recurrent import RecurrentNetwork
from forecaster.settings import Recipe

Float = NDArray[np.float64]

_HORIZON = 5
_HEAD_START = 0.01  # the spread of a price network's first head, as `network/model.py` draws it


def price_windows(
    panel: Panel, names: Sequence[str], length: int, count: int, horizon: int
) -> tuple[Float, Float]:
    """Windows spread evenly over tickers and days, with the actuals after each.

    Returns:
        Inputs (N, T, f), and targets (N, H) in units of σ·√h.

    Raises:
        BadInputError: no ticker has such a window.
    """
    features: Features = compute_features(panel, names)
    known = count_known_steps(panel.log_return, horizon) == horizon
    days = range(panel.shape[1])
    windows = grid_windows(features.valid_input, days, length, 1, 1, target_mask=panel.target_mask)
    ticker, day = (place[:, 0] for place in windows.origins())
    followed = np.nonzero(known[ticker, day])[0]
    if not len(followed):
        raise BadInputError(
            f"no ticker has {length} usable days in a row and {horizon} more after them",
            "lower --length, or fetch more history",
        )
    chosen = followed[np.linspace(0, len(followed) - 1, min(count, len(followed))).astype(int)]
    inputs = gather(features, windows.take(chosen)).astype(np.float64)
    ticker, day = ticker[chosen], day[chosen]
    ahead = cumulative_return(panel.log_return, ticker, day, horizon).astype(np.float64)
    unit = features.volatility[ticker, day][:, None] * np.sqrt(np.arange(1, horizon + 1))
    return inputs, ahead / unit


def untrained_price_probes(
    panel: Panel, cells: Sequence[str], units: int, length: int, count: int, seed: int
) -> list[Probe]:
    """One probe a cell, as training starts it."""
    inputs, targets = price_windows(
        panel, available_features(panel, Recipe(horizon=_HORIZON)), length, count, _HORIZON
    )
    head = np.random.default_rng(seed).normal(0, _HEAD_START, (units, 3 * _HORIZON))
    return [
        Probe(
            label=f"{cell} untrained",
            cell=cell,
            weights=untrained_weights(cell, inputs.shape[2], units, seed),
            head=head,
            head_bias=np.zeros(3 * _HORIZON),
            slope=student_t_slope,
            inputs=inputs,
            targets=targets,
        )
        for cell in cells
    ]


def trained_price_probe(
    panel: Panel, network: RecurrentNetwork, label: str, length: int, count: int
) -> Probe:
    """A registered network on prices.

    Raises:
        UsageError: it has more than one layer or reads both ways.
    """
    if network.layers > 1 or network.bidirectional:
        raise UsageError(
            f"{label} has {network.layers} layers{' both ways' if network.bidirectional else ''}",
            "gradients are measured through one layer, one way: choose such a model",
        )
    inputs, targets = price_windows(panel, network.features, length, count, network.horizon)
    weights = network.layer_weights(0)
    exact = CellWeights(*(part.astype(np.float64) for part in vars(weights).values()))
    return Probe(
        label=label,
        cell=network.cell,
        weights=exact,
        head=network.weights["head/kernel"].astype(np.float64),
        head_bias=network.weights["head/bias"].astype(np.float64),
        slope=student_t_slope,
        inputs=inputs,
        targets=targets,
    )


def task_probe(task: str, network: TaskNetwork, label: str, examples: Examples) -> Probe:
    """A network on a synthetic task."""
    return Probe(
        label=label,
        cell=network.cell,
        weights=network.weights,
        head=network.head,
        head_bias=network.head_bias,
        slope=squared_slope if task == "adding" else cross_entropy_slope,
        inputs=examples.inputs.astype(np.float64),
        targets=examples.answers.astype(np.float64),
    )
