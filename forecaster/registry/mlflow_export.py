"""Hand a version to MLflow: its recipe, scores and files as a run, registered under the model's name."""

import logging
import os
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from forecaster.errors import UnavailableError
from forecaster.files import check_writable
from forecaster.registry.versions import ModelRegistry

if TYPE_CHECKING:
    from mlflow import MlflowClient

EXPERIMENT = "forecast"
_RETRIES = "2"  # by default MLflow tries a server that is not there for two minutes


def export_to_mlflow(registry: ModelRegistry, reference: str, store: str) -> tuple[str, bool]:
    """Log a version's recipe, scores and files as a run of MLflow, and register it there under its name.

    Args:
        registry: of the home folder.
        reference: NAME or NAME@VERSION.
        store: a folder, which gets mlflow.db and artifacts/, or the address of a tracking server.

    Returns:
        The run's id, and whether it is new: a version that is there already is left as it is.

    Raises:
        NotFoundError, BadInputError, UsageError: as `ModelRegistry.load`.
        UnavailableError: MLflow is not installed, or the server does not answer.
        DiskError: the disk fails.
    """
    model = registry.load(reference)
    card, digest = model.card, str(model.card["digests"]["weights.npz"])
    folder = registry.version_folder(card["name"], card["version"])
    with _translated():
        client, experiment = _opened(store)
        there = f"tags.`forecast.weights` = '{digest}' and attributes.status = 'FINISHED'"
        known = client.search_runs([experiment], there, max_results=1)
        if known:
            return str(known[0].info.run_id), False
        tags = {"forecast.model": model.reference, "forecast.weights": digest}
        run = client.create_run(experiment, run_name=model.reference, tags=tags).info
        for name, value in card["recipe"].items():
            client.log_param(run.run_id, name, value)
        for name, value in _metrics(card).items():
            client.log_metric(run.run_id, name, value)
        client.log_artifacts(run.run_id, str(folder))
        _register(client, card, run)
        client.set_terminated(run.run_id)  # only a run that has all of it counts as there
        return str(run.run_id), True


def _opened(store: str) -> "tuple[MlflowClient, str]":
    """A client of the store, and the experiment that versions are runs of."""
    from mlflow import MlflowClient

    artifacts = None
    if "://" not in store:
        folder = Path(store).expanduser().absolute()
        check_writable(folder)
        store, artifacts = f"sqlite:///{folder / 'mlflow.db'}", (folder / "artifacts").as_uri()
    client = MlflowClient(tracking_uri=store, registry_uri=store)
    found = client.get_experiment_by_name(EXPERIMENT)
    return client, found.experiment_id if found else client.create_experiment(EXPERIMENT, artifacts)


def _metrics(card: Mapping[str, Any]) -> dict[str, float]:
    """The card's figures, each step's scores under names like `crps_1`."""
    scores = {
        f"{name}_{step}": float(value)
        for step, by_name in card["scores"].items()
        for name, value in by_name.items()
    }
    return scores | {"parameters": float(card["parameters"]), "train_seconds": card["training"]["seconds"]}


def _register(client: "MlflowClient", card: Mapping[str, Any], run: Any) -> None:
    from mlflow.exceptions import MlflowException

    try:
        client.get_registered_model(card["name"])
    except MlflowException:
        client.create_registered_model(card["name"])
    tags = {"forecast.version": str(card["version"])}
    client.create_model_version(card["name"], run.artifact_uri, run.run_id, tags=tags)


@contextmanager
def _translated() -> Iterator[None]:
    """Say in the user's words what MLflow rejects, and keep its own talk off the screen."""
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", _RETRIES)
    try:
        import sqlalchemy  # noqa: F401  (MLflow asks for it only when a store is opened)
        from mlflow.exceptions import MlflowException
    except ImportError as error:
        raise UnavailableError(
            f"MLflow is not installed: {error}", "pip install 'forecaster[mlflow]'"
        ) from error
    for talker in ("mlflow", "alembic"):
        logging.getLogger(talker).setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what MLflow does to SQLAlchemy is between the two
            yield
    except MlflowException as error:
        raise UnavailableError(
            f"MLflow failed: {error.message}", "check the address, and that the server runs"
        ) from error
