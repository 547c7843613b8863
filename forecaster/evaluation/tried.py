"""Every test of a cell against a reference in a comparison, with p-values adjusted for their number."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from forecaster.evaluation.baselines import BASELINES, SAME_INPUTS
from forecaster.evaluation.comparison import ModelResult
from forecaster.evaluation.metrics import skill
from forecaster.evaluation.significance import DieboldMariano, Lead, diebold_mariano, holm, lead_of

LEVEL = 0.05
RANGE, PRICE, DIRECTION = "range", "price", "direction"
ALWAYS_UP = "always-up"


@dataclass(frozen=True)
class Tried:
    """One test.

    Attributes:
        question: `range` (CRPS), `price` (the median's absolute error) or `direction` (share of right signs).
        cell: whose forecasts.
        reference: a baseline, or always-up.
        step: days ahead.
        gain: the share of the reference's loss that is saved; of `direction`, the share of signs more.
        test: what the test found.
        adjusted: its p-value by Holm's method among all cells and steps, for this question and reference;
            NaN where there are too few days.
        tried: how many those are.
    """

    question: str
    cell: str
    reference: str
    step: int
    gain: float
    test: DieboldMariano | Lead
    adjusted: float
    tried: int

    @property
    def better(self) -> bool:
        """Whether the cell is significantly better."""
        return self.gain > 0 and self.adjusted < LEVEL

    @property
    def worse(self) -> bool:
        """Whether the cell is significantly worse."""
        return self.gain < 0 and self.adjusted < LEVEL

    def described(self) -> dict[str, Any]:
        """The test with its name, as JSON documents hold it."""
        return {
            "question": self.question,
            "model": self.cell,
            "reference": self.reference,
            "step": self.step,
            "gain": self.gain,
            **self.test.described(),
            "adjusted": self.adjusted,
            "tried": self.tried,
        }


Table = Mapping[tuple[str, str, str, int], Tried]
"""Tests by question, cell, reference and step."""


def all_tried(cells: Sequence[ModelResult], baselines: Sequence[ModelResult]) -> Table:
    """Test every cell against every baseline at every step that is shown.

    A family, whose p-values are adjusted together, is one question against one reference. A claim that a
    cell beats several references needs each of them, so their number needs no adjustment.

    Args:
        cells: of one comparison.
        baselines: only the random walks are asked about the price: others' medians are no naive forecasts.
    """
    families = [_family(RANGE, row.model, cells, _range_test(row)) for row in baselines]
    families += [
        _family(PRICE, row.model, cells, _price_test(row)) for row in baselines if row.model in BASELINES
    ]
    families.append(_family(DIRECTION, ALWAYS_UP, cells, _direction_test))
    return {
        (test.question, test.cell, test.reference, test.step): test for family in families for test in family
    }


Test = Callable[[ModelResult, int], tuple[float, DieboldMariano | Lead]]


def _family(question: str, reference: str, cells: Sequence[ModelResult], test: Test) -> list[Tried]:
    found = []
    for cell in cells:
        for step in cell.steps:
            gain, result = test(cell, step)
            found.append(Tried(question, cell.model, reference, step, gain, result, result.p_value, 1))
    adjusted = holm([each.adjusted for each in found])
    return [replace(each, adjusted=p, tried=len(found)) for each, p in zip(found, adjusted, strict=True)]


def _range_test(row: ModelResult) -> Test:
    def test(cell: ModelResult, step: int) -> tuple[float, DieboldMariano | Lead]:
        gain = skill(cell.steps[step].crps, row.steps[step].crps)
        own, other = cell.losses[step].crps, row.losses[step].crps
        if row.model in SAME_INPUTS and len(cell.seed_crps[step]) > 1:
            # What recurrence adds is said of the recipe, not of these seeds' weights.
            return gain, lead_of(own, other, cell.seed_crps[step], None, step)
        return gain, diebold_mariano(own - other, step)

    return test


def _price_test(row: ModelResult) -> Test:
    def test(cell: ModelResult, step: int) -> tuple[float, DieboldMariano]:
        gain = skill(cell.steps[step].mae_return, row.steps[step].mae_return)
        difference = cell.losses[step].absolute_error - row.losses[step].absolute_error
        return gain, diebold_mariano(difference, step)

    return test


def _direction_test(cell: ModelResult, step: int) -> tuple[float, DieboldMariano]:
    lead = cell.losses[step].direction
    return float(lead.mean()) if len(lead) else 0.0, diebold_mariano(lead, step)
