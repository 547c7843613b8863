"""What no share ever had is rejected by name and row, in every kind of file."""

import datetime as dt
import gzip
import io
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from command import rejection

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


READING = """
import re, sys
from pathlib import Path
from forecaster.prices.fetching import FetchLog
from forecaster.prices.importing.parquet_reader import ParquetTable
rows = sum(len(numbers) for _, numbers in ParquetTable(Path(sys.argv[1])).read_blocks(FetchLog()))
print(rows, int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) // 1024)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the memory of the tests counts as the child's")
def test_a_large_file_of_parquet_is_not_held(tmp_path: Path) -> None:
    """One of 13 and one of 130 MB: the memory in use at most is that of a row group and a block."""
    days = pa.array(np.full(800_000, 18_263, np.int32)).cast(pa.date32())
    group = pa.table({"date": days, "close": np.random.default_rng(0).normal(100, 1, 800_000)})
    found = []
    for groups in (2, 20):
        with pq.ParquetWriter(tmp_path / "AAA.parquet", group.schema) as file:
            for _ in range(groups):
                file.write_table(group)
        words = [sys.executable, "-c", READING, str(tmp_path / "AAA.parquet")]
        printed = subprocess.run(words, capture_output=True, text=True, check=True).stdout
        rows, megabytes = map(int, printed.split())
        assert rows == groups * len(group)
        found.append(megabytes)
    assert found[1] - found[0] < 40


def test_a_long_text_that_many_rows_point_to_is_read_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """3 kB of Parquet that would be 200 GB if each row were filled."""
    rows, text = 200_000, pa.array(["A" * 1_000_000])
    long = pa.DictionaryArray.from_arrays(pa.array(np.zeros(rows, np.int32)), text)
    sound = pa.array(np.full(rows, 18_263, np.int32)).cast(pa.date32())
    for name, table in {
        "ticker": {"ticker": long, "date": sound, "close": np.full(rows, 1.0)},
        "date": {"date": long, "close": np.full(rows, 1.0)},
        "close": {"date": sound, "close": long},
        "unused": {"date": sound, "close": np.full(rows, 1.0), "note": long},
    }.items():
        pq.write_table(pa.table(table), tmp_path / f"{name}.parquet", compression="zstd")
        assert (tmp_path / f"{name}.parquet").stat().st_size < 10_000
        code = run(["fetch", "--source", f"{name}.parquet", "--home", name])
        out, err = capsys.readouterr()
        assert code == (0 if name == "unused" else 65), (name, err)
        assert len(out) + len(err) < 2_000


def test_a_text_of_a_parquet_file_that_is_not_utf_8(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = pa.Array.from_buffers(
        pa.string(), 2, [None, pa.py_buffer(np.array([0, 3, 6], np.int32)), pa.py_buffer(b"AAA\xff\xfe\xfd")]
    )
    day = pa.array(np.array([18_263, 18_264], np.int32)).cast(pa.date32())
    pq.write_table(pa.table({"ticker": broken, "date": day, "close": [1.0, 2.0]}), tmp_path / "x.parquet")
    assert run(["fetch", "--source", "x.parquet", "--home", "home"]) == 65
    err = capsys.readouterr().err
    assert "this is a bug" not in err
    assert err.count("\n") == 1


def test_a_column_that_unpacks_to_more_than_any_of_prices_is_left(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from forecaster.prices.importing import parquet_reader

    assert (parquet_reader.MOST_CHUNK_BYTES, parquet_reader.MOST_TEXT_BYTES) == (1_000_000_000, 200)
    monkeypatch.setattr(parquet_reader, "MOST_CHUNK_BYTES", 10_000)
    day = pa.array(np.arange(15_000, 18_000, dtype=np.int32)).cast(pa.date32())
    pq.write_table(pa.table({"date": day, "close": np.arange(1.0, 3001)}), tmp_path / "AAA.parquet")
    assert run(["fetch", "--source", "AAA.parquet", "--home", "home"]) == 65
    assert "unpacks to" in capsys.readouterr().err


def test_a_cell_in_the_far_corner_of_a_spreadsheet_costs_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """5 kB that would be seventeen thousand million cells if every row were as wide."""
    import openpyxl

    book = openpyxl.Workbook()
    third = dt.datetime(2020, 1, 3)  # noqa: DTZ001  (a spreadsheet knows no zone)
    for row in (["Date", "Close"], ["2020-01-02", 1.5], [third, 2.0]):
        book.active.append(row)
    book.active["XFD1048576"] = "far"
    book.save(tmp_path / "AAA.xlsx")
    assert run(["fetch", "--source", "AAA.xlsx", "--home", "home"]) == 0, capsys.readouterr().err
    assert PriceStore(tmp_path / "home").read("AAA").columns["close"].tolist() == [1.5, 2.0]


def test_a_spreadsheet_that_unpacks_to_too_much_is_left(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with zipfile.ZipFile(tmp_path / "AAA.xlsx", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
        archive.writestr("xl/sharedStrings.xml", b"<si/>" * 20_100_000)
    assert run(["fetch", "--source", "AAA.xlsx", "--home", "home"]) == 65
    assert "unpacks to more than 100,000,000 bytes; save its table as CSV" in capsys.readouterr().err


SOUND = "date,close\n2020-01-02,100\n2020-01-03,101\n"


def zipped(kind: int = zipfile.ZIP_STORED) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", kind) as archive:
        archive.writestr("AAA.csv", SOUND)
    return content.getvalue()


def encrypted() -> bytes:
    content = bytearray(zipped())
    content[6] = content[content.index(b"PK\x01\x02") + 8] = 1
    return bytes(content)


def pointing_before_its_beginning() -> bytes:
    """The directory says that it begins later than it does."""
    content = bytearray(zipped())
    end = content.rindex(b"PK\x05\x06")
    start = int.from_bytes(content[end + 16 : end + 20], "little")
    content[end + 16 : end + 20] = (start + 200).to_bytes(4, "little")
    return bytes(content)


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"PK\x03\x04" + zipped().replace(b"PK\x03\x04", b"PK\x03\x05", 1), id="no member"),
        pytest.param(pointing_before_its_beginning(), id="before its beginning"),
        pytest.param(zipped(zipfile.ZIP_LZMA).replace(b"\x09\x04\x05\0", b"\xff\xff\xff\xff"), id="lzma"),
        pytest.param(zipped(zipfile.ZIP_BZIP2).replace(b"BZh9", b"BZh0"), id="bzip2"),
        pytest.param(zipped(zipfile.ZIP_DEFLATED).replace(b"\x08\0", b"\x63\0"), id="a packing that is none"),
        pytest.param(
            zipped()[:6] + b"\1" + zipped()[7:].replace(b"\x14\0\0\0", b"\x14\0\1\0"), id="encrypted"
        ),
        pytest.param(gzip.compress(SOUND.encode())[:-12], id="gzip that is cut"),
        pytest.param(gzip.compress(SOUND.encode())[:12] + bytes(30), id="gzip of noise"),
    ],
)
def test_a_damaged_archive_is_called_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes
) -> None:
    (tmp_path / "AAA.zip").write_bytes(content)
    code, text = rejection(capsys, "fetch", "--source", "AAA.zip", "--home", tmp_path / "home")
    assert code == 65
    assert "AAA.zip" in text
    assert "this is a bug" not in text


def test_lines_of_separators_alone_are_no_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "AAA.csv").write_text("|,\n|,\n,,,\n")
    code, text = rejection(capsys, "fetch", "--source", "AAA.csv", "--home", tmp_path / "home")
    assert (code, "no column date" in text) == (65, True)


def test_a_column_of_a_parquet_file_whose_name_is_not_utf_8(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "AAA.parquet"
    pq.write_table(pa.table({"date": ["2020-01-02"], "close": [100.0], "ticker": ["AAA"]}), path)
    path.write_bytes(path.read_bytes().replace(b"ticker", b"\xcdicker"))
    code, line = rejection(capsys, "fetch", "--source", "AAA.parquet")
    assert code == 65
    assert "AAA.parquet is a damaged Parquet file" in line
