"""A claim: what is said, the effect that was measured, and the rule by which the one decides the other."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from forecaster.laboratory.claims.effects import FEWEST_SEEDS, Effect

SUPPORTED, NOT_SUPPORTED, UNDECIDED = "supported", "not supported", "undecided"
VERDICTS = (SUPPORTED, NOT_SUPPORTED, UNDECIDED)
GROUPS: Mapping[str, str] = {
    "design": "what a cell is",
    "gradients": "how far its gradient reaches",
    "memory": "what it can learn to remember",
    "prices": "what that is worth on prices",
    "cost": "what it costs",
}
"""The kinds of claims, in the order in which they are shown."""
ABOVE, BELOW, WITHIN = "above", "below", "within"
_MOST = 1000  # seeds that anybody would run


@dataclass(frozen=True)
class Rule:
    """What a claim says of its effect: that it lies above or below a bound, or within it to either side."""

    says: str
    bound: float

    def verdict(self, effect: Effect) -> str:
        """Supported where the whole interval is where the claim says, and not where none of it is."""
        if self.says == WITHIN:
            if max(abs(effect.low), abs(effect.high)) <= self.bound:
                return SUPPORTED
            outside = effect.low > self.bound or effect.high < -self.bound
            return NOT_SUPPORTED if outside else UNDECIDED
        above = self.says == ABOVE
        if effect.low > self.bound:
            return SUPPORTED if above else NOT_SUPPORTED
        if effect.high < self.bound:
            return NOT_SUPPORTED if above else SUPPORTED
        return UNDECIDED

    def otherwise(self, unit: str) -> str:
        """Which interval would have decided the other way."""
        bound = f"{self.bound:g}{f' {unit}' if unit else ''}"
        if self.says == WITHIN:
            return f"an interval wholly beyond ± {bound}"
        return f"an interval wholly {BELOW if self.says == ABOVE else ABOVE} {bound}"

    def needed(self, effect: Effect) -> str:
        """What would decide a claim that the effect leaves open: empty where it decides it.

        Half of an interval falls as one over the root of the number of runs, down to what the test days
        leave of it; the effect is taken as it is now.
        """
        if self.verdict(effect) != UNDECIDED:
            return ""
        if effect.repeats < FEWEST_SEEDS or math.isinf(effect.margin):
            return f"at least {FEWEST_SEEDS} {effect.of}"
        distance = abs(self._for(effect)[1])
        if effect.margin == 0:
            return f"{effect.of} that differ: all came out alike"
        if 0 < effect.floor >= distance:
            times = (effect.floor / distance) ** 2 if distance else math.inf
            return f"{_about(times)} times as many test days, whatever the seeds"
        if distance == 0:
            return f"more than {_MOST:,} {effect.of} (now {effect.repeats})"
        excess = max(effect.margin**2 - effect.floor**2, 0.0)
        runs = effect.repeats * excess / (distance**2 - effect.floor**2)
        return f"{_about(max(runs, effect.repeats + 1))} {effect.of} (now {effect.repeats})"

    def scaled(self, effect: Effect) -> tuple[float, float, float]:
        """Low, value and high as evidence for the claim: the bound at 0, the interval's farther end at ±1.

        So that claims with different units stand beside each other; what is right of 0 speaks for the
        claim.
        """
        low, value, high = self._for(effect)
        farthest = max(abs(low), abs(high))
        if farthest == 0 or math.isinf(farthest):
            return (-1.0, 0.0, 1.0) if farthest else (0.0, 0.0, 0.0)
        return low / farthest, value / farthest, high / farthest

    def _for(self, effect: Effect) -> tuple[float, float, float]:
        """Low, value and high of how far the effect is on the claim's side of the bound."""
        low, value, high = effect.low, effect.value, effect.high
        if self.says == ABOVE:
            return low - self.bound, value - self.bound, high - self.bound
        if self.says == BELOW:
            return self.bound - high, self.bound - value, self.bound - low
        nearest = 0.0 if low <= 0 <= high else min(abs(low), abs(high))
        return self.bound - max(abs(low), abs(high)), self.bound - abs(value), self.bound - nearest

    def least(self, effect: Effect) -> float:
        """How far the end of the interval that speaks least for the claim is on its side of the bound."""
        return self._for(effect)[0]


@dataclass(frozen=True)
class Claim:
    """One claim, judged.

    Attributes:
        name: a word or two.
        group: one of `GROUPS`.
        sentence: what is said.
        measured: what was measured, on what, with which seeds and settings.
        figure: what came out, with its uncertainty.
        verdict: supported, not supported or undecided.
        effect, low, high, unit: the effect with its 95 % interval.
        says, bound: that the effect is above, below or within this.
        otherwise: what would have decided the other way.
        needed: what it would take to decide it; empty if it is decided.
        command: what shows more.
        values: the figures as numbers.
    """

    name: str
    group: str
    sentence: str
    measured: str
    figure: str
    verdict: str
    effect: float
    low: float
    high: float
    unit: str
    says: str
    bound: float
    otherwise: str
    needed: str
    command: str
    values: dict[str, Any]


@dataclass(frozen=True)
class Said:
    """A claim before it is measured: its words, and the rule that decides it; see `Claim` and `Rule`."""

    name: str
    group: str
    sentence: str
    rule: Rule
    command: str
    what: str = field(default="")
    """What the effect is of, as in GRU − LSTM."""

    def judged(
        self, effect: Effect, measured: str, more: str = "", values: Mapping[str, Any] | None = None
    ) -> Claim:
        """With what was measured.

        Args:
            effect: that decides.
            measured: what was measured, on what.
            more: what else came out.
            values: figures as numbers.
        """
        figure = f"{self.what} {effect}".strip()
        return Claim(
            name=self.name,
            group=self.group,
            sentence=self.sentence,
            measured=measured,
            figure=f"{figure}; {more}" if more else figure,
            verdict=self.rule.verdict(effect),
            effect=effect.value,
            low=effect.low,
            high=effect.high,
            unit=effect.unit,
            says=self.rule.says,
            bound=self.rule.bound,
            otherwise=self.rule.otherwise(effect.unit),
            needed=self.rule.needed(effect),
            command=self.command,
            values=dict(values or {}),
        )


def weakest(rule: Rule, effects: Mapping[str, Effect]) -> str:
    """Which of several effects speaks least for a claim that all of them have to support.

    One that refutes the claim comes first, then one that leaves it open.
    """
    order = (NOT_SUPPORTED, UNDECIDED, SUPPORTED)

    def rank(name: str) -> tuple[int, float]:
        return order.index(rule.verdict(effects[name])), rule.least(effects[name])

    return min(effects, key=rank)


def tally(claims: Sequence[Claim]) -> str:
    """How many of each verdict, as in 3 supported, 1 not supported, 2 undecided."""
    return ", ".join(f"{sum(claim.verdict == verdict for claim in claims)} {verdict}" for verdict in VERDICTS)


def _about(number: float) -> str:
    return f"about {math.ceil(number):,}" if number <= _MOST else f"more than {_MOST:,}"
