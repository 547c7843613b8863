"""The training flags, the same wherever a network is trained."""

import functools
import inspect
from collections.abc import Callable
from typing import Annotated, Any

import typer

from forecaster.settings import CELLS, DEVICES, Recipe

_DEFAULT = Recipe()


def _flag(kind: Any, name: str, help_text: str, default: str | None = None) -> inspect.Parameter:
    """One flag that is None unless given, so that the settings decide; the help shows their default."""
    flag = "--" + name.replace("_", "-")
    option = typer.Option(flag, help=help_text, show_default=default or str(getattr(_DEFAULT, name)))
    return inspect.Parameter(
        name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=Annotated[kind | None, option]
    )


_FLAGS = (
    _flag(str, "cell", f"Recurrent cell: {', '.join(CELLS)}."),
    _flag(int, "lookback", "Days that the network sees."),
    _flag(int, "horizon", "Days ahead, each a step."),
    _flag(int, "units", "Units in a layer."),
    _flag(int, "layers", "Recurrent layers."),
    _flag(bool, "bidirectional", "Read the window both ways; then only its last day is supervised.", "off"),
    _flag(float, "dropout", "Share of a layer's outputs dropped in training."),
    _flag(int, "epochs", "Most epochs.", "from the data: 4 for the index"),
    _flag(int, "batch_size", "Windows a step.", "from the data: 256 for the index"),
    _flag(float, "learning_rate", "Adam's first step size; it decays to zero."),
    _flag(int, "seed", "Seed of all randomness."),
    _flag(str, "train_end", "Last day of training targets.", "75 % of the days"),
    _flag(str, "validation_end", "Last day of validation targets.", "85 % of the days"),
    _flag(str, "device", f"Where to compute: {', '.join(DEVICES)}."),
)


def training_flags(*left_out: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command the training flags, handed to it as the mapping `flags`; None is 'not given'."""
    chosen = [flag for flag in _FLAGS if flag.name not in left_out]

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        own = inspect.signature(command, eval_str=True)

        @functools.wraps(command)
        def run(**values: Any) -> None:
            flags = {flag.name: values.pop(flag.name) for flag in chosen}
            command(**values, flags=flags)

        kept = [
            parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY)
            for parameter in own.parameters.values()
            if parameter.name != "flags"
        ]
        run.__signature__ = own.replace(parameters=[*kept, *chosen])  # type: ignore[attr-defined]
        run.__annotations__ = {flag.name: flag.annotation for flag in (*kept, *chosen)}
        return run

    return decorate
