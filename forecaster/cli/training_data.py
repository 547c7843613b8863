"""What a network is trained on: tickers or a universe's members, their prices, and the split."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from forecaster.errors import UsageError

if TYPE_CHECKING:
    from rich.console import Console

    from forecaster.dataset.membership import Selection
    from forecaster.dataset.panel import Panel
    from forecaster.dataset.split import Split
    from forecaster.prices.store import PriceStore
    from forecaster.prices.universe import Universe
    from forecaster.settings import Recipe, Settings

TrainingTickers = Annotated[
    list[str] | None, typer.Argument(help="Tickers to learn from (all in the store).", show_default=False)
]
TrainingUniverse = Annotated[
    str | None,
    typer.Option(
        "--universe",
        metavar="sp500|sample|FILE",
        help="Learn from its members in the store, each while it was one.",
        show_default=False,
    ),
]
AllDaysFlag = Annotated[
    bool, typer.Option("--all-days", help="With --universe: count days before and after membership too.")
]


@dataclass(frozen=True)
class TrainingData:
    """Prices and split; `counting` is the universe by whose membership targets count.

    `universe` is what cards and documents say of it; both are None without one.
    """

    panel: "Panel"
    split: "Split"
    counting: "Universe | None"
    universe: dict[str, Any] | None


def load_training_data(
    settings: "Settings",
    recipe: "Recipe",
    tickers: Sequence[str] | None,
    universe: str | None,
    *,
    all_days: bool,
) -> TrainingData:
    """Choose the tickers, read their prices and split the days.

    Raises:
        UsageError: the flags do not go together.
        NotFoundError: a ticker, or every member of the universe, is not in the store.
        BadInputError: prices are damaged, or too few.
    """
    from forecaster.dataset.membership import describe_selection, restrict_targets
    from forecaster.dataset.panel import choose_tickers, load_panel
    from forecaster.dataset.split import split_days
    from forecaster.prices.store import PriceStore

    store = PriceStore(settings.home)
    selection = _select(store, settings, tickers, universe, all_days=all_days)
    chosen = choose_tickers(store, tickers) if selection is None else selection.tickers
    counting = None if selection is None else selection.counting
    panel = restrict_targets(load_panel(store, chosen), counting)
    split = split_days(panel.dates, recipe.horizon, recipe.train_end, recipe.validation_end)
    described = None if selection is None else describe_selection(selection, panel, split)
    return TrainingData(panel, split, counting, described)


def show_universe(universe: Mapping[str, Any] | None, console: "Console") -> None:
    """How many of the members are there, and how many rows count as targets."""
    if universe is None:
        return
    known = f" (changes known to {universe['known_to']})" if universe["known_to"] else ""
    total, missing = universe["tickers"] + len(universe["missing"]), len(universe["missing"])
    lean = ", so the results lean towards those that are there" if missing else ""
    rows = universe["rows"]
    counted = ", ".join(f"{count['counted']:,} {part}" for part, count in rows.items())
    left_out = sum(count["left_out"] for count in rows.values())
    console.print(
        f"{universe['name']}{known}: members between {universe['first']} and {universe['last']}: {total:,}; "
        f"in the store: {universe['tickers']:,}; missing: {missing:,}{lean}. "
        f"Targets count on {_counting_days(universe)}; rows that count: {counted}; left out: {left_out:,}."
    )


def _counting_days(universe: Mapping[str, Any]) -> str:
    start = universe["complete_from"]
    if universe["targets"] == "days of membership" and start is not None and universe["first"] < start:
        return f"days of membership from {start[:4]} on, on all days before"
    return str(universe["targets"])


def _select(
    store: "PriceStore",
    settings: "Settings",
    tickers: Sequence[str] | None,
    universe: str | None,
    *,
    all_days: bool,
) -> "Selection | None":
    from forecaster.dataset.membership import select_members
    from forecaster.prices.universe import find_universe

    if universe is None:
        if all_days:
            raise UsageError("--all-days goes with --universe", "without a universe all days count")
        return None
    if tickers:
        raise UsageError("tickers and --universe exclude each other", "give one of them")
    return select_members(store, find_universe(universe, settings.home), all_days=all_days)
