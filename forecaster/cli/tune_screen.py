"""A search for a better recipe as tables for people and as a document for programs."""

import json
import shlex
from dataclasses import asdict
from typing import Any

from rich.console import Console

from forecaster.cli.screen import figures_table, headline
from forecaster.dataset.split import split_dates
from forecaster.evaluation.backtest import described_fold
from forecaster.evaluation.tuning import DONE, FAILED, PRUNED, Trial
from forecaster.settings import CELL_TITLES, Recipe
from forecaster.tuning import TuneResult

_SHOWN = 5
_LEGEND = (
    "value: CRPS over RiskMetrics-t's on the same origins, mean of the first and last step and of the folds; "
    "below 1 is better than RiskMetrics-t."
)


def tune_document(result: TuneResult, written: Recipe) -> dict[str, Any]:
    """The whole search, with what a reader needs to repeat it; `written` is the settings' own recipe."""
    search, dates = result.search, result.search.folds.data.panel.dates
    folds = [(fold, "choosing") for fold in search.folds.chosen] + [(search.folds.unseen, "unseen")]
    best, default = search.ranking[0], search.default
    return {
        "best": {"trial": best.number, "value": best.value, "recipe": asdict(best.recipe)},
        "default": {
            "trial": default.number if default else None,
            "value": default.value if default else None,
            "recipe": asdict(result.default),
        },
        "survival": result.survival.described(),
        "flags": as_command(best.recipe, written),
        "toml": as_toml(best.recipe, written),
        "trials": [_trial_document(result, trial) for trial in search.trials],
        "counts": {state: search.count(state) for state in (DONE, PRUNED, FAILED)} | {"kept": search.kept},
        "out_of_time": search.out_of_time,
        "searched": dict(search.space.choices),
        "folds": [described_fold(fold, dates) | {"use": use} for fold, use in folds],
        "tickers": list(result.data.panel.tickers),
        "split": split_dates(result.data.panel.dates, result.data.split),
    }


def _trial_document(result: TuneResult, trial: Trial) -> dict[str, Any]:
    return {
        "trial": trial.number,
        "state": trial.state,
        "value": trial.value,
        "folds": list(trial.folds),
        "recipe": {name: getattr(trial.recipe, name) for name in result.search.space.choices},
        "reason": trial.reason,
        "kept": trial.kept,
    }


def show_search(result: TuneResult, written: Recipe, screen: Console) -> None:
    """Print where it was searched, the best recipe, the ranking, and what survives."""
    search = result.search
    dates, folds = search.folds.data.panel.dates, search.folds
    unseen = folds.unseen.split.test
    count = len(folds.chosen)
    screen.print(
        f"{len(result.data.panel.tickers)} tickers · chosen on {count} {'fold' if count == 1 else 'folds'}, "
        f"forecasts made {folds.chosen[0].name} to {dates[folds.chosen[-1].split.test[-1]]} · unseen fold "
        f"{folds.unseen.name} to {dates[unseen[-1]]} · test days from "
        f"{result.data.panel.dates[result.data.split.test.start]} not looked at"
    )
    screen.print(_counts(result))
    screen.print()
    screen.print(_recipe_table(result))
    screen.print()
    screen.print(_ranking_table(result))
    for reason in dict.fromkeys(trial.reason for trial in search.trials if trial.reason):
        screen.print(f"failed: {reason}", style="dim", soft_wrap=True)
    screen.print()
    screen.print(_LEGEND, style="dim")
    screen.print()
    screen.print(headline(result.survival.sentence(), ""))
    if changed_settings(search.ranking[0].recipe, written) and not result.survival.same:
        what = "The best recipe" if result.survival.surely_better else "The best recipe all the same,"
        screen.print()
        screen.print(f"{what} as flags, and for forecast.toml:")
        screen.print()
        screen.print(as_command(search.ranking[0].recipe, written), soft_wrap=True)
        screen.print()
        for line in as_toml(search.ranking[0].recipe, written).splitlines():
            screen.print(line, soft_wrap=True)


def _counts(result: TuneResult) -> str:
    search = result.search
    ended = len(search.trials)
    counts = ", ".join(f"{search.count(state):,} {state}" for state in (DONE, PRUNED, FAILED))
    text = f"{ended:,} {'trial' if ended == 1 else 'trials'}: {counts}; {search.kept:,} kept from before."
    return text + (
        " The time limit ended the search: the same command goes on." if search.out_of_time else ""
    )


def _recipe_table(result: TuneResult) -> Any:
    table = figures_table("Best recipe", "setting", "default", "best")
    best, default = result.search.ranking[0], result.search.default
    for name in result.search.space.choices:
        own, usual = getattr(best.recipe, name), getattr(result.default, name)
        table.add_row(name.replace("_", " "), _shown(usual), _shown(own) if own != usual else "same")
    table.add_section()
    value = "failed" if default is None else f"{default.value:.4f}"
    table.add_row("value", value, f"{best.value:.4f}")
    return table


def _ranking_table(result: TuneResult) -> Any:
    searched = result.search.space.searched
    headings = ["rate" if name == "learning_rate" else name for name in searched]
    table = figures_table(f"The best {_SHOWN} of those that are done", "trial", "value", *headings)
    for trial in result.search.ranking[:_SHOWN]:
        table.add_row(
            f"{trial.number}{' (default)' if trial.recipe == result.default else ''}",
            f"{trial.value:.4f}",
            *(str(getattr(trial.recipe, name)) for name in searched),
        )
    return table


def _shown(value: Any) -> str:
    return CELL_TITLES.get(value, str(value))


def changed_settings(recipe: Recipe, written: Recipe) -> dict[str, Any]:
    """What of a recipe differs from the settings' own: what has to be written to train it."""
    own = asdict(written)
    return {name: value for name, value in asdict(recipe).items() if value != own[name] and value is not None}


def as_command(recipe: Recipe, written: Recipe) -> str:
    """The command that trains it in this home folder, like `forecast train --units 64`."""
    words = ["forecast", "train"]
    for name, value in changed_settings(recipe, written).items():
        # A flag without a value: what is set in forecast.toml no flag unsets, and no search either.
        words += [f"--{name.replace('_', '-')}", *([] if value is True else [str(value)])]
    return shlex.join(words)


def as_toml(recipe: Recipe, written: Recipe) -> str:
    """The same for forecast.toml; empty where nothing differs."""
    changed = changed_settings(recipe, written)
    lines = [f"{name} = {_toml(value)}" for name, value in changed.items()]
    return "\n".join(["[train]", *lines]) if lines else ""


def _toml(value: Any) -> str:
    return json.dumps(value) if isinstance(value, str | bool) else str(value)
