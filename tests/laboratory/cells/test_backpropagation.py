"""Slopes by the inputs: against central differences, and against the steps' Jacobians."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from network_factory import random_network

from forecaster.laboratory.cells.backpropagation import input_slopes
from forecaster.laboratory.cells.jacobians import reach, step_jacobians
from forecaster.network.recurrent import RecurrentNetwork

DATED = ("return", "range", "reports_within_1", "dates_known")


def exact(network: RecurrentNetwork) -> RecurrentNetwork:
    return replace(network, weights={name: each.astype("f8") for name, each in network.weights.items()})


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
@pytest.mark.parametrize(
    "form",
    [
        pytest.param({}, id="plain"),
        pytest.param({"layers": 3}, id="stacked"),
        pytest.param({"bidirectional": True}, id="both ways"),
        pytest.param({"layers": 2, "bidirectional": True, "features": DATED}, id="all, with reports"),
    ],
)
def test_slopes_are_those_of_small_differences(cell: str, form: dict[str, Any]) -> None:
    assert_slopes(exact(random_network(cell, 3, **form)), days=7)


@pytest.mark.parametrize("layers", [1, 2])
def test_slopes_through_weeks_are_those_of_small_differences(layers: int) -> None:
    assert_slopes(exact(random_network("convlstm", 3, layers, features=DATED)), days=15)


def assert_slopes(network: RecurrentNetwork, days: int) -> None:
    random = np.random.default_rng(1)
    inputs = random.normal(0, 1, (2, days, len(network.features)))
    by_raw = random.normal(0, 1, (2, 6))
    found = input_slopes(network, inputs, by_raw)
    assert found.shape == inputs.shape
    step = 1e-5
    for place in np.ndindex(inputs.shape):
        moved = np.zeros_like(inputs)
        moved[place] = step
        ends = [network.answer(inputs + sign * moved, 1)[place[0], 0] for sign in (1, -1)]
        assert found[place] == pytest.approx(by_raw[place[0]] @ (ends[0] - ends[1]) / 2 / step, abs=1e-8)


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
def test_one_layers_slopes_are_products_of_the_steps_jacobians(cell: str) -> None:
    network = exact(random_network(cell, 4))
    inputs = np.random.default_rng(2).normal(0, 1, (1, 20, 3))
    by_raw = np.eye(6)[:1]
    chain = reach(step_jacobians(cell, network.layer_weights(0), inputs[0]), 4).inputs  # (T, u, f)
    expected = np.einsum("u,tuf->tf", network.weights["head/kernel"][:, 0], chain)
    np.testing.assert_allclose(input_slopes(network, inputs, by_raw)[0], expected, rtol=1e-9, atol=1e-14)
