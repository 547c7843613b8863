"""Batches of which another process computes one half.

With the loops of `loops` a batch is computed by Python, which uses one core. So a partner, a process that
holds a copy of the network, takes half of each batch: some kilobytes of weights and positions go there, and
as many of gradients come back. Where a half is computed moves no bit, and both are added up in the same
order. A partner that is not ready yet, or gone, costs time and nothing else.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from forecaster.dataset.features import Features
from forecaster.network.engine import chosen_backend, make_repeatable, one_thread_wanted, start_engine
from forecaster.processes import Partner
from forecaster.settings import Recipe

if TYPE_CHECKING:
    from forecaster.network.halving_trainer import HalvingTrainer

_FEWEST_WINDOWS = 50_000

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Half:
    """A half of a batch.

    Attributes:
        number: of all halves of the fit, from 0; dropout is drawn from it.
        weights: of the network, one after the other.
        rows: positions of windows (W,).
        known: steps ahead that count at each supervised day (W, S).
        targets: that count in the whole batch.
    """

    number: int
    weights: Floats
    rows: NDArray[np.int32]
    known: Floats
    targets: float


@dataclass(frozen=True)
class Material:
    """From which either process builds the same network.

    Attributes:
        features: of the panel; (N, D, F).
        log_return: (N, D).
        recipe: the network's and the fit's.
        known_ahead: how many features go to the head.
        supervised: days of a window.
        numpy_loops: whether cells have the loops of `loops`.
        batch: windows a step.
    """

    features: Features
    log_return: Floats
    recipe: Recipe
    known_ahead: int
    supervised: int
    numpy_loops: bool
    batch: int

    def trainer(self, partner: Partner[Half, Floats] | None = None) -> "HalvingTrainer":
        """The recipe's network, with random weights, and what trains it, if need be without a partner."""
        from forecaster.network.halving_trainer import HalvingTrainer
        from forecaster.network.keras_network import build_network

        make_repeatable(self.recipe.seed, "tensorflow")
        network = build_network(
            self.features.values.shape[-1],
            self.recipe,
            self.known_ahead,
            last=self.supervised,
            numpy_loops=self.numpy_loops,
        )
        parts = network, self.features, self.log_return, self.recipe, self.supervised
        return HalvingTrainer(partner, *parts)


@contextmanager
def partner_expected(windows: float, device: str) -> Iterator[Partner[Half, Floats] | None]:
    """A partner that gets ready to be told what to do, for as long as the block lasts.

    It imports TensorFlow while this process does, which takes some seconds.

    Args:
        windows: at most, in all epochs.
        device: as the recipe has it.
    """
    from joblib import cpu_count

    useful = is_worth_halving(windows) and chosen_backend() == "tensorflow" and device in ("auto", "cpu")
    if not useful or one_thread_wanted() or cpu_count() == 1:
        yield None
        return
    with Partner[Half, Floats](_prepare) as partner:
        yield partner


def is_worth_halving(windows: float) -> bool:
    """Whether so many windows, in all epochs, are halved; fewer are done before a partner is ready."""
    return windows >= _FEWEST_WINDOWS


def _prepare() -> None:
    start_engine("cpu")


def answer_for_halves(material: Material) -> Callable[[Half], Floats]:
    """In a partner: what answers for half of a batch."""
    from threadpoolctl import threadpool_limits

    threadpool_limits(1, user_api="blas")
    trainer = material.trainer()
    trainer.trace(material.batch)
    return trainer.loss_and_gradient
