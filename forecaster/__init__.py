"""What a recurrent network can honestly say about a stock.

>>> import forecaster as fc
>>> model = fc.load_model("main", home="~/stocks")
>>> model.predict(["AAPL", "MSFT"])

Importing this package loads nothing heavy; each name is loaded when it is first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from forecaster.api import ComparisonResult, Model, compare, load_model, train
    from forecaster.auditing import AuditResult, audit
    from forecaster.backtesting import BacktestResult, backtest
    from forecaster.errors import ForecastError
    from forecaster.home import Home
    from forecaster.settings import Recipe
    from forecaster.tuning import TuneResult, tune

__version__ = "0.1.0"
__all__ = [
    "AuditResult",
    "BacktestResult",
    "ComparisonResult",
    "ForecastError",
    "Home",
    "Model",
    "Recipe",
    "TuneResult",
    "__version__",
    "audit",
    "backtest",
    "compare",
    "load_model",
    "train",
    "tune",
]
_MODULES = {
    "AuditResult": "forecaster.auditing",
    "audit": "forecaster.auditing",
    "BacktestResult": "forecaster.backtesting",
    "backtest": "forecaster.backtesting",
    "ForecastError": "forecaster.errors",
    "Home": "forecaster.home",
    "Recipe": "forecaster.settings",
    "TuneResult": "forecaster.tuning",
    "tune": "forecaster.tuning",
}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'forecaster' has no attribute {name!r}")
    return getattr(import_module(_MODULES.get(name, "forecaster.api")), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
