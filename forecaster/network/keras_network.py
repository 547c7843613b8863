"""The Keras network: recurrent layers under a Student-t head, and the step that trains it.

Everything is written in `keras.ops`, so that TensorFlow, JAX and PyTorch engines all run it.
"""

import math
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray

from forecaster.dataset.features import Features
from forecaster.files import disk_error
from forecaster.network.cells import KERNEL
from forecaster.network.network import LEAST_DEGREES, Network
from forecaster.network.recurrent import AHEAD, RecurrentNetwork
from forecaster.settings import CONVLSTM, FLOAT32, MIXED, WEEK, Recipe


def _weekly(units: int, **others: Any) -> keras.layers.Layer:
    """A ConvLSTM1D over the days of a week, whatever the user's keras.json says of the order of axes."""
    return keras.layers.ConvLSTM1D(units, KERNEL, padding="same", data_format="channels_last", **others)


LAYERS: Mapping[str, Callable[..., keras.layers.Layer]] = {
    "rnn": keras.layers.SimpleRNN,
    "lstm": keras.layers.LSTM,
    "gru": keras.layers.GRU,
    CONVLSTM: _weekly,
}
# Bfloat16 has the range of float32, so that no loss needs scaling, as with float16.
_SHAPE = ("cell", "units", "layers", "bidirectional", "horizon", "lookback")
_ALIGNMENT = 64
"""Of memory that TensorFlow computes on where it lies."""
_POLICIES = {FLOAT32: "float32", MIXED: "mixed_bfloat16"}


def build_network(
    features: int, recipe: Recipe, known_ahead: int = 0, *, last: int | None = None, numpy_loops: bool = False
) -> keras.Model:
    """Recurrent layers that answer at every step, then location, log-scale and raw degrees for H steps.

    Input (batch, timesteps, features), output (batch, timesteps, 3 · horizon), in units of
    σ(t)·√h. The head starts near zero: training begins at the scaled random walk.

    The last `known_ahead` features go to the head as well: what is known of the days ahead moves the scale
    at once, and needs no memory.

    A bidirectional network answers once a window, (batch, 1, 3 · horizon): its last layer gives the state
    of each direction after that direction's last step. Day by day, the backward state of the last day
    would have seen that day alone.

    So does a ConvLSTM1D, over windows of whole weeks: the head reads the states of all five days of the last
    week, see `RecurrentNetwork`.

    For training, with `last`, a network answers at the last steps alone, and with `numpy_loops` the layers of
    `tensorflow_loops` stand in for Keras's. Its weights are the same, in the same order.
    """
    inputs = keras.Input((None, features), name="features")
    hidden = inputs
    last = 1 if recipe.last_day_only else last
    if recipe.cell == CONVLSTM:
        hidden = keras.layers.Reshape((-1, WEEK, features), name="weeks")(hidden)
    for number in range(recipe.layers):
        once = recipe.last_day_only and number == recipe.layers - 1
        if numpy_loops:
            from forecaster.network.tensorflow_loops import loop_layer

            layer = loop_layer(recipe, number, last or recipe.lookback)
        else:
            layer = LAYERS[recipe.cell](
                recipe.units,
                return_sequences=not once,
                dtype=_POLICIES[recipe.precision],
                name=f"{recipe.cell}_{number}",
            )
            if recipe.precision == MIXED and keras.backend.backend() == "jax":
                layer.use_cudnn = False  # JAX hands whatever it is given to cuDNN as float32
        if recipe.bidirectional:
            layer = keras.layers.Bidirectional(layer, merge_mode="concat", name=f"both_ways_{number}")
        hidden = layer(hidden)
        if last and not (recipe.last_day_only or numpy_loops) and number == recipe.layers - 1:
            hidden = hidden[:, -last:]
        if recipe.dropout:
            hidden = keras.layers.Dropout(recipe.dropout, name=f"dropout_{number}")(hidden)
    if recipe.last_day_only:
        hidden = keras.layers.Reshape((1, -1), name="one_day")(hidden)
    start = keras.initializers.RandomNormal(stddev=0.01)
    raw = keras.layers.Dense(3 * recipe.horizon, kernel_initializer=start, name="head")(hidden)
    if known_ahead:
        ahead = keras.layers.Dense(
            3 * recipe.horizon, use_bias=False, kernel_initializer="zeros", name="ahead"
        )
        answered = inputs[:, -last:] if last else inputs
        raw = keras.layers.Add(name="with_known_ahead")([raw, ahead(answered[:, :, -known_ahead:])])
    return keras.Model(inputs, raw, name=recipe.cell)


def without_keras(network: keras.Model, recipe: Recipe, features: tuple[str, ...]) -> RecurrentNetwork:
    """The same weights as matrices, for the runtime that needs no Keras."""
    weights = {
        name: array
        for layer, names in _weight_names(network, recipe)
        for name, array in zip(names, layer.get_weights(), strict=True)
    }
    return RecurrentNetwork(
        cell=recipe.cell,
        units=recipe.units,
        layers=recipe.layers,
        bidirectional=recipe.bidirectional,
        horizon=recipe.horizon,
        lookback=recipe.lookback,
        features=features,
        weights=weights,
    )


def begin_from(network: keras.Model, start: Network) -> None:
    """Give the network the weights that another of the same shape has learned.

    Raises:
        ValueError: the shapes differ.
    """
    for layer, names in _weight_names(network, start):
        layer.set_weights([start.weights[name] for name in names])


def _weight_names(
    network: keras.Model, shape: Recipe | Network
) -> Iterator[tuple[keras.layers.Layer, list[str]]]:
    """Each layer with weights, and what `RecurrentNetwork` calls them, in Keras's order."""
    for number in range(shape.layers):
        if shape.bidirectional:
            both = network.get_layer(f"both_ways_{number}")
            cells = {"forward": both.forward_layer, "backward": both.backward_layer}
        else:
            cells = {"forward": network.get_layer(f"{shape.cell}_{number}")}
        for direction, layer in cells.items():
            yield layer, [f"layer{number}/{direction}/{part}" for part in ("kernel", "recurrent", "bias")]
    yield network.get_layer("head"), ["head/kernel", "head/bias"]
    if any(layer.name == "ahead" for layer in network.layers):
        yield network.get_layer("ahead"), [AHEAD]


def as_stored(network: keras.Model, recipe: Recipe, known_ahead: int = 0) -> keras.Model:
    """The trained weights in the network that is kept: Keras's layers, float32, an answer at every step."""
    plain = build_network(network.input.shape[-1], replace(recipe, precision=FLOAT32), known_ahead)
    plain.set_weights(network.get_weights())
    return plain


def averaged(ensemble: RecurrentNetwork) -> keras.Model:
    """A Keras network that averages the raw answers of an ensemble's networks."""
    inputs = keras.Input((None, len(ensemble.features)), name="features")
    answers = []
    for number, network in enumerate(ensemble.networks):
        recipe = Recipe(**{name: getattr(network, name) for name in _SHAPE}, dropout=0.0)
        one = build_network(len(network.features), recipe, network.known_ahead)
        begin_from(one, network)
        one.name = f"network{number}"
        answers.append(one(inputs))
    return keras.Model(inputs, keras.layers.Average(name="average")(answers), name="ensemble")


def keras_file(network: keras.Model) -> bytes:
    """The network as the content of a `.keras` file.

    Raises:
        DiskError: the system's folder for temporary files fails.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.keras"
        try:
            network.save(path)
        except OSError as error:
            raise disk_error(error, path) from error
        return path.read_bytes()


# Of w = 1/ν, by powers of w²: fitted by least squares at Chebyshev's nodes of the degrees allowed. The first
# are those of the asymptotic series, −1/4 and 1/24 (Abramowitz & Stegun, 1964, 6.1.47).
_NORMALISER = (-0.24999962, 0.04157347, -0.04600858, 0.08094977, -0.08963049)


def log_normaliser(inverse_degrees: Any) -> Any:
    """Log of the standard Student-t's density at zero, from 1/ν, for the degrees of freedom allowed.

    log Γ((ν + 1)/2) − log Γ(ν/2) − log(πν)/2, with an error below 2e-7. The two logarithms nearly cancel each
    other, and what they leave over the normal's −log(2π)/2 is a short odd polynomial of 1/ν.
    """
    square = inverse_degrees * inverse_degrees
    value = _NORMALISER[-1]
    for coefficient in reversed(_NORMALISER[:-1]):
        value = value * square + coefficient
    return value * inverse_degrees - 0.5 * math.log(2 * math.pi)


def negative_log_likelihood(raw: Any, target: Any) -> Any:
    """Negative log density of a Student-t whose parameters are the network's raw output.

    Args:
        raw: (..., 3H): location, log-scale, raw degrees of freedom (2.1 + softplus).
        target: (..., H).

    Returns:
        (..., H).
    """
    location, log_scale, raw_degrees = ops.split(raw, 3, axis=-1)
    degrees = LEAST_DEGREES + ops.softplus(raw_degrees)
    inverse = 1.0 / degrees
    z = (target - location) * ops.exp(-log_scale)
    tails = 0.5 * (degrees + 1.0) * ops.log1p(z * z * inverse)
    return tails + log_scale - log_normaliser(inverse)


class WindowTrainer(keras.Model):  # type: ignore[misc]
    """Trains a network on windows given by position; their content is gathered inside the step.

    The panel's features, returns and volatility are laid on the device once. A step then moves two
    small arrays: the windows' positions (batch,) and how many steps ahead count at each
    supervised day (batch, supervised).
    """

    def __init__(
        self,
        network: keras.Model,
        features: Features,
        log_return: NDArray[np.float32],
        recipe: Recipe,
        supervised: int,
    ) -> None:
        super().__init__(name="window_trainer")
        self.network = network
        self.lookback, self.supervised, self.horizon = recipe.lookback, supervised, recipe.horizon
        rows = features.valid_input.size
        self.panel_features = _on_device(features.values.reshape(rows, -1), "features")
        self.panel_volatility = _on_device(np.nan_to_num(features.volatility.reshape(rows)), "volatility")
        self.panel_return = _on_device(np.nan_to_num(log_return.reshape(rows)), "log_return")

    def release(self) -> None:
        """Give back the panel's memory, once nothing more is to be trained.

        TensorFlow keeps a graph with a gradient of our own until the process ends, and with it what it reads.
        """
        if keras.backend.backend() != "tensorflow":
            return
        import tensorflow as tf

        for variable in (self.panel_features, self.panel_volatility, self.panel_return):
            # Past the variable's own assignment, which holds the shape fixed.
            tf.raw_ops.AssignVariableOp(resource=variable.value.handle, value=tf.zeros(0))

    def call(self, rows: Any, training: bool = False) -> Any:
        """Raw head output at the supervised days of the windows that begin at `rows`.

        Without `training` in the signature, Keras would never tell a dropout layer that it is on.
        """
        index = ops.expand_dims(rows, -1) + ops.arange(self.lookback, dtype="int32")
        values = ops.take(self.panel_features, index, axis=0)  # (B, L, F)
        return self.network(values, training=training)[:, -self.supervised :, :]  # (B, S, 3H)

    def compute_loss(
        self,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> Any:
        """Mean negative log likelihood over the targets that are known."""
        del sample_weight, training
        losses, counted = self.target_losses(x, y, y_pred)
        return ops.sum(losses * counted) / ops.maximum(ops.sum(counted), 1.0)

    def target_losses(self, rows: Any, known: Any, raw: Any) -> tuple[Any, Any]:
        """Negative log likelihoods (B, S, H), and which of them count: 1 where the target is known, or 0."""
        losses = negative_log_likelihood(raw, self.scaled_targets(rows))
        steps = ops.arange(1, self.horizon + 1, dtype="float32")
        return losses, ops.cast(steps <= ops.expand_dims(known, -1), losses.dtype)

    def scaled_targets(self, rows: Any) -> Any:
        """Cumulative log returns ahead of each supervised day, over σ(t)·√h: (B, S, H)."""
        first = ops.expand_dims(rows + (self.lookback - self.supervised), -1)
        days = first + ops.arange(1, self.supervised + self.horizon, dtype="int32")
        # Neighbouring days share all returns but one: each is gathered once, and the sums go side by side.
        daily = ops.take(self.panel_return, ops.minimum(days, self.panel_return.shape[0] - 1), axis=0)
        total, totals = 0.0, []
        for step in range(self.horizon):
            total = total + daily[:, step : step + self.supervised]  # (B, S)
            totals.append(total)
        origins = first + ops.arange(self.supervised, dtype="int32")
        sigma = ops.take(self.panel_volatility, origins, axis=0)
        root = ops.sqrt(ops.arange(1, self.horizon + 1, dtype="float32"))
        return ops.stack(totals, axis=-1) / (ops.expand_dims(sigma, -1) * root)


def _on_device(values: NDArray[np.float32], name: str) -> keras.Variable:
    """A constant array where the engine computes; unknown values are zeros by now, which nothing counts."""
    found = values
    if keras.backend.backend() == "tensorflow" and values.ctypes.data % _ALIGNMENT == 0:
        import tensorflow as tf

        # TensorFlow's own copy would take its room until the process ends, in each process that trains.
        if not tf.config.list_logical_devices("GPU"):
            found = tf.experimental.dlpack.from_dlpack(np.asarray(_Exported(values)).__dlpack__())
    return keras.Variable(found, trainable=False, name=name, dtype="float32")


class _Exported:
    """An array that may be read-only and is handed on all the same to who will not write into it.

    DLPack's first version cannot say of an array that it is read-only, so NumPy does not hand such out.
    """

    def __init__(self, array: NDArray[np.float32]) -> None:
        self._array = array
        self.__array_interface__ = {**array.__array_interface__, "data": (array.ctypes.data, False)}
