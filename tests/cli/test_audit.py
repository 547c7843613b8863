"""forecast audit: the checklist, its document, and how it ends."""

import json
import os
import signal
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from audit_factory import RECIPE, TICKERS, tables
from command import rejection, started
from dated_home import store_dates
from factories import filled_store, random_walk_table
from json_documents import assert_described
from quick_training import train_quickly

import forecaster as fc
from forecaster.cli import streams
from forecaster.cli.audit import _MARKS
from forecaster.cli.main import run
from forecaster.dataset import features
from forecaster.dataset.training_set import split_by
from forecaster.errors import ExitCode, UsageError
from forecaster.evaluation.audit.checks import TITLES

FLAGS = ("--lookback", "12", "--horizon", "3", "--units", "4")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("audited")
    filled_store(folder, *tables())
    return folder


@pytest.fixture
def leaking(monkeypatch: pytest.MonkeyPatch) -> None:
    formula = features.FORMULAS["range"]
    monkeypatch.setitem(features.FORMULAS, "range", lambda *known: np.roll(formula(*known), -1, axis=-1))


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    train_quickly(monkeypatch)


def test_a_checklist_and_a_closing_sentence(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["audit", *FLAGS, "--home", str(home)]) == ExitCode.DONE
    out, err = capsys.readouterr()
    lines = out.splitlines()
    assert lines[0].startswith("Audit: 6 tickers, 2015-01-02 to 2017-10-11, test after ")
    marks = [line[0] for line in lines if line[:1] in "✓✗–" and line]
    assert marks == list("✓✓✓––✓✓✓✓✓–")
    assert all(len(line) <= 80 for line in lines)
    text = " ".join(out.split())
    assert text.endswith(
        "All 8 checks passed; not checked: 3. No look-ahead was found on these prices and settings."
    )
    assert "not checked: no earnings dates are known" in text
    assert "Changing the future" in err
    assert "Traceback" not in err


@pytest.mark.usefixtures("leaking")
def test_a_failed_check_is_shown_and_ends_with_1(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["audit", *FLAGS, "--home", str(home)]) == ExitCode.FAILED
    out, _ = capsys.readouterr()
    assert "✗  features are causal" in out
    assert "it sees at least 1 session ahead" in " ".join(out.split())
    assert "do not trust them until all checks pass." in " ".join(out.split())


@pytest.mark.usefixtures("leaking")
def test_quiet_says_which_check_failed_in_one_line(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, line = rejection(capsys, "audit", *FLAGS, "--quiet", "--home", home)
    assert code == ExitCode.FAILED
    assert line.startswith("forecast: checks that failed: features are causal: range of ")


def test_a_terminal_without_the_marks_tells_them_apart() -> None:
    assert len({streams._STAND_INS[mark] for mark, _ in _MARKS.values()}) == len(_MARKS)


def test_quiet_says_nothing_where_all_is_well(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["audit", *FLAGS, "--quiet", "--home", str(home)]) == ExitCode.DONE
    assert capsys.readouterr() == ("", "")


def document(capsys: pytest.CaptureFixture[str], *arguments: Any) -> dict[str, Any]:
    run(["audit", *FLAGS, "--json", *map(str, arguments)])
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def test_the_document_has_what_is_described(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = document(capsys, "--home", home)
    assert_described(found)
    assert found["schema"] == "forecast.audit/1"
    assert found["passed"] is True
    assert [check["check"] for check in found["checks"]] == list(TITLES)
    assert found["tickers"] == list(TICKERS)
    assert found["recipe"]["lookback"] == 12
    assert len(found["cuts"]) == 4


@pytest.mark.usefixtures("leaking")
def test_the_document_of_a_failed_audit_says_where(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = document(capsys, "--home", home)
    assert found["passed"] is False
    first = found["checks"][0]
    assert (first["check"], first["state"]) == ("features", "failed")
    leak = first["figures"]["leaks"][0]
    assert (leak["what"], leak["sessions_ahead"]) == ("range", 1)
    assert leak["day"] == leak["cut"] == found["cuts"][0]


def test_dates_members_and_models_are_checked_where_they_are(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    filled_store(tmp_path, *tables())
    for name in TICKERS:
        days = [str(np.datetime64("2015-01-20") + 91 * quarter) for quarter in range(11)]
        store_dates(tmp_path, *(f"{name} {day} after" for day in days))
    listed = tmp_path / "list.csv"
    listed.write_text("symbol,first,last\nAAA,,\nBBB,,2016-06-30\nCCC,2016-06-30,\nDDD,,\n")
    fc.Home(tmp_path).train(recipe=replace(RECIPE, epochs=2))
    capsys.readouterr()
    found = document(capsys, "--universe", listed, "--home", tmp_path)
    assert {check["state"] for check in found["checks"]} == {"passed"}
    assert found["tickers"] == ["AAA", "BBB", "CCC", "DDD"]
    everywhere = document(capsys, "--universe", listed, "--all-days", "--home", tmp_path)
    states = {check["check"]: check["state"] for check in everywhere["checks"]}
    assert states == dict.fromkeys(TITLES, "passed") | {"membership": "not checked"}


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        pytest.param(("ZZZ",), 66, "ZZZ", id="no-such-ticker"),
        pytest.param(("AAA", "--universe", "sample"), 2, "exclude each other", id="both"),
        pytest.param(("--all-days",), 2, "for a universe only", id="all-days"),
        pytest.param(("--units", "0"), 2, "--units 0 is out of range", id="units"),
        pytest.param(("--train-end", "2030-01-01"), 2, "--train-end 2030-01-01 is outside", id="train-end"),
        pytest.param(("--lookback", "690"), 65, "690 days in a row", id="lookback"),
    ],
)
def test_bad_input_is_one_line(
    home: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], code: int, said: str
) -> None:
    ended, line = rejection(capsys, "audit", *arguments, "--quiet", "--home", home)
    assert ended == code
    assert said in line


def test_too_few_prices_and_none_at_all(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert rejection(capsys, "audit", "--quiet", "--home", tmp_path)[0] == ExitCode.NOT_FOUND
    filled_store(tmp_path, random_walk_table("AAA", 40))
    code, line = rejection(capsys, "audit", "--quiet", "--home", tmp_path)
    assert code == ExitCode.BAD_INPUT
    assert "40 trading days" in line


def test_an_interruption_is_one_line(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("forecaster.evaluation.audit.training.train_and_forecast", interrupted)
    code, line = rejection(capsys, "audit", *FLAGS, "--quiet", "--home", home)
    assert code == ExitCode.INTERRUPTED
    assert "interrupted" in line


@pytest.mark.parametrize(
    "seconds",
    [
        pytest.param(2, marks=pytest.mark.trial),
        pytest.param(6, marks=pytest.mark.slow),
        pytest.param(9, marks=pytest.mark.trial),
        pytest.param(12, marks=pytest.mark.slow),
    ],
)
def test_ctrl_c_ends_it_whenever_it_comes(home: Path, seconds: int) -> None:
    """TensorFlow's native code drops an interruption that comes while it builds or saves a network."""
    with started(["audit", "--lookback", "12", "--quiet", "--home", home]) as process:
        time.sleep(seconds)
        if process.poll() is not None:
            pytest.skip("it was done before")
        os.killpg(process.pid, signal.SIGINT)
        out, err = process.communicate()
    if process.returncode == -signal.SIGINT and "No look-ahead was found" in out:
        pytest.skip("it was done before, and Python about to leave")
    assert process.returncode == ExitCode.INTERRUPTED
    assert err.splitlines()[-1].startswith("forecast: interrupted")


def test_what_is_audited_is_what_is_trained_on(home: Path) -> None:
    whole = fc.Home(home)
    trained = whole.training_set(["AAA", "BBB"], recipe=RECIPE)
    subject = whole.audit_subject(["AAA", "BBB"])
    assert subject.inputs.build(split_by(RECIPE)).panel.digest() == trained.panel.digest()
    assert [table.ticker for table in subject.stocks] == list(TICKERS)


def long_form() -> pd.DataFrame:
    frames = [
        pd.DataFrame({"ticker": table.ticker, "date": table.dates, **table.columns}) for table in tables()
    ]
    return pd.concat(frames)


def test_a_frame_is_audited_as_a_home_is(home: Path) -> None:
    found = fc.audit(long_form(), RECIPE)
    assert found.passed
    assert repr(found).startswith("All 8 checks passed")
    assert list(found.table.columns) == ["check", "title", "state", "found"]
    assert found.table["check"].tolist() == list(TITLES)
    stored = fc.Home(home).audit(recipe=RECIPE).table.set_index("check")["found"]
    pd.testing.assert_series_equal(
        found.table.set_index("check")["found"].drop("restated"), stored.drop("restated")
    )


def test_a_market_that_is_given_is_audited() -> None:
    frame = long_form()
    market = frame.groupby("date")["adj_close"].mean().pct_change().dropna()
    found = fc.audit(frame, RECIPE, market=market).table.set_index("check")
    assert found["state"]["market"] == "passed"
    assert found["found"]["market"] == "the market's return, the series that was given, does not move either"


@pytest.mark.usefixtures("leaking")
def test_a_leak_is_found_in_a_frame() -> None:
    found = fc.audit(long_form(), RECIPE)
    assert not found.passed
    assert found.table["state"].tolist()[0] == "failed"


def test_wrong_arguments_are_said(home: Path) -> None:
    with pytest.raises(UsageError, match="exclude each other"):
        fc.Home(home).audit(["AAA"], universe="sample")


@pytest.mark.trial
def test_the_sample_passes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()  # real networks
    monkeypatch.chdir(tmp_path)
    assert run(["fetch", "--source", "sample", "--quiet", "--home", str(tmp_path)]) == ExitCode.DONE
    assert run(["audit", "--json", "--home", str(tmp_path)]) == ExitCode.DONE
    found = json.loads(capsys.readouterr().out)
    states = {check["check"]: check["state"] for check in found["checks"]}
    assert states == dict.fromkeys(TITLES, "passed") | {
        "membership": "not checked",
        "restated": "not checked",
    }
