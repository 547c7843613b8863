"""A walk through history as tables for people and as a document for programs."""

import math
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from forecaster.backtesting import BacktestResult
from forecaster.cli.comparison_screen import (
    LEGEND,
    calibration_lines,
    error_table,
    groups_table,
    substitution,
)
from forecaster.cli.screen import figures_table, headline
from forecaster.evaluation.backtest import described_folds
from forecaster.evaluation.comparison import ModelResult
from forecaster.evaluation.confidence_set import CONFIDENCE
from forecaster.evaluation.verdict import MODEL_TITLES, listed, set_sentence, shown_interval
from forecaster.evaluation.walk_verdict import (
    YearResult,
    coverage_by_year,
    recalibration_gain,
    strongest_simple,
    three_sentences,
    year_results,
)
from forecaster.report.charts import bars

_MONTHS = (0.70, 1.00)
"""Coverages at the foot and at the head of the bars of a year's months."""


def show_backtest(result: BacktestResult, screen: Console) -> None:
    """Print what was walked through, the scores over all and by year, and the verdict."""
    comparison, verdict, backtest = result.comparison, result.verdict, result.backtest
    best = comparison.model(verdict.best)
    folds = described_folds(backtest)
    years = {step: year_results(comparison, best, step) for step in best.steps}
    screen.print(
        f"{len(comparison.panel.tickers)} tickers · {len(folds)} {'refit' if len(folds) == 1 else 'refits'}, "
        f"the first on days from {folds[0]['train_first']} to {folds[0]['train_last']} · forecasts made "
        f"{folds[0]['test_first']} to {folds[-1]['test_last']} ({best.steps[1].forecasts:,})"
    )
    for line in _cost_lines(result):
        screen.print(line, style="dim")
    for step in best.steps:
        screen.print()
        screen.print(error_table(comparison, step))
    screen.print()
    screen.print(set_sentence(verdict.confidence_set))
    for row in comparison.models:
        if row.substituted:
            screen.print(substitution(row), style="dim")
    for step, found in years.items():
        screen.print()
        screen.print(_years_table(result, best, found, step))
        screen.print(_lost(best, found))
        screen.print()
        screen.print(_calibration_table(result, step))
        screen.print(_calibration_gain(result, best, step))
    screen.print()
    screen.print(groups_table(comparison, best, years=False))
    screen.print()
    for line in calibration_lines(best):
        screen.print(line)
    screen.print()
    screen.print(
        f"{LEGEND} < 5 %, > 95 %: shares of actuals beyond each end of the 90 % interval; by month: its "
        f"coverage from {_MONTHS[0]:.0%} (▁) to {_MONTHS[1]:.0%} (█).",
        style="dim",
    )
    screen.print()
    screen.print(headline("Verdict", ""))
    lines = Table.grid(padding=(0, 1))
    for sentence in three_sentences(backtest, verdict, years[1]):
        lines.add_row("·", sentence)
    screen.print(lines)


def _cost_lines(result: BacktestResult) -> list[str]:
    """How often each cell was trained, and in what time."""
    trained = [(name, costs) for name, costs in result.backtest.costs.items() if costs[0].epochs]
    parts = [
        f"{MODEL_TITLES[name]} {len(costs)} × ({costs[0].parameters:,} parameters, "
        f"{sum(cost.seconds for cost in costs):,.0f} s)"
        for name, costs in trained
    ]
    if not parts:
        return []
    how = "from the weights of the refit before" if result.backtest.warm else "from scratch"
    return [f"Trained {how}: {', '.join(parts)}."]


def _years_table(result: BacktestResult, best: ModelResult, years: Sequence[YearResult], step: int) -> Table:
    rival = strongest_simple(result.comparison)
    ahead = "one day" if step == 1 else f"{step} days"
    table = figures_table(
        f"{MODEL_TITLES[best.model]} {ahead} ahead, by year",
        *("year", "CRPS", f"over {MODEL_TITLES[rival.model]}", "50 %", "90 %", "99 %", "< 5 %", "> 95 %"),
        "90 % by month",
    )
    for year in years:
        shares = (*year.coverage.values(), year.below_05, year.above_95)
        table.add_row(
            str(year.year),
            f"{1e4 * year.crps:.2f}",
            f"{100 * year.gains[rival.model]:+.1f} %",
            *(f"{100 * share:.1f}" for share in shares),
            Text(_month_bars(year)),
        )
    return table


def _calibration_table(result: BacktestResult, step: int) -> Table:
    """Each model that learns, as it is and recalibrated day by day."""
    ahead = "one day" if step == 1 else f"{step} days"
    headings = ("CRPS", "50 %", "80 %", "90 %", "95 %", "99 %", "< 5 %", "> 95 %", "90 % by year")
    table = figures_table(
        f"Coverage {ahead} ahead, as trained and recalibrated day by day", "model", *headings
    )
    comparison, calibrated = result.comparison, result.backtest.calibrated
    for name in calibrated:
        row = comparison.model(name)
        for title, scored in (
            (MODEL_TITLES[name], row.losses[step]),
            ("  recalibrated", calibrated[name][step]),
        ):
            by_year = coverage_by_year(comparison, scored)
            scores = scored.scores
            shares = (
                *(scores.coverage_50, scores.coverage_80, scores.coverage_90, scores.coverage_95),
                *(scores.coverage_99, scores.below_05, scores.above_95),
            )
            table.add_row(
                title,
                f"{1e4 * scores.crps:.2f}",
                *(f"{100 * share:.1f}" for share in shares),
                f"{100 * min(by_year):.1f}–{100 * max(by_year):.1f}",
            )
    return table


def _calibration_gain(result: BacktestResult, best: ModelResult, step: int) -> str:
    gain = recalibration_gain(result.backtest, best, step)
    side = "lowers" if gain.value > 0 else "raises"
    return (
        f"Recalibration {side} {MODEL_TITLES[best.model]}'s CRPS by {abs(gain.value):.2%} "
        f"(saved: {shown_interval(gain)})."
    )


def _month_bars(year: YearResult) -> str:
    low, high = _MONTHS
    heights = [
        math.nan if math.isnan(share) else (share - low) / (high - low) for share in year.months.tolist()
    ]
    return bars(heights)


def _lost(best: ModelResult, years: Sequence[YearResult]) -> str:
    """In which years which models did better, and in which it is surely not the best."""
    names = dict.fromkeys(name for year in years for name in year.lost_to)
    losses = [
        f"to {MODEL_TITLES[name]} in {listed([str(year.year) for year in years if name in year.lost_to])}"
        for name in names
    ]
    lost = (
        f"{MODEL_TITLES[best.model]} loses {'; '.join(losses)}." if losses else "It loses in no year to any."
    )
    out = [str(year.year) for year in years if year.in_set is False]
    unknown = [str(year.year) for year in years if year.in_set is None]
    sure = f"{100 * CONFIDENCE:.0f} %"
    parts = [f" It is surely not among the best ({sure}) in {listed(out)}."] if out else []
    if not out and len(unknown) < len(years):
        parts.append(f" In no year it is surely not among the best ({sure}).")
    if unknown:
        parts.append(f" Too few days for a test: {listed(unknown)}.")
    return lost + "".join(parts)
