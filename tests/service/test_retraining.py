"""The gate on seeded prices, and what a retraining leaves in the registry, the card and the log."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command import rejection
from dated_home import register_dated, store_dates
from factories import filled_store, panel_of, persistent_table
from quick_training import quick_refit, quick_train, start_no_engine, train_quickly
from trained_home import LAST_SESSION, LEARNING, RECIPE, recent_table

from forecaster.cli.main import run
from forecaster.dataset.features import available_features
from forecaster.dataset.panel import Panel
from forecaster.errors import BadInputError, ExitCode, ForecastError
from forecaster.evaluation import experiment
from forecaster.evaluation.scoring import StepScores
from forecaster.network.recurrent import RecurrentNetwork
from forecaster.network.training import TrainedNetwork
from forecaster.prices.calendar import sessions_between
from forecaster.prices.store import PriceStore
from forecaster.prices.table import complete
from forecaster.registry.promotion import roll_back
from forecaster.registry.versions import ModelRegistry
from forecaster.service import gate
from forecaster.service.candidate import better_reference
from forecaster.service.gate import Decision, Duel, decide
from forecaster.service.retraining import _new_sessions, gate_split
from forecaster.settings import Recipe

REPORTED = ("2025-10-28", "2026-01-27", "2026-04-28", "2026-07-28", "2026-10-27")
LEARNS = replace(RECIPE, epochs=6, units=8, batch_size=16, learning_rate=0.02)


@pytest.fixture(scope="module")
def panel() -> Panel:
    return panel_of(*(persistent_table(name, 700, seed, 0.8) for seed, name in enumerate("ABC")))


def fitted(panel: Panel) -> RecurrentNetwork:
    split = gate_split(panel.dates, LEARNS.horizon)
    return quick_train(panel, available_features(panel), split, LEARNS, start_no_engine("cpu")).network


@pytest.fixture(scope="module")
def champion(panel: Panel) -> RecurrentNetwork:
    return fitted(panel)


def unseen_after(panel: Panel) -> np.datetime64:
    return panel.dates[gate_split(panel.dates, LEARNS.horizon).test.start - 1]


def test_a_challenger_trained_on_shuffled_targets_is_rejected(
    panel: Panel, champion: RecurrentNetwork
) -> None:
    shuffled = np.random.default_rng(1).permuted(panel.log_return, axis=1)
    challenger = fitted(replace(panel, log_return=shuffled))
    decision = decide(panel, unseen_after(panel), champion, challenger)
    assert not decision.promote
    assert "not shown that the challenger is no worse than the champion" in decision.reason
    assert not decision.champion_worse_than_reference


def test_an_equal_challenger_is_promoted(panel: Panel, champion: RecurrentNetwork) -> None:
    decision = decide(panel, unseen_after(panel), champion, champion)
    assert decision.promote
    assert decision.first_day > str(unseen_after(panel))
    assert decision.last_day == str(panel.dates[-2])


def test_a_champion_worse_than_a_simple_forecast_is_reported(
    panel: Panel, champion: RecurrentNetwork
) -> None:
    bias = champion.weights["head/bias"].copy()
    bias[:3] = 2.0  # two standard deviations upwards, every day
    wrong = replace(champion, weights={**champion.weights, "head/bias": bias})
    decision = decide(panel, unseen_after(panel), wrong, champion)
    assert decision.promote
    assert decision.champion_worse_than_reference
    # Equal to a bad champion is not good enough.
    decision = decide(panel, unseen_after(panel), wrong, wrong)
    assert not decision.promote
    assert "significantly worse than " in decision.reason


def test_seen_days_are_no_ground_for_a_comparison(panel: Panel, champion: RecurrentNetwork) -> None:
    with pytest.raises(BadInputError, match="10 sessions are left after"):
        decide(panel, panel.dates[-12], champion, champion)


def test_a_warm_start_begins_where_the_champion_was(champion: RecurrentNetwork) -> None:
    from forecaster.network.keras_network import begin_from, build_network, without_keras

    network = build_network(len(champion.features), LEARNS)
    begin_from(network, champion)
    copied = without_keras(network, LEARNS, champion.features)
    assert copied.weights.keys() == champion.weights.keys()
    for name, weight in copied.weights.items():
        np.testing.assert_array_equal(weight, champion.weights[name])


@pytest.mark.parametrize("days", [150, 700, 5000])
def test_the_gate_holds_out_the_last_sessions(days: int) -> None:
    dates = np.arange(days).astype("datetime64[D]")
    split = gate_split(dates, 3)
    assert days - split.test.start == max(min(250, round(0.15 * days)), 31)
    assert split.validation.stop + 3 == split.test.start
    assert split.validation.stop - split.validation.start + 3 == max(round(0.1 * days), 23)


def test_a_long_horizon_needs_a_longer_gate() -> None:
    dates = np.arange(5000).astype("datetime64[D]")
    assert len(dates) - gate_split(dates, 100).test.start == 1001
    assert len(dates) - gate_split(dates, 24).test.start == 250


def test_an_invalid_recipe_is_reported_in_the_card(
    own_home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    registry = ModelRegistry(own_home)
    main = registry.load("main")
    recipe = main.card["recipe"] | {"epochs": 0}
    registry.register("odd", main.network, main.card | {"recipe": recipe}, b"keras")
    code, line = rejection(capsys, "retrain", "odd", "--no-fetch", "--home", own_home)
    assert code == ExitCode.BAD_INPUT
    assert "card.json is damaged: " in line
    assert "epochs = 0 is out of range" in line


def test_a_recipe_of_a_later_release_is_rejected(own_home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    registry = ModelRegistry(own_home)
    main = registry.load("main")
    recipe = main.card["recipe"] | {"attention": True}
    registry.register("odd", main.network, main.card | {"recipe": recipe}, b"keras")
    code, line = rejection(capsys, "retrain", "odd", "--no-fetch", "--home", own_home)
    assert code == ExitCode.BAD_INPUT
    assert "odd@1 has unknown settings in its recipe: attention" in line


@pytest.mark.usefixtures("quick_training")
def test_retrain_keeps_figures_in_card_and_log(own_home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["retrain", "--home", str(own_home), "--json"]
    assert run([*arguments, "--dry-run"]) == ExitCode.DONE
    assert json.loads(capsys.readouterr().out)["models"][0]["outcome"] == "would retrain"
    assert ModelRegistry(own_home).versions("main") == [1]
    assert run([*arguments, "--if-stale", "5"]) == ExitCode.DONE
    assert json.loads(capsys.readouterr().out)["models"][0]["outcome"] == "recent"
    assert run(arguments) == ExitCode.DONE
    captured = capsys.readouterr()
    assert "did not come from Yahoo" in captured.err
    answer = json.loads(captured.out)["models"][0]
    registry = ModelRegistry(own_home)
    assert registry.versions("main") == [1, 2]
    card = registry.card("main", 2)
    duels = [Duel(**each) for each in card["gate"]["duels"]]
    promoted = all(each.no_worse for each in duels if each.second == "champion")
    references = [each for each in duels if each.second != "champion"]
    promoted &= not any(each.worse for each in references if each.first == "challenger")
    assert card["gate"]["promote"] == promoted
    assert answer["outcome"] == ("promoted" if promoted else "rejected")
    assert registry.champion("main") == (2 if promoted else 1)
    assert card["parent"] == 1
    assert {each.second for each in references} <= {"linear-t", "riskmetrics-t"}
    assert {each.first for each in references} == {"challenger", "champion"}
    assert card["gate"]["first_day"] > max(
        card["split"]["validation_end"], registry.card("main", 1)["split"]["validation_end"]
    )
    event = json.loads((own_home / "logs" / "events.jsonl").read_text())
    assert event["event"] == "gate"
    assert event["duels"] == card["gate"]["duels"]
    assert datetime.fromisoformat(event["time"]).tzinfo == UTC


@pytest.mark.usefixtures("quick_training")
@pytest.mark.parametrize("cold", [False, True])
def test_a_challenger_goes_on_for_an_epoch_of_steps_as_small_as_what_is_new(
    own_home: Path, monkeypatch: pytest.MonkeyPatch, cold: bool
) -> None:
    """And the next one by the same recipe, not by smaller and smaller steps."""
    given: list[tuple[Recipe, Any]] = []
    train = experiment.train_network

    def watched(*words: Any, **options: Any) -> TrainedNetwork:
        given.append((words[3], words[6]))
        return train(*words, **options)

    monkeypatch.setattr(experiment, "train_network", watched)
    registry = ModelRegistry(own_home)
    before = registry.card("main", 1)
    for version in (2, 3):
        arguments = ["retrain", "--home", str(own_home), "--no-fetch", *(["--cold"] if cold else [])]
        assert run(arguments) == ExitCode.DONE
        card = registry.card("main", version)
        kept = ("learning_rate", "batch_size", "seed", *(() if cold else ("epochs",)))
        assert [card["recipe"][name] for name in kept] == [before["recipe"][name] for name in kept]
    champion, challenger = (registry.card("main", version)["split"]["train_end"] for version in (1, 2))
    new = len(sessions_between(np.datetime64(champion), np.datetime64(challenger))) - 1
    rates = [recipe.learning_rate / before["recipe"]["learning_rate"] for recipe, _ in given]
    assert [start is None for _, start in given] == [cold, cold]
    if cold:
        assert rates == [1, 1]
        return
    assert [recipe.epochs for recipe, _ in given] == [1, 1]
    assert rates[0] == pytest.approx(min(max(new, 1), 250) / 750)
    if registry.card("main", 2)["gate"]["promote"]:
        assert rates[1] == pytest.approx(1 / 750)  # the same prices again: nothing is new


@pytest.mark.parametrize("sessions", [0, 1, 21, 400])
def test_new_sessions_are_those_after_the_champion_s_training(panel: Panel, sessions: int) -> None:
    split = gate_split(panel.dates, LEARNS.horizon)
    trained_to = panel.dates[split.validation.start - 1 - sessions]
    assert _new_sessions({"split": {"train_end": str(trained_to)}}, panel, split) == sessions
    later = str(panel.dates[-1])
    assert _new_sessions({"split": {"train_end": later}}, panel, split) == 0


DAYS = 500
STARTS_AFTER = str(sessions_between(LAST_SESSION - 2 * DAYS, LAST_SESSION)[-DAYS - 1])
GATE_DAYS = 75  # 15 % of them


@pytest.fixture
def quick_training(monkeypatch: pytest.MonkeyPatch) -> None:
    """Train in closed form: these tests are about what happens to a network, not about how it learns."""
    train_quickly(monkeypatch)


def learnable_home(home: Path, gate_seed: int = 0) -> Path:
    """Prices with structure to find, which after the gate's first session depend on a seed, and main@1."""
    tables = []
    for seed, name in enumerate("ABC"):
        usual = persistent_table(name, DAYS, seed, 0.8, after=STARTS_AFTER)
        other = persistent_table(name, DAYS, seed + 10 * gate_seed, 0.8, after=STARTS_AFTER)
        returns = [np.diff(np.log(table.columns["close"]), prepend=np.log(100)) for table in (usual, other)]
        spliced = np.concatenate([returns[0][:-GATE_DAYS], returns[1][-GATE_DAYS:]])
        close = 100 * np.exp(np.cumsum(spliced))
        tables.append(replace(usual, columns=complete({"close": close, "adj_close": close.copy()}, DAYS)))
    filled_store(home, *tables)
    assert run(["train", *LEARNING, "--quiet", "--home", str(home)]) == ExitCode.DONE
    return home


@pytest.fixture(scope="module")
def learned_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home whose challengers are promoted; to be read, not changed."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FORECAST_NOW", "2026-11-20T22:30:00")
        train_quickly(patch)
        return learnable_home(tmp_path_factory.mktemp("learned"))


@pytest.fixture
def home(learned_home: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(learned_home, tmp_path / "learned"))


def retrained(home: Path, *arguments: str) -> ModelRegistry:
    assert run(["retrain", "--no-fetch", "--quiet", "--home", str(home), *arguments]) == ExitCode.DONE
    return ModelRegistry(home)


def head(network: RecurrentNetwork) -> list[float]:
    return network.weights["head/bias"].tolist()


@pytest.mark.usefixtures("quick_training")
def test_a_promoted_challenger_forecasts_with_weights_that_know_the_last_session(home: Path) -> None:
    registry = retrained(home)
    card = registry.card("main", 2)
    assert registry.champion("main") == 2
    assert card["refit"]["trained_to"] == "2026-11-20" == card["prices"]["last_day"]
    assert np.isfinite(card["refit"]["loss"])
    assert card["split"]["validation_end"] == "2026-08-06"  # 75 sessions before
    assert head(registry.load("main").network) != head(registry.load_evaluated("main", 2))
    assert (registry.load_reference("main", 2) is not None) == (card["reference"] == "linear-t")


@pytest.mark.parametrize(
    ("linear", "chosen"), [(0.9, "linear-t"), (1.1, "riskmetrics-t"), (None, "riskmetrics-t")]
)
def test_the_reference_is_the_better_simple_forecast(
    scores: StepScores, linear: float | None, chosen: str
) -> None:
    found = {"naive": {1: replace(scores, crps=0.5)}, "riskmetrics-t": {1: replace(scores, crps=1.0)}}
    if linear is not None:
        found["linear-t"] = {1: replace(scores, crps=linear)}
    assert better_reference(found) == chosen


@pytest.fixture
def scores(home: Path) -> StepScores:
    """Any."""
    card = ModelRegistry(home).card("main", 1)
    return StepScores(**card["scores"]["1"])


@pytest.mark.usefixtures("quick_training")
def test_the_gate_compares_what_has_not_seen_its_sessions(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry = retrained(home)
    compared: list[tuple[np.datetime64, RecurrentNetwork]] = []

    def watched(
        panel: Panel, unseen_after: np.datetime64, champion: RecurrentNetwork, *rest: Any
    ) -> Decision:
        compared.append((unseen_after, champion))
        return decide(panel, unseen_after, champion, *rest)

    monkeypatch.setattr("forecaster.service.retraining.decide", watched)
    retrained(home)
    unseen_after, champion = compared[0]
    assert head(champion) == head(registry.load_evaluated("main", 2))
    assert str(unseen_after) >= registry.card("main", 2)["split"]["validation_end"]
    gate = registry.card("main", 3)["gate"]
    assert gate["weights"] == "evaluated, not refitted"
    assert gate["first_day"] > str(unseen_after)


@pytest.mark.trial
def test_what_the_gates_sessions_hold_moves_no_challenger(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not the first, nor the second, which begins from a champion that was refitted on them."""
    monkeypatch.setattr(gate, "MARGIN", 1.0)  # three tickers seldom show that one is no worse by so little
    evaluated, served = [], []
    for gate_seed in (0, 1):
        each = learnable_home(tmp_path / str(gate_seed), gate_seed)
        retrained(each)
        registry = retrained(each)
        assert registry.champion("main") == 3
        evaluated.append([head(registry.load_evaluated("main", version)) for version in (1, 2, 3)])
        served.append(head(registry.load("main").network))
    assert evaluated[0] == evaluated[1]
    assert served[0] != served[1]


@pytest.mark.usefixtures("quick_training")
def test_a_model_of_the_whole_store_takes_in_what_the_store_has_now(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled_store(home, persistent_table("D", DAYS, 9, 0.8, after=STARTS_AFTER))
    seen: list[Panel] = []

    def watched(panel: Panel, *rest: Any) -> Decision:
        seen.extend((panel, rest[-1]))
        return decide(panel, *rest)

    monkeypatch.setattr("forecaster.service.retraining.decide", watched)
    registry = retrained(home)
    # The champion is scored beside its own market.
    assert [panel.market_members for panel in seen] == [("A", "B", "C", "D"), ("A", "B", "C")]
    assert [panel.tickers for panel in seen] == [("A", "B", "C", "D")] * 2
    assert registry.card("main", 2)["market"] == ["A", "B", "C", "D"]
    assert registry.card("main", 1)["tickers"] == ["A", "B", "C"]
    assert registry.card("main", 2)["tickers"] == ["A", "B", "C", "D"]
    assert registry.card("main", 2)["whole_store"]


@pytest.mark.usefixtures("quick_training")
def test_a_damaged_file_is_left_out_and_named(
    own_home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("forecaster.service.refreshing.FAULTY_SHARE", 0.5)  # of a few tickers, one is much
    registry = ModelRegistry(own_home)
    main = registry.load("main")
    registry.register("all", main.network, main.card | {"whole_store": True}, b"keras")
    (own_home / "data" / "prices" / "BBB.parquet").write_bytes(b"PAR1 and nothing more")
    assert run(["retrain", "all", "--no-fetch", "--json", "--home", str(own_home)]) == ExitCode.DONE
    captured = capsys.readouterr()
    assert "damaged: BBB;" in captured.err
    assert json.loads(captured.out)["models"][0]["damaged"] == ["BBB"]
    assert registry.card("all", 2)["damaged"] == ["BBB"]


@pytest.mark.usefixtures("quick_training")
def test_a_damaged_file_of_earnings_dates_is_told_and_costs_the_dates_alone(
    own_home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (own_home / "data" / "earnings.parquet").write_bytes(b"PAR1 and nothing more")
    assert run(["retrain", "--no-fetch", "--json", "--home", str(own_home)]) == ExitCode.DONE
    captured = capsys.readouterr()
    assert "warning: earnings dates are left out: " in captured.err
    assert "earnings.parquet is damaged: " in json.loads(captured.out)["models"][0]["dates_fault"]


@pytest.mark.usefixtures("quick_training")
def test_a_champion_without_dates_stays_without_them(
    own_home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whether its card is from before there were dates, or says that it reads prices only."""
    registry = ModelRegistry(own_home)
    main = registry.load("main")
    recipe = {key: value for key, value in main.card["recipe"].items() if key != "features"}
    registry.register("older", main.network, main.card | {"recipe": recipe}, b"keras")
    store_dates(own_home, *(f"{name} {date} after" for name in ["AAA", "BBB", "CCC"] for date in REPORTED))
    for name in ("main", "older"):
        assert run(["retrain", name, "--no-fetch", "--home", str(own_home)]) == ExitCode.DONE
        assert registry.card(name, 2)["features"] == main.card["features"]
    capsys.readouterr()


@pytest.mark.usefixtures("quick_training")
def test_a_champion_that_reads_dates_needs_some(own_home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    name, registry = register_dated(own_home), ModelRegistry(own_home)
    arguments = ("retrain", name, "--no-fetch", "--home", own_home)
    code, line = rejection(capsys, *arguments)
    assert code == ExitCode.BAD_INPUT
    assert "dated: the champion reads earnings dates, and most tickers have none; bring them with" in line
    store_dates(own_home, *(f"{name} {date} after" for name in ("AAA", "BBB") for date in REPORTED))
    assert run([str(part) for part in arguments]) == ExitCode.DONE
    assert registry.card(name, 2)["features"] == registry.card(name, 1)["features"]
    (own_home / "data" / "earnings.parquet").write_bytes(b"PAR1 and nothing more")
    capsys.readouterr()
    code, line = rejection(capsys, *arguments)
    assert code == ExitCode.BAD_INPUT
    assert "the champion reads earnings dates: " in line
    assert "earnings.parquet is damaged: " in line
    assert "`forecast fetch --earnings yahoo` replaces it" in line


def lopsided(*_: Any) -> TrainedNetwork:
    """A refit that went wrong: two standard deviations upwards, every day."""
    trained = quick_refit(*_)
    bias = trained.network.weights["head/bias"].copy()
    bias[:3] = 2.0
    weights = {**trained.network.weights, "head/bias": bias}
    return replace(trained, network=replace(trained.network, weights=weights))


def no_number(*_: Any) -> TrainedNetwork:
    raise ForecastError("the loss became nan in epoch 1", "lower --learning-rate")


@pytest.mark.usefixtures("quick_training")
@pytest.mark.parametrize(("broken", "words"), [(lopsided, "significantly worse"), (no_number, "became nan")])
def test_a_refit_that_goes_wrong_is_not_served(
    home: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    broken: Callable[..., TrainedNetwork],
    words: str,
) -> None:
    monkeypatch.setattr("forecaster.service.retraining.refit_network", broken)
    registry = retrained(home)
    assert registry.champion("main") == 2
    assert words in registry.card("main", 2)["refit"]["refused"]
    assert not (registry.version_folder("main", 2) / "evaluated.npz").exists()
    assert "forecasts as it was evaluated" in capsys.readouterr().err


@pytest.mark.usefixtures("quick_training")
def test_a_champion_that_changes_meanwhile_is_not_replaced(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    registry = retrained(home)

    def rolled_back(*arguments: Any) -> Decision:
        roll_back(registry, "main", datetime.now(UTC))
        return decide(*arguments)

    monkeypatch.setattr("forecaster.service.retraining.decide", rolled_back)
    code, line = rejection(capsys, "retrain", "--no-fetch", "--quiet", "--home", home)
    assert code == ExitCode.TRY_LATER
    assert "came into service while its challenger was trained" in line
    assert (registry.versions("main"), registry.champion("main")) == ([1, 2], 1)


@pytest.mark.usefixtures("quick_training")
def test_a_rejected_challenger_is_kept_and_not_served(
    own_home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("forecaster.service.gate.LEVEL", 1.01)
    assert run(["retrain", "--no-fetch", "--quiet", "--home", str(own_home)]) == ExitCode.DONE
    assert ModelRegistry(own_home).versions("main") == [1, 2]
    assert ModelRegistry(own_home).champion("main") == 1
    assert not ModelRegistry(own_home).card("main", 2)["gate"]["promote"]
    # Tried again every night, it would pass one day by luck.
    arguments = ["retrain", "--no-fetch", "--if-stale", "1", "--home", str(own_home)]
    assert run(arguments) == ExitCode.DONE
    assert "main@1: recent: main@2 knows prices to 2026-11-20" in capsys.readouterr().out


@pytest.mark.usefixtures("quick_training")
def test_one_failure_does_not_stop_the_rest(own_home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    models = own_home / "models"
    shutil.copytree(models / "main", models / "aaa")
    (models / "aaa" / "1" / "weights.npz").write_bytes(b"")
    code = run(["retrain", "--no-fetch", "--quiet", "--home", str(own_home)])
    assert code == ExitCode.BAD_INPUT
    # The network of two epochs may well be called worse than naive before.
    assert capsys.readouterr().err.splitlines()[-1].startswith("forecast: aaa: ")
    assert ModelRegistry(own_home).versions("main") == [1, 2]


def test_stale_prices_are_rejected(
    own_home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FORECAST_NOW", "2026-12-11T22:30:00")
    code, line = rejection(capsys, "retrain", "--no-fetch", "--quiet", "--home", own_home)
    assert code == ExitCode.BAD_INPUT
    assert "3 of 3 tickers are stale" in line


@pytest.mark.usefixtures("quick_training")
def test_one_ticker_that_was_delisted_stops_nothing(home: Path) -> None:
    table = PriceStore(home).read("C")
    filled_store(home, table.take(np.arange(DAYS - 10)))
    assert retrained(home).versions("main") == [1, 2]


def test_prices_of_long_ago_are_rejected(
    own_home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FORECAST_NOW", "2027-11-12T22:30:00")
    code, line = rejection(capsys, "retrain", "--no-fetch", "--quiet", "--home", own_home)
    assert code == ExitCode.BAD_INPUT
    assert "no ticker has traded in the last 60 sessions; the newest bar is of 2026-11-20" in line


def test_holed_prices_are_rejected(own_home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = recent_table("AAA")
    (own_home / "data" / "prices" / "AAA.parquet").unlink()
    filled_store(own_home, table.take(~np.isin(np.arange(300), [290, 280, 270, 260])))
    code, line = rejection(capsys, "retrain", "--no-fetch", "--quiet", "--home", own_home)
    assert code == ExitCode.BAD_INPUT
    assert "1 of 3 tickers are incomplete or damaged: AAA" in line
