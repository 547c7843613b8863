"""`forecast predict`: dated medians and intervals from the model in service, without TensorFlow."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from forecaster.cli.completion import ModelFlag, complete_tickers, complete_universes
from forecaster.cli.flags import warn_of_dates
from forecaster.cli.results import SaveFlag, check_save, write_picture
from forecaster.cli.screen import (
    HomeFlag,
    JsonFlag,
    QuietFlag,
    fail_for,
    note_replay,
    now,
    open_settings,
    print_json,
    stderr_console,
    stdout_console,
)
from forecaster.errors import UsageError, name_some

if TYPE_CHECKING:
    from rich.console import Console

    from forecaster.cli.prediction_screen import Asked
    from forecaster.evaluation.calibration import Calibration
    from forecaster.prices.market import ThinDay
    from forecaster.prices.store import PriceStore
    from forecaster.registry.versions import RegisteredModel
    from forecaster.service.prediction import Batch, Prediction
    from forecaster.service.thresholds import Threshold


def predict(
    context: typer.Context,
    tickers: Annotated[
        list[str] | None,
        typer.Argument(
            help="Tickers to predict (all that are stored).",
            show_default=False,
            autocompletion=complete_tickers,
        ),
    ] = None,
    universe: Annotated[
        str | None,
        typer.Option(
            "--universe",
            metavar="sp500|sample|FILE",
            help="Predict its members of today.",
            show_default=False,
            autocompletion=complete_universes,
        ),
    ] = None,
    horizon: Annotated[
        int | None,
        typer.Option("--horizon", help="Sessions ahead.", show_default="all the model was trained for"),
    ] = None,
    model: ModelFlag = None,
    levels: Annotated[
        str | None,
        typer.Option(
            "--levels",
            metavar="50,90,…",
            help="Central intervals, per cent, from 1 to 99.9.",
            show_default="50,90",
        ),
    ] = None,
    above: Annotated[
        str | None,
        typer.Option("--above", metavar="PRICE|+5%", help="Chance of a close above it.", show_default=False),
    ] = None,
    below: Annotated[
        str | None,
        typer.Option("--below", metavar="PRICE|-5%", help="Chance of a close below it.", show_default=False),
    ] = None,
    touch: Annotated[
        str | None,
        typer.Option(
            "--touch",
            metavar="PRICE|±5%",
            help="Chance of a close that reaches it by then.",
            show_default=False,
        ),
    ] = None,
    risk: Annotated[
        bool, typer.Option("--risk", help="Show value at risk and expected shortfall, 95 % and 99 %.")
    ] = False,
    sort: Annotated[
        str | None,
        typer.Option(
            "--sort",
            metavar="move|ticker|report",
            help="Largest expected move, first ticker or nearest report first.",
            show_default="as given",
        ),
    ] = None,
    fallback: Annotated[
        bool, typer.Option("--fallback", help="If the model in service is damaged, use the last good one.")
    ] = False,
    record: Annotated[
        bool, typer.Option("--record", help="Keep the forecasts in the ledger, for `forecast score`.")
    ] = False,
    save: SaveFlag = None,
    json: JsonFlag = False,
    quiet: QuietFlag = False,
    home: HomeFlag = None,
) -> None:
    """Predict tickers' coming sessions, beside the naive forecast.

    A ticker that cannot be predicted costs only itself: it is listed on stderr with the reason, the
    others are predicted, and the exit code is that of the first that failed.

    The expected move is half the width of the central 68 % interval of the log return, in per cent: about
    two closes in three come that near to the median. --sort takes that of the last session, and orders
    --json too.

    A price after --above, --below or --touch is a closing price of one ticker; a change in per cent is
    meant from each ticker's last close. --touch sees closes only, not the prices between them.
    """
    from forecaster.cli.prediction_screen import (
        check_order,
        in_order,
        prediction_document,
        show_predictions,
    )
    from forecaster.prices.known import known_prices
    from forecaster.registry.calibration import calibration_at
    from forecaster.registry.promotion import load_or_fall_back
    from forecaster.registry.versions import ModelRegistry
    from forecaster.service.prediction import check_recordable, predict_stored
    from forecaster.service.thresholds import parse_thresholds

    settings = open_settings(context, home)
    widths = _chosen_levels("50,90" if levels is None else levels)
    check_order(sort)
    check_save(save)
    note_replay(settings.home, quiet=quiet)
    moment = now()
    store, registry = known_prices(settings.home, moment, os.environ), ModelRegistry(settings.home)
    chosen = _chosen(store, settings.home, tickers, universe)
    prices = parse_thresholds({"--above": above, "--below": below, "--touch": touch}, len(chosen))
    _check_fans(save, len(chosen))
    used, damage = load_or_fall_back(registry, model) if fallback else (registry.load(model), None)
    notes = stderr_console(quiet=quiet)
    if record:
        check_recordable(used, store, moment)
    if damage:
        _say(f"warning: {damage}; {used.reference} is used in its place", notes)
    reference = registry.load_reference(*registry.resolve(used.reference)) if record else None
    composition = used.card.get("market", ())
    calibration = calibration_at(registry, used, moment)
    batch = predict_stored(
        store,
        used.network,
        chosen,
        horizon,
        widths,
        composition=composition,
        reference=reference,
        level_map=None if calibration is None else calibration.level_map,
    )
    asked = _asked(batch, used, calibration, prices, risk=risk, every_level=levels is not None)
    if len(chosen) == 1:
        for error in batch.failures.values():
            raise error
    _warn(batch.predictions, used, store, moment, notes)
    warn_of_dates(batch.dates_fault)
    if "touch" in prices and not asked.copula.fitted:
        _say(
            f"note: {used.reference} has no fitted dependence of its steps; --touch takes a random walk's",
            notes,
        )
    recorded = _record(settings.home, used.reference, batch.predictions, moment, notes) if record else None
    ordered = in_order(batch.predictions, sort)
    _draw(ordered, save, quiet=quiet)
    if json:
        content = {
            "predictions": [prediction_document(item, asked, used, moment) for item in ordered],
            "failures": [
                {"ticker": ticker, "reason": error.message, "remedy": error.remedy}
                for ticker, error in batch.failures.items()
            ],
            "fallback": damage,
            "recorded": recorded,
        }
        print_json("forecast.predict/2", content)
    else:
        show_predictions(ordered, asked, used.reference, stdout_console(quiet=quiet), sort)
    fail_for(batch.failures, len(chosen), "predicted")


def _asked(
    batch: "Batch",
    used: "RegisteredModel",
    calibration: "Calibration | None",
    prices: "Mapping[str, Threshold]",
    *,
    risk: bool,
    every_level: bool,
) -> "Asked":
    """What the screen and the document show beside the forecasts."""
    from forecaster.cli.prediction_screen import Asked
    from forecaster.dataset.report_features import is_report_feature
    from forecaster.network.step_copula import copula_of

    reads_dates = any(is_report_feature(name) for name in used.network.features)
    in_use = batch.dates_kept or (reads_dates and not batch.dates_fault)
    return Asked(
        prices,
        copula_of(used.card),
        risk,
        dates=in_use,
        calibration=calibration,
        every_level=every_level,
    )


def _say(line: str, notes: "Console") -> None:
    notes.print(line, style="yellow", soft_wrap=True)


def _check_fans(save: Path | None, count: int) -> None:
    """See that so many tickers make a picture, if one is wanted."""
    if save is not None:
        from forecaster.report.fans import check_fans

        check_fans(count)


def _draw(predictions: "Sequence[Prediction]", save: Path | None, *, quiet: bool) -> None:
    if save is not None and predictions:
        from forecaster.report.fans import prediction_picture

        write_picture(save, prediction_picture(predictions), quiet=quiet)


def _chosen_levels(text: str) -> tuple[float, ...]:
    """The levels that `--levels` names, with commas between them, the narrowest first.

    Raises:
        UsageError: one of them is no level, or is given twice.
    """
    from forecaster.service.prediction import check_levels

    said = f"--levels {text[:40]}"
    try:
        levels = tuple(sorted(float(part) for part in text.split(",")))
    except ValueError:
        raise UsageError(f"{said} is not a list of numbers", "write it like 50,80,90,99") from None
    check_levels(levels, said)
    return levels


def _chosen(store: "PriceStore", home: Path, tickers: list[str] | None, universe: str | None) -> list[str]:
    """The tickers to predict, in capitals and once each, stored or not."""
    from forecaster.dataset.panel import choose_tickers
    from forecaster.prices.table import checked_ticker

    if tickers and universe is not None:
        raise UsageError("tickers and --universe exclude each other", "give one of them")
    if universe is not None:
        from forecaster.prices.universe import find_universe, members_on

        return members_on(find_universe(universe, home), None, now().date())[1]
    if not tickers or store.is_empty():
        return choose_tickers(store, None)  # which says so of an empty store
    return list(dict.fromkeys(checked_ticker(ticker) for ticker in tickers))


def _warn(
    predictions: "Sequence[Prediction]",
    used: "RegisteredModel",
    store: "PriceStore",
    moment: datetime,
    notes: "Console",
) -> None:
    """One line on old prices and one on tickers that were not trained on, however many there are."""
    from forecaster.service.prediction import knows_later_prices

    old = {each.ticker: each for each in predictions if each.sessions_old(moment)}
    others = [each.ticker for each in predictions if each.ticker not in used.trained_on]
    lines = []
    if len(old) == 1:
        ((ticker, found),) = old.items()
        lines.append(
            f"warning: {ticker}'s last price is of {found.last_date}, "
            f"{found.sessions_old(moment):,} sessions ago; `forecast fetch` brings newer ones"
        )
    elif old:
        lines.append(
            f"warning: the last prices of {len(old):,} tickers are at least a session old: {name_some(old)}; "
            "`forecast fetch` brings newer ones"
        )
    bridged = {each.ticker: each.bridged for each in predictions if each.bridged}
    if len(bridged) == 1:
        ((ticker, days),) = bridged.items()
        lines.append(f"note: {ticker} has no bar of {name_some(days)}; the gap was bridged")
    elif bridged:
        lines.append(
            f"note: {len(bridged):,} tickers lack sessions, which were bridged: {name_some(bridged)}; "
            "`forecast data status TICKER` names them"
        )
    if thin := {each.ticker: each.thin_market for each in predictions if each.thin_market}:
        lines.append(_thin_market(thin))
    if knows_later_prices(used, store, moment):
        lines.append(
            f"note: {used.reference} knows prices up to {used.card['prices']['last_day']}: "
            "its forecasts could not have been made then"
        )
    if others:
        lines.append(f"note: {used.reference} was not trained on {name_some(others)}, but on other tickers")
    for line in lines:
        _say(line, notes)


def _thin_market(thin: "Mapping[str, Sequence[ThinDay]]") -> str:
    """How many days of the lookback have a market of few, and how few it is on the last of them."""
    from forecaster.service.prediction import MARKET_REMEDY

    most = max(len(days) for days in thin.values())
    last = max((days[-1] for days in thin.values()), key=lambda day: day.date)
    span = f"on {last.date}" if most == 1 else f"on {most} of the days looked back on, the last {last.date},"
    return (
        f"warning: {name_some(thin)}: {span} {last.tickers:,} of {last.listed:,} members of the market have "
        f"a price; their mean is scaled, and the intervals are less certain; {MARKET_REMEDY}"
    )


def _record(
    home: Path, model: str, predictions: "Sequence[Prediction]", moment: datetime, notes: "Console"
) -> dict[str, int]:
    from forecaster.ledger.ledger import Ledger
    from forecaster.service.prediction import ledger_rows

    recorded = Ledger(home).record(ledger_rows(model, predictions), moment)
    parts = [f"Recorded: {recorded.new:,} forecasts"]
    if recorded.known:
        parts.append(f"{recorded.known:,} were recorded before")
    if recorded.over:
        parts.append(f"{recorded.over:,} are left out, as their target date has closed")
    notes.print("; ".join(parts) + ".", soft_wrap=True)
    return asdict(recorded)
