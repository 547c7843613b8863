"""The report's chapters, from what was collected."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from forecaster.dataset.survivorship import survivorship_text
from forecaster.evaluation.confidence_set import CONFIDENCE
from forecaster.evaluation.verdict import MODEL_TITLES, show_p
from forecaster.report.collect import ReportData
from forecaster.report.fans import SESSIONS, Fan
from forecaster.report.kept import KeptResult
from forecaster.report.page import (
    Block,
    Cell,
    Choice,
    Figure,
    Missing,
    Section,
    Table,
    Text,
    Tiles,
    render_page,
)
from forecaster.report.pictures import gallery, scores
from forecaster.report.pictures.fan import fan_picture
from forecaster.report.pictures.gallery import ahead
from forecaster.report.price_text import PriceText
from forecaster.service.prediction import Prediction
from forecaster.settings import cell_text

_COMPARE, _BACKTEST = "forecast compare", "forecast backtest"
_LABORATORY = {
    "lab-gradients": "how far back the gradient reaches in each cell",
    "lab-memory": "the longest lag that each cell bridges",
    "lab-sweep": "how results change with units, lookback or data",
}
_UNSOUND = 50
"""Tickers with something to see to that are listed; `data status` has them all."""


def report_page(data: ReportData) -> str:
    """The whole report as HTML."""
    last = max((str(each.last_date) for each in data.predictions), default="")
    parts = [
        f"made {data.made:%Y-%m-%d %H:%M} UTC",
        f"prices to {last}" if last else "",
        f"model {data.model}" if data.model else "",
    ]
    chapters = [
        _verdict(data),
        _forecasts(data),
        _calibration(data),
        _comparison(data),
        _backtest(data),
        _groups(data),
        _cells(data),
        _gates(data),
        _live(data),
        _laboratory(data),
        _health(data),
        _origin(data),
    ]
    return render_page("What the forecasts are worth", " · ".join(filter(None, parts)), chapters)


def _evidence(data: ReportData) -> KeptResult | None:
    """A walk through history says more than one split."""
    return data.result("backtest") or data.result("compare")


def _verdict(data: ReportData) -> Section:
    result = _evidence(data)
    if result is None:
        blocks: list[Block] = [
            Missing(
                "Nothing has been compared yet, so nothing can be said of the forecasts' worth:", _COMPARE
            )
        ]
        return Section("verdict", "Verdict", blocks)
    document = result.document
    verdict = document["verdict"]
    best = _model(document, verdict["best"])
    tiles = [_coverage_tile(document, best), *_recurrence_tile(verdict), *_skill_tile(best)]
    refits = f"{len(document['folds'])} refits" if "folds" in document else "one split"
    first, last = _test_span(document)
    made = best["scores"]["1"]["forecasts"]
    ground = (
        f"The evidence: {made:,} forecasts one session ahead of {len(document['tickers']):,} tickers, made "
        f"{first} to {last} ({refits}), by `{result.command}` on {result.made[:10]}."
    )
    return Section(
        "verdict",
        "Verdict",
        [
            *map(Text, verdict["three_sentences"]),
            Tiles(tiles),
            Text(ground, quiet=True),
            *_survivors(document),
        ],
    )


def _survivors(document: Mapping[str, Any]) -> list[Block]:
    found = document.get("survivorship")
    return [Text(survivorship_text(found), quiet=True)] if found else []


def _coverage_tile(document: Mapping[str, Any], best: Mapping[str, Any]) -> tuple[str, str, str]:
    raw = best["scores"]["1"]["coverage_90"]
    if "calibrated" in best:
        after = best["calibrated"]["1"]["coverage_90"]
        return "coverage of the 90 % interval", f"{after:.1%}", f"recalibrated; {raw:.1%} as trained"
    return (
        "coverage of the 90 % interval",
        f"{raw:.1%}",
        f"as trained, {MODEL_TITLES[document['verdict']['best']]}",
    )


def _recurrence_tile(verdict: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    found = verdict["recurrence"].get("1")
    if found is None:
        return []
    return [("recurrence adds", f"{found['value']:+.2%}", f"of linear-t's CRPS, {_ends(found)}")]


def _skill_tile(best: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    found = best["tests"]["1"]["skill"]
    return [("skill against naive", f"{found['value']:+.1%}", f"of its CRPS, {_ends(found)}")]


def _ends(found: Mapping[str, Any]) -> str:
    if found["low"] is None:
        return "too few days for an interval"
    return f"95 % interval {found['low']:+.2%} to {found['high']:+.2%}"


def _test_span(document: Mapping[str, Any]) -> tuple[str, str]:
    if "folds" in document:
        return document["folds"][0]["test_first"], document["folds"][-1]["test_last"]
    return document["split"]["validation_end"], document["split"]["test_end"]


def _forecasts(data: ReportData) -> Section:
    if data.no_model:
        return Section("forecasts", "Forecasts", [Missing(f"{_sentence(data.no_model)}", "forecast train")])
    blocks: list[Block] = []
    if data.predictions:
        pairs = list(zip(data.predictions, data.fans, strict=True))
        blocks += [
            Choice(
                "Ticker",
                fan_picture(),
                [prediction.ticker for prediction, _ in pairs],
                [fan.columns for _, fan in pairs],
                [_fan_caption(prediction, fan, data) for prediction, fan in pairs],
            ),
            _forecast_table(data.predictions),
        ]
    failed = [(ticker, error.message, error.remedy) for ticker, error in data.failures.items()]
    if failed:
        blocks.append(Table("Not predicted", ("ticker", "why", "what to do"), failed))
    return Section("forecasts", "Forecasts", blocks)


def _fan_caption(prediction: Prediction, fan: Fan, data: ReportData) -> str:
    unit = f", in {prediction.currency}" if prediction.currency else ""
    text = (
        f"{prediction.ticker}{unit}: closes, adjusted for splits and dividends up to the last; medians with "
        "intervals of 50 and 90 %; dashed: reports."
    )
    if fan.closes:
        text += (
            f" {fan.covered} of {fan.closes} earlier closes lie in their 90 % intervals, which "
            f"{data.model} as evaluated gives for days that it was not trained on."
        )
    else:
        text += f" None of the last {SESSIONS} sessions is later than the model's training."
    old = prediction.sessions_old(data.made)
    if old:
        text += f" The last price is {old:,} sessions old."
    return text


def _forecast_table(predictions: Sequence[Prediction]) -> Block:
    horizon = len(predictions[0].dates)
    rows = []
    for each in predictions:
        text = PriceText(each.last_close)
        low, high = each.intervals[90][:, -1]
        report = next(iter(each.reports), None)
        said = "" if report is None else f"{report.date}{' (likely)' if report.likely else ''}"
        rows.append(
            (
                each.ticker,
                str(each.last_date),
                (text.one(each.last_close), each.last_close),
                (text.one(each.median[-1]), float(each.median[-1])),
                (f"{text.one(low)}–{text.one(high)}", float((high - low) / each.last_close)),
                (f"±{each.expected_move[-1]:.1f} %", float(each.expected_move[-1])),
                (said, said or None),
            )
        )
    headings = (
        "ticker",
        "last day",
        "last close",
        "median",
        "90 % interval",
        "expected move",
        "report ahead",
    )
    note = "Expected move: half the width of the central 68 % of the return. The interval sorts by its width."
    return Table(f"{_sessions(horizon)} ahead", headings, rows, note)


def _sessions(count: int) -> str:
    return "One session" if count == 1 else f"{count} sessions"


def _calibration(data: ReportData) -> Section:
    result = _evidence(data)
    if result is None:
        return Section("calibration", "Calibration", [Missing("No forecasts have been scored:", _BACKTEST)])
    document = result.document
    step = next(iter(document["models"][0]["scores"]))
    blocks: list[Block] = [*_figures(gallery.pit(document)), *_figures(gallery.coverage(document))]
    reaction = scores.reaction_picture(document, step)
    if reaction is None:
        blocks.append(Missing("No earnings dates were known:", "forecast fetch --earnings sec"))
    else:
        blocks.append(Figure(reaction, f"Coverage {ahead(step)} with and without a report to react to."))
    if "calibrated_by" not in document:
        blocks.append(Missing("How the intervals do after recalibration day by day:", _BACKTEST))
    return Section("calibration", "Calibration", blocks)


def _figures(pictures: Iterable[tuple[Mapping[str, Any], str]]) -> list[Block]:
    return [Figure(spec, caption) for spec, caption in pictures]


def _comparison(data: ReportData) -> Section:
    result = data.result("compare")
    if result is None:
        return Section("comparison", "Comparison", [Missing("No comparison is kept:", _COMPARE)])
    document = result.document
    blocks: list[Block] = [Text(sentence) for sentence in document["verdict"]["sentences"][:2]]
    blocks += _figures(gallery.skill(document))
    blocks += _score_tables(document)
    blocks.append(_made_by(result))
    return Section("comparison", "Comparison", blocks)


def _backtest(data: ReportData) -> Section:
    result = data.result("backtest")
    if result is None:
        return Section("backtest", "Backtest", [Missing("No walk through history is kept:", _BACKTEST)])
    document = result.document
    best = document["verdict"]["best"]
    blocks = _figures(gallery.skill(document))
    blocks += _score_tables(document)
    blocks += [_years_table(document, best, step) for step in document["years"]]
    blocks.append(_made_by(result))
    return Section("backtest", "Backtest", blocks)


def _score_tables(document: Mapping[str, Any]) -> list[Block]:
    headings = (
        "model",
        "CRPS ×10⁻⁴",
        "50 %",
        "90 %",
        "99 %",
        "< 5 %",
        "> 95 %",
        "skill",
        "p",
        "among the best",
    )
    note = (
        "CRPS: error of the whole forecast, in log return; 50, 90, 99 %: coverage; < 5 %, > 95 %: shares of "
        "actuals beyond each end of the 90 % interval; skill: share of the naive forecast's CRPS that is "
        f"saved; among the best: whether the {CONFIDENCE:.0%} model confidence set has it, and its p-value."
    )
    tables: list[Block] = []
    for step in document["models"][0]["scores"]:
        best = min(document["models"], key=lambda row: row["scores"][step]["crps"])
        chances = document["verdict"]["confidence_set"][step]
        tables.append(
            Table(
                f"Scores {ahead(step)}",
                headings,
                [_score_row(row, step, chances) for row in document["models"]],
                note,
                frozenset({document["models"].index(best)}),
            )
        )
    return tables


def _score_row(row: Mapping[str, Any], step: str, chances: Mapping[str, float | None]) -> list[Cell]:
    found = row["scores"][step]
    shares = ("coverage_50", "coverage_90", "coverage_99", "below_05", "above_95")
    naive = row["model"] == "naive"
    chance = chances[row["model"]]
    return [
        MODEL_TITLES[row["model"]],
        (f"{1e4 * found['crps']:.2f}", found["crps"]),
        *((f"{100 * found[name]:.1f}", found[name]) for name in shares),
        ("–", None) if naive else (f"{found['skill']:+.1%}", found["skill"]),
        ("–", None) if naive else (_p(found["p_value"]), found["p_value"]),
        ("–", None) if chance is None else (_among(chance), chance),
    ]


def _among(chance: float) -> str:
    return f"{'yes' if chance >= 1 - CONFIDENCE else 'no'} ({chance:.2f})"


def _p(value: float | None) -> str:
    return "–" if value is None else show_p(value)


def _years_table(document: Mapping[str, Any], best: str, step: str) -> Block:
    after = {row["year"]: row for row in document["calibrated_years"][step]}
    rows = []
    for row in document["years"][step]:
        own = after[row["year"]]
        lost = ", ".join(MODEL_TITLES[name] for name in row["lost_to"])
        gain = row["gains"].get("riskmetrics-t")
        rows.append(
            (
                str(row["year"]),
                (f"{1e4 * row['crps']:.2f}", row["crps"]),
                ("–", None) if gain is None else (f"{gain:+.1%}", gain),
                *(
                    (f"{100 * row['coverage'][level]:.1f}", row["coverage"][level])
                    for level in ("50", "90", "99")
                ),
                (f"{100 * own['coverage']['90']:.1f}", own["coverage"]["90"]),
                (lost or "none", lost),
            )
        )
    headings = (
        *("year", "CRPS ×10⁻⁴", "over RiskMetrics-t", "50 %", "90 %", "99 %", "90 % recalibrated"),
        "does worse than",
    )
    return Table(f"{MODEL_TITLES[best]} {ahead(step)} by year", headings, rows)


def _made_by(result: KeptResult) -> Block:
    return Text(f"Made by `{result.command}` on {result.made[:16].replace('T', ' ')} UTC.", quiet=True)


def _groups(data: ReportData) -> Section:
    result = _evidence(data)
    if result is None:
        return Section("groups", "By ticker, year and market", [Missing("Nothing is kept:", _BACKTEST)])
    document = result.document
    best, step = document["verdict"]["best"], "1"
    blocks: list[Block] = [
        *_figures(gallery.gain(document)),
        Figure(scores.gain_picture(document, "regime", step), "The same by the market's volatility."),
        Figure(
            scores.ticker_picture(document, step),
            "The same by ticker, beside the coverage of the 90 % interval; shaded: the middle half of the "
            "tickers.",
        ),
        _ticker_table(document, best, step),
    ]
    return Section("groups", "By ticker, year and market", blocks)


def _ticker_table(document: Mapping[str, Any], best: str, step: str) -> Block:
    rows = [
        (
            row["ticker"],
            (f"{row['forecasts']:,}", row["forecasts"]),
            (f"{1e4 * row['crps']:.2f}", row["crps"]),
            (f"{row['over_riskmetrics_t']:+.1%}", row["over_riskmetrics_t"]),
            (f"{100 * row['coverage_90']:.1f}", row["coverage_90"]),
        )
        for row in scores.rows_by(document, "ticker", best, step)
    ]
    headings = ("ticker", "forecasts", "CRPS ×10⁻⁴", "over RiskMetrics-t", "90 %")
    return Table(f"{MODEL_TITLES[best]} {ahead(step)} by ticker", headings, rows)


def _cells(data: ReportData) -> Section:
    blocks: list[Block] = []
    evidence, compared = _evidence(data), data.result("compare")
    if evidence is not None:
        blocks += _figures(gallery.recurrence(evidence.document))
    if compared is None:
        blocks.append(Missing("What each cell costs and how it was trained:", _COMPARE))
        return Section("cells", "Cells: recurrence, training, cost", blocks)
    document = compared.document
    training = scores.training_picture(document)
    if training is not None:
        blocks.append(
            Figure(training, "Loss by epoch on validation days (solid) and training days (dashed), by cell.")
        )
    cells = [row for row in document["models"] if "recipe" in row]
    blocks.append(
        Table(
            f"Cost, at equal {document['match']}",
            ("cell", "units", "parameters", "training, s", "targets a second", "peak memory, MB", "epochs"),
            [
                (
                    MODEL_TITLES[row["model"]],
                    (str(row["units"]), row["units"]),
                    (f"{row['parameters']:,}", row["parameters"]),
                    (f"{row['train_seconds']:.1f}", row["train_seconds"]),
                    (f"{row['targets_per_second']:,.0f}", row["targets_per_second"]),
                    (f"{row['peak_memory_mb']:,.0f}", row["peak_memory_mb"]),
                    ", ".join(map(str, row["epochs"])),
                )
                for row in cells
            ],
        )
    )
    return Section("cells", "Cells: recurrence, training, cost", blocks)


def _gates(data: ReportData) -> Section:
    ticker = data.predictions[0].ticker if data.predictions else "TICKER"
    gates = data.result("lab-gates")
    blocks: list[Block] = []
    if gates is None:
        blocks.append(Missing("Gates along the price are not kept:", f"forecast lab gates {ticker}"))
    else:
        blocks += [*_pictures(gates), _made_by(gates)]
    inputs = data.result("lab-inputs")
    if inputs is None:
        blocks.append(Missing("Which inputs mattered is not kept:", f"forecast lab inputs {ticker}"))
    else:
        blocks += [*_pictures(inputs), _made_by(inputs)]
    return Section("gates", "Gates and inputs", blocks)


def _live(data: ReportData) -> Section:
    title = "Live forecasts"
    if not data.live.scores:
        why = _sentence(data.live.missing or "no recorded forecast has been scored yet")
        command = "forecast predict --record, and on later evenings forecast score"
        return Section("live", title, [Missing(why, command)])
    blocks: list[Block] = [Text(alarm.text) for alarm in data.live.alarms]
    if not blocks:
        blocks.append(Text("No alarm: neither coverage nor CRPS has drifted by more than chance."))
    if data.live.months:
        blocks += _figures(gallery.live(data.live.months, data.live.gains))
    headings = ("model", "step", "days", "forecasts", "CRPS ×10⁻⁴", "90 %", "over naive", "over reference")
    rows = [
        (
            row.model,
            (str(row.step), row.step),
            (f"{row.days:,}", row.days),
            (f"{row.forecasts:,}", row.forecasts),
            (f"{1e4 * row.crps:.2f}", row.crps),
            (f"{100 * row.coverage_90:.1f}", row.coverage_90),
            (f"{row.skill:+.1%}", row.skill),
            ("–", None)
            if row.reference_skill is None
            else (f"{row.reference_skill:+.1%}", row.reference_skill),
        )
        for row in data.live.scores
    ]
    blocks.append(Table("Recorded forecasts that have been scored", headings, rows))
    return Section("live", title, blocks)


def _pictures(result: KeptResult) -> list[Block]:
    found = gallery.picture_of(result.document)
    return _figures(zip(found.specs, found.captions, strict=True))


def _laboratory(data: ReportData) -> Section:
    blocks: list[Block] = []
    for kind, what in _LABORATORY.items():
        found = [result for result in data.results if result.kind == kind]
        if not found:
            blocks.append(Missing(f"Not measured here: {what}.", f"forecast {kind.replace('-', ' ')}"))
        for result in found:
            blocks += [*_pictures(result), _made_by(result)]
    claims = data.result("lab-claims")
    if claims is None:
        blocks.append(Missing("The claims about these cells are not measured here:", "forecast lab claims"))
    else:
        rows = [
            (claim["group"], claim["name"], claim["verdict"], claim["figure"], claim["sentence"])
            for claim in claims.document["claims"]
        ]
        headings = ("group", "claim", "verdict", "effect, with 95 % interval", "what is said")
        blocks += [*_pictures(claims), Table("Claims", headings, rows), _made_by(claims)]
    return Section("laboratory", "Laboratory", blocks)


def _health(data: ReportData) -> Section:
    blocks: list[Block] = []
    unsound = [each for each in data.health if each.damage or each.odd or each.recent_gaps or each.pending]
    sound = len(data.health) - len(unsound)
    blocks.append(Text(f"{sound:,} of {len(data.health):,} tickers have nothing amiss.{_age(data)}"))
    if unsound:
        rows: list[list[Cell]] = [
            [
                each.ticker,
                each.last,
                (f"{each.age:,}", each.age),
                (f"{each.recent_gaps:,}", each.recent_gaps),
                (str(len(each.odd)), len(each.odd)),
                each.damage or next(iter(each.odd), ""),
            ]
            for each in unsound[:_UNSOUND]
        ]
        headings = ("ticker", "last day", "sessions old", "recent gaps", "odd moves", "what is wrong")
        more = len(unsound) - len(rows)
        note = "`forecast fetch` brings what is missing."
        if more > 0:
            note += f" {more:,} more tickers: `forecast data status`."
        blocks.append(Table("Tickers to see to", headings, rows, note))
    audit = data.result("audit")
    if audit is None:
        blocks.append(Missing("Prices and settings have not been checked for look-ahead:", "forecast audit"))
    else:
        checks = [(row["title"], row["state"], row["found"]) for row in audit.document["checks"]]
        blocks += [
            Text(audit.document["text"]),
            Table("Audit", ("check", "state", "found"), checks),
            _made_by(audit),
        ]
    return Section("health", "Data health and audit", blocks)


def _age(data: ReportData) -> str:
    old = [each for each in data.health if each.age > 1]
    if not old:
        return " All are current."
    first = max(old, key=lambda each: each.age)
    return (
        f" The prices of {len(old):,} are more than a session old; the oldest, {first.ticker}'s, end on "
        f"{first.last}, {first.age:,} sessions ago: `forecast fetch` brings newer ones."
    )


def _origin(data: ReportData) -> Section:
    rows: list[list[Cell]] = [
        [
            result.kind,
            result.made[:16].replace("T", " "),
            result.command,
            _digest(result.document.get("prices")),
            ", ".join(f"{name} {number}" for name, number in result.versions.items()),
        ]
        for result in data.results
    ]
    blocks: list[Block] = [Text(f"Home folder: {data.home.resolve()}", quiet=True)]
    if data.card:
        card = data.card
        blocks.append(
            Table(
                f"Model {data.model}",
                ("fact", "value"),
                [
                    ("cell", cell_text(card["recipe"])),
                    ("created", str(card["created"])),
                    ("trained", f"{card['split']['train_start']} to {card['split']['train_end']}"),
                    ("tickers", f"{len(card['tickers']):,}"),
                    ("prices to", str(card["prices"]["last_day"])),
                    ("digest of the prices", str(card["prices"]["digest"])[:16]),
                    ("digests of the files", _pairs({k: v[:16] for k, v in card.get("digests", {}).items()})),
                    ("versions", _pairs(card["versions"])),
                ],
            )
        )
    if rows:
        headings = ("result", "made, UTC", "command", "digest of the prices", "versions")
        blocks.append(Table("Results in this report", headings, rows))
    blocks.append(
        Text("Nothing was trained for this report; it can be made again by `forecast report`.", quiet=True)
    )
    return Section("origin", "Where this comes from", blocks)


def _pairs(found: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in found.items())


def _digest(prices: Mapping[str, str] | None) -> str:
    return "" if prices is None else prices["digest"][:16]


def _model(document: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found: Mapping[str, Any] = next(row for row in document["models"] if row["model"] == name)
    return found


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}:"
