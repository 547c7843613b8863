"""Targets a second of `train`, its loss and its score, beside another version; and where a batch's time goes.

    FORECAST_HOME=HOME python benchmarks/training_bench.py [--against FOLDER] [--cell gru] [--rounds 3]
    FORECAST_HOME=HOME python benchmarks/training_bench.py --parts [--against FOLDER] [--cell gru]

Each round trains with another seed on all stored tickers, here and in FOLDER in turn, each in a process of
its own; as many epochs as `train` takes. Seconds are those of CPU, user and system, of that process and of
those it has started, and of the wall clock within the epochs, validation included. The rounds' CRPS of the
test days, one day ahead, tells whether both learn the same.
`--parts` times what a training step is made of, in milliseconds of CPU a batch of 256 windows.
"""

import argparse
import inspect
import json
import multiprocessing
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
BATCH, SUPERVISED, REPEATS = 256, 60, 10


def main() -> None:
    """Print one line a version and a round, then what ours has over the other."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--against", type=Path, metavar="FOLDER", help="a checkout of another version")
    parser.add_argument("--cell", default="gru", choices=["rnn", "lstm", "gru"])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--parts", action="store_true", help="where a batch's time goes")
    parser.add_argument("--seed", type=int, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.seed is not None:
        print(json.dumps(parts(chosen.cell) if chosen.parts else trained(chosen.cell, chosen.seed)))
        return
    folders = {"ours": ROOT, "theirs": chosen.against} if chosen.against else {"ours": ROOT}
    found: dict[str, list[dict[str, float]]] = {name: [] for name in folders}
    for number in range(chosen.rounds):
        for name, folder in folders.items():
            extra = ["--parts"] * chosen.parts
            found[name].append(child(folder, "--cell", chosen.cell, "--seed", str(number), *extra))
            if not chosen.parts:
                print(name, json.dumps(found[name][-1]), flush=True)
    # What else the machine does only adds to a part's time.
    middle = min if chosen.parts else statistics.median
    for key in found["ours"][0]:
        figures = [f"{name} {middle(row[key] for row in rows):.6g}" for name, rows in found.items()]
        print(f"{key:24}", *figures)


def child(folder: Path, *arguments: str) -> dict[str, float]:
    """What this script prints where it imports `folder`."""
    command = [sys.executable, str(Path(__file__).resolve()), *arguments]
    environment = os.environ | {"PYTHONPATH": str(folder.resolve()), "TF_CPP_MIN_LOG_LEVEL": "3"}
    ran = subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True, check=False)
    if ran.returncode:
        raise SystemExit(ran.stderr)
    result: dict[str, float] = json.loads(ran.stdout.splitlines()[-1])
    return result


def stored(cell: str, seed: int) -> tuple[Any, Any]:
    """All stored tickers as a training set, and the recipe."""
    from forecaster.dataset.training_set import choose, load_training_set, split_by
    from forecaster.prices.store import PriceStore
    from forecaster.settings import Recipe

    recipe = Recipe(cell=cell, seed=seed, device="cpu")
    store = PriceStore(Path(os.environ["FORECAST_HOME"]))
    return load_training_set(store, choose(store), split_by(recipe)), recipe


def trained(cell: str, seed: int) -> dict[str, float]:
    """Train once, and score the test days."""
    import numpy as np

    from forecaster.dataset.targets import cumulative_return
    from forecaster.evaluation.experiment import train_and_forecast
    from forecaster.network.fitting import Fit

    data, recipe = stored(cell, seed)
    took: list[float] = []
    run = Fit.run

    def timed(fit: Any) -> None:
        started = cpu_seconds()
        run(fit)
        took.append(cpu_seconds() - started)

    Fit.run = timed  # type: ignore[method-assign]
    result = train_and_forecast(data, recipe, lambda _: None)
    origins, targets = result.origins, result.trained.targets
    actual = cumulative_return(data.panel.log_return, origins.ticker, origins.day, recipe.horizon)
    return {
        "targets_per_cpu_second": targets / took[0],
        "targets_per_second": targets / result.trained.seconds,
        "validation_loss": min(result.trained.validation_losses),
        "crps": float(np.nanmean(result.forecast.crps(actual)[:, 0])),
    }


def cpu_seconds() -> float:
    """Of this process and of those that it has started and that live."""
    total = time.process_time()
    for process in multiprocessing.active_children():
        fields = Path(f"/proc/{process.pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        total += (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return total


def parts(cell: str) -> dict[str, float]:
    """Milliseconds of CPU a batch; parts with weights are timed with their gradients."""
    from forecaster.dataset.features import available_features, compute_features
    from forecaster.dataset.report_features import is_report_feature
    from forecaster.network.engine import make_repeatable, start_engine

    data, recipe = stored(cell, 0)
    make_repeatable(0, start_engine("cpu").backend)
    import keras
    import numpy as np
    import tensorflow as tf
    from threadpoolctl import threadpool_limits

    from forecaster.network.keras_network import WindowTrainer, build_network, negative_log_likelihood

    threadpool_limits(1)
    names = available_features(data.panel, recipe)
    features = compute_features(data.panel, names)
    ours = "numpy_loops" in inspect.signature(build_network).parameters
    how = {"last": SUPERVISED, "numpy_loops": True} if ours else {}
    network = build_network(len(names), recipe, sum(map(is_report_feature, names)), **how)
    trainer = WindowTrainer(network, features, data.panel.log_return, recipe, SUPERVISED)
    trainer.compile(optimizer=keras.optimizers.Adam(global_clipnorm=1.0), jit_compile=False)
    trainer.optimizer.build(trainer.trainable_variables)
    usable = np.flatnonzero(np.asarray(features.valid_input[:, : -recipe.lookback - recipe.horizon]).ravel())
    rows = np.random.default_rng(0).choice(usable, BATCH * REPEATS).astype("i4")
    known = np.full((len(rows), SUPERVISED), recipe.horizon, "f4")
    batch = tf.constant(rows[:BATCH])

    inputs = keras.ops.take(trainer.panel_features, batch[:, None] + tf.range(recipe.lookback), axis=0)
    layer, dropout, head = (network.get_layer(name) for name in (f"{cell}_0", "dropout_0", "head"))
    hidden = layer(inputs)
    raw = tf.zeros((BATCH, SUPERVISED, 3 * recipe.horizon))
    target = tf.ones((BATCH, SUPERVISED, recipe.horizon))
    variables = [variable.value for variable in network.trainable_variables]

    def with_gradient(work: Callable[[], Any], *of: Any) -> Callable[[], Any]:
        def both() -> Any:
            with tf.GradientTape() as tape:
                tape.watch([*of, *variables])
                total = tf.reduce_sum(work())
            found = tape.gradient(total, [*of, *variables])
            return total, [each for each in found if each is not None]

        return both

    compiled = {
        "inputs": lambda: keras.ops.take(
            trainer.panel_features, batch[:, None] + tf.range(recipe.lookback), axis=0
        ),
        "targets": lambda: trainer.scaled_targets(batch),
        "loop": with_gradient(lambda: layer(inputs)),
        "dropout": with_gradient(lambda: dropout(hidden, training=True), hidden),
        "head": with_gradient(lambda: head(hidden), hidden),
        "likelihood": with_gradient(lambda: negative_log_likelihood(raw, target), raw),
        "step": lambda: trainer.train_step((batch, tf.constant(known[:BATCH]))),
    }
    found = {name: milliseconds(tf.function(work)) for name, work in compiled.items()}

    def by_batches() -> None:
        for first in range(0, len(rows), BATCH):
            trainer.train_on_batch(rows[first : first + BATCH], known[first : first + BATCH])

    def by_fit() -> None:
        trainer.fit(rows, known, batch_size=BATCH, shuffle=False, verbose=0)

    found["step, as it is called"] = milliseconds(by_batches if ours else by_fit, 2) / REPEATS
    return found


def milliseconds(work: Callable[[], Any], times: int = REPEATS) -> float:
    """CPU of one call: the least of four means, after a call that compiles."""
    work()
    means = []
    for _ in range(4):
        started = time.process_time()
        for _ in range(times):
            work()
        means.append((time.process_time() - started) / times * 1e3)
    return min(means)


if __name__ == "__main__":
    main()
