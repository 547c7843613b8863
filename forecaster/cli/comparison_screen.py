"""The comparison as a table for people and as a document for programs."""

import math
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from forecaster.cli.screen import figures_table, headline, stacked
from forecaster.dataset.split import split_dates
from forecaster.dataset.volatility import REGIMES
from forecaster.evaluation.baselines import SAME_INPUTS
from forecaster.evaluation.breakdown import REACTIONS, scores_by
from forecaster.evaluation.comparison import Comparison, ModelResult, Spread
from forecaster.evaluation.significance import LEAST_HORIZONS, DieboldMariano
from forecaster.evaluation.step_tests import Calibration
from forecaster.evaluation.tried import LEVEL
from forecaster.evaluation.verdict import MODEL_TITLES, Verdict, say_p, show_p
from forecaster.report.charts import bars
from forecaster.report.documents import formula_parameters
from forecaster.settings import Recipe

LEGEND = (
    "CRPS: error of the whole forecast, in log return ×10⁻⁴; 90 %: coverage of the 90 % interval; "
    "MAE, RMSE: of the median, in currency; MAPE: in per cent; DA: directional accuracy, per cent; "
    "skill: CRPS saved against the naive forecast, per cent; p: how often a difference this large would "
    "appear if the two were equally good."
)
_NAMED = 5


def show_comparison(
    comparison: Comparison, verdict: Verdict, recipes: Sequence[Recipe], screen: Console
) -> None:
    """Print what was compared, the costs, the errors by step, and the verdict."""
    panel, dates = comparison.panel, split_dates(comparison.panel.dates, comparison.split)
    screen.print(
        f"{len(panel.tickers)} tickers · trained {dates['train_start']} to {dates['train_end']} · "
        f"validated to {dates['validation_end']} · tested to {dates['test_end']} "
        f"({comparison.models[0].steps[1].forecasts:,} forecasts)"
    )
    screen.print()
    screen.print(_cost_table(comparison, recipes))
    for step in comparison.models[0].steps:
        screen.print()
        screen.print(error_table(comparison, step))
    for row in comparison.models:
        if row.substituted:
            screen.print(substitution(row), style="dim")
    screen.print()
    best = comparison.model(verdict.best)
    screen.print(f"{LEGEND} {_tests_legend(best)}", style="dim")
    screen.print()
    for line in calibration_lines(best):
        screen.print(line)
    screen.print()
    screen.print(groups_table(comparison, best))
    screen.print()
    screen.print(headline("Verdict", ""))
    lines = Table.grid(padding=(0, 1))
    for sentence in verdict.sentences:
        lines.add_row("·", sentence)
    screen.print(lines)


def substitution(row: ModelResult) -> str:
    """For which tickers a baseline is RiskMetrics-t."""
    count, named = len(row.substituted), ", ".join(row.substituted[:_NAMED])
    more = f" and {count - _NAMED} more" if count > _NAMED else ""
    tickers = "ticker" if count == 1 else "tickers"
    return (
        f"{MODEL_TITLES[row.model]}: not fitted to {count} {tickers}, {named}{more}: RiskMetrics-t instead."
    )


def _cost_table(comparison: Comparison, recipes: Sequence[Recipe]) -> Table:
    first = next(row for row in comparison.models if row.trained).trained[0]
    table = figures_table(
        f"Cost ({first.engine.backend} on {first.engine.device})",
        *("cell", "units", "params", "Keras", "train s", "targets/s", "peak MB", "epochs", "kernel"),
    )
    for recipe in recipes:
        row = comparison.model(recipe.cell)
        table.add_row(
            MODEL_TITLES[recipe.cell],
            str(recipe.units),
            f"{formula_parameters(row, recipe):,}",
            f"{row.trained[0].keras_parameters:,}",
            _figure(row.seconds(), "{:.1f}"),
            _figure(row.targets_per_second(), "{:,.0f}"),
            f"{row.peak_memory_mb:,.0f}",
            ", ".join(str(len(run.losses)) for run in row.trained[:3])
            + ("…" if len(row.trained) > 3 else ""),
            row.trained[0].kernel,
        )
    return table


def error_table(comparison: Comparison, step: int) -> Table:
    """The scores of every model at one step, the best in bold."""
    days = "One day ahead" if step == 1 else f"{step} days ahead"
    headings = ("CRPS", "90 %", "MAE", "RMSE", "MAPE", "MASE", "DA", "skill", "p")
    table = figures_table(days, "model", *headings)
    best = min(row.steps[step].crps for row in comparison.models)
    for row in comparison.models:
        if row.model == "naive":
            table.add_section()
        style = "bold green" if row.steps[step].crps == best else ""
        table.add_row(MODEL_TITLES[row.model], *_error_cells(row, step), style=style)
    return table


def _tests_legend(best: ModelResult) -> str:
    """Which test the p-values are of, and on how many days."""
    counts = [_counts(tests.range, step) for step, tests in best.tests.items()]
    return (
        "Tests: Diebold–Mariano on daily means, variance from the slowest cosines (EWC); "
        f"{', '.join(counts)}. The verdict's are adjusted for all that was tried (Holm). "
        "The actuals by tenth: first three moments of the PIT, EWC."
    )


def _counts(test: DieboldMariano, step: int) -> str:
    ahead = f"{step} ahead: {test.days:,} days"
    if test.frequencies:
        return f"{ahead}, {test.frequencies} cosines"
    return f"{ahead}, too few of the {LEAST_HORIZONS * step} that a test needs"


def calibration_lines(best: ModelResult) -> list[str]:
    """How often the actual fell in each tenth of the best cell's distribution, by step."""
    lines = [f"Actuals by tenth of {MODEL_TITLES[best.model]}'s distribution; alike if it is right"]
    for step, tests in best.tests.items():
        shares = _percent(tests.pit_counts)
        bars = _bars(tests.pit_counts)
        lines.append(
            f"{step:>3} ahead  {bars}  {min(shares):.1f} to {max(shares):.1f} %, {_fault(tests.calibration)}"
        )
    return lines


def _fault(found: Calibration) -> str:
    """What is surest to be wrong with the distribution, with its p-value."""
    if math.isnan(found.p_value):
        return "too few days for a test"
    worst = min(found.adjusted, key=lambda name: found.adjusted[name])
    side = found.means[worst] > 0
    words = {
        "location": "too low" if side else "too high",
        "spread": "too narrow" if side else "too wide",
        "skew": "upper tail too light" if side else "lower tail too light",
    }
    said = say_p(found.p_value)
    return f"{words[worst]} ({said})" if found.p_value < LEVEL else f"no fault found ({said})"


def _percent(counts: Sequence[float]) -> list[float]:
    total = sum(counts) or 1.0
    return [100 * count / total for count in counts]


def _bars(counts: Sequence[float]) -> str:
    """A bar for each count; the highest of a block stands for twice an even share or more."""
    even = sum(counts) / len(counts) or 1.0
    return bars([count / even / 2 for count in counts])


def groups_table(comparison: Comparison, best: ModelResult, *, years: bool = True) -> Table:
    """The best cell beside the best simple forecast: calm markets or not, reports ahead or not.

    With `years` also in its best and its worst year.
    """
    baselines = [row for row in comparison.models if row.kind == "baseline"]
    simple = [row for row in baselines if row.model not in SAME_INPUTS]
    rival = min(simple, key=lambda row: row.steps[1].crps)
    table = figures_table(
        f"{MODEL_TITLES[best.model]} one day ahead, by kind of day",
        *("days", "forecasts", "CRPS", "90 %", f"over {MODEL_TITLES[rival.model]}"),
    )
    groups = {
        grouping: _gains(comparison, grouping, best, rival) for grouping in ("regime", "year", "reaction")
    }
    for name in REGIMES:
        if name in groups["regime"]:
            table.add_row(name, *groups["regime"][name][1])
    for name in REACTIONS:
        if name in groups["reaction"]:
            table.add_row(f"{name} ahead", *groups["reaction"][name][1])
    ordered = sorted(groups["year"], key=lambda year: groups["year"][year][0])
    extremes = [(ordered[0], "worst year"), (ordered[-1], "best year")]
    if len(ordered) == 1:
        extremes = [(ordered[0], "")]
    for year, words in extremes if years else []:
        table.add_row(f"{year} {words}".rstrip(), *groups["year"][year][1])
    return table


def _gains(
    comparison: Comparison, grouping: str, best: ModelResult, rival: ModelResult
) -> dict[str, tuple[float, list[str]]]:
    """By group, the share of the rival's CRPS that is saved one day ahead, and the cells of a table's row."""
    rows = [row for row in scores_by(comparison, grouping) if row["step"] == 1]
    other = {row[grouping]: row["crps"] for row in rows if row["model"] == rival.model}
    found = {}
    for row in (row for row in rows if row["model"] == best.model):
        gain = 1 - row["crps"] / other[row[grouping]]
        cells = [f"{row['forecasts']:,}", f"{1e4 * row['crps']:.2f}", f"{100 * row['coverage_90']:.1f}"]
        found[str(row[grouping])] = gain, [*cells, f"{100 * gain:+.1f} %"]
    return found


def _error_cells(row: ModelResult, step: int) -> list[str | Text]:
    scores, deviations = row.steps[step], row.deviations.get(step, {})

    def cell(name: str, form: str, times: float = 1.0) -> str | Text:
        spread = Spread(getattr(scores, name) * times, deviations.get(name, 0.0) * times)
        return _figure(spread, form)

    reference = row.model == "naive"
    return [
        cell("crps", "{:.2f}", 1e4),
        cell("coverage_90", "{:.1f}", 100),
        cell("mae", "{:.3f}"),
        cell("rmse", "{:.3f}"),
        cell("mape", "{:.3f}"),
        cell("mase", "{:.3f}"),
        cell("directional_accuracy", "{:.1f}", 100),
        "–" if reference else cell("skill", "{:+.1f}", 100),
        "–" if reference else show_p(scores.p_value),
    ]


def _figure(spread: Spread, form: str) -> str | Text:
    """The mean, with the seeds' deviation under it; its leading zero would cost the table's last column."""
    mean = form.format(spread.mean)
    deviation = form.replace("+", "").format(spread.deviation).removeprefix("0")
    return stacked(mean, f"±{deviation}") if spread.deviation else mean
