"""Early stopping on losses written by hand; windows for several devices."""

import numpy as np
import pytest

from forecaster.errors import UsageError
from forecaster.network.fitting import EarlyStopping, _divisible
from forecaster.network.training import _budget
from forecaster.settings import Recipe


@pytest.mark.parametrize(
    ("losses", "kept", "best_epoch", "stops_after"),
    [
        pytest.param([3, 2, 1], [True, True, True], 2, None, id="falls-to-the-end"),
        pytest.param([3, 1, 2, 2], [True, True, False, False], 1, 4, id="patience-runs-out"),
        pytest.param([3, 1, 2, 0.5, 2], [True, True, False, True, False], 3, None, id="recovers-in-time"),
        pytest.param([2, 2, 2], [True, False, False], 0, 3, id="equal-is-not-better"),
        pytest.param([1, float("nan"), 2], [True, False, False], 0, 3, id="nan-is-not-better"),
    ],
)
def test_the_best_is_kept_and_two_worse_end_it(
    losses: list[float], kept: list[bool], best_epoch: int, stops_after: int | None
) -> None:
    stopping = EarlyStopping(patience=2)
    exhausted = []
    for loss, best in zip(losses, kept, strict=True):
        assert stopping.record(loss) == best
        exhausted.append(stopping.exhausted)
    assert stopping.best_epoch == best_epoch
    assert stopping.best_loss == losses[best_epoch]
    assert stopping.losses == losses
    assert exhausted == [number + 1 == stops_after for number in range(len(losses))]


def test_each_device_has_as_many_windows() -> None:
    rows, steps = np.array([7, 8, 9], "i4"), np.ones((3, 2), "f4")
    same = _divisible(rows, steps, 1)
    assert same[0].tolist() == [7, 8, 9]
    assert same[1].tolist() == [[1, 1]] * 3
    padded = _divisible(rows, steps, 4)
    assert padded[0].tolist() == [7, 8, 9, 9]
    assert padded[1].tolist() == [[1, 1]] * 3 + [[0, 0]]  # the one more counts for nothing


def test_batches_divide_among_devices() -> None:
    four = ("gpu:0", "gpu:1", "gpu:2", "gpu:3")
    sizes = [_budget(1000, Recipe(batch_size=size), four).batch for size in (3, 4, 103, 5000)]
    assert sizes == [4, 4, 100, 1000]
    assert _budget(1001, Recipe(batch_size=5000), four).batch == 1000
    assert _budget(1001, Recipe(batch_size=5000)).batch == 1001
    with pytest.raises(UsageError, match="3 windows are too few for 4 GPUs; use --device gpu"):
        _budget(3, Recipe(), four)
