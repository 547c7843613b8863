"""Write the report."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from forecaster.errors import ForecastError, UsageError
from forecaster.files import write_atomically
from forecaster.prices.table import checked_ticker
from forecaster.report.collect import collect

NAME = "report.html"


@dataclass(frozen=True)
class Written:
    """A report that was written.

    Attributes:
        path: the file.
        size: of it, in bytes.
        tickers: which are predicted in it.
        results: the kinds of kept results that it shows.
        failures: by ticker, why it is not predicted.
    """

    path: Path
    size: int
    tickers: Sequence[str]
    results: Sequence[str]
    failures: Mapping[str, ForecastError]


def write_report(
    home: Path,
    tickers: Sequence[str] | None,
    model: str | None,
    output: Path | None,
    moment: datetime,
) -> Written:
    """Write the report of a home folder as one HTML file.

    Args:
        home: the folder.
        tickers: to show; None for all that are stored.
        model: NAME or NAME@VERSION; None for the one in service, if there is one.
        output: a file whose name ends in .html, or a folder; None for reports/report.html in `home`.
        moment: the clock.

    Raises:
        UsageError: the output is neither, or a name is not a ticker.
        NotFoundError: no prices are stored, or a ticker or model that was named is not there.
        BadInputError: the clock is behind the prices, or the model that was named is damaged.
        DiskError: the disk fails.
    """
    path = _target(home, output)
    named = None if not tickers else list(dict.fromkeys(checked_ticker(ticker) for ticker in tickers))
    data = collect(home, named, model, moment)

    from forecaster.report.sections import report_page

    content = report_page(data).encode()
    write_atomically(path, content)
    return Written(
        path,
        len(content),
        [each.ticker for each in data.predictions],
        list(dict.fromkeys(result.kind for result in data.results)),
        data.failures,
    )


def _target(home: Path, output: Path | None) -> Path:
    if output is None:
        return home / "reports" / NAME
    if output.is_dir():
        return output / NAME
    if output.suffix.lower() in {".html", ".htm"}:
        return output
    if output.suffix:
        raise UsageError(f"--output {output} is not an HTML file", "name one that ends in .html, or a folder")
    return output / NAME
