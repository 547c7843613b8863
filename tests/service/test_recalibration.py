"""The recalibration of versions in service: by the card, by the ledger, and in `predict`."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from command import rejection
from factories import filled_store, random_walk_table
from quick_training import train_quickly

from forecaster.cli.main import run
from forecaster.errors import ExitCode
from forecaster.evaluation.calibration import LEVELS, Calibration, moved, parse_calibration
from forecaster.ledger.calibration import live_calibration
from forecaster.ledger.ledger import ForecastRows, Ledger
from forecaster.ledger.scoring import fill_outcomes
from forecaster.network.calibrated import LevelMap
from forecaster.network.student_t import ForecastDistribution
from forecaster.prices.store import PriceStore
from forecaster.registry.calibration import calibration_at, calibration_fault, keep_calibration
from forecaster.registry.versions import ModelRegistry
from forecaster.service.prediction import ledger_rows, predict_stored
from forecaster.service.recalibration import recalibrate

SMALL = ("--lookback", "12", "--horizon", "2", "--units", "4", "--epochs", "1", "--device", "cpu")
LATER = datetime(2026, 12, 1, tzinfo=UTC)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Prices and a model `main@1`, whose test days came to a recalibration."""
    train_quickly(monkeypatch)
    filled_store(tmp_path, *(random_walk_table(name, 700, seed) for seed, name in enumerate(("AAA", "BBB"))))
    assert run(["train", *SMALL, "--cell", "gru", "--quiet", "--home", str(tmp_path)]) == ExitCode.DONE
    return tmp_path


def card_of(home: Path) -> dict[str, object]:
    card: dict[str, object] = json.loads((home / "models/main/1/card.json").read_text())
    return card


def recorded(home: Path, origins: int, scale: float) -> Ledger:
    """Forecasts of AAA one session ahead, of normals around the last close, from its first days on."""
    table = PriceStore(home).read("AAA")
    days, closes = table.dates[:origins], table.columns["close"][:origins]
    zeros, normal = np.zeros(origins), np.full(origins, np.inf)
    made = ForecastDistribution(zeros, np.full(origins, scale), np.full(origins, 1e6))
    walk = ForecastDistribution(zeros, np.full(origins, 0.02), normal)
    rows = ForecastRows(
        model="main",
        version=1,
        ticker=np.full(origins, "AAA", dtype=object),
        origin=days,
        step=np.ones(origins, int),
        target=table.dates[1 : origins + 1],
        last_close=closes,
        forecast=made,
        naive=walk,
        reference="riskmetrics-t",
        simple=replace(walk, degrees_of_freedom=np.full(origins, 6.0)),
    )
    ledger = Ledger(home)
    for place in range(origins):
        one = slice(place, place + 1)
        part = replace(
            rows,
            **{
                name: getattr(rows, name)[one]
                for name in ("ticker", "origin", "step", "target", "last_close")
            },
            forecast=made.take(one),
            naive=walk.take(one),
            simple=rows.simple.take(one),
        )
        noon = datetime.fromisoformat(f"{days[place]}T23:00:00+00:00")
        ledger.record(part, noon)
    fill_outcomes(ledger, PriceStore(home), LATER)
    return ledger


def test_the_card_has_what_the_test_days_came_to(home: Path) -> None:
    card = card_of(home)
    found = parse_calibration(card["calibration"], 2)  # type: ignore[arg-type]
    assert found.raw_levels.shape == (2, 25)
    assert found.days.tolist() == [104, 103]  # 15 % of 700 days, less the last one or two
    assert found.through == str(PriceStore(home).read("AAA").dates[-1])
    assert not np.allclose(found.raw_levels[0], LEVELS)


def test_the_ledger_s_days_move_the_levels_one_by_one(home: Path) -> None:
    ledger = recorded(home, 30, 0.01)
    start = Calibration(np.tile(LEVELS, (2, 1)), np.array([7, 5]), "2014-12-31")
    live = live_calibration(ledger, "main", 1, start, np.datetime64("2026-12-01"))
    table = PriceStore(home).read("AAA")
    returns = np.diff(np.log(table.columns["adj_close"][:31]))
    made = ForecastDistribution(np.zeros(30), np.full(30, 0.01), np.full(30, 1e6))
    levels, within = LEVELS, 0
    for probability in made.probability_below(returns):
        within += levels[3] <= probability <= levels[21]
        levels = moved(levels, np.array([probability]))
    assert np.allclose(live.calibration.raw_levels[0], levels, atol=1e-9)
    assert np.array_equal(live.calibration.raw_levels[1], LEVELS)
    assert live.calibration.days.tolist() == [37, 5]
    assert live.calibration.through == str(table.dates[30])
    assert live.counts[1].recalibrated == within
    assert live.counts[1].forecasts == 30
    early = live_calibration(ledger, "main", 1, start, table.dates[10])
    assert early.calibration.days.tolist() == [17, 5]


def test_scoring_keeps_it_once_however_often_it_runs(home: Path) -> None:
    ledger, registry = recorded(home, 30, 0.01), ModelRegistry(home)
    first = recalibrate(registry, ledger, LATER)
    content = (home / "models/main/1/calibration.json").read_bytes()
    assert recalibrate(registry, ledger, LATER) == first
    assert (home / "models/main/1/calibration.json").read_bytes() == content
    (row,) = first
    assert (row.model, row.step, row.forecasts, row.days) == ("main@1", 1, 30, 134)
    assert row.coverage_90 < row.recalibrated_90 + 0.2
    assert run(["models", "verify", "--home", str(home)]) == ExitCode.DONE


def test_what_is_not_known_yet_is_not_used(home: Path) -> None:
    """Replays see the card's, or the ledger's up to their own day."""
    registry = ModelRegistry(home)
    model = registry.load("main")
    trained = calibration_at(registry, model, LATER)
    assert trained is not None
    kept = Calibration(trained.raw_levels, trained.days + 1, "2026-11-20")
    keep_calibration(registry, "main@1", kept)
    after, before = (
        calibration_at(registry, model, datetime(2026, 11, day, 23, tzinfo=UTC)) for day in (20, 19)
    )
    assert after is not None
    assert before is not None
    assert (after.through, before.through) == ("2026-11-20", trained.through)
    keep_calibration(registry, "main@1", replace(kept, through="2026-11-10"))  # of a replay
    again = calibration_at(registry, model, LATER)
    assert again is not None
    assert again.through == "2026-11-20"


@pytest.mark.parametrize(
    "damage", [b"", b"{", b'{"format": 2}', b'{"format": 1, "raw_levels": [[1]]}', b"\xff"]
)
def test_a_damaged_file_counts_as_not_there_and_verify_tells(
    home: Path, capsys: pytest.CaptureFixture[str], damage: bytes
) -> None:
    path = home / "models/main/1/calibration.json"
    path.write_bytes(damage)
    registry = ModelRegistry(home)
    found = calibration_at(registry, registry.load("main"), LATER)
    assert found is not None
    assert found.through == card_of(home)["calibration"]["through"]  # type: ignore[index]
    assert "calibration.json is damaged" in calibration_fault(path.parent, 2)
    capsys.readouterr()
    assert run(["models", "verify", "--home", str(home)]) == ExitCode.FAILED
    assert "the next `forecast score` writes it anew" in capsys.readouterr().out
    recalibrate(registry, recorded(home, 30, 0.01), LATER)
    assert calibration_fault(path.parent, 2) == ""


def test_predict_shows_the_recalibrated_intervals_and_says_so(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    registry = ModelRegistry(home)
    wide = LEVELS + np.sign(LEVELS - 0.5) * np.minimum(LEVELS, 1 - LEVELS) / 2
    arguments = ["predict", "AAA", "--json", "--above", "+1%", "--home", str(home)]

    def predicted() -> dict[str, object]:
        capsys.readouterr()
        assert run(arguments) == ExitCode.DONE
        content: dict[str, object] = json.loads(capsys.readouterr().out)["predictions"][0]
        return content

    keep_calibration(registry, "main@1", Calibration(np.tile(LEVELS, (2, 1)), np.array([1, 1]), "2026-11-19"))
    raw = predicted()
    keep_calibration(
        registry, "main@1", Calibration(np.tile(wide, (2, 1)), np.array([250, 249]), "2026-11-20")
    )
    found = predicted()
    assert found["calibration"]["through"] == "2026-11-20"  # type: ignore[index]
    for step in (0, 1):
        ours, theirs = (each["steps"][step] for each in (found, raw))  # type: ignore[index]
        assert ours["intervals"]["90"]["lower"] < theirs["intervals"]["90"]["lower"]
        assert ours["intervals"]["90"]["upper"] > theirs["intervals"]["90"]["upper"]
        assert ours["risk"]["95"]["value_at_risk"] > theirs["risk"]["95"]["value_at_risk"]
        assert ours["risk"]["95"]["expected_shortfall"] > theirs["risk"]["95"]["expected_shortfall"]
        assert ours["chance_above"] != theirs["chance_above"]
        assert ours["median"] == pytest.approx(theirs["median"], rel=1e-6)
    run([*arguments[:2], *arguments[3:]])
    said = " ".join(capsys.readouterr().out.split())
    assert "recalibrated by 250 days' outcomes through 2026-11-20" in said


def test_the_library_predicts_the_same(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import forecaster as fc

    frame = fc.load_model("main", home=home).predict("AAA", levels=(90,))
    capsys.readouterr()
    assert run(["predict", "AAA", "--levels", "90", "--json", "--home", str(home)]) == ExitCode.DONE
    steps = json.loads(capsys.readouterr().out)["predictions"][0]["steps"]
    assert frame["lo_90"].tolist() == pytest.approx([step["intervals"]["90"]["lower"] for step in steps])
    assert frame["median"].tolist() == pytest.approx([step["median"] for step in steps])


def test_the_ledger_holds_what_the_network_said(home: Path) -> None:
    """Else it would be recalibrated twice."""
    model, store = ModelRegistry(home).load("main"), PriceStore(home)
    far = LevelMap(LEVELS, np.tile(np.linspace(1e-4, 0.2, 25), (2, 1)))
    raw, moved_far = (
        predict_stored(store, model.network, ["AAA"], level_map=each).predictions for each in (None, far)
    )
    assert moved_far[0].median[0] < raw[0].median[0]
    ours, theirs = (ledger_rows("main@1", each).forecast for each in (moved_far, raw))
    assert np.array_equal(ours.location, theirs.location)
    assert np.array_equal(ours.scale, theirs.scale)


def test_a_model_from_before_predicts_as_it_did(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from forecaster.network.card import sealed_card

    path = home / "models/main/1/card.json"
    card = card_of(home)
    for name in ("calibration", "digest"):
        card.pop(name)
    path.write_text(json.dumps(sealed_card(card)))
    capsys.readouterr()
    assert run(["predict", "AAA", "--json", "--home", str(home)]) == ExitCode.DONE
    found = json.loads(capsys.readouterr().out)["predictions"][0]
    assert found["calibration"] is None
    assert recalibrate(ModelRegistry(home), recorded(home, 5, 0.01), LATER) == []


def test_a_card_with_a_calibration_of_other_steps_is_damaged(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from forecaster.network.card import sealed_card

    card = card_of(home)
    card.pop("digest")
    card["calibration"]["days"] = [1]  # type: ignore[index]
    (home / "models/main/1/card.json").write_text(json.dumps(sealed_card(card)))
    code, line = rejection(capsys, "predict", "AAA", "--home", home)
    assert code == ExitCode.BAD_INPUT
    assert "a calibration of other than its 2 steps" in line
