"""Claims about what a cell costs: time as measured in turn, memory and operations as counted."""

from collections.abc import Mapping

import numpy as np

from forecaster.laboratory.cells.accounting import account
from forecaster.laboratory.cells.costs import Cost
from forecaster.laboratory.claims.claim import BELOW, Claim, Rule, Said
from forecaster.laboratory.claims.effects import PER_CENT, Effect, paired_difference
from forecaster.laboratory.prices.trials import TrialSetup
from forecaster.settings import CELL_TITLES, CELLS

_GROUP = "cost"
_LESS = Rule(BELOW, 0.0)
TIMED_BATCH = 64
"""Windows in an optimiser step that is timed."""

TRAINING = Said(
    "training time", _GROUP, "A GRU trains faster than an LSTM of equal units.", _LESS,
    "forecast compare --seeds 3", "GRU − LSTM",
)  # fmt: skip
INFERENCE = Said(
    "inference time", _GROUP, "A GRU forecasts faster than an LSTM of equal units.", _LESS,
    "forecast compare --seeds 3", "GRU − LSTM",
)  # fmt: skip
MEMORY = Said(
    "memory", _GROUP, "A GRU needs less memory to train than an LSTM of equal units.", _LESS,
    "forecast lab parameters", "GRU − LSTM",
)  # fmt: skip
OPERATIONS = Said(
    "operations", _GROUP, "A GRU needs fewer floating-point operations a forecast than an LSTM of equal "
    "units.", _LESS, "forecast lab parameters", "GRU − LSTM",
)  # fmt: skip


def cost_claims(costs: Mapping[str, Cost], setup: TrialSetup, lookback: int) -> list[Claim]:
    """All claims about cost.

    Args:
        costs: as measured, by cell.
        setup: units and features.
        lookback: days of a window.
    """
    units = setup.recipe.units
    form = f"{units} units, {lookback} days, {len(costs['gru'].forecast)} timings, the cells in turn"
    return [
        _time(TRAINING, costs, "training_step", f"an optimiser step of {TIMED_BATCH} windows, {form}"),
        _time(INFERENCE, costs, "forecast", f"one window through the cell without Keras, {form}"),
        memory_claim(setup, lookback),
        operations_claim(setup, lookback),
    ]


def _time(said: Said, costs: Mapping[str, Cost], part: str, measured: str) -> Claim:
    seconds = {cell: getattr(cost, part) for cell, cost in costs.items()}
    usual = {cell: float(np.median(values)) for cell, values in seconds.items()}
    times = ", ".join(f"{CELL_TITLES[cell]} {1e3 * value:.3g}" for cell, value in usual.items())
    return said.judged(
        paired_difference(seconds["gru"], seconds["lstm"]), measured, f"median ms: {times}", usual
    )


def memory_claim(setup: TrialSetup, lookback: int) -> Claim:
    """What a training step has to hold: weights, and what each day of a window leaves for the way back."""
    units = setup.recipe.units
    accounts = {cell: account(cell, setup.features, units) for cell in CELLS}
    # Adam holds a gradient and two moments beside each weight.
    held = {
        cell: 4 * each.weight_bytes + TIMED_BATCH * lookback * each.training_bytes
        for cell, each in accounts.items()
    }
    return _counted(
        MEMORY,
        held,
        f"counted: weights with gradient and Adam's two moments, and gates and states of {TIMED_BATCH} "
        f"windows of {lookback} days, {units} units, float32",
        "MB",
        1e6,
    )


def operations_claim(setup: TrialSetup, lookback: int) -> Claim:
    """Additions and multiplications through a window."""
    units = setup.recipe.units
    counted = {cell: lookback * account(cell, setup.features, units).floating_point for cell in CELLS}
    return _counted(
        OPERATIONS, counted, f"counted: additions and multiplications of {lookback} days, {units} units",
        "millions", 1e6,
    )  # fmt: skip


def _counted(said: Said, counted: Mapping[str, float], measured: str, unit: str, scale: float) -> Claim:
    shown = ", ".join(f"{CELL_TITLES[cell]} {value / scale:.3g}" for cell, value in counted.items())
    effect = Effect.exact(100 * (counted["gru"] / counted["lstm"] - 1), PER_CENT)
    return said.judged(effect, measured, f"{unit}: {shown}", counted)
