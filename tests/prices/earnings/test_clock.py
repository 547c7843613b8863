"""When on its day a report comes: words and times as sources have them."""

from datetime import UTC, datetime

import pytest
from earnings_factory import day

from forecaster.prices.earnings.clock import day_and_when, when_at, when_of_text

TEXTS = {
    "bmo": "before",
    "AMC": "after",
    "dmh": "during",
    "Before Market Open": "before",
    "BeforeMarket": "before",
    "after market close": "after",
    "AfterMarket": "after",
    "pre-market": "before",
    "post-market": "after",
    "time-pre-market": "before",
    "time-after-hours": "after",
    "time-not-supplied": "unknown",
    "Time Not Supplied": "unknown",
    "During Market": "during",
    "TAS": "unknown",
    "": "unknown",
    "--": "unknown",
    "N/A": "unknown",
    "unknown": "unknown",
    "07:30 AM": "before",
    "7:30 a.m.": "before",
    "16:05": "after",
    "16:05:00 ET": "after",
    "4 pm": "after",
    "12:30 pm": "during",
    "9:29": "before",
    "9:30": "during",
    "15:59": "during",
    "16:00": "after",
    "00:00": "unknown",
}
UNREADABLE = ("soon", "25:00", "13 pm", "1605", "7", "16:05 UTC", "0 am", "maybe after")


@pytest.mark.parametrize(("text", "when"), TEXTS.items())
def test_what_sources_say_of_the_time(text: str, when: str) -> None:
    assert when_of_text(text) == when
    assert when_of_text(f"  {text.upper()} ") == when


@pytest.mark.parametrize("text", UNREADABLE)
def test_what_cannot_be_read_is_not_guessed(text: str) -> None:
    assert when_of_text(text) is None


def test_times_are_those_of_the_exchange() -> None:
    assert when_at(7 * 3600, "XLON") == "before"
    assert when_of_text("16:05", "XLON") == "during"  # London closes at 16:30
    assert when_of_text("15:00", "XTKS") == "during"  # Tokyo at 15:30, New York's 15:00 is no other
    assert when_of_text("15:30", "XTKS") == "after"


@pytest.mark.parametrize(
    ("moment", "date", "when"),
    [
        pytest.param("2026-01-29T21:05", "2026-01-29", "after", id="winter"),
        pytest.param("2026-07-29T20:05", "2026-07-29", "after", id="summer"),
        pytest.param("2026-07-29T11:30", "2026-07-29", "before", id="morning"),
        pytest.param("2026-01-30T02:30", "2026-01-29", "after", id="the next day in UTC"),
    ],
)
def test_a_moment_is_one_of_the_exchanges_day(moment: str, date: str, when: str) -> None:
    assert day_and_when(datetime.fromisoformat(moment).replace(tzinfo=UTC)) == (day(date), when)
