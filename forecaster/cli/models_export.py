"""`forecast models export`: a version for Keras, ONNX or MLflow."""

from pathlib import Path
from typing import Annotated

import typer

from forecaster.cli.screen import HomeFlag, JsonFlag, open_settings, print_json, results
from forecaster.errors import UsageError

FORMATS = ("keras", "onnx", "mlflow")


def export(
    context: typer.Context,
    model: Annotated[
        str, typer.Argument(metavar="NAME[@VERSION]", help="What to export.", show_default=False)
    ],
    destination: Annotated[
        str,
        typer.Argument(metavar="DIR", help="Folder; for mlflow also a server's address.", show_default=False),
    ],
    to: Annotated[str, typer.Option("--to", help="keras, onnx or mlflow.")] = "keras",
    json: JsonFlag = False,
    home: HomeFlag = None,
) -> None:
    """Export a version: its Keras file, the network as ONNX, or all of it to MLflow.

    keras and onnx write NAME-VERSION.keras or .onnx, and the card beside it as NAME-VERSION.json: inputs are
    the features that it names, in that order. The outputs of the ONNX network are location, scale and
    degrees_of_freedom at each day, in units of σ(t)·√h. mlflow makes a run with recipe, scores and files in
    DIR/mlflow.db or on the server, and registers it; a version that is there already is left as it is.
    """
    from forecaster.registry.versions import ModelRegistry

    if to not in FORMATS:
        raise UsageError(f"--to {to} is not known", f"choose from {', '.join(FORMATS)}")
    registry = ModelRegistry(open_settings(context, home).home)
    content: dict[str, str | list[str]]
    if to == "mlflow":
        from forecaster.registry.mlflow_export import export_to_mlflow

        run, new = export_to_mlflow(registry, model, destination)
        told, content = f"MLflow's run {run}" + ("" if new else ", which was there already"), {"run": run}
    else:
        from forecaster.registry.export import export_files

        files = [str(path) for path in export_files(registry, model, Path(destination).expanduser(), to)]
        told, content = " and ".join(files), {"files": files}
    if json:
        print_json("forecast.models-export/1", {"model": model, "to": to, **content})
    else:
        results().print(f"Exported: {told}", soft_wrap=True, markup=False)
