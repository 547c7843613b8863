"""Fit one network to the windows of a panel: open, train, keep the best weights, say how long."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from forecaster.dataset.features import compute_features
from forecaster.dataset.panel import Panel
from forecaster.dataset.split import TRAIN_SHARE, Split
from forecaster.dataset.targets import steps_ahead
from forecaster.dataset.volatility import WARM_UP
from forecaster.dataset.windows import Windows, grid_windows, supervised_days, supervision, training_stride
from forecaster.errors import BadInputError, ForecastError
from forecaster.network.artifact import RecurrentNetwork
from forecaster.network.early_stopping import EarlyStopping
from forecaster.network.engine import Engine, make_repeatable, on_device
from forecaster.settings import TrainSettings

if TYPE_CHECKING:
    import keras

# A budget in optimiser steps serves a small panel and the whole index alike.
_STEPS = 400
_FEWEST_EPOCHS, _MOST_EPOCHS = 4, 100
_SMALLEST_BATCH, _LARGEST_BATCH = 16, 256
_BATCHES_AN_EPOCH = 32


@dataclass(frozen=True)
class Progress:
    """How far training has come; losses are negative log likelihoods a target, seconds are wall time."""

    epoch: int
    epochs: int
    step: int
    steps: int
    loss: float
    validation_loss: float | None
    targets_per_second: float
    seconds_left: float


@dataclass(frozen=True)
class TrainedNetwork:
    """A fitted network with what a reader needs to judge and repeat the fit.

    Attributes:
        network: the weights of the best epoch, for the runtime without Keras.
        keras_file: the same as a `.keras` file.
        keras_parameters: Keras's own count of parameters.
        losses, validation_losses: mean negative log likelihood of each epoch run.
        best_epoch: number of the epoch whose weights were kept, from 1.
        epochs_planned, batch_size: as chosen or as given.
        seconds: wall time of all epochs, validation included; start of the engine not.
        targets: supervised origins that all epochs ran through.
        engine, kernel: what computed, and how the cell's loop was run.
    """

    network: RecurrentNetwork
    keras_file: bytes
    keras_parameters: int
    losses: tuple[float, ...]
    validation_losses: tuple[float, ...]
    best_epoch: int
    epochs_planned: int
    batch_size: int
    seconds: float
    targets: int
    engine: Engine
    kernel: str

    @property
    def targets_per_second(self) -> float:
        """Supervised origins a second of training."""
        return self.targets / self.seconds


@dataclass(frozen=True)
class _Part:
    """One part's origins with the windows that supervise them."""

    usable: NDArray[np.bool_]
    ahead: NDArray[np.int16]
    counted: NDArray[np.bool_] | None
    origins: range
    lookback: int
    supervised: int

    def windows(self, stride: int, offset: int = 0) -> Windows:
        return grid_windows(
            self.usable, self.origins, self.lookback, self.supervised, stride, offset, self.counted
        )

    def arrays(self, windows: Windows) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        """Positions (W,) in the flattened panel and known steps (W, S), as the network takes them."""
        days = self.ahead.shape[1]
        rows = windows.ticker * np.int32(days) + windows.start
        return rows, supervision(windows, self.ahead, self.origins, self.counted)


def train_network(
    panel: Panel,
    feature_names: tuple[str, ...],
    split: Split,
    recipe: TrainSettings,
    engine: Engine,
    report: Callable[[Progress], None] = lambda _: None,
    start: RecurrentNetwork | None = None,
) -> TrainedNetwork:
    """Fit the recipe's network to the training origins, stopping early on the validation origins.

    Args:
        panel: prices of N tickers on D days.
        feature_names: what the network sees of them.
        split: origins of each part.
        recipe: cell, sizes, learning rate, seed.
        engine: as started.
        report: called after every batch.
        start: a network of the same shape whose weights training begins from; random ones without it.

    Raises:
        BadInputError: a part has not one window.
        ForecastError: the loss became NaN.
    """
    from forecaster.network.model import WindowTrainer, begin_from, build_network, keras_file, without_keras

    features = compute_features(panel, feature_names)
    supervised = supervised_days(recipe.lookback, bidirectional=recipe.bidirectional)
    stride = training_stride(recipe.lookback, supervised)
    ahead = steps_ahead(panel.log_return, recipe.horizon)
    train = _Part(features.usable, ahead, panel.counted, split.train, recipe.lookback, supervised)
    validation = replace(train, origins=split.validation)
    held_out = validation.windows(stride)
    available = len(train.windows(stride))
    _refuse_no_windows(available, len(held_out), features.usable, split, recipe)
    batch, epochs = _budget(available, recipe)
    make_repeatable(recipe.seed, engine.backend)
    with on_device(engine):
        network = build_network(len(feature_names), recipe)
        if start is not None:
            begin_from(network, start)
        trainer = WindowTrainer(network, features, panel.log_return, recipe, supervised)
        del features  # the device has its copy; one is enough
        trainer.compile(optimizer=_optimizer(recipe, epochs * (available // batch)), jit_compile=_jit(engine))
        run = _Run(trainer, train, stride, validation.arrays(held_out), batch, epochs, recipe.seed, report)
        run.fit()
    return TrainedNetwork(
        network=without_keras(network, recipe, feature_names),
        keras_file=keras_file(network),
        keras_parameters=network.count_params(),
        losses=tuple(run.losses),
        validation_losses=tuple(run.stopping.losses),
        best_epoch=run.stopping.best_epoch + 1,
        epochs_planned=epochs,
        batch_size=batch,
        seconds=run.seconds,
        targets=run.targets,
        engine=engine,
        kernel=engine.kernel(recipe.cell),
    )


class _Run:
    """The epochs of one fit."""

    def __init__(
        self,
        trainer: "keras.Model",
        train: _Part,
        stride: int,
        held_out: tuple[NDArray[np.int32], NDArray[np.float32]],
        batch: int,
        epochs: int,
        seed: int,
        report: Callable[[Progress], None],
    ) -> None:
        self.trainer, self.train, self.stride, self.held_out = trainer, train, stride, held_out
        self.batch, self.epochs, self.report = batch, epochs, report
        self.random = np.random.default_rng(seed)
        self.stopping = EarlyStopping(patience=max(3, epochs // 3))
        self.losses: list[float] = []
        self.targets = 0
        self.seconds = 0.0

    def fit(self) -> None:
        """Run epochs until the budget or the patience ends; the trainer then has the best weights."""
        best: list[Any] = []
        started = time.perf_counter()
        for epoch in range(self.epochs):
            self._train_epoch(epoch, started)
            rows, steps = self.held_out
            loss = self.trainer.evaluate(rows, steps, batch_size=4 * self.batch, verbose=0)
            _refuse_no_number("validation loss", float(loss), epoch)
            if self.stopping.record(float(loss)):
                best = self.trainer.network.get_weights()
            self.seconds = time.perf_counter() - started
            if self.stopping.exhausted:
                break
        self.trainer.network.set_weights(best)

    def _train_epoch(self, epoch: int, started: float) -> None:
        windows = self._draw()
        rows, steps = self.train.arrays(windows)
        watcher = self._watcher(epoch, len(windows) // self.batch, started)
        history = self.trainer.fit(
            rows, steps, batch_size=self.batch, shuffle=False, verbose=0, callbacks=[watcher]
        )
        self.targets += int(np.count_nonzero(steps))
        self.losses.append(float(history.history["loss"][0]))

    def _draw(self) -> Windows:
        """An epoch's windows at a new offset, in random order, in whole batches."""
        windows = self.train.windows(self.stride, int(self.random.integers(self.stride)))
        if len(windows) < self.batch:
            windows = self.train.windows(self.stride)
        order = self.random.permutation(len(windows))
        return windows.take(order[: len(windows) // self.batch * self.batch])

    def _watcher(self, epoch: int, steps: int, started: float) -> "keras.callbacks.Callback":
        import keras

        def after_batch(step: int, logs: dict[str, float]) -> None:
            loss = float(logs["loss"])
            _refuse_no_number("loss", loss, epoch)
            done = epoch + (step + 1) / steps
            elapsed = time.perf_counter() - started
            targets = self.targets + (step + 1) * self.batch * self.train.supervised
            latest = self.stopping.losses[-1] if self.stopping.losses else None
            left = elapsed * (self.epochs - done) / done
            self.report(
                Progress(epoch + 1, self.epochs, step + 1, steps, loss, latest, targets / elapsed, left)
            )

        return keras.callbacks.LambdaCallback(on_train_batch_end=after_batch)


def _refuse_no_number(name: str, loss: float, epoch: int) -> None:
    if not math.isfinite(loss):
        raise ForecastError(
            f"the {name} became {loss} in epoch {epoch + 1}",
            "lower --learning-rate, and look at the prices with `forecast data verify`",
        )


def _budget(windows: int, recipe: TrainSettings) -> tuple[int, int]:
    """Batch size and epochs: as given, else so that the optimiser takes about `_STEPS` steps."""
    fitting = 2 ** round(math.log2(max(windows / _BATCHES_AN_EPOCH, 1)))
    batch = recipe.batch_size or min(max(fitting, _SMALLEST_BATCH), _LARGEST_BATCH)
    batch = min(batch, windows)
    epochs = recipe.epochs or min(max(round(_STEPS / (windows // batch)), _FEWEST_EPOCHS), _MOST_EPOCHS)
    return batch, epochs


def _optimizer(recipe: TrainSettings, steps: int) -> Any:
    import keras

    decay = keras.optimizers.schedules.CosineDecay(recipe.learning_rate, steps)
    return keras.optimizers.Adam(decay, global_clipnorm=1.0)


def _jit(engine: Engine) -> bool:
    """XLA does not pay for a loop over time on TensorFlow's CPU; JAX is nothing without it."""
    return engine.backend == "jax"


def _refuse_no_windows(
    train: int, validation: int, usable: NDArray[np.bool_], split: Split, recipe: TrainSettings
) -> None:
    longest = int(usable.sum(1).max(initial=0))
    # A window and the volatility's warm-up before it, with targets that end within the training part.
    first_window = recipe.lookback + WARM_UP + recipe.horizon
    for name, count, part in (("training", train, split.train), ("validation", validation, split.validation)):
        if not count:
            raise BadInputError(
                f"no ticker has {recipe.lookback} days in a row that end in the {name} part, "
                f"days {part.start + 1} to {part.stop} (the longest has {longest} usable days in all)",
                f"fetch at least {math.ceil(first_window / TRAIN_SHARE)} days without a hole, lower "
                "--lookback, or move --train-end and --validation-end",
            )
