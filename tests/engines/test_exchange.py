"""Each engine trains, repeats itself to the last bit, and goes on with what another has trained.

PyTorch is not among what development installs: `make engines` runs this in an environment of its own, where
every engine is installed. A test fails for want of its engine; none is skipped.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command import FORECAST
from factories import filled_store, persistent_table

HERE = Path(__file__).parent
PAIR = ("tensorflow", "jax")
ENGINES = (*PAIR, "torch")
EVENING = "2017-10-11T22:30:00"
SMALL = ("--lookback", "12", "--horizon", "2", "--units", "4", "--epochs", "1", "--quiet")


def started(engine: str, words: list[str], **variables: str) -> "subprocess.Popen[str]":
    """A process with that engine, as each process has one."""
    search = os.pathsep.join([str(HERE), str(HERE.parent), str(HERE.parents[1])])
    return subprocess.Popen(
        words,
        env=os.environ | {"KERAS_BACKEND": engine, "PYTHONPATH": search} | variables,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def printed(process: "subprocess.Popen[str]") -> Any:
    """The JSON that it prints, once it is done."""
    out, err = process.communicate()
    assert process.returncode == 0, err
    return json.loads(out)


def working(engine: str, *words: str, **variables: str) -> "subprocess.Popen[str]":
    return started(engine, [sys.executable, str(HERE / "engine_work.py"), *words], **variables)


def exchanged(engines: tuple[str, ...], *words: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """What each engine made and what it took up, by engine; all at once, and nothing before all is made."""
    # XLA makes two devices of the CPU, whereof JAX uses one until it is told to share.
    two = "--xla_force_host_platform_device_count=2"
    processes = {engine: working(engine, "exchange", *words, XLA_FLAGS=two) for engine in engines}
    made = {}
    for engine, process in processes.items():
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, process.communicate()[1]
        made[engine] = json.loads(line)
    for process in processes.values():
        assert process.stdin is not None
        process.stdin.write("all is made\n")
        process.stdin.flush()
    return made, {engine: printed(process) for engine, process in processes.items()}


def forecast(engine: str, home: Path, *words: str) -> Any:
    """What a command prints on the evening of the last bar."""
    process = started(engine, [*FORECAST, *words, "--json", "--home", str(home)], FORECAST_NOW=EVENING)
    return printed(process)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    tables = (persistent_table(name, 700, seed, 0.7) for seed, name in enumerate(("AAA", "BBB")))
    filled_store(tmp_path / "home", *tables)
    return tmp_path / "home"


@pytest.mark.parametrize(
    ("engines", "cells", "ways"),
    [
        pytest.param(PAIR, ("gru",), ("refitted",), marks=pytest.mark.trial, id="TensorFlow and JAX"),
        pytest.param(
            ENGINES, ("rnn", "lstm", "gru"), ("refitted", "trained further"), marks=pytest.mark.slow, id="all"
        ),
    ],
)
def test_what_one_engine_trains_another_takes_up(
    engines: tuple[str, ...], cells: tuple[str, ...], ways: tuple[str, ...], tmp_path: Path
) -> None:
    made, taken = exchanged(engines, str(tmp_path), *(",".join(words) for words in (cells, engines, ways)))
    for engine, by_cell in made.items():
        assert by_cell["engine"] == engine
        for cell in cells:
            its, first = by_cell[cell], made[engines[0]][cell]
            assert its["repeats"]
            assert its["keras_apart"] < 1e-5
            assert its["losses"][-1] < its["losses"][0]
            # Other random numbers, the same windows and the same method.
            assert its["losses"][-1] == pytest.approx(first["losses"][-1], abs=0.05)
            assert its["validation_loss"] == pytest.approx(first["validation_loss"], abs=0.05)
            # Mixed precision learns nearly the same, and what is kept of it is of float32.
            assert its["mixed_differs"]
            assert its["mixed_validation_loss"] == pytest.approx(its["validation_loss"], abs=0.01)
            assert its["mixed_keras_apart"] < 1e-5
    for engine, by_model in taken.items():
        for maker in engines:
            for cell in cells:
                its = by_model[f"{maker} {cell}"]
                assert its["apart"] == 0
                assert its["keras_apart"] < 1e-5
                # From the same weights, on the same windows, each engine comes to the same network.
                for way in ways:
                    assert its[way] > 0.01
                    here, there = (
                        np.load(tmp_path / f"{trainer}-{way}-{maker}-{cell}.npy")
                        for trainer in (engine, engines[0])
                    )
                    assert np.abs(here - there).max() < 1e-5, (engine, way, maker, cell)
    shared = taken["jax"]["shared"]
    assert shared["devices"] == ["2 gpus", 2]
    assert shared["batch_size"] == 14  # of the 15 that were asked for, as each device has as many
    assert shared["apart"] < 1e-5
    assert shared["refitted"]
    for losses in ("losses", "validation_losses"):
        assert shared[losses][1] == pytest.approx(shared[losses][0], abs=1e-4)


@pytest.mark.parametrize(
    "engine",
    [
        pytest.param("jax", marks=pytest.mark.trial, id="JAX"),
        pytest.param("torch", marks=pytest.mark.slow, id="PyTorch"),
    ],
)
def test_an_engine_compares(engine: str, home: Path) -> None:
    compared = forecast(engine, home, "compare", "--cells", "gru", *SMALL)
    cell = next(model for model in compared["models"] if model["model"] == "gru")
    assert cell["engine"] == engine


@pytest.mark.slow
@pytest.mark.parametrize("engine", ENGINES)
def test_an_engine_trains_and_another_forecasts_with_it(engine: str, home: Path) -> None:
    card = forecast(engine, home, "train", *SMALL)
    assert card["training"]["engine"] == engine
    assert engine in card["versions"]
    told = [forecast(each, home, "predict", "AAA", "--quiet") for each in ENGINES]
    assert told[0]["predictions"] == told[1]["predictions"] == told[2]["predictions"]


@pytest.mark.slow
@pytest.mark.parametrize("engine", ENGINES)
def test_an_engine_walks_forward_and_retrains_what_another_has_trained(engine: str, home: Path) -> None:
    walk = ("--cells", "gru", "--from", "2017-06-01", "--refit-every", "63", "--jobs", "1", *SMALL)
    walked = forecast(engine, home, "backtest", *walk)
    cell = next(model for model in walked["models"] if model["model"] == "gru")
    assert {training["engine"] for training in cell["trainings"]} == {engine}
    other = ENGINES[ENGINES.index(engine) - 1]
    forecast(other, home, "train", *SMALL)
    (home / "forecast.toml").write_text("")
    retrained = forecast(engine, home, "retrain", "--quiet")
    assert [model["outcome"] for model in retrained["models"]] != []
    version = retrained["models"][0]["version"]
    card = json.loads((home / "models" / "main" / str(version) / "card.json").read_text())
    assert card["training"]["engine"] == engine


@pytest.mark.slow
@pytest.mark.parametrize("engine", ENGINES)
def test_trainings_beside_each_other_are_the_same_on_any_number_of_cores(engine: str) -> None:
    processes = [working(engine, "train alone", cores) for cores in ("1", "2")]
    assert printed(processes[0]) == printed(processes[1])
