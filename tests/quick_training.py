"""A trainer in closed form, for tests of what surrounds training: a millisecond an epoch, and no engine.

Its cells keep nothing: their gates are open for the day's inputs and shut for the state before. One unit
reads the last return, and the head makes of it the line of least squares for every step ahead. There is one
layer, whatever the recipe says.
"""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from forecaster.dataset.features import features_of
from forecaster.dataset.panel import Panel
from forecaster.dataset.report_features import is_report_feature
from forecaster.dataset.split import Split
from forecaster.network.cells import GATES, weight_shapes
from forecaster.network.engine import Engine
from forecaster.network.fitting import Progress
from forecaster.network.recurrent import AHEAD, RecurrentNetwork, ensemble_of
from forecaster.network.training import TrainedNetwork
from forecaster.settings import CONVLSTM, WEEK, Recipe

if TYPE_CHECKING:
    import pytest

_FAR = 20.0  # the sigmoid is zero that far below zero, one that far above
_GATES = {
    "rnn": {},
    "lstm": {"input": _FAR, "forget": -_FAR, "output": _FAR},
    "gru": {"update": -_FAR},
    "convlstm": {"input": _FAR, "forget": -_FAR, "output": _FAR},
}
_KERAS_FILE = bytes(24_000)
_LINEAR = 0.02  # tanh of so small a number is the number
_NORMAL = 30.0  # degrees of freedom: nearly a normal distribution


def quick_train(
    panel: Panel,
    names: tuple[str, ...],
    split: Split,
    recipe: Recipe,
    engine: Engine,
    report: Callable[[Progress], None] = lambda _: None,
    start: RecurrentNetwork | None = None,
    partner: None = None,
) -> TrainedNetwork:
    """As `train_network`; where it starts from makes no difference."""
    del start, partner
    return _fit(panel, names, split.train, recipe, engine, report)


def quick_refit(
    panel: Panel,
    evaluated: TrainedNetwork,
    recipe: Recipe,
    report: Callable[[Progress], None] = lambda _: None,
) -> TrainedNetwork:
    """As `refit_network`."""
    everything = range(panel.shape[1] - recipe.horizon)
    return _fit(panel, evaluated.network.features, everything, recipe, evaluated.engine, report)


def start_no_engine(device: str) -> Engine:
    """As `start_engine`."""
    return Engine("tensorflow", device)


REPLACED: dict[str, Any] = {
    "forecaster.evaluation.experiment.start_engine": start_no_engine,
    "forecaster.evaluation.experiment.train_network": quick_train,
    "forecaster.service.retraining.refit_network": quick_refit,
}


def train_quickly(patch: "pytest.MonkeyPatch") -> None:
    """Let commands in this process train so until `patch` is undone."""
    for name, value in REPLACED.items():
        patch.setattr(name, value)


def _fit(
    panel: Panel,
    names: tuple[str, ...],
    origins: range,
    recipe: Recipe,
    engine: Engine,
    report: Callable[[Progress], None],
) -> TrainedNetwork:
    assert not recipe.bidirectional
    began = time.perf_counter()
    features, units, horizon = features_of(panel, names), recipe.units, recipe.horizon
    days = np.array(origins)
    latest = features.values[:, days, names.index("return")]
    random = np.random.default_rng(recipe.seed)
    # A ConvLSTM1D's head reads the five days of the last week, its unit the kernel's day in the middle.
    weekly = recipe.cell == CONVLSTM
    head, bias = np.zeros((WEEK if weekly else 1, units, 3 * horizon)), np.zeros(3 * horizon)
    for step in range(1, horizon + 1):
        ahead = sum(panel.log_return[:, days + each] for each in range(1, step + 1))
        target = ahead / (features.volatility[:, days] * np.sqrt(step))
        known = features.valid_input[:, days] & np.isfinite(target)
        x, y = latest[known], target[known]
        slope = x @ y / (x @ x) * random.normal(1, 0.01)  # another seed, another network
        head[-1, 0, step - 1] = slope / _LINEAR
        bias[horizon + step - 1] = np.log(np.std(y - slope * x))
    bias[2 * horizon :] = _NORMAL
    weights: dict[str, Any] = {
        f"layer0/forward/{part}": np.zeros(shape, "f4")
        for part, shape in weight_shapes(recipe.cell, len(names), units).items()
    }
    for place, gate in enumerate(GATES[recipe.cell]):
        its_own = slice(place * units, (place + 1) * units)
        weights["layer0/forward/bias"][..., its_own] = _GATES[recipe.cell].get(gate, 0.0)
        if gate == "candidate":
            kernel = weights["layer0/forward/kernel"]
            (kernel[1] if weekly else kernel)[names.index("return"), place * units] = _LINEAR
    weights |= {
        "head/kernel": head.reshape(-1, 3 * horizon).astype("f4"),
        "head/bias": bias.astype("f4"),
    }
    if known_ahead := sum(map(is_report_feature, names)):
        weights[AHEAD] = np.zeros((known_ahead, 3 * horizon), "f4")
    network = RecurrentNetwork(
        cell=recipe.cell,
        units=units,
        layers=1,
        bidirectional=False,
        horizon=horizon,
        lookback=recipe.lookback,
        features=names,
        weights=weights,
    )
    network = ensemble_of([network] * recipe.ensemble)
    loss = float(bias[horizon])
    for epoch in range(recipe.epochs):
        report(Progress(epoch + 1, recipe.epochs, 1, 1, loss, None, 1.0, 0.0))
        time.sleep(0.001)
    return TrainedNetwork(
        network=network,
        keras_file=_KERAS_FILE,
        keras_parameters=network.parameter_count(),
        losses=(loss,),
        validation_losses=(loss,),
        best_epoch=1,
        epochs_planned=1,
        batch_size=16,
        seconds=time.perf_counter() - began,
        targets=days.size,
        engine=engine,
        kernel="loop",
    )
