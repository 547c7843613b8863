"""What a step of training and a forecast cost in time, the cells taken in turn."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from forecaster.laboratory.cells.weights import untrained_weights
from forecaster.network.cells import CellWeights, run_layer
from forecaster.network.engine import start_engine
from forecaster.settings import Recipe

Float = NDArray[np.float64]

_TRAINING_STEPS = 4  # in one timing
_FORECASTS = 20


@dataclass(frozen=True)
class Cost:
    """Seconds by repeat, (R,): of one optimiser step, and of one forecast without Keras."""

    training_step: Float
    forecast: Float


def measure_costs(
    cells: Sequence[str], features: int, recipe: Recipe, batch: int, repeats: int
) -> dict[str, Cost]:
    """Time every cell `repeats` times, in turn, so that a busy machine is unfair to all alike.

    Args:
        cells: to be timed.
        features: inputs a step.
        recipe: units, layers, lookback; the cell is replaced, and every network reads one way.
        batch: windows in an optimiser step.
        repeats: R.

    Raises:
        UnavailableError: Keras's engine is not installed.
    """
    random = np.random.default_rng(0)
    inputs = random.normal(size=(batch, recipe.lookback, features)).astype(np.float32)
    training = {cell: _training(cell, inputs, recipe) for cell in cells}
    forecasting = {cell: _forecasting(cell, inputs[:1], recipe.units) for cell in cells}
    for work in (*training.values(), *forecasting.values()):
        work()  # the first call builds what the others use
    seconds = np.empty((2, len(cells), repeats))
    for repeat in range(repeats):
        for place, cell in enumerate(cells):
            seconds[0, place, repeat] = _timed(training[cell]) / _TRAINING_STEPS
            seconds[1, place, repeat] = _timed(forecasting[cell]) / _FORECASTS
    return {cell: Cost(seconds[0, place], seconds[1, place]) for place, cell in enumerate(cells)}


def _training(cell: str, inputs: NDArray[np.float32], recipe: Recipe) -> Callable[[], object]:
    start_engine("cpu")
    import keras

    from forecaster.network.keras_network import build_network

    network = build_network(inputs.shape[2], replace(recipe, cell=cell, bidirectional=False))
    network.compile(optimizer=keras.optimizers.Adam(), loss="mse", jit_compile=False)
    several = np.concatenate([inputs] * _TRAINING_STEPS)
    answers = np.zeros((*several.shape[:2], 3 * recipe.horizon), np.float32)
    return lambda: network.fit(several, answers, batch_size=len(inputs), shuffle=False, verbose=0)


def _forecasting(cell: str, window: NDArray[np.float32], units: int) -> Callable[[], None]:
    exact = untrained_weights(cell, window.shape[2], units, 0)
    weights = CellWeights(*(part.astype(np.float32) for part in vars(exact).values()))

    def several() -> None:
        for _ in range(_FORECASTS):
            run_layer(cell, weights, window)

    return several


def _timed(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started
