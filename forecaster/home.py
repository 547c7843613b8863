"""A home folder as an object: what the commands do, as methods; part of the public Python API."""

import dataclasses
import os
import warnings
from collections.abc import Collection, Mapping, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from forecaster.api import ComparisonResult, Model, compare_on, model_of, train_on
from forecaster.auditing import AuditResult, audit_on
from forecaster.backtesting import BacktestResult, backtest_on, whole_split, without_split
from forecaster.dataset.training_set import (
    Chosen,
    SplitRule,
    TrainingSet,
    choose,
    load_training_set,
    read_inputs,
    split_by,
)
from forecaster.dataset.walk import WalkRule
from forecaster.errors import BadInputError, ForecastError, NotFoundError, TryLaterError, UsageError
from forecaster.prices.earnings.table import SAMPLE, SEC, YAHOO
from forecaster.prices.known import known_prices
from forecaster.prices.store import PriceStore
from forecaster.prices.table import checked_ticker
from forecaster.registry.versions import ModelRegistry, check_model_name
from forecaster.settings import CELLS, Recipe, Settings, current_time, find_home, load_settings
from forecaster.tuning import TuneResult, tune_on

if TYPE_CHECKING:
    import pandas as pd

    from forecaster.evaluation.audit.restated import Models
    from forecaster.evaluation.audit.subject import Subject
    from forecaster.evaluation.backtest import Watch as WatchFolds
    from forecaster.evaluation.tuning import WatchTrials
    from forecaster.prices.earnings.fetching import EarningsReport, EarningsService, WatchDates
    from forecaster.prices.fetching import FetchReport, PriceSource, Request, Watch


class Home:
    """A folder with prices, models and settings: what the commands work on.

    Args:
        path: the folder; None: FORECAST_HOME, the nearest parent with a forecast.toml, or the current one.

    Raises:
        UsageError: its forecast.toml, or a FORECAST_… variable, is invalid.
    """

    def __init__(self, path: str | Path | None = None) -> None:
        chosen = None if path is None else Path(path)
        folder = find_home(chosen, os.environ, Path.cwd())
        self.settings: Settings = load_settings(folder, os.environ)

    def __repr__(self) -> str:
        """Like Home('/home/me/stocks')."""
        return f"Home({str(self.path)!r})"

    @property
    def path(self) -> Path:
        """The folder."""
        return self.settings.home

    @property
    def tickers(self) -> list[str]:
        """The tickers whose prices are stored, sorted."""
        return PriceStore(self.path).tickers()

    def prices(self, tickers: Sequence[str] | None = None) -> "pd.DataFrame":
        """Stored prices in long form: ticker, date and the columns of a price table.

        Raises:
            NotFoundError, BadInputError: a ticker is not stored, or its file is damaged.
        """
        import pandas as pd

        store = PriceStore(self.path)
        tables = store.read_many(choose(store, tickers).tickers)
        frames = [
            pd.DataFrame(
                {"ticker": table.ticker, "date": table.dates.astype("datetime64[s]"), **table.columns}
            )
            for table in tables
        ]
        return pd.concat(frames, ignore_index=True)

    def earnings(self, tickers: Sequence[str] | None = None) -> "pd.DataFrame":
        """Past and coming earnings dates: ticker, date, when, status, source, known_since, withdrawn.

        As `forecast data earnings`: where sources differ the better one's date, what was believed before it
        moved, and of quarters without a date a projection. `known_since` is NaT where it is not recorded.

        Raises:
            BadInputError: the file of dates is damaged.
        """
        import pandas as pd

        from forecaster.prices.calendar import local_date
        from forecaster.prices.earnings.projection import expected_dates
        from forecaster.prices.earnings.store import EarningsStore

        found = expected_dates(EarningsStore(self.path).read().table, local_date(current_time(os.environ)))
        if tickers is not None:
            found = found.of([checked_ticker(ticker) for ticker in tickers])
        days = {"date": found.date, "known_since": found.announced, "withdrawn": found.withdrawn}
        texts = {"ticker": found.ticker, "when": found.when, "status": found.status, "source": found.source}
        columns = {name: values.astype("datetime64[s]") for name, values in days.items()}
        columns |= {name: values.astype(object) for name, values in texts.items()}
        order = ["ticker", "date", "when", "status", "source", "known_since", "withdrawn"]
        return pd.DataFrame(columns)[order]

    def fetch(
        self,
        tickers: Sequence[str] = (),
        *,
        universe: str | None = None,
        source: str | None = None,
        earnings: str | None = None,
        start: str | None = None,
        timezone: str | None = None,
        calendar: str | None = None,
        replace: bool = False,
        daily: str | None = None,
    ) -> "FetchReport":
        """Bring prices and earnings dates into the store, only what is missing; failures are in the report.

        Args:
            tickers: symbols; from Yahoo, all that are stored where none is given.
            universe: sp500, sample, a list in data/universe/ or a file, whose members are fetched too.
            source: of prices: yahoo, sample, or the path of a file or folder; None: yahoo, or none at all
                where earnings dates come from a file.
            earnings: of earnings dates: yahoo, sec, sample, or the path of a file or folder; None: none are
                wanted, but those that ship with the sample's prices.
            start: ISO date; nothing before it is wanted.
            timezone: like Europe/London; of a file with times, in which their dates are meant.
            calendar: like XLON or 24/7; on whose sessions the tickers of a file trade.
            replace: whether a file's rows take the place of all that is stored of their tickers.
            daily: last, to take the last bar of each session where a file has several a day.

        Raises:
            UsageError: there is nothing to fetch, or a name or date is invalid.
            TryLaterError: another process writes to the folder.
            DiskError, BadInputError, NotFoundError, UnavailableError: the disk or the source fails.
        """
        source, earnings = chosen_sources(source, earnings)
        request = self.request(
            tickers,
            universe=universe,
            source=source,
            start=start,
            timezone=timezone,
            calendar=calendar,
            replace=replace,
            daily=daily,
        )
        return self.run_request(request, source, earnings=earnings)

    def request(
        self,
        tickers: Sequence[str] = (),
        *,
        universe: str | None = None,
        source: str | None = YAHOO,
        start: str | None = None,
        as_of: str | None = None,
        timezone: str | None = None,
        calendar: str | None = None,
        replace: bool = False,
        daily: str | None = None,
    ) -> "Request":
        """What `fetch` asks the source for; `as_of` is the day whose members of the universe are meant.

        Raises:
            UsageError: there is nothing to fetch, or a name or date is invalid.
            NotFoundError: the universe has no member on that day.
        """
        from forecaster.prices.calendar import checked_calendar
        from forecaster.prices.fetching import Request
        from forecaster.prices.universe import find_universe, members_on

        now = current_time(os.environ)
        names = [checked_ticker(ticker) for ticker in tickers]
        if universe is not None:
            names += members_on(find_universe(universe, self.path), as_of, now.date())[1]
        if source == YAHOO and not names:
            names = self.tickers
            if not names:
                raise UsageError(
                    "there is no ticker to fetch",
                    "name some, or give --universe sp500; --source sample needs no network",
                )
        if calendar is not None:
            if source == YAHOO:
                raise UsageError(
                    "--calendar is for files: Yahoo tells on which exchange a ticker trades", "leave it out"
                )
            calendar = checked_calendar(calendar)
        if daily not in (None, "last"):
            raise UsageError(f"--daily {daily} is not known", "choose last")
        if replace and source == YAHOO:
            raise UsageError("--replace is for files: Yahoo's prices replace others anyway", "leave it out")
        return Request(
            tuple(dict.fromkeys(names)),
            now,
            _day(start),
            _known_zone(timezone),
            calendar,
            replace=replace,
            last_of_day=daily == "last",
        )

    def run_request(
        self,
        request: "Request",
        source: str | None = YAHOO,
        watch: "Watch" = lambda _: None,
        earnings: str | None = None,
        watch_dates: "WatchDates" = lambda _: None,
    ) -> "FetchReport":
        """Fetch what `request` asks for, under the folder's lock; `watch` is called with each outcome.

        Earnings dates come after the prices, and what is wrong with their source is in the report, unless no
        prices are wanted (`source` is None).

        Raises:
            TryLaterError: another process writes to the folder.
            DiskError, BadInputError, NotFoundError, UnavailableError: the disk or the source fails.
        """
        from forecaster.files import home_lock
        from forecaster.prices.earnings.fetching import failed
        from forecaster.prices.earnings.services import SERVICES, earnings_service
        from forecaster.prices.fetching import FailureKind, FetchLog, FetchReport, fetch_prices

        chosen = None if source is None else _source(source, self.settings)
        service = earnings_service(earnings, self.settings) if earnings in SERVICES else None
        with home_lock(self.path):
            report = FetchReport("", (), (), FetchLog())
            if chosen is not None:
                report = fetch_prices(chosen, PriceStore(self.path), request, watch)
            if earnings is None:
                return report
            try:
                if earnings == YAHOO and report.count(FailureKind.RATE_LIMITED):
                    raise TryLaterError("Yahoo limits the rate of requests", "run the same command later")
                dates = self._fetch_earnings(service or earnings, request, watch_dates)
            except ForecastError as error:
                if chosen is None:
                    raise
                dates = failed(earnings, error)
        return dataclasses.replace(report, earnings=dates)

    def _fetch_earnings(
        self, source: "EarningsService | str", request: "Request", watch: "WatchDates"
    ) -> "EarningsReport":
        from forecaster.prices.earnings.fetching import fetch_earnings, import_earnings, stock_tickers
        from forecaster.prices.earnings.files import EarningsFile
        from forecaster.prices.earnings.store import EarningsStore
        from forecaster.prices.sample import SampleEarnings

        store = EarningsStore(self.path)
        if not isinstance(source, str):
            wanted = stock_tickers(request.tickers or self.tickers)
            return fetch_earnings(source, store, dataclasses.replace(request, tickers=wanted), watch)
        tables = SampleEarnings() if source == SAMPLE else EarningsFile(source)
        return import_earnings(tables, store, request)

    def training_set(
        self,
        tickers: Sequence[str] | None = None,
        *,
        universe: str | None = None,
        all_days: bool = False,
        recipe: Recipe | None = None,
    ) -> TrainingSet:
        """The prices of tickers, or of a universe's members, split as the recipe says.

        None of them is later than the clock.

        Args:
            tickers: symbols; None for all that are stored.
            universe: sp500, sample, a list in data/universe/ or a file; in place of `tickers`.
            all_days: with a universe, whether days outside membership count as targets too.
            recipe: the settings' recipe without it.

        Raises:
            UsageError: the arguments do not go together.
            NotFoundError, BadInputError: prices are missing, damaged or too few.
        """
        rule = split_by(recipe or self.settings.train)
        return self._training_set(tickers, universe, rule, all_days=all_days)

    def _training_set(
        self,
        tickers: Sequence[str] | None,
        universe: str | None,
        split_rule: SplitRule,
        *,
        all_days: bool,
        composition: Collection[str] = (),
    ) -> TrainingSet:
        """As `training_set`; `composition` are the tickers whose mean the market is, all for none."""
        from forecaster.prices.market import read_market

        store = self._known_prices()
        chosen = self._choose(store, tickers, universe, all_days=all_days)
        market = read_market(store, composition) if composition else None
        return load_training_set(store, chosen, split_rule, market)

    def audit_subject(
        self, tickers: Sequence[str] | None = None, *, universe: str | None = None, all_days: bool = False
    ) -> "Subject":
        """What `training_set` is built from, as `audit_on` takes it; arguments and errors as there."""
        from forecaster.evaluation.audit.subject import Subject
        from forecaster.prices.market import stored_stocks

        store = self._known_prices()
        inputs = read_inputs(store, self._choose(store, tickers, universe, all_days=all_days))
        return Subject(inputs, tuple(stored_stocks(store)))

    def models_in_service(self) -> "Models":
        """The cards of all models in service, and the prices that `audit` compares them with."""
        from forecaster.evaluation.audit.restated import Models

        registry = ModelRegistry(self.path)
        cards, unreadable = {}, []
        for name in registry.names():
            try:
                version = registry.champion(name)
                cards[f"{name}@{version}"] = registry.card(name, version)
            except (NotFoundError, BadInputError):
                unreadable.append(name)
        return Models(cards, PriceStore(self.path), tuple(unreadable))

    def _known_prices(self) -> PriceStore:
        return known_prices(self.path, current_time(os.environ), os.environ)

    def _choose(
        self, store: PriceStore, tickers: Sequence[str] | None, universe: str | None, *, all_days: bool
    ) -> Chosen:
        from forecaster.prices.universe import find_universe

        if all_days and universe is None:
            raise UsageError("all days can be chosen for a universe only", "without one all days count")
        if tickers and universe is not None:
            raise UsageError("tickers and a universe exclude each other", "give one of them")
        listed = None if universe is None else find_universe(universe, self.path)
        return choose(store, tickers, listed, all_days=all_days)

    def load_model(self, reference: str | None = None) -> Model:
        """NAME@VERSION, NAME's champion, or by default the champion of `main` or of the only model.

        Raises:
            NotFoundError: there is no such model.
            BadInputError: its files are damaged.
        """
        return model_of(ModelRegistry(self.path).load(reference), self.path)

    def train(
        self,
        tickers: Sequence[str] | None = None,
        recipe: Recipe | None = None,
        *,
        universe: str | None = None,
        name: str = "main",
    ) -> Model:
        """Train on stored prices, and register the network as the next version of `name`, in service.

        Raises:
            NotFoundError, BadInputError: prices are missing, damaged or too few.
            ForecastError: the loss became NaN.
        """
        chosen = recipe or self.settings.train
        check_model_name(name)
        data = self.training_set(tickers, universe=universe, recipe=chosen)
        return train_on(data, chosen).save(self.path, name)

    def compare(
        self,
        tickers: Sequence[str] | None = None,
        cells: Sequence[str] = CELLS,
        recipe: Recipe | None = None,
        *,
        universe: str | None = None,
        match: str = "units",
        seeds: int = 1,
    ) -> ComparisonResult:
        """As `compare`, on stored prices; the result is kept in results/, for `report`."""
        from forecaster.report.documents import facts_document

        chosen = recipe or self.settings.train
        data = self.training_set(tickers, universe=universe, recipe=chosen)
        found = compare_on(data, cells, chosen, match=match, seeds=seeds)
        self._keep(found.document | facts_document(data))
        return found

    def backtest(
        self,
        tickers: Sequence[str] | None = None,
        cells: Sequence[str] = CELLS,
        recipe: Recipe | None = None,
        *,
        start: str | None = None,
        end: str | None = None,
        refit: str = "1Y",
        train_years: float | None = None,
        warm: bool = False,
        model: str | None = None,
        universe: str | None = None,
        all_days: bool = False,
        match: str = "units",
        seeds: int = 1,
        baselines: Sequence[str] = (),
        jobs: int | None = None,
        watch: "WatchFolds" = lambda _: None,
    ) -> BacktestResult:
        """As `backtest`, on stored prices; the result is kept in results/, finished folds in results/folds/.

        Args:
            tickers: symbols; None for all that are stored.
            cells: as for `backtest`.
            recipe: the settings' recipe without it.
            start: as for `backtest`.
            end: as for `backtest`.
            refit: as for `backtest`.
            train_years: as for `backtest`.
            warm: as for `backtest`.
            model: NAME@VERSION: that network as it is, in place of cells that are trained. Without `start` it
                is tested on all days after the last one that it was trained on.
            universe: as for `training_set`.
            all_days: as for `training_set`.
            match: as for `backtest`.
            seeds: as for `backtest`.
            baselines: as for `backtest`.
            jobs: as for `backtest`.
            watch: told of each fold that is done.

        Raises:
            UsageError: as `backtest`, or the model was trained on a day that it would be tested on.
            NotFoundError, BadInputError: prices or the model are missing or damaged.
        """
        from forecaster.report.documents import backtest_document

        served = None if model is None else self.load_model(model)
        chosen = without_split((recipe or self.settings.train) if served is None else served.recipe)
        if served is not None:
            start = after_training(served, start)
        rule = WalkRule(start, end, refit, train_years)
        data = self._training_set(
            tickers,
            universe,
            whole_split(rule, chosen.horizon),
            all_days=all_days,
            composition=() if served is None else served.card.get("market", ()),
        )
        found = backtest_on(
            data,
            rule,
            cells,
            chosen,
            self.path / "results" / "folds",
            match=match,
            seeds=seeds,
            baselines=baselines,
            warm=warm,
            jobs=jobs,
            model=served,
            watch=watch,
        )
        self._keep({"schema": "forecast.backtest/1", **backtest_document(found, model)})
        return found

    def tune(
        self,
        tickers: Sequence[str] | None = None,
        cells: Sequence[str] = CELLS,
        recipe: Recipe | None = None,
        *,
        trials: int = 30,
        minutes: float | None = None,
        folds: int = 3,
        seeds: int = 1,
        space: Mapping[str, Sequence[Any]] | None = None,
        universe: str | None = None,
        all_days: bool = False,
        jobs: int | None = None,
        watch: "WatchTrials" = lambda _: None,
    ) -> TuneResult:
        """As `tune`, on stored prices; trials are kept in results/tune/, so that a search can go on.

        Args:
            tickers: symbols; None for all that are stored.
            cells: as for `tune`.
            recipe: the settings' recipe without it.
            trials: as for `tune`.
            minutes: as for `tune`.
            folds: as for `tune`.
            seeds: as for `tune`.
            space: as for `tune`.
            universe: as for `training_set`.
            all_days: as for `training_set`.
            jobs: as for `tune`.
            watch: told of each trial that has ended.

        Raises:
            UsageError, TryLaterError: as `tune`.
            NotFoundError, BadInputError: prices are missing, damaged or too few.
        """
        chosen = recipe or self.settings.train
        data = self.training_set(tickers, universe=universe, all_days=all_days, recipe=chosen)
        return tune_on(
            data,
            cells,
            chosen,
            self.path / "results",
            trials=trials,
            minutes=minutes,
            folds=folds,
            seeds=seeds,
            space=space,
            jobs=jobs,
            watch=watch,
        )

    def audit(
        self,
        tickers: Sequence[str] | None = None,
        recipe: Recipe | None = None,
        *,
        universe: str | None = None,
        all_days: bool = False,
    ) -> AuditResult:
        """As `audit`, on stored prices, and whether these were restated since models were trained on them."""
        subject = self.audit_subject(tickers, universe=universe, all_days=all_days)
        return audit_on(subject, recipe or self.settings.train, self.models_in_service())

    def report(
        self,
        tickers: Sequence[str] | None = None,
        *,
        model: str | None = None,
        output: str | Path | None = None,
    ) -> Path:
        """Write what is known as one HTML file that opens from disk: the forecasts, kept results, the ledger.

        Args:
            tickers: to show; None for all that are stored.
            model: NAME or NAME@VERSION; None for the one in service, if there is one.
            output: a file whose name ends in .html, or a folder; None for reports/report.html.

        Returns:
            Where it is.

        Raises:
            UsageError, NotFoundError, BadInputError, DiskError: as `write_report`.
        """
        from forecaster.report.write import write_report

        chosen = None if output is None else Path(output)
        return write_report(self.path, tickers, model, chosen, current_time(os.environ)).path

    def _keep(self, document: Mapping[str, Any]) -> None:
        """Keep a result for the report; a disk that fails costs a warning."""
        from forecaster.report.kept import keep

        if fault := keep(self.path, document, current_time(os.environ)):
            warnings.warn(fault, stacklevel=3)

    def predict(
        self, tickers: Sequence[str] | str | None = None, *, model: str | None = None, **options: Any
    ) -> "pd.DataFrame":
        """As `Model.predict`, by the model in service."""
        return self.load_model(model).predict(tickers, **options)


def after_training(model: Model, start: str | None) -> str:
    """The first day on which a model may be tested, or `start` if that is not before it.

    Raises:
        UsageError: `start` is not after the last day that the model was trained or stopped on.
    """
    last = date.fromisoformat(model.card.get("trained_to") or model.card["split"]["validation_end"])
    first = (last + timedelta(days=1)).isoformat()
    if start is None:
        return first
    if start <= last.isoformat():
        raise UsageError(
            f"--from {start} is among the days that {model.reference} was trained on, which end on {last}",
            f"choose --from {first} or later, or leave --model out: then its recipe is trained anew in "
            "every fold",
        )
    return start


def chosen_sources(source: str | None, earnings: str | None) -> tuple[str | None, str | None]:
    """Where prices and where earnings dates come from, None for not at all.

    Without a word on prices they are Yahoo's, unless dates come from a file: that alone needs no network.
    With the sample's prices come its dates.
    """
    if source is None:
        return (YAHOO if earnings in (None, YAHOO, SEC) else None), earnings
    if source == SAMPLE and earnings is None:
        return source, SAMPLE
    return source, earnings


def _source(text: str, settings: Settings) -> "PriceSource":
    from forecaster.prices.importing.files import FileSource
    from forecaster.prices.sample import SampleSource
    from forecaster.prices.yahoo.fetch import YahooSource

    if text == YAHOO:
        return YahooSource(settings)
    return SampleSource() if text == SAMPLE else FileSource(text)


def _known_zone(name: str | None) -> str | None:
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    try:
        if name is not None:
            ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise UsageError(f"--timezone {name} is not a time zone", "name one like Europe/London") from None
    return name


def _day(text: str | None) -> np.datetime64 | None:
    if text is None:
        return None
    try:
        return np.datetime64(date.fromisoformat(text), "D")
    except ValueError:
        raise UsageError(f"--start {text} is not a date", "write it like 2010-01-31") from None
