from dataclasses import asdict
from types import SimpleNamespace
from typing import Any

import pytest

from forecaster.laboratory.claims.claim import Claim, Rule, Said
from forecaster.laboratory.claims.effects import Effect
from forecaster.report import sections
from forecaster.report.kept import KeptResult
from forecaster.report.page import Table
from forecaster.report.pictures.laboratory import claims_picture


def claim(name: str, group: str, effect: Effect) -> Claim:
    said = Said(name, group, "A cell is a cell.", Rule("below", 0.0), "forecast lab cell", "GRU − LSTM")
    return said.judged(effect, "three seeds")


DOCUMENT: dict[str, Any] = {
    "schema": "forecast.lab-claims/1",
    "claims": [
        asdict(claim("time", "cost", Effect.about(-2, 1, repeats=3))),
        asdict(claim("gates", "design", Effect.about(1, 2, repeats=3))),
        asdict(claim("one run", "design", Effect.about(1, 2, repeats=1))) | {"low": None, "high": None},
    ],
}


def test_claims_stand_by_group_on_one_scale() -> None:
    spec = claims_picture(DOCUMENT)
    rows = max(spec["datasets"].values(), key=len)  # the other is the line at zero
    assert [row["claim"] for row in rows] == ["gates", "one run", "time"]
    found = {row["claim"]: row for row in rows}
    time, gates, one = found["time"], found["gates"], found["one run"]
    assert (time["low"], time["value"], time["high"]) == pytest.approx((1 / 3, 2 / 3, 1))
    assert (gates["low"], gates["value"], gates["high"]) == pytest.approx((-1, -1 / 3, 1 / 3))
    assert (one["low"], one["value"], one["high"]) == (-1, 0, 1)
    assert time["effect"] == "-2.00 % (-3.00 to -1.00)"
    assert one["effect"] == "+1.00 %, no interval from so few runs"


def test_the_report_shows_group_effect_and_interval() -> None:
    kept = KeptResult("lab-claims", "2026-01-02T00:00:00Z", "forecast lab claims", {}, DOCUMENT)
    data = SimpleNamespace(results=[kept], result=lambda kind: kept if kind == "lab-claims" else None)
    section = sections._laboratory(data)  # type: ignore[arg-type]
    (table,) = [block for block in section.blocks if isinstance(block, Table)]
    row = ("cost", "time", "supported", "GRU − LSTM -2.00 % (-3.00 to -1.00)", "A cell is a cell.")
    assert row in [tuple(map(str, each)) for each in table.rows]
