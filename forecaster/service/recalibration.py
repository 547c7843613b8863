"""Bring the recalibration of every version up to date by what its own forecasts have come to."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

from forecaster.errors import ForecastError, NotFoundError, TryLaterError
from forecaster.ledger.calibration import live_calibration
from forecaster.ledger.ledger import Ledger
from forecaster.network.artifact import read_card
from forecaster.prices.calendar import last_closed_session
from forecaster.registry.calibration import calibration_of_card, keep_calibration
from forecaster.registry.versions import ModelRegistry


@dataclass(frozen=True)
class Recalibrated:
    """A version's 90 % intervals at one step, over its scored forecasts.

    Attributes:
        model: NAME@VERSION.
        step: days ahead.
        forecasts: how many.
        coverage_90: of the intervals as the network has them.
        recalibrated_90: of those that were recalibrated by the outcomes known at each origin.
        days: whose outcomes were counted, those of its test days among them.
        through: the last of them.
    """

    model: str
    step: int
    forecasts: int
    coverage_90: float
    recalibrated_90: float
    days: int
    through: str


def recalibrate(registry: ModelRegistry, ledger: Ledger, now: datetime) -> list[Recalibrated]:
    """Work out each version's recalibration and keep it beside the version.

    Versions whose card is damaged, or from before there was a recalibration, are left out.

    Raises:
        ForecastError: as `Ledger`, or the disk fails.
    """
    found: list[Recalibrated] = []
    for name, version in _versions(registry, ledger):
        try:
            card = read_card(registry.version_folder(name, version))
            start = calibration_of_card(card)
        except ForecastError:
            continue
        if start is None:
            continue
        live = live_calibration(ledger, name, version, start, last_closed_session(now))
        reference, calibration = f"{name}@{version}", live.calibration
        # Who writes now is not waited for, and the version may be gone: the next night keeps it.
        with suppress(TryLaterError, NotFoundError):
            keep_calibration(registry, reference, calibration)
        found += [
            Recalibrated(
                reference,
                step,
                count.forecasts,
                count.covered / count.forecasts,
                count.recalibrated / count.forecasts,
                int(calibration.days[step - 1]),
                calibration.through,
            )
            for step, count in live.counts.items()
        ]
    return found


def _versions(registry: ModelRegistry, ledger: Ledger) -> Iterator[tuple[str, int]]:
    """Those of the registry that have a forecast in the ledger."""
    names = set(registry.names())
    for name, version in ledger.select("SELECT DISTINCT model, version FROM forecasts ORDER BY 1, 2"):
        if name in names and version in registry.versions(name):
            yield name, version
