"""The gate's decisions on hand-made scores: what promotes a challenger, and by which numbers."""

from dataclasses import replace

import numpy as np
import pytest
from factories import panel_of, random_walk_table
from network_factory import random_network
from scipy import stats

from forecaster.dataset.panel import Panel
from forecaster.dataset.volatility import volatility
from forecaster.errors import BadInputError
from forecaster.evaluation.forecasts import Origins
from forecaster.evaluation.scoring import ScoredStep, StepScores
from forecaster.evaluation.significance import diebold_mariano
from forecaster.prices.table import PriceTable
from forecaster.service import gate
from forecaster.service.gate import CRPS, MEDIAN, Decision, Duel, decision, duel, unseen_part
from forecaster.settings import ALL_FEATURES, PRICES_ONLY, Recipe

DAYS = 250
NOISE = np.random.default_rng(3).normal(0, 1, DAYS)
SCORES = StepScores(DAYS, 0.01, 0.9, 1.0, 1.0, 1.0, 1.0, 0.5, 0.01, 0.52, *[0.0] * 9, 0.99, 0.75)
MARGIN = 0.0025


def scored(crps: np.ndarray, error: np.ndarray | None = None) -> ScoredStep:
    errors = np.full(len(crps), 0.007) if error is None else error
    scores = replace(SCORES, crps=float(crps.mean()), mae_return=float(errors.mean()))
    return ScoredStep(scores, np.arange(len(crps)), crps, errors, np.zeros(len(crps)))


SAME = np.ones(DAYS)
"""The volatility of sessions that are all alike."""


def flat(level: float = 0.01) -> ScoredStep:
    return scored(np.full(DAYS, level))


def losses(bound: float, level: float = 0.05, size: float = 2e-4) -> np.ndarray:
    """Daily losses near 0.01, whose excess over it is below `bound` but for this chance."""
    noise = size * (NOISE - NOISE.mean())
    t = stats.t.isf(level, diebold_mariano(noise + 1, 1).frequencies)
    error = 1 / abs(diebold_mariano(noise + 1, 1).statistic)
    # The standard error is of the loss less its ratio to the rival's level, which is flat.
    return 0.01 * (1 + bound) + noise - t * error


@pytest.mark.parametrize("bound", [-0.01, 0.0, 0.0024, 0.0026, 0.02])
def test_the_bound_of_an_excess_is_students(bound: float) -> None:
    found = duel("challenger", "champion", CRPS, scored(losses(bound)), flat(), SAME, 1, 0.05)
    assert found.most == pytest.approx(bound, abs=1e-9)
    assert found.least == pytest.approx(2 * found.excess - bound, abs=1e-9)
    assert (found.days, found.no_worse) == (DAYS, bound < MARGIN)


def test_equal_scores_are_no_worse() -> None:
    found = duel("challenger", "champion", CRPS, flat(), flat(), SAME, 1, 0.05)
    assert (found.excess, found.no_worse, found.worse) == (0.0, True, False)


@pytest.mark.parametrize("loss", [CRPS, MEDIAN])
def test_a_session_counts_no_more_for_being_wild(loss: str) -> None:
    """The first loses a hundredth on calm days and gains it on wild ones, where losses are tenfold."""
    wild = np.arange(DAYS) % 2 == 0
    volatilities = np.where(wild, 0.1, 0.01)
    theirs = 0.5 * volatilities
    ours = theirs * np.where(wild, 0.99, 1.01)
    one, other = (scored(each, each) for each in (ours, theirs))
    found = duel("challenger", "champion", loss, one, other, volatilities, 1, 0.05)
    assert found.excess == pytest.approx(0, abs=1e-12)
    assert (found.value, found.other) == pytest.approx((0.5, 0.5))
    assert duel("", "", loss, one, other, np.ones(DAYS), 1, 0.05).excess < -0.008


def test_losses_are_measured_in_the_mean_volatility_of_those_forecast() -> None:
    panel = panel_of(*(random_walk_table(name, 60, seed) for seed, name in enumerate("ABC")))
    sigma = volatility(panel.log_return)
    found = gate.daily_volatility(panel, Origins(np.array([0, 2, 1]), np.array([40, 40, 41])))
    np.testing.assert_allclose(found[[40, 41]], [sigma[[0, 2], 40].mean(), sigma[1, 41]], rtol=1e-6)
    assert np.isnan(np.delete(found, [40, 41])).all()


def gate_of(**changes: ScoredStep) -> Decision:
    """The decision on champion and challenger alike, better than both references, but for `changes`."""
    usual = {
        "challenger": flat(),
        "champion": flat(),
        "linear_t": flat(0.0101),
        "riskmetrics_t": flat(0.0102),
    }
    scores = {name.replace("_", "-"): {1: step} for name, step in (usual | changes).items()}
    return decision(scores, SAME, "2026-01-02", "2026-11-20")


@pytest.mark.parametrize(
    ("changes", "promote", "reason", "weak"),
    [
        pytest.param({}, True, "is no worse than the champion", False, id="alike"),
        pytest.param({"challenger": scored(losses(0.0024))}, True, "no worse than", False, id="within"),
        pytest.param({"challenger": scored(losses(0.0026))}, False, "not shown", False, id="perhaps beyond"),
        pytest.param(
            {"challenger": scored(np.full(DAYS, 0.01), np.full(DAYS, 0.007 * 1.0024))},
            True,
            "no worse than the champion",
            False,
            id="a median within",
        ),
        pytest.param(
            {"challenger": scored(np.full(DAYS, 0.01), np.full(DAYS, 0.007 * 1.0026))},
            False,
            "no worse than the champion: median's error",
            False,
            id="a median beyond",
        ),
        pytest.param(
            {"challenger": flat(0.0102), "champion": flat(0.0103)},
            False,
            "significantly worse than linear-t",
            True,
            id="worse than linear-t",
        ),
        pytest.param(
            {"challenger": flat(0.0101), "champion": flat(0.0101)},
            True,
            "no worse than the champion",
            False,
            id="as good as linear-t",
        ),
        pytest.param(
            {"challenger": flat(), "champion": flat(0.0103), "linear_t": flat(0.02)},
            True,
            "no worse",
            True,
            id="only the champion is worse than RiskMetrics-t",
        ),
    ],
)
def test_the_decision_by_table(
    changes: dict[str, ScoredStep], promote: bool, reason: str, weak: bool
) -> None:
    found = gate_of(**changes)
    assert (found.promote, found.champion_worse_than_reference) == (promote, weak)
    assert reason in found.text
    assert not promote or "CRPS / σ of the challenger" in found.reason
    assert found.text.endswith("(both as evaluated, 2026-01-02 to 2026-11-20)")
    card = found.as_card()
    assert (card["level"], card["margin"]) == (0.05, MARGIN)
    assert card["losses"] == "in units of each session's volatility"


@pytest.mark.parametrize(("chance", "promote"), [(0.009, False), (0.011, True)])
def test_the_reference_refuses_at_one_per_cent(chance: float, promote: bool) -> None:
    worse = 2 * 0.01 - losses(0.0, chance)  # its excess over 0.01 is above zero but for `chance`
    found = gate_of(challenger=scored(worse), champion=scored(worse), linear_t=flat(), riskmetrics_t=flat(1))
    assert found.promote == promote


@pytest.mark.parametrize("step", [1, 5])
def test_every_step_counts_with_a_margin_that_grows_as_its_root(step: int) -> None:
    for excess, promote in ((0.99, True), (1.01, False)):
        steps = {1: flat(), 5: flat()}
        worse = steps | {step: flat(0.01 * (1 + excess * MARGIN * step**0.5))}
        better = {1: flat(0.011), 5: flat(0.011)}
        scores = {"challenger": worse, "champion": steps, "linear-t": better, "riskmetrics-t": better}
        assert decision(scores, SAME, "", "").promote == promote


@pytest.mark.parametrize(("horizon", "needed"), [(1, 20), (2, 20), (3, 30), (21, 210)], ids=str)
def test_the_fewest_sessions_to_compare_on(horizon: int, needed: int) -> None:
    panel = panel_of(random_walk_table("AAA", 300))
    last_origin = len(panel.dates) - 2
    enough = unseen_part(panel, panel.dates[last_origin - needed], horizon)
    assert len(enough) == needed
    with pytest.raises(BadInputError, match=f"{needed - 1} sessions are left.*needs {needed}"):
        unseen_part(panel, panel.dates[last_origin - needed + 1], horizon)


@pytest.mark.parametrize(("chance", "rejected"), [(0.049, True), (0.051, False)])
def test_a_refit_is_rejected_where_it_is_significantly_worse(
    monkeypatch: pytest.MonkeyPatch, chance: float, rejected: bool
) -> None:
    worse = 2 * 0.01 - losses(0.0, chance)
    steps = {
        "refitted network": {1: scored(worse), 5: flat(0.02)},
        "evaluated one": {1: flat(), 5: flat(0.02 if chance > 0.05 else 0.01)},
    }
    monkeypatch.setattr(gate, "_score", lambda *_, **__: (steps, SAME))
    found = gate.refit_fault(None, range(1), None, None)  # type: ignore[arg-type]
    assert ("significantly worse" in str(found)) == rejected
    assert not rejected or ", 1 ahead" in str(found)  # the first step that it is worse at


def test_a_duel_in_words() -> None:
    found = Duel("challenger", "champion", CRPS, 5, 250, 0.53254, 0.53217, 0.000695, -0.001, 0.0019, 0.05)
    assert found.text == (
        "CRPS / σ of the challenger 0.5325, of the champion 0.5322, 5 ahead: +0.07%, surely between -0.10% "
        "and +0.19%"
    )
    assert "of linear-t 0.5322, 5 ahead" in replace(found, second="linear-t").text


@pytest.mark.parametrize("horizon", [1, 3])
def test_both_networks_are_compared_on_the_origins_after_the_last_day_seen(horizon: int) -> None:
    panel = panel_of(*(random_walk_table(name, 200, seed) for seed, name in enumerate("AB")))
    champion, challenger = (
        random_network(features=("return", "volatility"), lookback=10, horizon=horizon, seed=seed)
        for seed in (0, 1)
    )
    found = gate.decide(panel, panel.dates[120], champion, challenger)
    assert (found.first_day, found.last_day) == (str(panel.dates[121]), str(panel.dates[-2]))
    steps = sorted({1, horizon})
    rivals = [each for each in found.duels if each.second == "champion"]
    assert [(each.first, each.loss, each.step) for each in rivals] == [
        ("challenger", loss, step) for loss in (CRPS, MEDIAN) for step in steps
    ]
    references = [each for each in found.duels if each.second != "champion"]
    assert {each.second for each in references} <= {"linear-t", "riskmetrics-t"}
    assert [each.first for each in references] == ["challenger"] * len(steps) + ["champion"] * len(steps)
    assert {each.days for each in found.duels if each.step == 1} == {len(panel.dates) - 122}
    again = gate.decide(panel, panel.dates[120], champion, champion)
    assert {each.excess for each in again.duels if each.second == "champion"} == {0.0}
    assert gate.refit_fault(panel, range(121, 199), champion, champion) is None


def test_linear_t_knows_no_session_that_the_gate_holds_out() -> None:
    part = range(200, 290)
    tables = [random_walk_table(name, 300, seed) for seed, name in enumerate("AB")]
    moved = np.where(np.arange(300) > part.start, np.random.default_rng(7).uniform(0.5, 2, 300), 1)
    others = [
        replace(each, columns={name: values * moved for name, values in each.columns.items()})
        for each in tables
    ]
    shape = random_network(features=("return", "volatility"), lookback=10, horizon=3)

    def fitted(day: int, *tables: PriceTable) -> np.ndarray:
        origins = Origins(np.array([0, 1]), np.array([day, day]))
        found = gate._linear_t(panel_of(*tables), part, shape, origins)
        return np.concatenate([found.location, found.scale, found.degrees_of_freedom])

    np.testing.assert_array_equal(fitted(part.start, *tables), fitted(part.start, *others))
    assert (fitted(part.start + 1, *tables) != fitted(part.start + 1, *others)).any()


@pytest.mark.parametrize(
    ("reads", "given"), [(("return",), PRICES_ONLY), (("return", "reports_within_1"), ALL_FEATURES)]
)
def test_linear_t_reads_reports_if_the_networks_do(
    monkeypatch: pytest.MonkeyPatch, reads: tuple[str, ...], given: str
) -> None:
    class AskedError(Exception):
        pass

    def asked(_: Panel, recipe: Recipe) -> None:
        raise AskedError(recipe.features)

    monkeypatch.setattr(gate, "recipe_features", asked)
    shape = random_network(features=reads, lookback=10, horizon=1)
    origins = Origins(np.array([0]), np.array([30]))
    with pytest.raises(AskedError, match=f"^{given}$"):
        gate._linear_t(panel_of(random_walk_table("A", 60)), range(30, 40), shape, origins)


def test_no_window_after_the_last_day_seen_is_an_error() -> None:
    panel = panel_of(random_walk_table("AAA", 60))
    network = random_network(features=("return",), lookback=55, horizon=1)
    with pytest.raises(BadInputError, match=r"no ticker has 55 days in a row from \d{4}-"):
        gate.decide(panel, panel.dates[30], network, network)


def test_the_champion_is_scored_beside_the_market_that_it_was_trained_with() -> None:
    tables = [random_walk_table(name, 300, seed) for seed, name in enumerate("ABC")]
    panel = panel_of(*tables)
    own = replace(panel, market_return=panel.market_return * np.float32(0.2))
    champion, challenger = random_network(lookback=10), random_network(lookback=10, seed=1)

    def crps(champions_panel: Panel | None, name: str) -> float:
        found = gate.decide(panel, panel.dates[120], champion, challenger, champions_panel)
        return next(each.value for each in found.duels if each.first == name and each.second != "champion")

    assert crps(None, "champion") != crps(own, "champion")
    assert crps(None, "challenger") == crps(own, "challenger")
