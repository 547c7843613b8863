"""Which recipes a search may try: what is meant to be searched, and only values that a recipe may have."""

import math
from dataclasses import asdict
from itertools import pairwise
from typing import Any

import optuna
import pytest

from forecaster.errors import UsageError
from forecaster.evaluation.search_space import USUAL, Space, space_around
from forecaster.settings import CELLS, Recipe, override

BASE = Recipe(units=24, lookback=90, dropout=0.15, learning_rate=0.004, horizon=3, seed=7, epochs=9)


def asked(space: Space, count: int) -> list[Recipe]:
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=1))
    return [space.suggested(study.ask()) for _ in range(count)]


def test_what_is_searched_is_what_is_said() -> None:
    assert list(USUAL) == ["cell", "units", "layers", "lookback", "dropout", "learning_rate", "features"]


@pytest.mark.parametrize("name", USUAL)
def test_the_usual_values_are_in_order_within_a_recipe_s_bounds_and_hold_the_default(name: str) -> None:
    values = USUAL[name]
    assert len(set(values)) == len(values) > 1
    for value in values:
        assert getattr(override(Recipe(), {name: value}), name) == value
    assert getattr(Recipe(), name) in values
    if name not in ("cell", "features"):
        assert list(values) == sorted(values)
        positive = [value for value in values if value]
        ratios = [later / earlier for earlier, later in pairwise(positive)]
        assert max(ratios) < 3.5, "two neighbours are far apart"


def test_suggestions_change_what_is_searched_and_nothing_else() -> None:
    space = space_around(BASE, CELLS, reports=True)
    found = asked(space, 300)
    for name, value in asdict(BASE).items():
        tried = {getattr(recipe, name) for recipe in found}
        assert tried == (set(space.choices[name]) if name in USUAL else {value}), name


def test_the_default_recipe_is_in_the_space_and_comes_back_from_its_parameters() -> None:
    space = space_around(BASE, ("rnn", "gru"), reports=True)
    assert space.choices["units"] == (8, 16, 24, 32, 64)
    assert space.choices["lookback"] == (20, 40, 60, 90, 120, 180, 250)
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=1))
    study.enqueue_trial(space.parameters(BASE))
    assert space.suggested(study.ask()) == BASE


def test_a_default_cell_that_is_not_wanted_gives_way() -> None:
    space = space_around(Recipe(cell="linear"), ("lstm", "rnn"), reports=False)
    assert space.base.cell == "lstm"
    assert space.choices["cell"] == ("lstm", "rnn")


def test_without_earnings_dates_their_inputs_are_not_searched() -> None:
    space = space_around(Recipe(), ("gru",), reports=False, wanted={"layers": (1,)})
    assert set(space.searched) == {"units", "lookback", "dropout", "learning_rate"}
    assert {recipe.features for recipe in asked(space, 20)} == {"all"}


@pytest.mark.parametrize(
    ("cells", "wanted", "said"),
    [
        (("gru", "tcn"), {}, "tcn is not known"),
        (("linear",), {}, "linear is no recurrent cell"),
        (("gru",), {"horizon": (1, 2)}, "horizon is no setting that is searched"),
        (("gru",), {"seed": (1, 2)}, "seed is no setting that is searched"),
        (("gru",), {"units": ()}, "there is no value of units"),
        (("gru",), {"units": (0,)}, "--units 0 is out of range"),
        (("gru",), {"dropout": (1.0,)}, "--dropout 1.0 is out of range"),
        (("gru",), {"learning_rate": (math.nan,)}, "--learning-rate nan is out of range"),
    ],
)
def test_what_cannot_be_tried_is_said(cells: tuple[str, ...], wanted: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        space_around(Recipe(), cells, reports=True, wanted=wanted)


def test_a_cell_that_reads_weeks_is_searched_where_it_is_named_and_every_lookback_is_whole_weeks() -> None:
    assert "convlstm" not in space_around(BASE, CELLS, reports=False).choices["cell"]
    space = space_around(Recipe(cell="convlstm"), ("gru", "convlstm"), reports=False)
    assert space.base.cell == "convlstm"
    assert all(lookback % 5 == 0 for lookback in space.choices["lookback"])


@pytest.mark.parametrize(
    ("base", "wanted", "message"),
    [
        pytest.param(
            Recipe(lookback=122), {}, "a lookback of 122 is no multiple", id="the default's lookback"
        ),
        pytest.param(Recipe(), {"lookback": (20, 33)}, "a lookback of 33 is no multiple", id="a given one"),
        pytest.param(Recipe(bidirectional=True), {}, "forwards only", id="both ways"),
    ],
)
def test_what_a_cell_that_reads_weeks_cannot_read_is_not_searched(
    base: Recipe, wanted: dict[str, tuple[int, ...]], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        space_around(base, ("gru", "convlstm"), reports=False, wanted=wanted)
