"""The Keras engine: brought up quietly, its devices, and which kernel a cell runs on."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from forecaster.errors import BadInputError, UnavailableError, UsageError

# The cells for which each engine hands a whole sequence to cuDNN; all others run step by step.
_CUDNN_CELLS = {"tensorflow": ("lstm", "gru"), "torch": ("lstm", "gru"), "jax": ("lstm",)}


@dataclass(frozen=True)
class Engine:
    """What trains: Keras's backend and the kind of device it computes on."""

    backend: str
    device: str

    def kernel(self, cell: str) -> str:
        """`cuDNN` where the whole sequence is one call on the GPU, else `loop`, a call a step."""
        return "cuDNN" if self.device == "gpu" and cell in _CUDNN_CELLS[self.backend] else "loop"

    @property
    def loops_in_numpy(self) -> bool:
        """Whether cells are trained by the loops of `loops`: where they beat the engine's own, and fit in."""
        return self.backend == "tensorflow" and self.device == "cpu"


def start_engine(device: str) -> Engine:
    """Import Keras and choose the device; `KERAS_BACKEND` chooses the engine (default tensorflow).

    Raises:
        UsageError: `device` is `gpu` and the engine sees none, or the engine is not known.
        UnavailableError: the engine is not installed.
        BadInputError: Keras cannot read the user's `keras.json`.
    """
    backend = os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    if backend not in _CUDNN_CELLS:
        raise UsageError(
            f"KERAS_BACKEND={backend} is not an engine that trains", f"choose from {', '.join(_CUDNN_CELLS)}"
        )
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    try:
        with _native_noise_dropped():
            import keras

            seen = _gpus(backend)
    except ImportError as error:
        raise UnavailableError(
            f"the Keras engine {backend} cannot be imported: {error}", f"pip install {backend}"
        ) from error
    except (ValueError, AttributeError, TypeError) as error:
        # What Keras raises, as it is imported, for a setting that it does not know or JSON of another form.
        settings = _keras_settings()
        if not settings.is_file():
            raise
        raise BadInputError(f"Keras cannot read {settings}: {error}", "fix that file or remove it") from error
    if device == "gpu" and not seen:
        raise UsageError(
            f"--device gpu: {backend} sees no GPU",
            "pip install 'forecaster[gpu]' on a machine with an NVIDIA driver, or use --device auto",
        )
    # Whatever the user's keras.json says: the recipe and the stored weights are of this precision.
    keras.config.set_floatx("float32")
    keras.config.set_dtype_policy("float32")
    return Engine(backend, "gpu" if seen and device != "cpu" else "cpu")


@contextmanager
def on_device(engine: Engine) -> Iterator[None]:
    """Run what is inside on the chosen device, however many the engine sees."""
    import keras

    # PyTorch takes "cpu:0" for another device than its default, "cpu".
    with keras.device("gpu:0" if engine.device == "gpu" else "cpu"):
        yield


def make_repeatable(seed: int, backend: str) -> None:
    """Seed Python, NumPy and the engine, and keep the engine to operations that repeat bit for bit."""
    import keras

    with _native_noise_dropped():  # Keras seeds TensorFlow too, whatever the engine
        keras.utils.set_random_seed(seed)
    if backend == "tensorflow":
        import tensorflow as tf

        tf.config.experimental.enable_op_determinism()


def _keras_settings() -> Path:
    """The file of settings that Keras reads when it is imported; before that it cannot be asked."""
    if folder := os.environ.get("KERAS_HOME"):
        return Path(folder, "keras.json")
    home = Path.home()
    return Path(home if os.access(home, os.W_OK) else "/tmp", ".keras", "keras.json")  # noqa: S108  (Keras's)


def _gpus(backend: str) -> list[Any]:
    if backend == "tensorflow":
        import tensorflow as tf

        found = tf.config.list_physical_devices("GPU")
        for gpu in found:
            # The whole card is not ours to take.
            tf.config.experimental.set_memory_growth(gpu, enable=True)
        return list(found)
    if backend == "torch":
        import torch

        return list(range(torch.cuda.device_count()))
    import jax

    return [device for device in jax.devices() if device.platform == "gpu"]


@contextmanager
def _native_noise_dropped() -> Iterator[None]:
    """Drop what the engine's native code writes to stderr while it starts; no setting silences it all."""
    sys.stderr.flush()
    kept = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)
