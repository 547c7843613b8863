from pathlib import Path

import pytest

from forecaster.errors import BadInputError, NotFoundError
from forecaster.prices.symbols import read_symbols


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("aapl\n\n# a remark\nBRK-B\naapl\n", id="one a line"),
        pytest.param("Name,Symbol\nApple,AAPL\nBerkshire,brk-b\n", id="CSV with a column symbol"),
        pytest.param("\ufeffticker\nAAPL\nBRK-B\n", id="heading and byte order mark"),
    ],
)
def test_lists_of_tickers(tmp_path: Path, text: str) -> None:
    (tmp_path / "list.txt").write_text(text, encoding="utf-8")
    assert read_symbols(tmp_path / "list.txt") == ["AAPL", "BRK-B"]


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        pytest.param(b"", "names no ticker", id="empty"),
        pytest.param(b"AAPL\n../x\n", r"list.txt:2: '../x' is not a ticker", id="bad line"),
        pytest.param(b"Name,Code\nApple,AAPL\n", "has several fields", id="which column?"),
        pytest.param(b"\xff\xfe\x00", "not a text file", id="binary"),
    ],
)
def test_what_is_not_a_list(tmp_path: Path, content: bytes, complaint: str) -> None:
    (tmp_path / "list.txt").write_bytes(content)
    with pytest.raises(BadInputError, match=complaint):
        read_symbols(tmp_path / "list.txt")


def test_no_such_list(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError):
        read_symbols(tmp_path / "list.txt")
