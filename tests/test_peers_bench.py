"""The benchmark against peers: its scores by hand, what is marked in its table, what it writes."""

import importlib.util
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import mean_pinball_loss

SCRIPT = Path(__file__).parents[1] / "benchmarks" / "peers_bench.py"


@pytest.fixture(scope="module")
def bench() -> Iterator[ModuleType]:
    spec = importlib.util.spec_from_file_location("peers_bench", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    before = list(sys.path)
    sys.modules["peers_bench"] = module  # its dataclasses look for it
    spec.loader.exec_module(module)
    yield module
    sys.path[:] = before


@pytest.fixture(scope="module")
def standings(bench: ModuleType) -> ModuleType:
    assert bench
    return sys.modules["standings"]


def row(
    bench: ModuleType,
    title: str,
    *,
    train: float = 20.0,
    train_cpu: float = 10.0,
    crps: float = 0.0080,
    coverage: float = 0.9,
    reaction: float | None = 0.9,
) -> object:
    measured = bench.Measured(
        train=train,
        train_cpu=train_cpu,
        forecast=0.5,
        forecast_cpu=0.2,
        memory=900.0,
        stopped="3 epochs",
        parameters=4000,
        said="what it takes;",
        versions={"python": "3.11"},
    )
    daily = crps + np.random.default_rng(len(title)).normal(0, crps / 100, 60)
    scores = bench.Scores(crps=crps, coverage=coverage, reaction=reaction, mae=0.011, daily=daily)
    return bench.Row(title, scores, measured, 1.5)


def test_scores_by_hand(bench: ModuleType) -> None:
    """Levels themselves as quantiles: the uniform distribution on 0 to 1."""
    quantiles = np.tile(bench.LEVELS, (2, 3, 1))
    actual = np.array([[0.5, 0.03, 0.9], [0.97, 0.06, 0.5]])
    reaction = np.array([[False, True, False], [False, False, True]])
    found = bench.score(quantiles, actual, reaction)
    assert found.coverage == pytest.approx(4 / 6)
    assert found.reaction == pytest.approx(1 / 2)
    assert found.mae == pytest.approx((0 + 0.47 + 0.4 + 0.47 + 0.44 + 0) / 6)
    # ∫(F(x) − 1{x ≥ y})² dx of the uniform distribution is y³/3 + (1 − y)³/3.
    assert found.crps == pytest.approx(((actual**3 + (1 - actual) ** 3) / 3).mean(), rel=0.02)
    assert found.daily == pytest.approx(((actual**3 + (1 - actual) ** 3) / 3).mean(axis=0), rel=0.05)


def some_forecasts() -> tuple[np.ndarray, np.ndarray]:
    """Ordered quantiles (4, 5, 99) and actuals (4, 5)."""
    random = np.random.default_rng(3)
    return np.sort(random.normal(size=(4, 5, 99))), random.normal(size=(4, 5))


def test_crps_is_twice_the_mean_pinball_loss_of_scikit_learn(bench: ModuleType) -> None:
    quantiles, actual = some_forecasts()
    losses = [
        mean_pinball_loss(actual.ravel(), quantiles[..., place].ravel(), alpha=level)
        for place, level in enumerate(bench.LEVELS)
    ]
    found = bench.score(quantiles, actual, None)
    assert found.crps == pytest.approx(2 * np.mean(losses))
    assert found.reaction is None


def test_quantiles_that_cross_are_put_in_order(bench: ModuleType) -> None:
    quantiles, actual = some_forecasts()
    found = bench.score(quantiles[..., ::-1], actual, None)
    assert found.crps == bench.score(quantiles, actual, None).crps


@pytest.mark.trial
def test_crps_is_that_of_scoringrules(bench: ModuleType) -> None:
    import scoringrules  # compiles itself for seconds

    quantiles, actual = some_forecasts()
    expected = scoringrules.crps_quantile(actual, quantiles, bench.LEVELS)
    assert bench.score(quantiles, actual, None).daily == pytest.approx(expected.mean(axis=0))


def test_a_forecast_that_is_missing_is_no_score(bench: ModuleType) -> None:
    quantiles = np.zeros((1, 2, 99))
    quantiles[0, 1, 7] = np.nan
    with pytest.raises(ValueError, match="missing"):
        bench.score(quantiles, np.zeros((1, 2)), None)


def test_a_peer_that_is_ahead_is_marked(bench: ModuleType, standings: ModuleType) -> None:
    ours = row(bench, "ours")
    quicker = row(bench, "quicker", train=9.0, train_cpu=8.0, crps=0.0081, coverage=0.88)
    lines = bench.table([ours, quicker]).splitlines()
    assert "| **8 s** |" in lines[3]
    assert lines[3].count("**") == 2
    assert lines[3].endswith("| training, user CPU |")
    assert "| +1.2 %, p < 0.001 |" in lines[3]
    assert "**" not in lines[2]
    assert standings.ahead(ours, quicker) == ["CRPS", "coverage"]


@pytest.mark.parametrize(
    ("mine", "theirs", "ahead"),
    [
        pytest.param(0.93, 0.88, True, id="nearer from below"),
        pytest.param(0.88, 0.93, False, id="farther from above"),
        pytest.param(0.9, 0.9, False, id="the same"),
        pytest.param(0.93001, 0.92999, False, id="the same in the digits shown"),
    ],
)
def test_coverage_is_ahead_where_it_is_nearer_to_what_is_promised(
    bench: ModuleType, standings: ModuleType, mine: float, theirs: float, ahead: bool
) -> None:
    ours, other = row(bench, "ours", coverage=mine), row(bench, "other", coverage=theirs)
    assert ("coverage" in standings.ahead(other, ours)) is ahead


def test_what_is_not_measured_is_a_dash(bench: ModuleType) -> None:
    ours = row(bench, "ours", reaction=None)
    simple = replace(row(bench, "simple", crps=0.0079), measured=None, importing=None)
    line = bench.table([ours, simple]).splitlines()[3]
    assert line.startswith("| simple | – | – | – | – | – | – | **79.00** |")
    assert line.endswith("| CRPS |")


def test_the_table_stands_between_its_marks(bench: ModuleType, standings: ModuleType, tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"# Before\n\n{standings.BEGIN}\nold\n{standings.END}\n\nafter\n", encoding="utf-8")
    for text in ("| one |\n", "| \\1 |\n"):
        bench.write_between(page, text)
        expected = f"# Before\n\n{standings.BEGIN}\n\n{text}\n{standings.END}\n\nafter\n"
        assert page.read_text(encoding="utf-8") == expected
    page.write_text("# Without\n", encoding="utf-8")
    with pytest.raises(ValueError, match="needs a line"):
        bench.write_between(page, "x")


def test_the_document_has_its_marks(standings: ModuleType) -> None:
    text = (SCRIPT.parents[1] / "docs" / "performance.md").read_text(encoding="utf-8")
    assert text.count(standings.BEGIN) == text.count(standings.END) == 1


def test_tickers_are_spread_over_those_without_a_gap(bench: ModuleType) -> None:
    days = pd.date_range("2005-01-03", periods=4)
    frame = pd.DataFrame({"ticker": np.repeat(list("EDCBA"), 4), "date": np.tile(days, 5)}).drop(index=9)
    assert bench.chosen(frame, 3) == ["A", "D", "E"]
    with pytest.raises(SystemExit, match="4 tickers have a price"):
        bench.chosen(frame, 5)


def test_the_panel_comes_back(bench: ModuleType, tmp_path: Path) -> None:
    values = np.arange(6, dtype=np.float32).reshape(2, 3)
    dates = np.array(["2005-01-03", "2005-01-04", "2005-01-05"], "M8[D]")
    panel = bench.Panel(np.array(["A", "BB"]), dates, values, values[0], values, values, values, 1, 2)
    panel.save(tmp_path / "panel.npz")
    found = bench.Panel.load(tmp_path / "panel.npz")
    assert found.tickers.tolist() == ["A", "BB"]
    assert found.dates.tolist() == dates.tolist()
    assert found.log_return.tolist() == values.tolist()
    assert (found.first_validation, found.first_test) == (1, 2)


def test_footnotes_say_settings_and_versions(bench: ModuleType) -> None:
    text = bench.footnotes([row(bench, "ours"), replace(row(bench, "simple"), measured=None)])
    assert text == "- ours: what it takes; 4,000 parameters, 3 epochs; python 3.11.\n"


def test_without_the_peers_environment_it_says_what_makes_it(
    bench: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = tmp_path / "index.csv"
    index.touch()
    monkeypatch.setattr(sys, "argv", ["peers_bench.py", str(index), "--python", str(tmp_path / "none")])
    with pytest.raises(SystemExit, match="make bench-peers"):
        bench.main()
