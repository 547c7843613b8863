"""Train one network on the windows of a panel, or let a trained one be trained further on all of its days."""

import math
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from statistics import mean
from typing import Any, cast

import numpy as np

from forecaster.dataset.features import features_of
from forecaster.dataset.panel import Panel
from forecaster.dataset.report_features import is_report_feature
from forecaster.dataset.split import TRAIN_SHARE, Split
from forecaster.dataset.targets import count_known_steps
from forecaster.dataset.volatility import WARM_UP
from forecaster.dataset.windows import supervised_days, training_stride
from forecaster.errors import BadInputError, UsageError
from forecaster.network.engine import Engine, make_repeatable, on_device
from forecaster.network.fitting import Budget, Fit, OriginSet, Progress
from forecaster.network.halves import (
    Floats,
    Half,
    Material,
    answer_for_halves,
    is_worth_halving,
    partner_expected,
)
from forecaster.network.network import Network
from forecaster.network.recurrent import RecurrentNetwork, ensemble_of
from forecaster.processes import Partner
from forecaster.settings import FLOAT32, Recipe, check_cell

# A budget in optimiser steps serves a small panel and the whole index alike.
_STEPS = 400
_FEWEST_EPOCHS, _MOST_EPOCHS = 4, 100
_SMALLEST_BATCH, _LARGEST_BATCH = 16, 256
_BATCHES_AN_EPOCH = 32
# Little enough that a network keeps what it has learned; see "Refitting" and "Going on" in docs/method.md.
_ONWARD_EPOCHS = 1
_ONWARD_STEP = 1 / 3
_ONWARD_SESSIONS = 250


@dataclass(frozen=True)
class Form:
    """Another network than the recipe's recurrent one, for the laboratory.

    Attributes:
        build: from the number of features and the recipe, a Keras model with the shapes of
            `keras_network.build_network`.
        export: from that model as trained, the recipe and the features, what answers for it.
    """

    build: Callable[[int, Recipe], Any]
    export: Callable[[Any, Recipe, tuple[str, ...]], Network]


@dataclass(frozen=True)
class TrainedNetwork:
    """A fitted network with what a reader needs to judge and repeat the fit.

    Attributes:
        network: the weights of the best epoch, for the runtime without Keras.
        keras_file: the same as a `.keras` file.
        keras_parameters: Keras's own count of parameters.
        losses, validation_losses: mean negative log likelihood of each epoch run, of an ensemble over the
            networks that have run it; after a refit there is nothing to validate on.
        best_epoch: number of the epoch whose weights were kept, from 1; of an ensemble the latest.
        epochs_planned, batch_size: as chosen or as given.
        seconds: wall time of all epochs, validation included; start of the engine not.
        targets: supervised origins that all epochs ran through.
        engine, kernel: what computed, and how the cell's loop was run.
    """

    network: Network
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


def train_network(
    panel: Panel,
    feature_names: tuple[str, ...],
    split: Split,
    recipe: Recipe,
    engine: Engine,
    report: Callable[[Progress], None] = lambda _: None,
    start: Network | None = None,
    form: Form | None = None,
    supervised: int | None = None,
    partner: Partner[Half, Floats] | None = None,
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
        form: another network in place of the recipe's.
        supervised: how many last days of a window are origins; None: as `supervised_days` has it.
        partner: as `training_partner` gives one.

    Raises:
        BadInputError: a part has not one window.
        UsageError: the cell cannot read such windows.
        ForecastError: the loss became NaN.
    """
    parts = (split.train, split.validation)

    def fit(recipe: Recipe, report: Callable[[Progress], None], start: Network | None) -> TrainedNetwork:
        return _fit(panel, feature_names, parts, recipe, engine, report, start, form, supervised, partner)

    return _each(fit, recipe, report, start)


def training_partner(
    panel: Panel, origins: range, recipe: Recipe
) -> AbstractContextManager[Partner[Half, Floats] | None]:
    """Another process for training on `origins`, where there is a core for it and enough to do; else None.

    It is best begun before the engine is: it starts its own meanwhile. What is trained does not depend on it.
    """
    supervised = supervised_days(recipe.lookback, last_day_only=recipe.last_day_only)
    days = np.isfinite(panel.log_return[:, origins.start : origins.stop]).sum()
    windows = max(int(days) // training_stride(recipe.lookback, supervised), 1)
    return partner_expected(windows * _budget(windows, recipe).epochs, recipe.device)


def refit_network(
    panel: Panel,
    evaluated: TrainedNetwork,
    recipe: Recipe,
    report: Callable[[Progress], None] = lambda _: None,
) -> TrainedNetwork:
    """Let `evaluated` be trained further on every day of the panel: nothing is held out any more.

    One epoch from its weights, with its batch size, and steps that decay to nothing from a third of the
    recipe's: it learns what is new without losing what it has been tested for.

    Args:
        panel: as it was trained on.
        evaluated: the network that has been tested.
        recipe: its recipe.
        report: called after every batch.

    Raises:
        ForecastError: the loss became NaN.
    """
    onward = replace(onward_recipe(recipe), batch_size=evaluated.batch_size)
    everything = range(panel.shape[1] - recipe.horizon)
    names = evaluated.network.features

    def fit(recipe: Recipe, report: Callable[[Progress], None], start: Network | None) -> TrainedNetwork:
        parts = (everything, None)
        return _fit(panel, names, parts, recipe, evaluated.engine, report, start, partner=partner)

    with training_partner(panel, everything, onward) as partner:
        return _each(fit, onward, report, evaluated.network)


def onward_recipe(recipe: Recipe, new_sessions: int = _ONWARD_SESSIONS) -> Recipe:
    """The recipe by which a trained network learns what is new: one epoch of small steps.

    Args:
        recipe: by which it was trained.
        new_sessions: that it has not been trained on. Steps are smaller where they are fewer than a year's: a
            network that goes on every month would else run through all that is old twelve times a year, and
            learn it by heart.
    """
    share = min(max(new_sessions, 1) / _ONWARD_SESSIONS, 1.0)
    return replace(recipe, epochs=_ONWARD_EPOCHS, learning_rate=_ONWARD_STEP * share * recipe.learning_rate)


def _each(
    fit: Callable[[Recipe, Callable[[Progress], None], Network | None], TrainedNetwork],
    recipe: Recipe,
    report: Callable[[Progress], None],
    start: Network | None,
) -> TrainedNetwork:
    """What is trained by the recipe: a network, or those of an ensemble one after the other."""
    if recipe.ensemble == 1:
        return fit(recipe, report, start)
    starts = start.networks if isinstance(start, RecurrentNetwork) else ()
    began = time.perf_counter()
    found: list[TrainedNetwork] = []
    for number in range(recipe.ensemble):
        one = replace(recipe, ensemble=1, seed=_seed_within(recipe.seed, number))
        begin = starts[number] if number < len(starts) else None
        found.append(fit(one, _within(report, number, recipe.ensemble, began), begin))
    return _ensemble(found)


def _seed_within(seed: int, number: int) -> int:
    """The recipe's own for the first network; those of others are none that anyone counts up to."""
    return seed if number == 0 else int(np.random.SeedSequence([seed, number]).generate_state(1)[0])


def _within(
    report: Callable[[Progress], None], number: int, networks: int, began: float
) -> Callable[[Progress], None]:
    """What reports the progress of one network of an ensemble, that of all of which began at `began`."""

    def reported(progress: Progress) -> None:
        epochs = networks * progress.epochs
        before = number * progress.epochs + progress.epoch - 1
        done = before + progress.step / progress.steps
        left = (time.perf_counter() - began) * (epochs - done) / done
        report(replace(progress, epoch=before + 1, epochs=epochs, seconds_left=left))

    return reported


def _ensemble(found: Sequence[TrainedNetwork]) -> TrainedNetwork:
    """Networks of one recipe as one."""
    from forecaster.network.keras_network import averaged, keras_file

    network = ensemble_of([cast("RecurrentNetwork", each.network) for each in found])
    together = averaged(network)
    return replace(
        found[0],
        network=network,
        keras_file=keras_file(together),
        keras_parameters=together.count_params(),
        losses=_means([each.losses for each in found]),
        validation_losses=_means([each.validation_losses for each in found]),
        best_epoch=max(each.best_epoch for each in found),
        seconds=sum(each.seconds for each in found),
        targets=sum(each.targets for each in found),
    )


def _means(losses: Sequence[tuple[float, ...]]) -> tuple[float, ...]:
    """Of each epoch, over the networks that have run it."""
    longest = max(map(len, losses))
    return tuple(mean(each[epoch] for each in losses if epoch < len(each)) for epoch in range(longest))


def _fit(
    panel: Panel,
    names: tuple[str, ...],
    origins: tuple[range, range | None],
    recipe: Recipe,
    engine: Engine,
    report: Callable[[Progress], None],
    start: Network | None,
    form: Form | None = None,
    supervised: int | None = None,
    partner: Partner[Half, Floats] | None = None,
) -> TrainedNetwork:
    """Fit to the first of `origins`; stop early on the second, if there is one."""
    from forecaster.network.keras_network import (
        WindowTrainer,
        as_stored,
        begin_from,
        build_network,
        keras_file,
        without_keras,
    )

    check_cell(recipe)
    features = features_of(panel, names)
    supervised = supervised or supervised_days(recipe.lookback, last_day_only=recipe.last_day_only)
    stride = training_stride(recipe.lookback, supervised)
    known_steps = count_known_steps(panel.log_return, recipe.horizon)
    train = OriginSet(
        features.valid_input, known_steps, panel.target_mask, origins[0], recipe.lookback, supervised
    )
    validation = None if origins[1] is None else replace(train, origins=origins[1])
    available = len(train.windows(stride))
    _reject_no_windows(available, train, "training", recipe)
    if validation is not None:
        _reject_no_windows(len(validation.windows(stride)), validation, "validation", recipe)
    budget = _budget(available, recipe, engine.replicas)
    halved = engine.halves_batches and form is None and is_worth_halving(budget.epochs * available)
    make_repeatable(recipe.seed, engine.backend)
    known_ahead = sum(map(is_report_feature, names))
    loops = engine.loops_in_numpy and not recipe.last_day_only and recipe.precision == FLOAT32
    with on_device(engine):
        if form is not None:
            network = form.build(len(names), recipe)
            trainer = WindowTrainer(network, features, panel.log_return, recipe, supervised)
        elif halved:
            material = Material(
                features, panel.log_return, recipe, known_ahead, supervised, loops, budget.batch
            )
            if partner is not None:
                partner.begin(answer_for_halves, material)
            trainer = material.trainer(partner)
            network = trainer.network
        else:
            network = build_network(len(names), recipe, known_ahead, last=supervised, numpy_loops=loops)
            trainer = WindowTrainer(network, features, panel.log_return, recipe, supervised)
        if start is not None:
            begin_from(network, start)
        steps = budget.epochs * (available // budget.batch)
        trainer.compile(optimizer=_optimizer(recipe, steps), jit_compile=_jit(engine))
        # Variables that come into being within the first step would have TensorFlow trace it twice.
        trainer.optimizer.build(trainer.trainable_variables)
        fit = Fit(trainer, train, validation, stride, budget, recipe.seed, report)
        with _numpy_on_one_thread():
            fit.run()
        trainer.release()
        trained = as_stored(network, recipe, known_ahead) if form is None else network
    return TrainedNetwork(
        network=(without_keras if form is None else form.export)(trained, recipe, names),
        keras_file=keras_file(trained),
        keras_parameters=trained.count_params(),
        losses=tuple(fit.losses),
        validation_losses=tuple(fit.stopping.losses),
        best_epoch=fit.best_epoch,
        epochs_planned=budget.epochs,
        batch_size=budget.batch,
        seconds=fit.seconds,
        targets=fit.targets,
        engine=engine,
        kernel=engine.kernel(recipe.cell, recipe.precision),
    )


def _numpy_on_one_thread() -> AbstractContextManager[Any]:
    """A day's products are too small for two threads, and are then the same however many cores there are."""
    from threadpoolctl import threadpool_limits

    limited: AbstractContextManager[Any] = threadpool_limits(1, user_api="blas")
    return limited


def _budget(windows: int, recipe: Recipe, replicas: Sequence[str] = ()) -> Budget:
    """Batch size and epochs: as given, else so that the optimiser takes about `_STEPS` steps.

    Devices that share each batch have equal parts of it.

    Raises:
        UsageError: there are fewer windows than devices.
    """
    fitting = 2 ** round(math.log2(max(windows / _BATCHES_AN_EPOCH, 1)))
    batch = recipe.batch_size or min(max(fitting, _SMALLEST_BATCH), _LARGEST_BATCH)
    devices = max(len(replicas), 1)
    batch = min(batch, windows) // devices * devices or devices
    if batch > windows:
        raise UsageError(f"{windows} windows are too few for {devices} GPUs", "use --device gpu")
    epochs = recipe.epochs or min(max(round(_STEPS / (windows // batch)), _FEWEST_EPOCHS), _MOST_EPOCHS)
    return Budget(epochs, batch, devices)


def _optimizer(recipe: Recipe, steps: int) -> Any:
    import keras

    decay = keras.optimizers.schedules.CosineDecay(recipe.learning_rate, steps)
    return keras.optimizers.Adam(decay, global_clipnorm=1.0)


def _jit(engine: Engine) -> bool:
    """XLA does not pay for a loop over time on TensorFlow's CPU; JAX is nothing without it."""
    return engine.backend == "jax"


def _reject_no_windows(windows: int, part: OriginSet, name: str, recipe: Recipe) -> None:
    if windows:
        return
    longest = int(part.valid_input.sum(1).max(initial=0))
    # A window and the volatility's warm-up before it, with targets that end within the training part.
    first_window = recipe.lookback + WARM_UP + recipe.horizon
    raise BadInputError(
        f"no ticker has {recipe.lookback} days in a row that end in the {name} part, "
        f"days {part.origins.start + 1} to {part.origins.stop} (the longest has {longest} usable days in "
        "all)",
        f"fetch at least {math.ceil(first_window / TRAIN_SHARE)} days without a gap, lower "
        "--lookback, or move --train-end and --validation-end",
    )
