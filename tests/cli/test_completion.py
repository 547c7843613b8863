"""What a shell offers after TAB, asked as Typer's script for bash asks it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from command import FORECAST

from forecaster.cli.main import run
from forecaster.prices.store import PriceStore


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Names of files alone; what they hold is nobody's business here."""
    folder = tmp_path_factory.mktemp("named")
    for name in (
        *(f"data/prices/{ticker}.parquet" for ticker in ("AAPL", "AMZN", "BRK-B", "MSFT")),
        "data/prices/.AAPL.parquet.part",
        "data/universe/mine.csv",
        *(f"models/{version}/card.json" for version in ("main/1", "main/2", "main/10", "weekly/1")),
        "models/empty/champion",
    ):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return folder


def offered(
    line: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    shell: str = "complete_bash",
) -> list[str]:
    """The words that are offered for the last word of a line; nothing may come by stderr."""
    monkeypatch.setenv("_FORECAST_COMPLETE", shell)
    monkeypatch.setenv("COMP_WORDS", line.replace(" ", "\n"))
    monkeypatch.setenv("COMP_CWORD", str(line.count(" ")))
    with pytest.raises(SystemExit) as leaving:
        run([])
    assert leaving.value.code == 0
    printed = capsys.readouterr()
    assert printed.err == ""
    return printed.out.split()


@pytest.mark.parametrize(
    ("line", "words"),
    [
        pytest.param("predict A", ["AAPL", "AMZN"], id="tickers"),
        pytest.param("predict a", ["aapl", "amzn"], id="in small letters"),
        pytest.param("predict AAPL ", ["AAPL", "AMZN", "BRK-B", "MSFT"], id="a second one"),
        pytest.param("train B", ["BRK-B"], id="to train on"),
        pytest.param("fetch M", ["MSFT"], id="to fetch"),
        pytest.param("data earnings M", ["MSFT"], id="of dates"),
        pytest.param("lab gates M", ["MSFT"], id="in the laboratory"),
        pytest.param("predict --model main@1", ["main@1", "main@10"], id="versions"),
        pytest.param("predict --model w", ["weekly", "weekly@1"], id="a name and its versions"),
        pytest.param("models show main", ["main", "main@1", "main@2", "main@10"], id="as an argument"),
        pytest.param("models rollback ", ["main", "weekly"], id="names alone"),
        pytest.param("retrain w", ["weekly"], id="to retrain"),
        pytest.param("train --universe s", ["sp500", "sample"], id="universes"),
        pytest.param("predict --universe m", ["mine"], id="a universe of one's own"),
        pytest.param("data universe sp", ["sp500"], id="a universe as an argument"),
        pytest.param("train --cell ", ["rnn", "lstm", "gru", "convlstm", "linear"], id="a cell"),
        pytest.param("train --features p", ["prices"], id="features"),
        pytest.param("train --device c", ["cpu"], id="a device"),
        pytest.param("compare --cells ", ["rnn", "lstm", "gru", "convlstm", "all"], id="cells"),
        pytest.param("compare --cells rnn,", ["rnn,lstm", "rnn,gru", "rnn,convlstm"], id="a second cell"),
        pytest.param("compare --cells rnn,g", ["rnn,gru"], id="part of a second cell"),
        pytest.param("lab memory --cells l", ["lstm"], id="the laboratory's cells"),
        pytest.param("lab memory --cells c", [], id="not one that reads weeks"),
        pytest.param("lab sweep --cells c", ["convlstm"], id="on prices also one that reads weeks"),
        pytest.param("lab cell --cell g", ["gru"], id="the laboratory's cell"),
    ],
)
def test_a_shell_is_offered_what_fits(
    line: str,
    words: list[str],
    home: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("FORECAST_HOME", str(home))
    assert offered(f"forecast {line}", monkeypatch, capsys) == words


@pytest.mark.parametrize("line", ["--home HOME predict M", "predict --home HOME M", "--home OTHER predict M"])
def test_the_home_folder_is_the_one_that_the_line_names(
    line: str,
    home: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    named = line.replace("HOME", str(home)).replace("OTHER", str(tmp_path))
    expected = [] if "OTHER" in line else ["MSFT"]
    assert offered(f"forecast {named}", monkeypatch, capsys) == expected


def test_without_a_name_it_is_the_current_folder(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(home)
    assert offered("forecast predict M", monkeypatch, capsys) == ["MSFT"]


@pytest.mark.parametrize(
    "line",
    ["forecast predict A", "forecast models show m", "forecast --home ~nobody-at-all predict A"],
)
def test_an_error_offers_nothing_and_says_nothing(
    line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "prices").touch()  # a file in the place of a folder
    (tmp_path / "models").touch()
    assert offered(line, monkeypatch, capsys) == []


def test_a_bug_offers_nothing_and_says_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(_: PriceStore) -> list[str]:
        raise ZeroDivisionError

    monkeypatch.setattr(PriceStore, "tickers", fail)
    assert offered("forecast predict A", monkeypatch, capsys) == []


def test_nothing_heavy_is_loaded(home: Path) -> None:
    code = (
        "import json, sys\nfrom forecaster.cli.main import run\ntry:\n    run([])\nexcept SystemExit:\n"
        "    print(json.dumps(sorted(sys.modules)), file=sys.stderr)"
    )
    asked = {"_FORECAST_COMPLETE": "complete_bash", "COMP_WORDS": "forecast\npredict\nM", "COMP_CWORD": "2"}
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **asked, "FORECAST_HOME": str(home)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == ["MSFT"]
    heavy = {"pandas", "tensorflow", "keras", "jax", "scipy", "sklearn", "pyarrow", "altair"}
    assert not heavy & set(json.loads(done.stderr))


def test_the_script_for_bash_is_printed() -> None:
    done = subprocess.run(
        [*FORECAST, "--show-completion", "bash"],
        env={**os.environ, "_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "_FORECAST_COMPLETE=complete_bash" in done.stdout
