"""Let a promoted network learn through the last session: what is served then knows all that is known."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from forecaster.dataset.panel import Panel
from forecaster.dataset.split import Split
from forecaster.errors import ForecastError
from forecaster.network.fitting import Progress
from forecaster.network.training import TrainedNetwork, refit_network
from forecaster.service.gate import refit_fault
from forecaster.settings import TrainSettings


@dataclass(frozen=True)
class Refit:
    """What came of it.

    Attributes:
        fitted: the network to serve in place of the one that was evaluated; None if it is not to be.
        account: for the card: the last day it was trained on, what that cost, or why it was refused.
    """

    fitted: TrainedNetwork | None
    account: dict[str, Any]


def refit(
    panel: Panel,
    split: Split,
    evaluated: TrainedNetwork,
    recipe: TrainSettings,
    report: Callable[[Progress], None],
) -> Refit:
    """Go on to learn from all days, the gate's too, and see whether the result is to be trusted."""
    try:
        fitted = refit_network(panel, evaluated, recipe, report)
    except ForecastError as error:
        return Refit(None, {"refused": error.message})
    fault = refit_fault(panel, split.test, evaluated.network, fitted.network)
    if fault is not None:
        return Refit(None, {"refused": fault})
    account = {
        "refused": None,
        "trained_to": str(panel.dates[-1]),
        "loss": fitted.losses[-1],
        "seconds": fitted.seconds,
    }
    return Refit(fitted, account)
