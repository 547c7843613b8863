"""The Keras engine: brought up quietly, its devices, and which kernel a cell runs on."""

import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from forecaster.errors import BadInputError, UnavailableError, UsageError
from forecaster.settings import FLOAT32, MIXED

# The cells for which each engine hands a whole sequence to cuDNN; all others run step by step.
_CUDNN_CELLS = {"tensorflow": ("lstm", "gru"), "torch": ("lstm", "gru"), "jax": ("lstm",)}
_ONE_THREAD = ("TF_NUM_INTRAOP_THREADS", "OMP_NUM_THREADS", "NPROC")
"""How many threads TensorFlow, PyTorch and XLA's CPU client, which is JAX's, compute on."""
_XLA_REPEATS = "--xla_gpu_deterministic_ops"


@dataclass(frozen=True)
class Engine:
    """What trains: Keras's backend and what it computes on.

    Attributes:
        backend: as Keras calls it.
        device: `cpu`, `gpu`, or how many share each batch: `4 gpus`.
        replicas: Keras's names of those that share; none where one computes alone.
    """

    backend: str
    device: str
    replicas: tuple[str, ...] = ()

    def kernel(self, cell: str, precision: str = FLOAT32) -> str:
        """`cuDNN` where the whole sequence is one call on the GPU, else `loop`, a call a step."""
        whole = "gpu" in self.device and cell in _CUDNN_CELLS[self.backend]
        return "cuDNN" if whole and not (precision == MIXED and self.backend == "jax") else "loop"

    @property
    def loops_in_numpy(self) -> bool:
        """Whether cells are trained by the loops of `loops`: where they beat the engine's own, and fit in."""
        return self.backend == "tensorflow" and self.device == "cpu"

    @property
    def halves_batches(self) -> bool:
        """Whether two processes may share a batch: where both compute on one thread, and so the same."""
        if self.backend != "tensorflow" or self.device != "cpu":
            return False
        import tensorflow as tf

        return bool(tf.config.threading.get_intra_op_parallelism_threads() == 1)


def chosen_backend() -> str:
    """The engine that `KERAS_BACKEND` chooses; where it is not set or empty, TensorFlow."""
    return os.environ.get("KERAS_BACKEND") or "tensorflow"


def start_engine(device: str) -> Engine:
    """Import Keras and choose the device; `KERAS_BACKEND` chooses the engine (default tensorflow).

    Args:
        device: `cpu`; `gpu`, the first; `gpus`, all that the engine sees, which share each batch; or `auto`,
            the first GPU if there is one.

    Raises:
        UsageError: a GPU is asked for and the engine sees none, `device` is `gpus` and the engine is not JAX,
            this process computes on the GPU and `device` is `cpu`, or the engine is not known.
        UnavailableError: the engine is not installed.
        BadInputError: Keras cannot read the user's `keras.json`.
    """
    backend = os.environ["KERAS_BACKEND"] = chosen_backend()
    if backend not in _CUDNN_CELLS:
        raise UsageError(
            f"KERAS_BACKEND={backend} is not an engine that trains", f"choose from {', '.join(_CUDNN_CELLS)}"
        )
    if device == "gpus" and backend != "jax":
        raise UsageError(
            f"--device gpus: Keras divides batches among devices on JAX alone, and here runs on {backend}",
            "set KERAS_BACKEND=jax, or use --device gpu",
        )
    _set_before_import(backend)
    try:
        with _native_noise_dropped():
            import keras

            if device == "cpu":
                _hide_gpus(backend)
            seen = _gpus(backend)
            if backend == "tensorflow" and not seen:
                _compute_on_one_thread()
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
    if device in ("gpu", "gpus") and not seen:
        raise UsageError(
            f"--device {device}: {backend} sees no GPU",
            "pip install 'forecaster[gpu]' on a machine with an NVIDIA driver, or use --device auto",
        )
    # Whatever the user's keras.json says: the recipe and the stored weights are of this precision.
    keras.config.set_floatx("float32")
    keras.config.set_dtype_policy("float32")
    if device == "gpus" and len(seen) > 1:
        return Engine(backend, f"{len(seen)} gpus", tuple(keras.distribution.list_devices("gpu")))
    return Engine(backend, "gpu" if seen and device != "cpu" else "cpu")


@contextmanager
def on_device(engine: Engine) -> Iterator[None]:
    """Run what is inside on the chosen device, or divide the batches of its fits among the chosen ones."""
    import keras

    if engine.replicas:
        with keras.distribution.DataParallel(devices=list(engine.replicas)).scope():
            yield
        return
    # PyTorch takes "cpu:0" for another device than its default, "cpu".
    with keras.device("gpu:0" if engine.device == "gpu" else "cpu"):
        yield


def make_repeatable(seed: int, backend: str) -> None:
    """Seed Python, NumPy and the engine, and keep the engine to operations that repeat bit for bit.

    JAX has been kept to them since it was started.
    """
    import keras

    with _native_noise_dropped():  # Keras seeds TensorFlow too, whatever the engine
        keras.utils.set_random_seed(seed)
    if backend == "tensorflow":
        import tensorflow as tf

        tf.config.experimental.enable_op_determinism()
    elif backend == "torch":
        import torch

        # On a GPU, its sums along the days ahead are said not to repeat; each is one row's, of a few numbers.
        warnings.filterwarnings("ignore", message="cumsum_cuda_kernel does not have a deterministic")
        torch.use_deterministic_algorithms(mode=True, warn_only=True)


def use_one_thread() -> None:
    """Have an engine that this process starts later compute on one thread: sums' last bits depend on it."""
    for variable in _ONE_THREAD:
        os.environ[variable] = "1"


def one_thread_wanted() -> bool:
    """Whether this process, or whoever started it, has called `use_one_thread`."""
    return os.environ.get(_ONE_THREAD[0]) == "1"


def _set_before_import(backend: str) -> None:
    """What the engines read from the environment, once, as they start; what the user has set stands."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    if backend == "torch":
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # of two, cuBLAS takes what is free
    if backend == "jax":
        os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")  # the whole card is not ours to take
        flags = os.environ.get("XLA_FLAGS", "")
        if _XLA_REPEATS not in flags:
            os.environ["XLA_FLAGS"] = f"{flags} {_XLA_REPEATS}=true".strip()


def _hide_gpus(backend: str) -> None:
    """Let Keras see the CPU alone: it calls cuDNN where there is a GPU, wherever it computes.

    Raises:
        UsageError: the engine has begun to compute on the GPU.
    """
    if backend == "tensorflow":
        import tensorflow as tf

        try:
            tf.config.set_visible_devices([], "GPU")
        except RuntimeError:
            raise _on_gpu_already(backend) from None
    elif backend == "jax":
        import jax

        jax.config.update("jax_platforms", "cpu")
        if jax.default_backend() != "cpu":
            raise _on_gpu_already(backend)


def _compute_on_one_thread() -> None:
    """A sum's last bits depend on how many threads add it up, which TensorFlow chooses by the machine."""
    import tensorflow as tf

    with suppress(RuntimeError):  # the user's own TensorFlow has begun, and stays as it is
        tf.config.threading.set_intra_op_parallelism_threads(1)


def _on_gpu_already(backend: str) -> UsageError:
    return UsageError(
        f"--device cpu: {backend} computes on the GPU in this process already",
        "choose the CPU in a process of its own",
    )


def _keras_settings() -> Path:
    """The file of settings that Keras reads when it is imported; before that it cannot be asked."""
    if folder := os.environ.get("KERAS_HOME"):
        return Path(folder, "keras.json")
    home = Path.home()
    return Path(home if os.access(home, os.W_OK) else "/tmp", ".keras", "keras.json")  # noqa: S108  (Keras's)


def _gpus(backend: str) -> list[Any]:
    if backend == "tensorflow":
        import tensorflow as tf

        found = tf.config.get_visible_devices("GPU")
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
