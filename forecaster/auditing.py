"""The audit with DataFrames in and out: `fc.audit` and what it gives."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from forecaster.api import inputs_of
from forecaster.prices.market import INDEX_MARK
from forecaster.settings import Recipe

if TYPE_CHECKING:
    import pandas as pd

    from forecaster.evaluation.audit.audit import Audit
    from forecaster.evaluation.audit.restated import Models
    from forecaster.evaluation.audit.subject import Subject
    from forecaster.network.fitting import Progress


@dataclass(frozen=True)
class AuditResult:
    """What `audit` found.

    Attributes:
        audit: its checks with their figures, as the command shows them.
    """

    audit: "Audit"

    def __repr__(self) -> str:
        """The result in a sentence."""
        return self.audit.text

    def _repr_html_(self) -> str:
        from forecaster.report.notebook import shown

        return shown([self.audit.text], self.table)

    @property
    def passed(self) -> bool:
        """Whether no check failed."""
        return self.audit.passed

    @property
    def table(self) -> "pd.DataFrame":
        """A row for each check: its name, what holds if it passed, its state, and what was found."""
        import pandas as pd

        return pd.DataFrame(
            {"check": each.check, "title": each.title, "state": each.state, "found": each.found}
            for each in self.audit.checks
        )


def audit(
    prices: "pd.DataFrame",
    recipe: Recipe | None = None,
    *,
    market: "pd.Series | None" = None,
    earnings: "pd.DataFrame | None" = None,
) -> AuditResult:
    """Check that nothing that training and testing do with these prices sees ahead: about a minute.

    Inputs after some days are changed, and whatever was known before must stay the same, bit for bit. Small
    networks are trained on shuffled moves and on random walks, where any skill would come from the future.

    Args:
        prices: as for `train`.
        recipe: as for `train`; the audit's networks are smaller, and read what it reads.
        market: as for `train`.
        earnings: as for `train`.

    Returns:
        One check a row in `.table`, its state passed, failed or not checked; `.passed` if none failed.

    Raises:
        BadInputError: the prices are too few, or no row can be used.
        ForecastError: a loss became NaN.
    """
    from forecaster.evaluation.audit.subject import Subject

    inputs = inputs_of(prices, market, earnings)
    stocks = tuple(table for table in inputs.tables if not table.ticker.startswith(INDEX_MARK))
    return audit_on(Subject(inputs, stocks if market is None else None), recipe or Recipe())


def audit_on(
    subject: "Subject",
    recipe: Recipe,
    models: "Models | None" = None,
    report: "Callable[[str, Progress], None]" = lambda *_: None,
    stage: Callable[[str], None] = lambda _: None,
) -> AuditResult:
    """`audit` on the inputs of a training set.

    Args:
        subject: the inputs, and whose mean the market is.
        recipe: as for `audit`.
        models: in service, whose prices are compared with those that they were trained on.
        report: called with a training's name and progress.
        stage: called with what is done next.

    Raises:
        UsageError, BadInputError, ForecastError: as `audit`.
    """
    from forecaster.evaluation.audit.audit import audit as run_audit

    return AuditResult(run_audit(subject, recipe, models, report, stage))
