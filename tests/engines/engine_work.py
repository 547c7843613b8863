"""What a test has an engine do in a process of its own: `engine_work.py TASK ARGUMENT…`; prints JSON.

`KERAS_BACKEND` chooses the engine. Two engines that are to be compared train without dropout, whose random
numbers are each engine's own.
"""

import json
import os
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
from factories import panel_of, persistent_table

from forecaster.dataset.features import ALWAYS
from forecaster.dataset.split import split_days
from forecaster.evaluation.experiment import one_thread
from forecaster.files import digest_bytes
from forecaster.network import engine as engine_module
from forecaster.network.engine import Engine, on_device, start_engine
from forecaster.network.recurrent import RecurrentNetwork
from forecaster.network.training import TrainedNetwork, refit_network, train_network
from forecaster.settings import MIXED, Recipe

PANEL = panel_of(*(persistent_table(name, 400, seed, 0.7) for seed, name in enumerate(("AAA", "BBB"))))
SPLIT = split_days(PANEL.dates, 2)
SHAPES = {
    "rnn": Recipe(cell="rnn", layers=2),
    "lstm": Recipe(cell="lstm", bidirectional=True),
    "gru": Recipe(cell="gru"),
}
SMALL = {"lookback": 12, "horizon": 2, "units": 6, "epochs": 3, "learning_rate": 0.02, "batch_size": 16}
INPUTS = np.random.default_rng(0).normal(size=(3, 12, len(ALWAYS))).astype("f4")


def recipe_of(cell: str, **changes: Any) -> Recipe:
    """A small recipe for one of `SHAPES`."""
    return replace(SHAPES[cell], **(SMALL | changes))


def fit(recipe: Recipe, engine: Engine, start: RecurrentNetwork | None = None) -> TrainedNetwork:
    """A network trained on the panel."""
    return train_network(PANEL, ALWAYS, SPLIT, recipe, engine, start=start)


def answers(network: RecurrentNetwork) -> np.ndarray[Any, Any]:
    """What a network says of `INPUTS`, by the runtime that needs no engine."""
    return network.head_output(INPUTS, 1 if network.bidirectional else INPUTS.shape[1])


def keras_answers(file: Path) -> np.ndarray[Any, Any]:
    """What this engine makes of `INPUTS` with a `.keras` file."""
    import keras

    found: np.ndarray[Any, Any] = keras.ops.convert_to_numpy(keras.saving.load_model(file)(INPUTS))
    return found


def digest(network: RecurrentNetwork) -> str:
    """Of the weights."""
    return digest_bytes(b"".join(array.tobytes() for array in network.weights.values()))


def apart(one: np.ndarray[Any, Any], other: np.ndarray[Any, Any]) -> float:
    """The largest difference."""
    return float(np.abs(one - other).max())


def make(folder: Path, cells: list[str]) -> dict[str, Any]:
    """Train each cell twice and once in mixed precision, and leave what the other engines take up."""
    engine = start_engine("cpu")
    found: dict[str, Any] = {"engine": engine.backend}
    for cell in cells:
        first, second = (fit(recipe_of(cell), engine) for _ in range(2))
        mixed = fit(recipe_of(cell, precision=MIXED), engine)
        kept = folder / f"{engine.backend}-{cell}"
        kept.with_suffix(".keras").write_bytes(first.keras_file)
        mixed_file = folder / f"{engine.backend}-{cell}-mixed.keras"
        mixed_file.write_bytes(mixed.keras_file)
        np.savez(kept.with_suffix(".npz"), **first.network.weights)
        np.save(kept.with_suffix(".npy"), answers(first.network))
        found[cell] = {
            "repeats": digest(first.network) == digest(second.network),
            "losses": first.losses,
            "validation_loss": min(first.validation_losses),
            "keras_apart": apart(keras_answers(kept.with_suffix(".keras")), answers(first.network)),
            "mixed_differs": digest(mixed.network) != digest(first.network),
            "mixed_validation_loss": min(mixed.validation_losses),
            "mixed_keras_apart": apart(keras_answers(mixed_file), answers(mixed.network)),
        }
    return found


def take_up(folder: Path, cells: list[str], makers: list[str], ways: list[str]) -> dict[str, Any]:
    """Answer with the models of each maker, go on with them in each way, and leave what they become."""
    engine = start_engine("cpu")
    found: dict[str, Any] = {}
    goes_on: dict[str, Callable[[Recipe, TrainedNetwork], TrainedNetwork]] = {
        "trained further": lambda recipe, model: fit(replace(recipe, epochs=2), engine, model.network),
        "refitted": lambda recipe, model: refit_network(PANEL, model, recipe),
    }
    for cell in cells:
        recipe = recipe_of(cell, dropout=0.0)
        for maker in makers:
            kept = folder / f"{maker}-{cell}"
            with np.load(kept.with_suffix(".npz")) as weights:
                network = _network(recipe, dict(weights))
            told = np.load(kept.with_suffix(".npy"))
            its = {
                "apart": apart(answers(network), told),
                "keras_apart": apart(keras_answers(kept.with_suffix(".keras")), told),
            }
            for way in ways:
                after = answers(goes_on[way](recipe, _as_trained(network, recipe, engine)).network)
                np.save(folder / f"{engine.backend}-{way}-{maker}-{cell}.npy", after)
                its[way] = apart(after, told)
            found[f"{maker} {cell}"] = its
    return found


def _as_trained(network: RecurrentNetwork, recipe: Recipe, engine: Engine) -> TrainedNetwork:
    """What another engine has trained, for this one to go on with; how it came to be matters to nobody."""
    return TrainedNetwork(
        network=network,
        keras_file=b"",
        keras_parameters=0,
        losses=(),
        validation_losses=(),
        best_epoch=1,
        epochs_planned=1,
        batch_size=recipe.batch_size or 16,
        seconds=1.0,
        targets=0,
        engine=engine,
        kernel="loop",
    )


def _network(recipe: Recipe, weights: dict[str, Any]) -> RecurrentNetwork:
    return RecurrentNetwork(
        cell=recipe.cell,
        units=recipe.units,
        layers=recipe.layers,
        bidirectional=recipe.bidirectional,
        horizon=recipe.horizon,
        lookback=recipe.lookback,
        features=ALWAYS,
        weights=weights,
    )


def exchange(folder: Path, cells: list[str], makers: list[str], ways: list[str]) -> dict[str, Any]:
    """`make`, tell of it, and `take_up` once it is said that all have made theirs."""
    print(json.dumps(make(folder, cells)), flush=True)
    sys.stdin.readline()
    return take_up(folder, cells, makers, ways) | ({"shared": share_batches()} if _two_devices() else {})


def _two_devices() -> bool:
    """Whether XLA was told to make two devices of the CPU."""
    import keras

    return keras.backend.backend() == "jax" and len(keras.distribution.list_devices("cpu")) == 2


def share_batches() -> dict[str, Any]:
    """Train on one device, and on two that share each batch."""
    import keras

    alone, two = start_engine("cpu"), keras.distribution.list_devices("cpu")
    with (
        patch.object(engine_module, "_gpus", lambda _: two),
        patch("keras.distribution.list_devices", lambda _: two),
    ):
        together = start_engine("gpus")  # the two are none, but Keras divides batches among them alike
    recipe = recipe_of("gru", batch_size=14)
    with on_device(together):
        devices = len(keras.Variable(np.zeros(4, "f4")).value.sharding.device_set)
    one, shared = fit(recipe, alone), fit(replace(recipe, batch_size=15), together)
    refitted = refit_network(PANEL, shared, recipe)
    return {
        "devices": [together.device, devices],
        "batch_size": shared.batch_size,
        "apart": apart(answers(one.network), answers(shared.network)),
        "losses": [one.losses, shared.losses],
        "validation_losses": [one.validation_losses, shared.validation_losses],
        "refitted": digest(refitted.network) != digest(shared.network),
    }


def train_alone(cores: int) -> dict[str, Any]:
    """Train on one thread, where the process may use so many cores; large enough to be divided."""
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:cores])
    panel = panel_of(*(persistent_table(f"T{seed}", 800, seed, 0.7) for seed in range(20)))
    recipe = Recipe(lookback=60, units=64, epochs=1, batch_size=256)
    with one_thread():
        split = split_days(panel.dates, recipe.horizon)
        return {"digest": digest(train_network(panel, ALWAYS, split, recipe, start_engine("cpu")).network)}


TASKS: dict[str, Callable[..., dict[str, Any]]] = {
    "exchange": lambda folder, *lists: exchange(Path(folder), *(words.split(",") for words in lists)),
    "train alone": lambda cores: train_alone(int(cores)),
}

if __name__ == "__main__":
    print(json.dumps(TASKS[sys.argv[1]](*sys.argv[2:])))
