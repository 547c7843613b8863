"""Training sets: which tickers, their panel, the days that count as targets, and the split into parts.

Training, comparing, retraining and the laboratory all build theirs here.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from forecaster.dataset.membership import (
    Selection,
    describe_selection,
    restrict_targets,
    select_members,
    without,
)
from forecaster.dataset.panel import PANEL_COLUMNS, Days, Panel, build_panel, choose_tickers
from forecaster.dataset.split import Split, split_days
from forecaster.dataset.survivorship import count_survivors
from forecaster.errors import ForecastError
from forecaster.prices.earnings.store import read_reports
from forecaster.prices.earnings.table import EarningsTable
from forecaster.prices.market import MarketSeries, read_market
from forecaster.prices.store import FILE_ERRORS, NotYetListedError, PriceStore, release_unused_memory
from forecaster.prices.table import COLUMNS, PriceTable
from forecaster.prices.universe import Universe
from forecaster.settings import Recipe

SplitRule = Callable[[Days], Split]
"""Gives the split of a panel's trading days."""


@dataclass(frozen=True)
class Chosen:
    """The tickers of a training set.

    Attributes:
        tickers: N symbols, all of them stored.
        selection: the universe that they are members of; None without one.
        whole_store: whether they are all stocks that are stored.
    """

    tickers: tuple[str, ...]
    selection: Selection | None = None
    whole_store: bool = False

    @property
    def by_name(self) -> bool:
        """Whether each ticker was asked for by its name."""
        return self.selection is None and not self.whole_store


@dataclass(frozen=True)
class TrainingSet:
    """Prices that a network is trained, stopped and tested on.

    Attributes:
        panel: N tickers on D trading days; its `target_mask` holds the days of membership.
        split: which days are origins of training, validation and test.
        universe: what cards and documents say of the universe; None without one.
        whole_store: whether the tickers are all stocks that are stored.
        damaged: tickers that are left out, as their price files cannot be read.
        survivorship: what cards and documents say of it, see `count_survivors`.
        dates_fault: why the earnings dates could not be read; empty if they could.
    """

    panel: Panel
    split: Split
    universe: dict[str, Any] | None = None
    whole_store: bool = False
    damaged: tuple[str, ...] = ()
    survivorship: dict[str, Any] | None = None
    dates_fault: str = ""


def choose(
    store: PriceStore,
    tickers: Sequence[str] | None = None,
    universe: Universe | None = None,
    *,
    all_days: bool = False,
) -> Chosen:
    """The members of `universe` that are stored, else the `tickers`, else all stocks of the store.

    Args:
        store: the prices.
        tickers: symbols; None or empty: all stocks.
        universe: whose members are chosen, in place of `tickers`.
        all_days: with a universe, whether days outside membership count as targets too.

    Raises:
        NotFoundError: a ticker, every member of the universe, or any price is missing.
        BadInputError: the price file of a ticker that was named, or of every member, is damaged.
        UsageError: a name is not a ticker.
    """
    if universe is not None:
        selection = select_members(store, universe, all_days=all_days)
        return Chosen(selection.tickers, selection)
    return Chosen(tuple(choose_tickers(store, tickers)), whole_store=not tickers)


def split_by(recipe: Recipe) -> SplitRule:
    """The split at the recipe's `train_end` and `validation_end`, with its horizon."""
    return lambda dates: split_days(dates, recipe.horizon, recipe.train_end, recipe.validation_end)


@dataclass(frozen=True)
class Inputs:
    """What a training set is built from: nothing has been computed of the prices yet.

    Attributes:
        tables: bars of N tickers.
        market: the market's daily return.
        reports: the tickers' announcements, as `prices.earnings.table.reports` gives them; None without any.
        selection: the universe whose members they are; None without one.
        whole_store, damaged, dates_fault: as of `TrainingSet`.
    """

    tables: tuple[PriceTable, ...]
    market: MarketSeries
    reports: EarningsTable | None = None
    selection: Selection | None = None
    whole_store: bool = False
    damaged: tuple[str, ...] = ()
    dates_fault: str = ""

    def panel(self) -> Panel:
        """The tables on their common days, with targets on days of membership alone."""
        panel = build_panel(self.tables, self.market, self.reports)
        return restrict_targets(panel, None if self.selection is None else self.selection.counting)

    def build(self, split_rule: SplitRule) -> TrainingSet:
        """The training set.

        Raises:
            BadInputError, UsageError: as `load_training_set`.
        """
        panel, selection = self.panel(), self.selection
        split = split_rule(panel.dates)
        universe = None if selection is None else describe_selection(selection, panel, split)
        survivorship = count_survivors(panel, split, selection)
        return TrainingSet(
            panel, split, universe, self.whole_store, self.damaged, survivorship, self.dates_fault
        )


def load_training_set(
    store: PriceStore, chosen: Chosen, split_rule: SplitRule, market: MarketSeries | None = None
) -> TrainingSet:
    """Read the prices of `chosen`, restrict the targets to days of membership, and split the days.

    Args:
        store: the prices.
        chosen: which tickers.
        split_rule: see `split_by`.
        market: the market's daily return; that of the whole store without it.

    Raises:
        NotFoundError, BadInputError: prices are missing, too few, or damaged, see `read_inputs`.
        UsageError: the split dates do not fit the prices.
    """
    data = read_inputs(store, chosen, market, PANEL_COLUMNS).build(split_rule)
    release_unused_memory()
    return data


def read_inputs(
    store: PriceStore,
    chosen: Chosen,
    market: MarketSeries | None = None,
    columns: Sequence[str] = COLUMNS,
) -> Inputs:
    """Read what the training set of `chosen` is built from; arguments as of `load_training_set`.

    A damaged price file costs only its own ticker, unless that was asked for by its name. Of the columns only
    `columns` are read; a panel needs PANEL_COLUMNS.

    Raises:
        NotFoundError, BadInputError: prices are missing or damaged.
    """
    tables, damaged = _read(store, chosen, columns)
    selection = chosen.selection
    if selection is not None:
        selection = without(selection, damaged)
        damaged = list(selection.damaged)
    known = read_reports(store.home, [table.ticker for table in tables])
    return Inputs(
        tuple(tables),
        read_market(store) if market is None else market,
        known.table,
        selection,
        chosen.whole_store,
        tuple(damaged),
        known.fault,
    )


def _read(store: PriceStore, chosen: Chosen, columns: Sequence[str]) -> tuple[list[PriceTable], list[str]]:
    """The tables of `chosen`, and the tickers whose files are damaged.

    Those that were not listed yet on the day that is replayed are left out without a word.

    Raises:
        BadInputError: a ticker was asked for by its name, or there is no sound file.
    """
    tables: list[PriceTable] = []
    damaged: dict[str, ForecastError] = {}
    failure: ForecastError | None = None
    for ticker, read in zip(chosen.tickers, store.read_each(chosen.tickers, columns), strict=True):
        if isinstance(read, PriceTable):
            tables.append(read)
        elif chosen.by_name or not isinstance(read, FILE_ERRORS):
            raise read
        else:
            failure = failure or read
            if not isinstance(read, NotYetListedError):
                damaged[ticker] = read
    if not tables and failure is not None:
        raise failure
    return tables, list(damaged)
