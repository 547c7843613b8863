"""The epochs of one fit: windows drawn anew for each, when to stop, and which weights to keep."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from forecaster.dataset.windows import Windows, grid_windows, supervision
from forecaster.errors import ForecastError
from forecaster.processes import interrupted_between_batches

if TYPE_CHECKING:
    import keras


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
class OriginSet:
    """One part's origins with the windows that supervise them.

    Attributes:
        valid_input: (N, D) days that may be inputs.
        known_steps: (N, D) how many steps ahead are known.
        target_mask: (N, D) days that may be origins; None for all.
        origins: the part's day numbers.
        lookback: days in a window.
        supervised: how many of its last days are origins.
    """

    valid_input: NDArray[np.bool_]
    known_steps: NDArray[np.int16]
    target_mask: NDArray[np.bool_] | None
    origins: range
    lookback: int
    supervised: int

    def windows(self, stride: int, offset: int = 0) -> Windows:
        """Those that end every `stride` days."""
        return grid_windows(
            self.valid_input, self.origins, self.lookback, self.supervised, stride, offset, self.target_mask
        )

    def arrays(self, windows: Windows) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        """Positions (W,) in the flattened panel and known steps (W, S), as the network takes them."""
        days = self.known_steps.shape[1]
        rows = windows.ticker * np.int32(days) + windows.start
        return rows, supervision(windows, self.known_steps, self.origins, self.target_mask)


@dataclass(frozen=True)
class Budget:
    """How long a fit may take.

    Attributes:
        epochs: at most.
        batch: windows a step.
        devices: how many have equal parts of each batch.
    """

    epochs: int
    batch: int
    devices: int = 1


class Fit:
    """One network on its way through the epochs."""

    def __init__(
        self,
        trainer: "keras.Model",
        train: OriginSet,
        validation: OriginSet | None,
        stride: int,
        budget: Budget,
        seed: int,
        report: Callable[[Progress], None],
    ) -> None:
        self.trainer, self.train, self.stride, self.budget = trainer, train, stride, budget
        self.held_out = (
            None
            if validation is None
            else _divisible(*validation.arrays(validation.windows(stride)), budget.devices)
        )
        self.report = report
        self.random = np.random.default_rng(seed)
        self.stopping = EarlyStopping(patience=max(3, budget.epochs // 3))
        self.losses: list[float] = []
        self.best_epoch = 0
        self.targets = 0
        self.seconds = 0.0

    def run(self) -> None:
        """Run epochs until the budget or the patience ends; the trainer then has the best weights.

        Without a validation part the last ones count as the best.

        Raises:
            ForecastError: the loss became NaN.
        """
        best: list[Any] = []
        started = time.perf_counter()
        with interrupted_between_batches() as raise_if_interrupted:
            for epoch in range(self.budget.epochs):
                self._train_epoch(epoch, started, raise_if_interrupted)
                if self.held_out is None or self._is_best(epoch, *self.held_out):
                    best, self.best_epoch = self.trainer.network.get_weights(), epoch + 1
                self.seconds = time.perf_counter() - started
                if self.held_out is not None and self.stopping.exhausted:
                    break
        self.trainer.network.set_weights(best)

    def _is_best(self, epoch: int, rows: NDArray[np.int32], steps: NDArray[np.float32]) -> bool:
        loss = float(self.trainer.evaluate(rows, steps, batch_size=self.budget.batch, verbose=0))
        _reject_no_number("validation loss", loss, epoch)
        return self.stopping.record(loss)

    def _train_epoch(self, epoch: int, started: float, raise_if_interrupted: Callable[[], None]) -> None:
        windows = self._draw()
        rows, known = self.train.arrays(windows)
        batch = self.budget.batch
        steps = len(rows) // batch
        total = 0.0
        for step in range(steps):
            chosen = slice(step * batch, (step + 1) * batch)
            # Two milliseconds less than a batch of `fit`, which is a fifteenth of one on the index.
            total += float(self.trainer.train_on_batch(rows[chosen], known[chosen]))
            raise_if_interrupted()
            _reject_no_number("loss", total, epoch)
            self._report(epoch, step + 1, steps, total / (step + 1), started)
        self.targets += int(np.count_nonzero(known))
        self.losses.append(total / steps)

    def _draw(self) -> Windows:
        """An epoch's windows at a new offset, in random order, in whole batches."""
        batch = self.budget.batch
        windows = self.train.windows(self.stride, int(self.random.integers(self.stride)))
        if len(windows) < batch:
            windows = self.train.windows(self.stride)
        order = self.random.permutation(len(windows))
        return windows.take(order[: len(windows) // batch * batch])

    def _report(self, epoch: int, step: int, steps: int, loss: float, started: float) -> None:
        epochs, done = self.budget.epochs, epoch + step / steps
        elapsed = time.perf_counter() - started
        targets = self.targets + step * self.budget.batch * self.train.supervised
        latest = self.stopping.losses[-1] if self.stopping.losses else None
        left = elapsed * (epochs - done) / done
        self.report(Progress(epoch + 1, epochs, step, steps, loss, latest, targets / elapsed, left))


def _divisible(
    rows: NDArray[np.int32], steps: NDArray[np.float32], devices: int
) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """So many windows that each device has as many: the last one again, with no step that counts."""
    more = -len(rows) % devices
    return np.pad(rows, (0, more), mode="edge"), np.pad(steps, ((0, more), (0, 0)))


def _reject_no_number(name: str, loss: float, epoch: int) -> None:
    if not math.isfinite(loss):
        raise ForecastError(
            f"the {name} became {loss} in epoch {epoch + 1}",
            "lower --learning-rate, and look at the prices with `forecast data verify`",
        )


@dataclass
class EarlyStopping:
    """Keeps the best validation loss, and stops after `patience` epochs without a better one."""

    patience: int
    best_loss: float = math.inf
    best_epoch: int = -1
    losses: list[float] = field(default_factory=list)

    def record(self, validation_loss: float) -> bool:
        """Take in one epoch's loss; true if it is the best so far, whose weights are to be kept."""
        self.losses.append(validation_loss)
        better = validation_loss < self.best_loss
        if better:
            self.best_loss, self.best_epoch = validation_loss, len(self.losses) - 1
        return better

    @property
    def exhausted(self) -> bool:
        """Whether `patience` epochs have passed since the best one."""
        return len(self.losses) - 1 - self.best_epoch >= self.patience
