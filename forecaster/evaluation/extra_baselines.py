"""The baselines that `--baselines` adds: fitted to each ticker, or boosted trees on the network's inputs."""

from collections.abc import Callable, Sequence
from functools import partial
from importlib.util import find_spec

from forecaster.errors import UsageError
from forecaster.evaluation.baselines import BOOSTING
from forecaster.evaluation.boosting import boosted_trees
from forecaster.evaluation.classical import AUTO_ARIMA, AUTO_ETS, THETA, classical
from forecaster.evaluation.fitted import Fitted, Wanted
from forecaster.evaluation.garch import garch
from forecaster.evaluation.historical import historical

ALL = "all"
EXTRA_BASELINES: dict[str, Callable[[Wanted], Fitted]] = {
    "garch-t": partial(garch, asymmetric=False),
    "gjr-t": partial(garch, asymmetric=True),
    "historical": historical,
    **{method: partial(classical, method=method) for method in (AUTO_ARIMA, AUTO_ETS, THETA)},
    BOOSTING: boosted_trees,
}
_PACKAGES = {"garch-t": "arch", "gjr-t": "arch"} | dict.fromkeys(
    (AUTO_ARIMA, AUTO_ETS, THETA), "statsforecast"
)


def chosen_baselines(names: Sequence[str]) -> tuple[str, ...]:
    """The extra baselines of these names, or all of them for `all`, in the tables' order and each once.

    Raises:
        UsageError: a name is not known, or what it needs is not installed.
    """
    unknown = [name for name in names if name not in (*EXTRA_BASELINES, ALL)]
    if unknown:
        raise UsageError(
            f"there is no baseline {', '.join(map(repr, unknown))}",
            f"choose from {', '.join(EXTRA_BASELINES)}, or all",
        )
    chosen = tuple(name for name in EXTRA_BASELINES if ALL in names or name in names)
    for name in chosen:
        package = _PACKAGES.get(name)
        if package is not None and find_spec(package) is None:
            raise UsageError(f"{name} needs {package}", "pip install 'forecaster[baselines]'")
    return chosen
