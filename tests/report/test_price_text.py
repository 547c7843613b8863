import numpy as np
import pytest

from forecaster.report.price_text import PriceText


@pytest.mark.parametrize(
    ("price", "text"),
    [
        (203_945.84, "203,946"),
        (10_000, "10,000"),
        (7_123.46, "7,123.5"),
        (999.994, "999.99"),
        (75.09, "75.09"),
        (10, "10.00"),
        (9.99, "9.9900"),
        (1.0942, "1.0942"),
        (0.1221, "0.1221"),
        (0.0042, "0.004200"),
        (0.000142, "0.0001420"),
        (0.000000012345, "0.000000012"),
        (0.0, "0.0000"),
    ],
)
def test_prices_have_the_figures_that_their_size_needs(price: float, text: str) -> None:
    assert PriceText(price).one(price) == text


def test_all_prices_beside_one_another_have_as_many_decimals() -> None:
    assert PriceText(9.9).span(np.array([9.75, 10.25])) == "9.7500–10.2500"
