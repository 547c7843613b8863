"""How prices are written: with as many decimals as their size needs."""

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MOST_DECIMALS = 9


class PriceText:
    """Writes prices about as large as `typical`, all of them with as many decimals.

    Examples: 203,946, 7,123.5, 75.09, 1.0942, 0.1221, 0.004213.
    """

    def __init__(self, typical: float) -> None:
        if typical >= 10:
            # An index's interval has to fit into a line.
            self._decimals = 2 if typical < 1_000 else 1 if typical < 10_000 else 0
        else:
            figures = 3 - math.floor(math.log10(typical)) if typical > 0 else 4
            self._decimals = min(max(figures, 4), MOST_DECIMALS)

    def one(self, price: float) -> str:
        """A price, with separators of thousands."""
        return f"{price:,.{self._decimals}f}"

    def span(self, ends: "NDArray[np.float64]") -> str:
        """The lower and the upper end of an interval."""
        return f"{self.one(ends[0])}–{self.one(ends[1])}"
