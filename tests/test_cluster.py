"""Tasks on a real Ray cluster of two nodes on this machine."""

import json
import shutil
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cluster_work import engine_there, failing, slowly, summed
from factories import filled_store, random_walk_table

from forecaster import cluster as module
from forecaster.cli.main import run
from forecaster.cluster import cluster, is_connected, slots
from forecaster.errors import BadInputError, ExitCode, ForecastError, UsageError
from forecaster.laboratory.prices.sweep import plan_sweep, run_sweep
from forecaster.laboratory.prices.trials import run_price_trial, trial_setup
from forecaster.laboratory.trials import ResultsFile
from forecaster.packing import SHARED_BYTES
from forecaster.processes import Workers, most_jobs, results_of
from forecaster.settings import Recipe


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        pytest.param(["--engine", "spark"], "--engine spark", id="engine"),
        pytest.param(["--address", "auto"], "--engine ray", id="address alone"),
    ],
)
def test_wrong_flags_are_one_line(
    own_home: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], words: str
) -> None:
    for command in ("compare", "backtest", "tune"):
        assert run([command, "AAA", *arguments, "--quiet", "--home", str(own_home)]) == ExitCode.USAGE
        err = capsys.readouterr().err
        assert err.count("\n") == 1
        assert words in err


def test_without_ray_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "find_spec", lambda _: None)
    with pytest.raises(UsageError, match=r"forecaster\[ray\]"), cluster():
        pass
    assert not is_connected()


@pytest.fixture(scope="module")
def nodes() -> Iterator[Any]:
    """A cluster whose head has one core; each further node brings one more."""
    from ray.cluster_utils import Cluster

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", f"{Path(__file__).parent}:{Path(__file__).parents[1]}")
        found = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
        try:
            yield found
        finally:
            found.shutdown()


@pytest.fixture
def connected(nodes: Any) -> Iterator[Any]:
    with cluster(nodes.address):
        yield nodes


pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::FutureWarning")


@pytest.mark.trial
def test_large_arrays_are_sent_once_and_results_are_as_here(connected: Any) -> None:
    import ray

    assert connected
    large, small = np.arange(SHARED_BYTES // 8 + 1, dtype=np.float64), np.arange(5.0)
    before = ray.put  # counted
    put: list[Any] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ray, "put", lambda value: put.append(value) or before(value))
        tasks = [*((number, large) for number in range(4)), (4, small)]
        found = list(results_of(summed, tasks, 2))
    assert [number for number, _, _ in found] == [0, 1, 2, 3, 4]
    assert [total for _, total, _ in found] == [float(large.sum())] * 4 + [10.0]
    assert [writeable for _, _, writeable in found] == [False] * 4 + [True]
    assert len(put) == 1


@pytest.mark.trial
def test_an_error_is_that_of_the_task(connected: Any) -> None:
    assert connected
    with pytest.raises(BadInputError, match="three is bad"):
        list(results_of(failing, list(range(5)), 2))
    with Workers(failing, 2) as workers:
        for number in (1, 2):
            workers.start(10 + number, number)
        assert sorted(workers.next_done() for _ in range(2)) == [(11, 1), (12, 2)]


@pytest.mark.trial
def test_workers_train_with_the_engine_that_is_chosen_here(
    connected: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The nodes were started before it was chosen, as those of other machines are."""
    assert connected
    for engine in ("torch", None, "jax"):
        if engine is None:
            monkeypatch.delenv("KERAS_BACKEND")
        else:
            monkeypatch.setenv("KERAS_BACKEND", engine)
        assert list(results_of(engine_there, [1], 1)) == [engine]


@pytest.mark.trial
def test_nodes_of_another_version_are_rejected(connected: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    assert connected
    monkeypatch.setattr(module, "__version__", "99.0")
    with pytest.raises(ForecastError, match=r"this machine has 99\.0"):
        list(results_of(failing, [1], 1))


@pytest.mark.trial
def test_a_node_that_is_killed_costs_no_result(connected: Any, tmp_path: Path) -> None:
    node = connected.add_node(num_cpus=1)
    connected.wait_for_nodes()
    deadline = time.monotonic() + 60
    while slots() < 2 and time.monotonic() < deadline:
        time.sleep(0.2)
    assert most_jobs() == 2
    tasks = [(number, str(tmp_path)) for number in range(6)]

    def kill() -> None:
        while len(list(tmp_path.iterdir())) < 2:
            time.sleep(0.1)
        connected.remove_node(node, allow_graceful=False)

    killer = threading.Thread(target=kill)
    killer.start()
    found = sorted(results_of(slowly, tasks, 2, ordered=False))
    killer.join()
    assert found == [number * number for number in range(6)]
    marks = [path.read_text().count("begun") for path in tmp_path.iterdir()]
    assert sum(marks) > 6  # what ran on the node was done again


@pytest.mark.trial
def test_the_laboratory_needs_no_prices_on_the_nodes(connected: Any, tmp_path: Path) -> None:
    assert connected
    filled_store(tmp_path, *(random_walk_table(name, 600, seed) for seed, name in enumerate("AB")))
    setup = trial_setup(tmp_path, None, Recipe(horizon=2, lookback=12, units=2, epochs=1))
    shutil.rmtree(tmp_path / "data")
    plans = plan_sweep(setup, "units", [2], ["rnn"], "units", 1)
    (point,) = run_sweep(setup.data, plans, ResultsFile(tmp_path, "prices"), jobs=1)
    trial = plans[0].trials[0]
    assert point.crps == pytest.approx(run_price_trial(setup.data, trial)["crps"], rel=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(["backtest", "--from", "2026-06-01", "--refit-every", "63"], id="backtest"),
        pytest.param(["compare", "--seeds", "2"], id="compare"),
    ],
)
def test_results_are_those_of_this_machine_bit_for_bit(
    nodes: Any, own_home: Path, capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    small = ["--lookback", "12", "--horizon", "2", "--units", "4", "--epochs", "1", "--cells", "rnn,gru"]

    def document(*engine: str) -> dict[str, Any]:
        command = [*arguments, "AAA", "BBB", *small, *engine, "--json", "--quiet", "--home", str(own_home)]
        assert run(command) == ExitCode.DONE
        found: dict[str, Any] = json.loads(capsys.readouterr().out)
        return found

    def lasting(found: Any) -> Any:
        """Without times and memory."""
        measured = {"seconds", "train_seconds", "targets_per_second", "peak_memory_mb"}
        if isinstance(found, dict):
            return {name: lasting(value) for name, value in found.items() if name not in measured}
        return [lasting(value) for value in found] if isinstance(found, list) else found

    on_cluster = document("--engine", "ray", "--address", nodes.address)
    shutil.rmtree(own_home / "results")
    assert lasting(on_cluster) == lasting(document("--jobs", "1"))
