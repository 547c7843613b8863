"""A trained network in the ONNX format, by Keras's own exporter, which goes through TensorFlow."""

import importlib.util
import logging
import tempfile
import warnings
from pathlib import Path

from forecaster.errors import UnavailableError, UsageError
from forecaster.network.engine import start_engine
from forecaster.network.network import LEAST_DEGREES
from forecaster.settings import WEEK

NEEDED = ("onnx", "tf2onnx")


def onnx_file(keras_file: Path) -> bytes:
    """The network as the content of an ONNX file.

    Its input `features` is (batch, days, features), as the card names and orders them; its outputs
    `location`, `scale` and `degrees_of_freedom` are (batch, days, horizon): at each day, of the
    Student-t of the cumulative log return 1 … H days ahead over σ(t)·√h. Those of a bidirectional
    network and of a ConvLSTM1D are (batch, 1, horizon): at the last day only. A ConvLSTM1D takes a multiple
    of five days.

    Raises:
        UsageError: Keras runs on another engine than TensorFlow.
        UnavailableError: a library is missing.
    """
    missing = [library for library in NEEDED if importlib.util.find_spec(library) is None]
    if missing:
        raise UnavailableError(f"{' and '.join(missing)} not installed", "pip install 'forecaster[onnx]'")
    engine = start_engine("cpu")
    if engine.backend != "tensorflow":
        raise UsageError(
            f"Keras exports to ONNX through TensorFlow, and here runs on {engine.backend}",
            "unset KERAS_BACKEND",
        )
    import keras
    from keras import ops

    network = keras.saving.load_model(keras_file, compile=False, safe_mode=True)
    location, log_scale, raw_degrees = ops.split(network.output, 3, axis=-1)
    outputs = {
        "location": location,
        "scale": ops.exp(log_scale),
        "degrees_of_freedom": LEAST_DEGREES + ops.softplus(raw_degrees),
    }
    whole = keras.Model(network.input, outputs)
    features = int(network.input.shape[-1])
    whole(ops.zeros((1, WEEK, features)))  # Keras exports only what was called once
    signature = [keras.InputSpec(shape=(None, None, features), dtype="float32", name="features")]
    logging.getLogger("tf2onnx").setLevel(logging.ERROR)
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # tf2onnx still looks for names that NumPy has given up
        path = Path(folder) / "network.onnx"
        whole.export(path, format="onnx", input_signature=signature, verbose=False)
        return path.read_bytes()
