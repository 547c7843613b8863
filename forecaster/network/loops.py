"""A recurrent layer's loop over the days of a batch of windows, and its gradient, in NumPy.

The equations are those of `cells`, for the GRU those of Keras's form with `reset_after`. A batch's windows
lie side by side, (rows, B) a day, so that each gate is one stretch of memory. At 32 units a day is two
products of matrices and a dozen operations on some thousand numbers, for which NumPy needs half of the time
of TensorFlow's loop; see "Training" in docs/performance.md.

The backward pass goes through the days from last to first with ∂L/∂h, turns it into the gradient of the gates
before their functions, and adds up that gradient times the inputs and the hidden state, which are those of
the weights (backpropagation through time; Werbos, Proceedings of the IEEE 78, 1990).
"""

from abc import ABC, abstractmethod
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

Float32 = NDArray[np.float32]


class Loop(ABC):
    """One layer's loop, with the memory that it works in from batch to batch.

    Inputs and hidden state have a row of ones below them, so that the biases are a column of the weights.

    Args:
        units: u.
        last: how many last days are answered for.
        passes_on: whether the inputs' gradient is wanted, as by a layer below.
    """

    input_rows: ClassVar[tuple[int, ...]]
    """Keras's numbers of the gates, in the order of their rows as they come from the inputs."""
    state_rows: ClassVar[tuple[int, ...]]
    """The same as they come from the hidden state."""
    logistic: ClassVar[tuple[int, ...]] = ()
    """Which of Keras's gates have a logistic function."""

    def __init__(self, units: int, last: int, *, passes_on: bool) -> None:
        self._units, self._last, self._passes_on = units, last, passes_on
        self._ready = False
        self._allocate(0, 0, 0)

    def forward(self, inputs: Float32, kernel: Float32, recurrent: Float32, bias: Float32) -> Float32:
        """The hidden state after each of the last days, (B, last, u), from a zero state.

        Args:
            inputs: (B, T, F).
            kernel: Keras's, as all weights; see `cells.CellWeights`.
            recurrent: applied to the hidden state.
            bias: of one row or two.
        """
        batch, days, features = inputs.shape
        if (days, features + 1, batch) != self._inputs.shape:
            self._allocate(days, features, batch)
        self._inputs[:, :-1] = inputs.transpose(1, 2, 0)
        input_bias, state_bias = bias if bias.ndim > 1 else (bias, np.zeros_like(bias))
        by_inputs = _with_column(kernel, input_bias, self.input_rows)
        by_state = _with_column(recurrent, state_bias, self.state_rows)
        self._back_to_inputs, self._back_to_state = by_inputs[:, :-1].T.copy(), by_state[:, :-1].T.copy()
        # σ(x) = (1 + tanh(x / 2)) / 2: the weights are halved once in place of x every day.
        by_inputs *= self._halves(self.input_rows)
        by_state *= self._halves(self.state_rows)
        with np.errstate(all="ignore"):  # a loss that is no number is reported as one
            for day in range(days):
                np.matmul(by_inputs, self._inputs[day], out=self._gates[day])
                np.matmul(by_state, self._hidden[day], out=self._product)
                self._step(day)
        self._ready = True
        answered = self._hidden[days + 1 - self._last :, :-1]
        return np.ascontiguousarray(answered.transpose(2, 0, 1))

    def backward(self, gradient: Float32) -> tuple[Float32, Float32, Float32, Float32]:
        """The gradients of what `forward` was last given, for that of its answer (B, last, u).

        That of the inputs is empty without `passes_on`.

        Raises:
            RuntimeError: there was no `forward` since the last time.
        """
        if not self._ready:
            raise RuntimeError("a batch goes back once, after it has gone forward")
        self._ready = False
        days, units, gates = len(self._gates), self._units, len(self._product)
        answered = np.ascontiguousarray(gradient.transpose(1, 2, 0))
        inputs = np.empty_like(self._inputs[:, :-1] if self._passes_on else self._inputs[:0, :0])
        by_inputs = np.zeros((gates, self._inputs.shape[1]), np.float32)
        by_state = np.zeros((gates, units + 1), np.float32)
        more_by_inputs, more_by_state = np.empty_like(by_inputs), np.empty_like(by_state)
        # Where a gate's parts from inputs and state are one sum, so are their gradients.
        of_state, of_inputs = self._gradient[:gates], self._gradient[-gates:]
        self._begin_back()
        with np.errstate(all="ignore"):
            for day in reversed(range(days)):
                if day >= days - self._last:
                    self._back += answered[day - days + self._last]
                self._step_back(day)
                self._back += np.matmul(self._back_to_state, of_state, out=self._spare)
                by_state += np.matmul(of_state, self._hidden[day].T, out=more_by_state)
                by_inputs += np.matmul(of_inputs, self._inputs[day].T, out=more_by_inputs)
                if self._passes_on:
                    np.matmul(self._back_to_inputs, of_inputs, out=inputs[day])
        kernel, input_bias = _without_column(by_inputs, self.input_rows)
        recurrent, state_bias = _without_column(by_state, self.state_rows)
        bias = np.stack([input_bias, state_bias]) if self.input_rows != self.state_rows else input_bias
        return np.ascontiguousarray(inputs.transpose(2, 0, 1)), kernel, recurrent, bias

    def _allocate(self, days: int, features: int, batch: int) -> None:
        units, gates = self._units, len(self.input_rows) * self._units
        self._inputs = np.ones((days, features + 1, batch), np.float32)
        self._hidden = np.zeros((days + 1, units + 1, batch), np.float32)
        self._hidden[:, -1] = 1
        self._gates = np.empty((days, gates, batch), np.float32)
        self._product = np.empty((gates, batch), np.float32)
        self._gradient = np.empty((gates, batch), np.float32)
        self._back, self._spare = np.zeros((2, units, batch), np.float32)

    def _halves(self, rows: tuple[int, ...]) -> Float32:
        factors = [0.5 if gate in self.logistic else 1.0 for gate in rows]
        return np.repeat(np.array(factors, np.float32), self._units)[:, None]

    def _begin_back(self) -> None:
        self._back[:] = 0

    @abstractmethod
    def _step(self, day: int) -> None:
        """Finish `_gates[day]`, so far the inputs' part, with `_product`; fill `_hidden[day + 1, :u]`."""

    @abstractmethod
    def _step_back(self, day: int) -> None:
        """Fill `_gradient` from ∂L/∂h(t) in `_back`, and leave there what of it goes straight to h(t−1)."""


class ElmanLoop(Loop):
    """h(t) = tanh(W x(t) + U h(t−1) + b)."""

    input_rows = state_rows = (0,)

    def _step(self, day: int) -> None:
        self._product += self._gates[day]
        np.tanh(self._product, out=self._hidden[day + 1, :-1])

    def _step_back(self, day: int) -> None:
        _tanh_slope(self._hidden[day + 1, :-1], self._gradient)
        self._gradient *= self._back
        self._back[:] = 0


class LstmLoop(Loop):
    """c(t) = f ∘ c(t−1) + i ∘ g, h(t) = o ∘ tanh(c(t)); rows i, f, o, g."""

    input_rows = state_rows = (0, 1, 3, 2)
    logistic = (0, 1, 3)

    def _allocate(self, days: int, features: int, batch: int) -> None:
        super()._allocate(days, features, batch)
        self._state = np.zeros((days + 1, self._units, batch), np.float32)
        self._tanh_state = np.empty((days, self._units, batch), np.float32)
        self._slope = np.empty((3 * self._units, batch), np.float32)
        self._back_state = np.zeros((self._units, batch), np.float32)

    def _begin_back(self) -> None:
        super()._begin_back()
        self._back_state[:] = 0

    def _step(self, day: int) -> None:
        units, gates, state = self._units, self._gates[day], self._state[day + 1]
        gates += self._product
        _logistic_of_half(gates[: 3 * units])
        candidate = np.tanh(gates[3 * units :], out=gates[3 * units :])
        np.multiply(gates[units : 2 * units], self._state[day], out=state)
        state += np.multiply(gates[:units], candidate, out=self._spare)
        np.tanh(state, out=self._tanh_state[day])
        np.multiply(gates[2 * units : 3 * units], self._tanh_state[day], out=self._hidden[day + 1, :-1])

    def _step_back(self, day: int) -> None:
        units, gates, gradient = self._units, self._gates[day], self._gradient
        entry, forget, output = (gates[place * units : (place + 1) * units] for place in range(3))
        candidate, tanh_state, back_state = gates[3 * units :], self._tanh_state[day], self._back_state
        np.multiply(self._back, tanh_state, out=gradient[2 * units : 3 * units])
        _tanh_slope(tanh_state, self._spare)
        self._back *= output
        back_state += np.multiply(self._spare, self._back, out=self._spare)
        np.multiply(back_state, candidate, out=gradient[:units])
        np.multiply(back_state, self._state[day], out=gradient[units : 2 * units])
        gradient[: 3 * units] *= _logistic_slope(gates[: 3 * units], self._slope)
        _tanh_slope(candidate, gradient[3 * units :])
        gradient[3 * units :] *= np.multiply(back_state, entry, out=self._spare)
        back_state *= forget
        self._back[:] = 0


class GruLoop(Loop):
    """h(t) = z ∘ h(t−1) + (1 − z) ∘ g with g = tanh(W x(t) + b + r ∘ q), q = U h(t−1) + b′.

    Rows z, r, g from the inputs and q, z, r from the state, so that in the gradient's rows q, z, r, g both
    are one stretch.
    """

    input_rows = (0, 1, 2)
    state_rows = (2, 0, 1)
    logistic = (0, 1)

    def _allocate(self, days: int, features: int, batch: int) -> None:
        super()._allocate(days, features, batch)
        self._reset_product = np.empty((days, self._units, batch), np.float32)
        self._gradient = np.empty((4 * self._units, batch), np.float32)
        self._complement = np.empty((2 * self._units, batch), np.float32)

    def _step(self, day: int) -> None:
        units, gates, hidden = self._units, self._gates[day], self._hidden[day + 1, :-1]
        both, candidate = gates[: 2 * units], gates[2 * units :]
        both += self._product[units:]
        _logistic_of_half(both)
        candidate += np.multiply(both[units:], self._product[:units], out=self._reset_product[day])
        np.tanh(candidate, out=candidate)
        np.subtract(self._hidden[day, :-1], candidate, out=hidden)
        hidden *= both[:units]
        hidden += candidate

    def _step_back(self, day: int) -> None:
        units, gates, back = self._units, self._gates[day], self._back
        update, reset, candidate = gates[:units], gates[units : 2 * units], gates[2 * units :]
        of_product, of_update, of_reset, of_candidate = (
            self._gradient[place * units : (place + 1) * units] for place in range(4)
        )
        _tanh_slope(candidate, of_candidate)
        of_candidate *= back
        np.subtract(self._hidden[day, :-1], candidate, out=of_update)
        back_update = np.multiply(back, update, out=back)
        of_update *= back_update
        # ∂L/∂h · (1 − z) · slope, with ∂L/∂h · z at hand.
        of_candidate -= np.multiply(of_candidate, update, out=self._spare)
        np.multiply(of_candidate, self._reset_product[day], out=of_reset)
        np.subtract(1, gates[: 2 * units], out=self._complement)
        self._gradient[units : 3 * units] *= self._complement
        np.multiply(of_candidate, reset, out=of_product)


LOOPS: dict[str, type[Loop]] = {"rnn": ElmanLoop, "lstm": LstmLoop, "gru": GruLoop}


def _with_column(weights: Float32, bias: Float32, rows: tuple[int, ...]) -> Float32:
    """Keras's weights (F, G·u) and a bias as (G·u, F + 1), the gates in the order of `rows`."""
    parts = np.split(np.vstack([weights, bias]), len(rows), axis=1)
    return np.concatenate([parts[gate] for gate in rows], axis=1).T.copy()


def _without_column(weights: Float32, rows: tuple[int, ...]) -> tuple[Float32, Float32]:
    """What `_with_column` was given."""
    parts = np.split(weights.T, len(rows), axis=1)
    whole = np.concatenate([parts[rows.index(gate)] for gate in range(len(rows))], axis=1)
    return whole[:-1], whole[-1]


def _logistic_of_half(values: Float32) -> None:
    """Replace each x / 2 by σ(x)."""
    np.tanh(values, out=values)
    values += 1
    values *= 0.5


def _logistic_slope(value: Float32, out: Float32) -> Float32:
    """σ′ = σ − σ²."""
    np.multiply(value, value, out=out)
    return np.subtract(value, out, out=out)


def _tanh_slope(value: Float32, out: Float32) -> None:
    """tanh′ = 1 − tanh²."""
    np.multiply(value, value, out=out)
    np.subtract(1, out, out=out)
