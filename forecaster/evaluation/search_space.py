"""What `tune` tries: the values of each searched setting, and how a trial chooses among them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from forecaster.errors import UsageError
from forecaster.settings import ALL_CELLS, ALL_FEATURES, CELLS, PRICES_ONLY, Recipe, check_cell, override

USUAL: Mapping[str, tuple[Any, ...]] = {
    "cell": CELLS,
    "units": (8, 16, 32, 64),
    "layers": (1, 2),
    "lookback": (20, 40, 60, 120, 180, 250),
    "dropout": (0.0, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5),
    "learning_rate": (0.0003, 0.0006, 0.001, 0.002, 0.003, 0.006, 0.01, 0.02),
    "features": (ALL_FEATURES, PRICES_ONLY),
}
"""Every searched setting with the values that are tried; no other setting of a recipe is changed.

Larger networks take many times as long, and have brought nothing on the index.
"""
_NAMED = ("cell", "features")
"""Those whose values have no order."""


class Suggester(Protocol):
    """An Optuna trial, as far as it is used here."""

    def suggest_categorical(self, name: str, choices: Sequence[str]) -> Any:
        """One of the names."""

    def suggest_int(self, name: str, low: int, high: int) -> int:
        """A whole number between the two."""


@dataclass(frozen=True)
class Space:
    """The recipes that may be tried.

    A trial's parameters are names, or the place of a number among its values: so neighbours are alike to the
    sampler, whatever the scale, and each number is one that a person would write.

    Attributes:
        base: the default recipe, one of them.
        choices: values of each setting, in order; a setting with one value is not searched.
    """

    base: Recipe
    choices: Mapping[str, tuple[Any, ...]]

    @property
    def searched(self) -> dict[str, tuple[Any, ...]]:
        """The settings that have more than one value."""
        return {name: values for name, values in self.choices.items() if len(values) > 1}

    def suggested(self, trial: Suggester) -> Recipe:
        """The recipe that a trial of Optuna's chooses."""
        chosen: dict[str, Any] = {}
        for name, values in self.searched.items():
            if name in _NAMED:
                chosen[name] = trial.suggest_categorical(name, values)
            else:
                chosen[name] = values[trial.suggest_int(name, 0, len(values) - 1)]
        return replace(self.base, **chosen)

    def parameters(self, recipe: Recipe) -> dict[str, Any]:
        """What a trial has to choose for this recipe."""
        return {
            name: getattr(recipe, name) if name in _NAMED else values.index(getattr(recipe, name))
            for name, values in self.searched.items()
        }


def space_around(
    base: Recipe, cells: Sequence[str], *, reports: bool, wanted: Mapping[str, Sequence[Any]] | None = None
) -> Space:
    """The usual values and those of the default recipe.

    Args:
        base: the default recipe. If its cell is not among `cells`, the first of these takes its place.
        cells: of rnn, lstm, gru and convlstm.
        reports: whether there are inputs of earnings dates, which `features` may leave out.
        wanted: values in place of the usual ones, by setting.

    Raises:
        UsageError: a cell, a setting or a value is not known or out of its bounds, or a cell cannot read a
            window of one of the lookbacks.
    """
    given = {name: tuple(dict.fromkeys(values)) for name, values in (wanted or {}).items()} | {
        "cell": tuple(dict.fromkeys(cells))
    }
    for name, values in given.items():
        if name not in USUAL:
            raise UsageError(f"{name} is no setting that is searched", f"choose from {', '.join(USUAL)}")
        if not values:
            raise UsageError(f"there is no value of {name} to try", "give one or more")
        for value in values:
            override(base, {name: value})
    unknown = [cell for cell in given["cell"] if cell not in ALL_CELLS]
    if unknown:
        raise UsageError(f"{unknown[0]} is no recurrent cell", f"choose from {', '.join(ALL_CELLS)}")
    if base.cell not in given["cell"]:
        base = replace(base, cell=given["cell"][0])
    if not reports:
        given["features"] = (base.features,)
    choices = {name: _with(getattr(base, name), given.get(name, usual)) for name, usual in USUAL.items()}
    for cell in choices["cell"]:
        for lookback in choices["lookback"]:
            check_cell(replace(base, cell=cell, lookback=lookback))
    return Space(base, choices)


def _with(value: Any, values: tuple[Any, ...]) -> tuple[Any, ...]:
    """The values and this one; numbers in their order."""
    every = values if value in values else (*values, value)
    return every if isinstance(value, str) else tuple(sorted(every))
