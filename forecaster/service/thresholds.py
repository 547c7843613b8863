"""Prices that people ask about, and the chance that a close lies beyond one."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from forecaster.errors import UsageError
from forecaster.network.step_copula import StepCopula
from forecaster.service.prediction import Prediction

QUESTIONS = ("above", "below", "touch")
"""What is asked of a price: whether the close is beyond it, or whether one has reached it by then."""
_NUMBER = r"[0-9]+(\.[0-9]*)?|\.[0-9]+"
_PRICE, _SHARE = re.compile(rf"({_NUMBER})"), re.compile(rf"[+-]({_NUMBER}) ?%")


@dataclass(frozen=True)
class Threshold:
    """A price to be asked about.

    Attributes:
        amount: the price; where `relative`, how many per cent it lies above the last close (negative: below).
        relative: whether it depends on the last close.
    """

    amount: float
    relative: bool = False

    def __str__(self) -> str:
        """Like 210.5, +5% or -2.5%."""
        return f"{self.amount:+.12g}%" if self.relative else f"{self.amount:.12g}"

    def price(self, last_close: float) -> float:
        """The price itself, on the scale of the last close.

        Example:
            -5% of a last close of 200 is 190.
        """
        return last_close * (1 + self.amount / 100) if self.relative else self.amount


def parse_threshold(given: float | str, said: str) -> Threshold:
    """A price, or a percentage with its sign that is meant from the last close.

    Args:
        given: like 210.5 or "+5%".
        said: what it is called where it was given.

    Raises:
        UsageError: it is neither, or a price that is not positive.
    """
    text = given.strip() if isinstance(given, str) else repr(float(given))
    remedy = "write a price, like 210.5, or a change from the last close with its sign, like +5% or -5%"
    if isinstance(given, str) and not (_PRICE.fullmatch(text) or _SHARE.fullmatch(text)):
        raise UsageError(f"{said} {text[:40]!r} is neither a price nor a change in per cent", remedy)
    relative = text.endswith("%")
    amount = float(text.rstrip("% "))
    if not math.isfinite(amount) or amount <= (-100 if relative else 0):
        raise UsageError(f"{said} {text[:40]} gives no price above zero", remedy)
    return Threshold(amount, relative)


def parse_thresholds(given: Mapping[str, float | str | None], tickers: int) -> dict[str, Threshold]:
    """Those that were given, by name.

    Args:
        given: by what it is called, like "above" or "--above"; the dashes are left out of the answer.
        tickers: of how many they are asked.

    Raises:
        UsageError: as `parse_threshold`, or it is one price for several tickers.
    """
    found = {}
    for said, value in given.items():
        if value is None:
            continue
        threshold = parse_threshold(value, said)
        if tickers > 1 and not threshold.relative:
            raise UsageError(
                f"{said} {threshold} is one price for {tickers:,} tickers",
                f"name one ticker, or give a change from each one's last close, like {said} +5%",
            )
        found[said.lstrip("-")] = threshold
    return found


def chance_below(prediction: Prediction, threshold: Threshold) -> NDArray[np.float64]:
    """The chance at each step that the close lies at or below the threshold, (H,).

    It is the Student-t's distribution function at the log return from the last close to the threshold.
    """
    move = math.log(threshold.price(prediction.last_close)) - math.log(prediction.last_close)
    return prediction.recalibrated.probability_below(np.full(len(prediction.dates), move))


def chance_touched(prediction: Prediction, threshold: Threshold, copula: StepCopula) -> NDArray[np.float64]:
    """The chance that one of the closes up to each step is at the threshold or beyond it, (H,).

    A price at the last close or above it is reached from below, another one from above. Only closes are
    forecast: what a price does between them is not seen.
    """
    below = chance_below(prediction, threshold)
    falling = threshold.price(prediction.last_close) < prediction.last_close
    return copula.chance_touched(below if falling else 1 - below)


def chances(
    prediction: Prediction, asked: Mapping[str, Threshold], copula: StepCopula
) -> dict[str, NDArray[np.float64]]:
    """The chance at each step of what is asked, by its name, (H,).

    Args:
        prediction: one ticker's.
        asked: by question: above, below, touch.
        copula: the dependence of the model's steps.
    """
    found = {}
    for name, each in asked.items():
        if name == "touch":
            found[name] = chance_touched(prediction, each, copula)
        else:
            below = chance_below(prediction, each)
            found[name] = 1 - below if name == "above" else below
    return found
