"""Folds come back from their files as they went in, or not at all."""

import os
from pathlib import Path

import numpy as np
import pytest
from network_factory import random_network

from forecaster.errors import DiskError
from forecaster.evaluation.fold_store import (
    MOST_KEPT_BYTES,
    FoldCost,
    FoldResult,
    FoldStore,
    in_float32,
    joined,
)
from forecaster.evaluation.forecasts import Origins
from forecaster.evaluation.quantile_forecast import QuantileForecast
from forecaster.network.student_t import ForecastDistribution

ORIGINS = Origins(np.array([0, 0, 3]), np.array([5, 6, 5]))


def distribution() -> ForecastDistribution:
    values = np.random.default_rng(0).normal(1, 0.1, (3, 3, 2)).astype(np.float32)
    return ForecastDistribution(values[0], values[1], values[2] + 4)


def test_a_network_s_fold_comes_back(tmp_path: Path) -> None:
    network = random_network("gru", units=3)
    cost = FoldCost(1.5, 1000, 4, 3, 99, "tensorflow", "cpu", "loop")
    FoldStore(tmp_path / "new").save("abc", FoldResult(ORIGINS, distribution(), network, cost))
    found = FoldStore(tmp_path / "new").load("abc")
    assert found is not None
    assert found.origins.ticker.tolist() == [0, 0, 3]
    assert found.origins.day.tolist() == [5, 6, 5]
    assert found.cost == cost
    assert np.array_equal(found.forecast.scale, distribution().scale)  # type: ignore[attr-defined]
    assert found.network is not None
    assert (found.network.cell, found.network.features) == (network.cell, network.features)
    for name, values in network.weights.items():
        assert np.array_equal(found.network.weights[name], values)


def test_quantiles_come_back(tmp_path: Path) -> None:
    made = QuantileForecast({1: np.arange(75.0).reshape(3, 25), 5: np.ones((3, 25))})
    FoldStore(tmp_path).save("q", FoldResult(ORIGINS, in_float32(made), substituted=("AAA",)))
    found = FoldStore(tmp_path).load("q")
    assert found is not None
    assert found.network is None
    assert found.substituted == ("AAA",)
    assert found.forecast.steps == (1, 5)
    assert np.array_equal(found.forecast.at_step(1).median, made.at_step(1).median)


def test_folds_are_joined_in_order() -> None:
    both = joined([distribution(), distribution().take(np.array([1]))])
    assert both.location.shape == (4, 2)  # type: ignore[attr-defined]
    quantiles = QuantileForecast({1: np.arange(50.0).reshape(2, 25)})
    assert joined([quantiles, quantiles]).at_step(1).median.tolist() == [12, 37, 12, 37]


@pytest.mark.parametrize("damage", ["cut", "changed", "empty", "text", "folder", "pickle"])
def test_a_damaged_file_counts_as_not_there(tmp_path: Path, damage: str) -> None:
    store = FoldStore(tmp_path)
    store.save("abc", FoldResult(ORIGINS, distribution(), random_network("rnn", units=3)))
    path = next(tmp_path.glob("*.npz"))
    content = bytearray(path.read_bytes())
    path.unlink()
    if damage == "folder":
        path.mkdir()
    elif damage == "pickle":
        np.savez(path, facts=np.array([{"cost": {}}], dtype=object))
    else:
        content[len(content) // 2] ^= 255
        changed = {"cut": content[: len(content) // 2], "changed": content, "empty": b"", "text": b"no"}
        path.write_bytes(changed[damage])
    assert store.load("abc") is None


def test_what_was_not_used_for_longest_goes_first(tmp_path: Path) -> None:
    store = FoldStore(tmp_path)
    for age, name in enumerate(("old", "older", "oldest")):
        store.save(name, FoldResult(ORIGINS, distribution()))
        os.utime(tmp_path / f"{name}.npz", (1000 - age, 1000 - age))
    size = (tmp_path / "old.npz").stat().st_size
    store.load("oldest")  # which makes it the one used last
    store.prune(2 * size)
    assert sorted(path.stem for path in tmp_path.glob("*.npz")) == ["old", "oldest"]
    assert MOST_KEPT_BYTES == 2_000_000_000


def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DiskError):
        FoldStore(tmp_path / "file" / "folds").check()
