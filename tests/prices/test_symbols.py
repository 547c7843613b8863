import gzip
import io
import zipfile
from datetime import date
from pathlib import Path

import pytest

from forecaster.errors import BadInputError, NotFoundError
from forecaster.prices.universe import Span, read_spans


def zipped(*names: str) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name in names:
            archive.writestr(name, "AAPL\n")
    return content.getvalue()


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("aapl\n\n# a remark\nBRK-B\n", id="one a line"),
        pytest.param("Name,Symbol\nApple,AAPL\nBerkshire,brk.b\n", id="CSV with a column symbol"),
        pytest.param("\ufeffticker\nAAPL\nBRK-B\n", id="heading and byte order mark"),
        pytest.param('"Ticker symbol","Security"\n"AAPL","Apple"\n"BRK.B","Berkshire, B"\n', id="in quotes"),
        pytest.param("Symbol;Name\nAAPL;Apple\nNYSE:BRK.B;Berkshire\n", id="semicolons, an exchange"),
        pytest.param("name\tact_symbol\nApple\tAAPL\nBerkshire\tBRK/B\n", id="tabs, a slash"),
        pytest.param("Tickers\nAAPL\nBRK-B\n", id="headed in the plural"),
        pytest.param("#,Company,Symbol\n1,Apple,AAPL\n2,Berkshire,BRK.B\n", id="a column #"),
        pytest.param('Security,Symbol\n"Apple\nInc.",AAPL\n"Ber\u2028kshire",BRK.B\n', id="cells of two"),
        pytest.param("Symbol\rAAPL\rBRK.B\r", id="carriage returns"),
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


def test_symbols_that_look_like_something_else_are_symbols(tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_text("Symbol,Name\nNA,Nano Labs\nTRUE,TrueCar\nNULL,Null\n")
    assert list(read_spans(tmp_path / "list.csv")) == ["NA", "TRUE", "NULL"]


@pytest.mark.parametrize(
    "headings", ["symbol,start_date,end_date", "Ticker,Start Date,End Date", "tic,from,to"]
)
def test_days_of_membership_have_many_headings(tmp_path: Path, headings: str) -> None:
    (tmp_path / "list.csv").write_text(f"{headings}\nAA,2015-01-05,2015-03-01\nBB,2016/02/01 00:00:00,\n")
    assert read_spans(tmp_path / "list.csv") == {
        "AA": (Span(date(2015, 1, 5), date(2015, 3, 1)),),
        "BB": (Span(date(2016, 2, 1)),),
    }


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        pytest.param(b"", "names no ticker", id="empty"),
        pytest.param(b"# nothing\n", "names no ticker", id="remarks only"),
        pytest.param(b'AAPL\n"MSFT\nKO\n', "list.txt:2: unexpected end", id="open quotes"),
        pytest.param(b"A" * 200_000, "list.txt:1: field larger", id="no lines"),
        pytest.param(gzip.compress(bytes(2**25)), "is too large", id="packed, large"),
        pytest.param(zipped("a.csv", "b.csv"), "holds 2 files", id="two lists in one"),
        pytest.param(b"symbol,first\nAA,2015-01-05x\n", "'2015-01-05x' is not a date", id="date and more"),
        pytest.param(b"AAPL\n../x\n", r"list.txt:2: '../x' is not a ticker", id="bad line"),
        pytest.param(b"Name,Code\nApple,AAPL\n", "has several fields", id="which column?"),
        pytest.param(b"symbol,first\nAA,soon\n", "list.txt:2: 'soon' is not a date", id="no date"),
        pytest.param(b"symbol,first,last\nAA,2015-01-02,2015-01-01\n", "is before 2015-01-02", id="order"),
        pytest.param(b"\x00\x01\x02\x03", "is not a ticker", id="binary"),
    ],
)
def test_what_is_not_a_list(tmp_path: Path, content: bytes, complaint: str) -> None:
    (tmp_path / "list.txt").write_bytes(content)
    with pytest.raises(BadInputError, match=complaint):
        read_spans(tmp_path / "list.txt")


def test_no_such_list(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError):
        read_spans(tmp_path / "list.txt")
