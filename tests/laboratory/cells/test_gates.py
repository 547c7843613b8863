import math

import numpy as np
import pytest
from factories import closes_table, panel_of, random_walk_table
from network_factory import random_network

from forecaster.dataset.features import compute_features
from forecaster.errors import BadInputError, UsageError
from forecaster.laboratory.cells.gates import half_lives, study_gates, summary, trace_network
from forecaster.network.recurrent import RecurrentNetwork
from forecaster.prices.calendar import next_sessions

FEATURES = ("return", "magnitude")
PANEL = panel_of(random_walk_table("AAA", 120))


def network(cell: str = "gru", **form: int) -> RecurrentNetwork:
    return random_network(cell, 3, features=FEATURES, **form)


@pytest.mark.parametrize(
    ("kept", "steps"),
    [
        pytest.param([0.5, 0.5], 1.0, id="half a step"),
        pytest.param([0.25, 1.0], 1.0, id="geometric mean"),
        pytest.param([1.0, 1.0], math.inf, id="never"),
        pytest.param([2**-0.1] * 3, 10.0, id="ten steps"),
    ],
)
def test_half_life_of_one_unit(kept: list[float], steps: float) -> None:
    assert half_lives(np.array(kept)[:, None])[0] == pytest.approx(steps)


def test_saturation_shares_by_hand() -> None:
    found = summary("forget", np.array([[0.05, 0.5], [0.95, 0.99], [0.1, 0.9], [0.5, 0.5]]))
    assert (found.closed, found.open) == (1 / 8, 2 / 8)
    assert found.mean == pytest.approx(4.49 / 8)


def test_the_gates_are_the_networks_own_on_those_days() -> None:
    study = study_gates(PANEL, network(), "main@1", days=30, warm_up=20)
    values = compute_features(PANEL, FEATURES).values[0, -50:]
    trace = trace_network(network(), values, 1)
    np.testing.assert_allclose(study.gates["update"], trace.gates["update"][0, -30:])
    assert list(study.gates) == ["update", "reset"]
    assert (study.dates == PANEL.dates[-30:]).all()
    np.testing.assert_array_equal(study.close, PANEL.close[0, -30:])


def test_the_largest_moves_are_marked_in_order_of_time() -> None:
    random = np.random.default_rng(0)
    moves = random.normal(0, 0.002, 60)
    moves[[45, 52]] = 0.05, -0.08
    dates = [str(day) for day in next_sessions(np.datetime64("2020-01-01"), 60)]
    panel = panel_of(closes_table("AAA", dates, list(100 * np.exp(np.cumsum(moves)))))
    study = study_gates(panel, network(), "main@1", days=20, warm_up=10, events=2)
    assert [event.place for event in study.events] == [45 - 40, 52 - 40]
    assert [round(event.log_return, 3) for event in study.events] == [0.05, -0.08]
    on = study.events[1].on["update"]
    assert on == pytest.approx(study.gates["update"][12].mean())
    assert study.events[1].before["update"] == pytest.approx(study.gates["update"][11].mean())


def test_a_day_without_a_bar_has_the_close_before_and_is_no_move() -> None:
    whole = random_walk_table("AAA", 60, 1)
    panel = panel_of(whole.take(np.delete(np.arange(60), 50)))
    study = study_gates(panel, network(), "main@1", days=20, warm_up=10, events=20)
    assert study.close[10] == study.close[9] == whole.columns["close"][49]
    assert np.isfinite(study.close).all()
    assert all(np.isfinite(event.log_return) for event in study.events)
    assert {event.place: event.log_return for event in study.events}[10] == 0


def test_an_upper_layer_reads_the_one_below() -> None:
    deep = network("lstm", layers=2, bidirectional=True)
    inputs = compute_features(PANEL, FEATURES).values[0, -40:]
    assert trace_network(deep, inputs, 2).hidden.shape == (1, 40, 3)
    assert deep.layer_weights(1).kernel.shape[0] == 6
    study = study_gates(PANEL, deep, "main@1", days=30, warm_up=10, layer=2)
    assert list(study.gates) == ["input", "forget", "output"]


@pytest.mark.parametrize(
    ("cell", "layer", "days", "error"),
    [
        pytest.param("rnn", 1, 30, UsageError, id="no gates"),
        pytest.param("gru", 2, 30, UsageError, id="no such layer"),
        pytest.param("gru", 1, 500, BadInputError, id="too many days"),
    ],
)
def test_what_cannot_be_shown_is_rejected(cell: str, layer: int, days: int, error: type[Exception]) -> None:
    with pytest.raises(error):
        study_gates(PANEL, network(cell), "main@1", days, 10, layer)
