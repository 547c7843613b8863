"""What no share ever had is rejected by name and row, in every kind of file."""

import datetime as dt
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from forecaster.cli.main import run
from forecaster.prices.store import PriceStore


@pytest.mark.parametrize(
    ("day", "close", "reason"),
    [
        ("2020-01-06", "1e308", "close is above 1e+12"),
        ("2020-01-06", "1e15", "close is above 1e+12"),
        ("2020-01-06", "1e400", "close"),
        ("0001-01-02", "100", "the date is before 1789"),
        ("1788-12-31", "100", "the date is before 1789"),
        ("9999-12-31", "100", "the date is in the future"),
    ],
)
def test_a_row_of_a_text_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], day: str, close: str, reason: str
) -> None:
    (tmp_path / "AAA.csv").write_text(f"date,close\n2020-01-02,100\n2020-01-03,101\n{day},{close}\n")
    assert run(["fetch", "--source", "AAA.csv", "--home", "home"]) == 0
    err = capsys.readouterr().err
    assert "rejected: AAA.csv:4: AAA: " in err
    assert reason in err
    assert len(PriceStore(tmp_path / "home").read("AAA")) == 2


@pytest.mark.parametrize("day", [-(2**31), 2**31 - 1, -719_162])
def test_a_date_of_a_parquet_file(tmp_path: Path, capsys: pytest.CaptureFixture[str], day: int) -> None:
    sound = (dt.date(2020, 1, 2) - dt.date(1970, 1, 1)).days
    days = pa.array(np.array([sound, sound + 1, day], dtype=np.int32)).cast(pa.date32())
    pq.write_table(pa.table({"date": days, "close": [100.0, 101.0, 102.0]}), tmp_path / "AAA.parquet")
    assert run(["fetch", "--source", "AAA.parquet", "--home", "home"]) == 0
    assert "this is a bug" not in capsys.readouterr().err
    assert len(PriceStore(tmp_path / "home").read("AAA")) == 2
