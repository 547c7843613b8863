"""What a GPU and mixed precision do for training: targets a second and CRPS, by engine, device and precision.

    python benchmarks/gpu_bench.py [INDEX] [--engines tensorflow,jax,torch] [--quick]

Every engine that is installed runs `forecast compare` on the CPU and, where it sees a GPU, on that one in
float32 and in mixed precision; JAX also on all GPUs at once, if there are several. The ways take turns, twice
each. A rate is the mean of both; "repeats" says whether both came to the same losses to the last bit, and
"CRPS" is the network's, at the first and the last step, over that of the same engine on the CPU in float32.
INDEX is a long Parquet or CSV file; without it the prices are the sample. `--quick` takes sizes that say
nothing, and mixed precision on the CPU too, and shows that the benchmark works.

Exit code 69 where no engine sees a GPU; what the CPU does is printed all the same.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from statistics import mean
from typing import Any

from forecaster.errors import ExitCode
from forecaster.settings import FLOAT32, MIXED

ENGINES = ("tensorflow", "jax", "torch")
ROUNDS = 2
QUICK = ("AAPL", "MSFT", "--cells", "gru", "--epochs", "1", "--units", "4", "--lookback", "20")
PROBE = """
import sys
from forecaster.network.engine import start_engine
print(start_engine(sys.argv[1]).device)
"""
HEAD = f"{'engine':11}{'device':8}{'precision':10}{'cell':7}{'kernel':7}{'targets/s':>11}{'x CPU':>8}"


@dataclass(frozen=True)
class Way:
    """How cells are trained: by which engine, on what, how exactly."""

    engine: str
    device: str
    precision: str


def main() -> None:
    """Every way in turn, then a row for each cell of each way."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument(
        "index", nargs="?", default="", help="long Parquet or CSV file; the sample without it"
    )
    parser.add_argument("--engines", default=",".join(ENGINES), help="of those that are installed")
    parser.add_argument("--quick", action="store_true", help="sizes that say nothing")
    given = parser.parse_args()
    engines = [engine for engine in given.engines.split(",") if find_spec(engine)]
    if not engines:
        parser.error(f"none of {given.engines} is installed")
    if given.index and not Path(given.index).is_file():
        parser.error(f"{given.index} is no file")
    devices = {engine: gpus(engine) for engine in engines}
    ways = [way for engine in engines for way in ways_of(engine, devices[engine], quick=given.quick)]
    with tempfile.TemporaryDirectory() as home:
        forecast(home, "fetch", "--source", given.index or "sample", "--quiet")
        found: dict[Way, list[dict[str, Any]]] = {way: [] for way in ways}
        for _ in range(ROUNDS):
            for way in ways:
                found[way].append(compared(home, way, QUICK if given.quick else ()))
    show(found)
    if not any(devices.values()):
        print(f"No GPU: none is seen by {', '.join(engines)}; the rows above are the CPU's alone.")
        sys.exit(ExitCode.UNAVAILABLE)


def gpus(engine: str) -> tuple[str, ...]:
    """The devices to measure beside the CPU, as `--device` takes them."""
    if probed(engine, "auto") == "cpu":
        return ()
    return ("gpu", "gpus") if engine == "jax" and probed(engine, "gpus") != "gpu" else ("gpu",)


def probed(engine: str, device: str) -> str:
    """What the engine computes on when it is asked for a device."""
    words = [sys.executable, "-c", PROBE, device]
    return subprocess.run(
        words, env=with_engine(engine), capture_output=True, text=True, check=True
    ).stdout.strip()


def ways_of(engine: str, devices: tuple[str, ...], *, quick: bool) -> list[Way]:
    """The CPU first: all others are measured by it."""
    ways = [Way(engine, "cpu", FLOAT32)]
    if quick:
        ways.append(Way(engine, "cpu", MIXED))
    return ways + [Way(engine, device, precision) for device in devices for precision in (FLOAT32, MIXED)]


def compared(home: str, way: Way, small: tuple[str, ...]) -> dict[str, Any]:
    """By cell, what `forecast compare` says of it."""
    chosen = ("--device", way.device, "--precision", way.precision, "--jobs", "1")
    printed = forecast(home, "compare", *small, *chosen, "--json", "--quiet", engine=way.engine)
    return {model["model"]: model for model in json.loads(printed)["models"] if model["kind"] == "cell"}


def forecast(home: str, *words: str, engine: str = ENGINES[0]) -> str:
    """What a command prints on stdout."""
    command = [sys.executable, "-m", "forecaster.cli.main", *words, "--home", home]
    return subprocess.run(
        command, env=with_engine(engine), stdout=subprocess.PIPE, text=True, check=True
    ).stdout


def with_engine(engine: str) -> dict[str, str]:
    """The environment of a command that trains with it."""
    return os.environ | {"KERAS_BACKEND": engine, "TF_CPP_MIN_LOG_LEVEL": "3"}


def show(found: dict[Way, list[dict[str, Any]]]) -> None:
    """A row for each cell of each way."""
    print(f"{HEAD}{'repeats':>9}{'CRPS, first':>13}{'last':>8}")
    for way, rounds in found.items():
        plain = found[Way(way.engine, "cpu", FLOAT32)]
        for cell, model in rounds[0].items():
            rate, by_cpu = (mean(each[cell]["targets_per_second"] for each in of) for of in (rounds, plain))
            repeats = all(each[cell]["losses"] == model["losses"] for each in rounds)
            ratios = [
                scores["crps"] / plain[0][cell]["scores"][step]["crps"]
                for step, scores in model["scores"].items()
            ]
            print(
                f"{way.engine:11}{model['device']:8}{way.precision:10}{cell:7}{model['kernel']:7}"
                f"{rate:11,.0f}{rate / by_cpu:8.2f}{'yes' if repeats else 'no':>9}"
                f"{ratios[0]:13.5f}{ratios[-1]:8.5f}"
            )


if __name__ == "__main__":
    main()
