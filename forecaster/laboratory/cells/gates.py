"""What a trained network's gates do along a real price series."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from forecaster.dataset.panel import Panel
from forecaster.errors import UsageError
from forecaster.laboratory.cells.series import last_inputs
from forecaster.network.cells import CellTrace, run_layer, trace_layer
from forecaster.network.recurrent import RecurrentNetwork

Float = NDArray[np.float64]

# The gate that keeps the state, by cell; in a GRU z is the share of the old state that stays.
KEEPERS = {"lstm": "forget", "gru": "update"}
# Karpathy, Johnson & Fei-Fei, "Visualizing and understanding recurrent networks", 2015.
LEFT, RIGHT = 0.1, 0.9


@dataclass(frozen=True)
class GateSummary:
    """One gate over all units and days: mean, and shares below 0.1 and above 0.9."""

    gate: str
    mean: float
    closed: float
    open: float


@dataclass(frozen=True)
class Event:
    """One of the largest moves: its place in the series, the log return, and the gates around it.

    `before`, `on` and `after` are the gates' means over units on the day before, the day, and the
    day after (NaN at the end of the series).
    """

    place: int
    log_return: float
    before: dict[str, float]
    on: dict[str, float]
    after: dict[str, float]


@dataclass(frozen=True)
class GateStudy:
    """A layer's gates along D days of one ticker.

    Attributes:
        ticker, model: what was looked at.
        cell: "lstm" or "gru".
        dates: (D,).
        close: (D,) adjusted.
        gates: by name, (D, u), between 0 and 1.
        summaries: one a gate.
        half_lives: (u,) days in which each unit loses half of what it holds, from the geometric
            mean of the gate that keeps it.
        events: the largest moves, in order of time.
    """

    ticker: str
    model: str
    cell: str
    dates: NDArray[np.datetime64]
    close: Float
    gates: dict[str, Float]
    summaries: tuple[GateSummary, ...]
    half_lives: Float
    events: tuple[Event, ...]


def study_gates(
    panel: Panel,
    network: RecurrentNetwork,
    model: str,
    days: int,
    warm_up: int,
    layer: int = 1,
    events: int = 5,
) -> GateStudy:
    """Run the network along the panel's first ticker and look at one layer's gates, forwards.

    Args:
        panel: prices.
        network: trained.
        model: its name.
        days: D, how many of the last days are studied.
        warm_up: days run through before them, so that the state is not the zero it starts from.
        layer: from 1.
        events: how many of the largest moves are marked.

    Raises:
        UsageError: the cell has no gates, or the network not so many layers.
        BadInputError: there are not so many days.
    """
    if network.cell == "rnn":
        raise UsageError(f"{model} is a SimpleRNN, which has no gates", "train one with --cell lstm or gru")
    if not 1 <= layer <= network.layers:
        raise UsageError(f"--layer {layer}: {model} has {network.layers}", f"choose 1 to {network.layers}")
    inputs, dates = last_inputs(panel, network.features, days + warm_up)
    trace = trace_network(network, inputs, layer)
    gates = {
        name: values[0, -days:].astype(np.float64)
        for name, values in trace.gates.items()
        if name != "candidate"
    }
    place = np.searchsorted(panel.dates, dates[-days:])
    return GateStudy(
        ticker=panel.tickers[0],
        model=model,
        cell=network.cell,
        dates=dates[-days:],
        close=_carried(panel.close[0])[place],
        gates=gates,
        summaries=tuple(summary(name, values) for name, values in gates.items()),
        half_lives=half_lives(gates[KEEPERS[network.cell]]),
        events=_events(np.nan_to_num(panel.log_return[0, place].astype(np.float64)), gates, events),
    )


def _carried(close: Float) -> Float:
    """The closes, with the one before in place of a day without a bar."""
    days = np.maximum.accumulate(np.where(np.isfinite(close), np.arange(len(close)), 0))
    carried: Float = close[days]
    return carried


def trace_network(network: RecurrentNetwork, inputs: Float, layer: int) -> CellTrace:
    """Gates and states of one layer, from 1, over one series (T, f)."""
    hidden: NDArray[np.floating] = inputs[None].astype(np.float32)
    for number in range(layer - 1):
        forward = run_layer(network.cell, network.layer_weights(number), hidden)
        if network.bidirectional:
            weights = network.layer_weights(number, "backward")
            backward = run_layer(network.cell, weights, hidden, backwards=True)
            forward = np.concatenate([forward, backward], axis=-1)
        hidden = forward
    return trace_layer(network.cell, network.layer_weights(layer - 1), hidden)


def summary(gate: str, values: Float) -> GateSummary:
    """Mean and saturation over all units and days."""
    return GateSummary(
        gate, float(values.mean()), float((values < LEFT).mean()), float((values > RIGHT).mean())
    )


def half_lives(kept: Float) -> Float:
    """Steps in which each unit's state halves, if nothing new were written: log ½ over the mean log.

    Args:
        kept: (D, u) the share that stays at each step.

    Example:
        a unit that keeps 0.5 and then 0.5 has a half-life of 1 step.
    """
    rate = np.log(np.maximum(kept, np.finfo(np.float64).tiny)).mean(0)
    with np.errstate(divide="ignore"):
        steps: Float = np.where(rate < 0, np.log(0.5) / np.minimum(rate, -1e-300), np.inf)
    return steps


def memory_sentence(study: GateStudy) -> str:
    """How long the units hold what they know, in words."""
    lives = study.half_lives
    keeper = "forget" if study.cell == "lstm" else "update"
    return (
        f"By its {keeper} gate half of the units lose half of their state within "
        f"{np.median(lives):.1f} days, the quickest within {lives.min():.1f}, the slowest within "
        f"{lives.max():.1f}."
    )


def _events(log_return: Float, gates: dict[str, Float], count: int) -> tuple[Event, ...]:
    largest = np.sort(np.argsort(-np.abs(log_return), kind="stable")[:count])
    means = {name: values.mean(1) for name, values in gates.items()}
    return tuple(
        Event(
            place=int(place),
            log_return=float(log_return[place]),
            before=_on_day(means, place - 1),
            on=_on_day(means, place),
            after=_on_day(means, place + 1),
        )
        for place in largest
    )


def _on_day(means: dict[str, Float], place: int) -> dict[str, float]:
    return {
        name: float(values[place]) if 0 <= place < len(values) else float("nan")
        for name, values in means.items()
    }
