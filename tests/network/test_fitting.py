"""Early stopping on losses written by hand."""

import pytest

from forecaster.network.fitting import EarlyStopping


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
