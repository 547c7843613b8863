"""`forecast score`: recorded forecasts beside their actuals, and whether the intervals cover as promised."""

import os
from typing import TYPE_CHECKING, Annotated, Any

import typer

from forecaster.cli.results import SaveFlag, check_save, save_picture
from forecaster.cli.screen import (
    HomeFlag,
    JsonFlag,
    QuietFlag,
    figures_table,
    note_replay,
    now,
    open_settings,
    print_json,
    stderr_console,
    stdout_console,
)
from forecaster.errors import ExitCode

if TYPE_CHECKING:
    from rich.console import Console

    from forecaster.ledger.live_scores import DailyScores, LiveScores
    from forecaster.ledger.reaction_scores import ReactionScores
    from forecaster.ledger.scoring import Filled
    from forecaster.service.recalibration import Recalibrated

LISTED = 10
MONTHS = 12
NAMED = 5


def score(
    context: typer.Context,
    every: Annotated[
        bool,
        typer.Option(
            "--all",
            help="List every ticker and month, not the worst ten and the last twelve, and every step of the "
            "days of reports.",
        ),
    ] = False,
    save: SaveFlag = None,
    json: JsonFlag = False,
    quiet: QuietFlag = False,
    home: HomeFlag = None,
) -> None:
    """Score the recorded forecasts whose target date has closed; exit with 1 if an alarm is raised.

    Two alarms, on the last twelve months of each model in the registry: the coverage of the 90 % interval
    one session ahead is too low or too high, or the CRPS, at the first or the last step, is worse than the
    reference's. That is linear-t or RiskMetrics-t, whichever was better when the model was trained. Both are
    betting tests on daily means, good for looking every night: together they raise a false alarm in at most
    1 % of years.

    What the forecasts of each version have come to recalibrates the next ones: `predict` widens or narrows
    each end of its intervals by it.

    Where earnings dates are stored, the forecasts up to whose target the price had a company's report to
    react to are shown apart from the others.
    """
    from dataclasses import asdict

    from forecaster.ledger.alarms import find_alarms
    from forecaster.ledger.ledger import Ledger
    from forecaster.ledger.live_scores import (
        GROUPS,
        daily_scores,
        live_scores,
        p_value,
        reference_p_value,
    )
    from forecaster.ledger.reaction_scores import reaction_scores
    from forecaster.ledger.scoring import fill_outcomes
    from forecaster.prices.calendar import last_closed_session
    from forecaster.prices.known import known_prices
    from forecaster.registry.versions import ModelRegistry
    from forecaster.service.events import log_alarms
    from forecaster.service.recalibration import recalibrate

    check_save(save)
    settings = open_settings(context, home)
    ledger, moment = Ledger(settings.home), now()
    note_replay(settings.home, quiet=quiet)
    store = known_prices(settings.home, moment, os.environ)
    filled = fill_outcomes(ledger, store, moment)
    until = last_closed_session(moment)
    whole = live_scores(ledger, until)
    days = [daily_scores(ledger, row.model, row.step, until) for row in whole]
    p_values = [
        {"p_value": p_value(daily, row.step), "reference_p_value": reference_p_value(daily, row.step)}
        for row, daily in zip(whole, days, strict=True)
    ]
    groups = {name: live_scores(ledger, until, expression) for name, expression in GROUPS.items()}
    reactions = reaction_scores(ledger, store, moment)
    registry = ModelRegistry(settings.home)
    recalibrated = recalibrate(registry, ledger, moment)
    alarms = find_alarms(ledger, registry.names(), moment)
    document = (
        asdict(filled)
        | _live_document(whole, days, p_values)
        | {f"{name}s": [_as_json(row, name) for row in rows] for name, rows in groups.items()}
    )
    document |= {
        "reactions": [_as_json(row, "reaction") for row in reactions.rows],
        "reactions_left_out": reactions.left_out,
        "reactions_missing": reactions.why or None,
        "recalibrated": [asdict(row) for row in recalibrated],
        "alarms": [asdict(alarm) | {"text": alarm.text} for alarm in alarms],
    }
    if document["coverage_by_month"]:
        save_picture(save, "forecast.score/1", document, quiet=quiet)
    elif save is not None:
        stderr_console(quiet=quiet).print("There is no picture, as no forecast has been scored yet.")
    if json:
        print_json("forecast.score/1", document)
    else:
        screen = stdout_console(quiet=quiet)
        screen.print(_summary(filled), soft_wrap=True)
        if whole:
            _show_models(whole, [p["reference_p_value"] for p in p_values], screen)
            _show_recalibrated(recalibrated, screen, every=every)
            _show_reactions(reactions, screen, every=every)
            _show_months(groups["month"], screen, every=every)
            _show_groups("ticker", groups["ticker"], screen, limit=None if every else LISTED)
    log_alarms(settings.home, moment, alarms)
    for alarm in alarms:
        stderr_console().print(f"alarm: {alarm.text}", style="red", soft_wrap=True)
    if alarms:
        raise typer.Exit(ExitCode.FAILED)


def _live_document(
    whole: "list[LiveScores]", days: "list[DailyScores]", p_values: list[dict[str, float]]
) -> dict[str, Any]:
    from forecaster.ledger.live_scores import coverage_by_month, gain_by_month

    pairs = list(zip(whole, days, strict=True))
    return {
        "models": [
            _as_json(row) | p | {"reference": daily.reference or None}
            for (row, daily), p in zip(pairs, p_values, strict=True)
        ],
        **{
            name: [month for row, daily in pairs if row.step == 1 for month in by_month(row.model, daily)]
            for name, by_month in (("coverage_by_month", coverage_by_month), ("gain_by_month", gain_by_month))
        },
    }


def _summary(filled: "Filled") -> str:
    text = f"Newly scored: {filled.scored:,}; over, but still open: {filled.still_open:,}."
    named = [f"{ticker}: {reason}" for ticker, reason in list(filled.reasons.items())[:NAMED]]
    if len(filled.reasons) > NAMED:
        named.append(f"and {len(filled.reasons) - NAMED:,} more tickers")
    if named:
        text += f" {'; '.join(named)}. `forecast fetch` may bring the missing prices."
    if filled.renamed:
        text += f" Renamed: {', '.join(f'{old} is now {new}' for old, new in filled.renamed.items())}."
    return text


def _show_models(rows: list["LiveScores"], p_values: list[float], screen: "Console") -> None:
    from forecaster.evaluation.verdict import show_p

    table = figures_table("By model", "model", "step", "days", *_HEADINGS, "p")
    table.columns[0].no_wrap, table.columns[0].overflow = False, "fold"
    for row, p in zip(rows, p_values, strict=True):
        shown = "–" if row.reference_skill is None else show_p(p)
        table.add_row(row.model, str(row.step), f"{row.days:,}", *_figures(row), shown)
    screen.print(table)
    screen.print(
        "CRPS in log return. Naive, reference: share of that forecast's CRPS that is saved; the reference is "
        "linear-t or RiskMetrics-t, whichever was better when the model was trained, and p is of it.",
        style="dim",
    )


def _show_recalibrated(rows: list["Recalibrated"], screen: "Console", *, every: bool) -> None:
    """The first and the last step of each version, or every one."""
    if not rows:
        return
    last = {row.model: row.step for row in rows}
    headings = ("forecasts", "as trained", "recalibrated", "days", "through")
    table = figures_table("Coverage of the 90 % interval, recalibrated", "model", "step", *headings)
    table.columns[0].no_wrap, table.columns[0].overflow = False, "fold"
    for row in rows:
        if every or row.step in {1, last[row.model]}:
            shares = f"{row.coverage_90:.1%}", f"{row.recalibrated_90:.1%}"
            table.add_row(
                row.model, str(row.step), f"{row.forecasts:,}", *shares, f"{row.days:,}", row.through
            )
    screen.print()
    screen.print(table)
    screen.print(
        "Recalibrated: as `predict` shows it, by the outcomes known when each forecast was made; days: whose "
        "outcomes were counted, those of the version's test days among them. All other figures are of the "
        "forecasts as trained.",
        style="dim",
    )


def _show_reactions(found: "ReactionScores", screen: "Console", *, every: bool) -> None:
    """The first and the last step of each model, or every one."""
    screen.print()
    if found.why:
        screen.print(f"Days of reports: {found.why}.", markup=False)
        return
    last = {row.model: row.step for row in found.rows}
    title = "By whether there is a report to react to up to the target date"
    table = figures_table(title, "model", "step", "reaction", *_HEADINGS)
    table.columns[0].no_wrap, table.columns[0].overflow = False, "fold"
    table.columns[2].justify = "left"
    for row in found.rows:
        if every or row.step in {1, last[row.model]}:
            table.add_row(row.model, str(row.step), row.group, *_figures(row))
    screen.print(table)
    if found.left_out:
        text = (
            f"Left out, as no earnings dates of the ticker tell of those days: {found.left_out:,} forecasts."
        )
        screen.print(text, style="dim")


def _show_months(rows: list["LiveScores"], screen: "Console", *, every: bool) -> None:
    months = sorted({row.group for row in rows})
    shown = months if every else months[-MONTHS:]
    _show_groups("month", [row for row in rows if row.group in shown], screen, limit=None)
    if len(months) > len(shown):
        screen.print(f"{len(months) - len(shown):,} earlier months: --all.", style="dim")


def _show_groups(what: str, rows: list["LiveScores"], screen: "Console", limit: int | None) -> None:
    """One step ahead only; of many the worst."""
    shown = [row for row in rows if row.step == 1]
    title = f"By {what}, one session ahead"
    if limit is not None and len(shown) > limit:
        title += f": the {limit} of {len(shown):,} with the least skill (--all lists every one)"
        shown = sorted(shown, key=lambda row: row.skill)[:limit]
    table = figures_table(title, what, "model", *_HEADINGS)
    table.columns[1].overflow, table.columns[1].justify = "fold", "left"
    for row in shown:
        table.add_row(row.group, row.model, *_figures(row))
    screen.print()
    screen.print(table)


_HEADINGS = ("forecasts", "90 % cov.", "CRPS ×10⁻⁴", "naive", "reference")


def _figures(row: "LiveScores") -> tuple[str, ...]:
    return (
        f"{row.forecasts:,}",
        f"{row.coverage_90:.1%}",
        f"{row.crps * 1e4:.2f}",
        f"{row.skill:+.1%}",
        "–" if row.reference_skill is None else f"{row.reference_skill:+.1%}",
    )


def _as_json(row: "LiveScores", group: str | None = None) -> dict[str, Any]:
    from dataclasses import asdict

    content = asdict(row)
    name = content.pop("group")
    return {"model": content.pop("model"), **({group: name} if group else {}), **content}
