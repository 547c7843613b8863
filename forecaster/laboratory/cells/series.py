"""What the laboratory looks at: a ticker's last days as a network's inputs, or numbers as given."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from forecaster.dataset.features import compute_features
from forecaster.dataset.panel import Panel
from forecaster.errors import BadInputError, UsageError

Float = NDArray[np.float64]


def last_inputs(panel: Panel, names: Sequence[str], days: int) -> tuple[Float, NDArray[np.datetime64]]:
    """The named features of the panel's first ticker on its last usable days.

    Returns:
        (days, F) and their dates.

    Raises:
        BadInputError: there are not so many days in a row.
    """
    features = compute_features(panel, names)
    usable = np.nonzero(features.valid_input[0])[0]
    chosen = usable[-days:]
    if len(chosen) < days or chosen[-1] - chosen[0] != days - 1:
        raise BadInputError(
            f"{panel.tickers[0]} has no {days} usable days in a row at its end, of {len(usable)} in all",
            "ask for fewer days, or look for gaps with `forecast data verify`",
        )
    return features.values[0, chosen].astype(np.float64), panel.dates[chosen]


def given_inputs(text: str) -> Float:
    """Numbers with commas between them as a series of one feature, (T, 1).

    Raises:
        UsageError: one of them is not a finite number.
    """
    try:
        values = np.array([float(part) for part in text.split(",")])
    except ValueError:
        values = np.array([np.nan])
    if not np.isfinite(values).all():
        raise UsageError(f"--series {text!r} is not a list of numbers", "write it like 0.5,-1,0.25")
    return values[:, None]
