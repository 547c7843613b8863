from datetime import date
from pathlib import Path

import pytest

from forecaster.errors import BadInputError, NotFoundError
from forecaster.prices.universe import Span, read_spans


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("aapl\n\n# a remark\nBRK-B\n", id="one a line"),
        pytest.param("Name,Symbol\nApple,AAPL\nBerkshire,brk.b\n", id="CSV with a column symbol"),
        pytest.param("\ufeffticker\nAAPL\nBRK-B\n", id="heading and byte order mark"),
    ],
)
def test_lists_of_tickers(tmp_path: Path, text: str) -> None:
    (tmp_path / "list.txt").write_text(text, encoding="utf-8")
    assert read_spans(tmp_path / "list.txt") == {"AAPL": (Span(),), "BRK-B": (Span(),)}


def test_spans_stand_in_the_columns_first_and_last(tmp_path: Path) -> None:
    text = "symbol,first,last\nAA,2015-01-05,2015-03-01\nBB,,2016-01-01\nAA,2016-02-01,\nCC\n"
    (tmp_path / "list.csv").write_text(text)
    assert read_spans(tmp_path / "list.csv") == {
        "AA": (Span(date(2015, 1, 5), date(2015, 3, 1)), Span(date(2016, 2, 1))),
        "BB": (Span(None, date(2016, 1, 1)),),
        "CC": (Span(),),
    }


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        pytest.param(b"", "names no ticker", id="empty"),
        pytest.param(b"AAPL\n../x\n", r"list.txt:2: '../x' is not a ticker", id="bad line"),
        pytest.param(b"Name,Code\nApple,AAPL\n", "has several fields", id="which column?"),
        pytest.param(b"symbol,first\nAA,soon\n", "list.txt:2: 'soon' is not a date", id="no date"),
        pytest.param(b"symbol,first,last\nAA,2015-01-02,2015-01-01\n", "is before 2015-01-02", id="order"),
        pytest.param(b"\xff\xfe\x00", "not a text file", id="binary"),
    ],
)
def test_what_is_not_a_list(tmp_path: Path, content: bytes, complaint: str) -> None:
    (tmp_path / "list.txt").write_bytes(content)
    with pytest.raises(BadInputError, match=complaint):
        read_spans(tmp_path / "list.txt")


def test_no_such_list(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError):
        read_spans(tmp_path / "list.txt")
