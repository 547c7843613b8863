"""`forecast backtest`, from the flags to the exit code."""

import json
import os
import re
import shutil
import signal
import time
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from command import ended, rejection, started
from factories import filled_store, random_walk_table
from json_documents import assert_described
from quick_training import train_quickly

from forecaster.cli.main import run
from forecaster.errors import ExitCode
from forecaster.evaluation import backtest
from forecaster.evaluation.fold_store import FoldStore

SMALL = ("--lookback", "12", "--horizon", "2", "--units", "4", "--epochs", "1", "--device", "cpu")
WALK = ("--from", "2017-01-01", "--refit-every", "6M", "--jobs", "1")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    filled_store(tmp_path, *(random_walk_table(name, 800, seed) for seed, name in enumerate(("AAA", "BBB"))))
    return tmp_path


@pytest.fixture
def _quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    train_quickly(monkeypatch)
    monkeypatch.setattr(backtest, "_elsewhere", backtest._here)


def document(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    assert run(["backtest", *arguments, "--quiet", "--json"]) == ExitCode.DONE
    content: dict[str, Any] = json.loads(capsys.readouterr().out)
    return content


@pytest.mark.usefixtures("_quickly")
def test_the_screen_has_every_part_and_fits(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["backtest", *SMALL, *WALK, "--cells", "rnn,gru", "--baselines", "historical"]
    assert run([*arguments, "--home", str(home)]) == ExitCode.DONE
    out, err = capsys.readouterr()
    assert max(map(len, out.splitlines())) <= 80
    for part in (
        "2 tickers · 3 refits",
        "One day ahead",
        "2 days ahead, by year",
        "With 90 % confidence the best of all is among these",
        "90 % by month",
        "turbulent",
        "by tenth of",
        "linear-t",
        "historical",
    ):
        assert part in out, part
    sentences = re.split(r"^· ", out[out.index("Verdict") :], flags=re.MULTILINE)[1:]
    assert len(sentences) == 3
    assert "recurrence adds" in sentences[1]
    assert "12 of 12 folds" in err


@pytest.mark.usefixtures("_quickly")
def test_the_document_has_the_fields_that_are_described(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = document(capsys, *SMALL, *WALK, "--cells", "rnn,gru", "--home", str(home))
    assert_described(found)
    assert found["model"] is None
    assert [fold["fold"] for fold in found["folds"]] == ["2017-01-03", "2017-07-03", "2018-01-02"]
    years = found["years"]["1"]
    assert [year["year"] for year in years] == [2017, 2018]
    best = next(row for row in found["models"] if row["model"] == found["verdict"]["best"])
    assert sum(year["forecasts"] for year in years) == best["scores"]["1"]["forecasts"]
    mean = sum(year["crps"] * year["forecasts"] for year in years) / best["scores"]["1"]["forecasts"]
    assert mean == pytest.approx(best["scores"]["1"]["crps"])
    rival = next(row for row in found["models"] if row["model"] == "naive")
    saved = {
        row["year"]: row["crps"] for row in found["by"]["year"] if (row["model"], row["step"]) == ("naive", 1)
    }
    assert years[0]["gains"]["naive"] == pytest.approx(1 - years[0]["crps"] / saved[2017], rel=1e-4)
    assert rival["kind"] == "baseline"
    calibrated = found["calibrated_years"]["1"]
    assert [year["forecasts"] for year in calibrated] == [year["forecasts"] for year in years]
    assert best["calibrated"]["1"]["forecasts"] == best["scores"]["1"]["forecasts"]
    mean = sum(year["coverage"]["90"] * year["forecasts"] for year in calibrated)
    assert mean / best["scores"]["1"]["forecasts"] == pytest.approx(
        best["calibrated"]["1"]["coverage_90"], abs=1e-3
    )
    for year in years:
        assert year["lost_to"] == [name for name, gain in year["gains"].items() if gain < 0]
    assert years[1]["coverage_90_by_month"][11] is None  # the prices end in spring 2018


@pytest.mark.usefixtures("_quickly")
def test_every_forecast_is_in_the_file(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = home / "all.parquet"
    arguments = [*SMALL, *WALK, "--cells", "gru", "--output", str(path), "--home", str(home)]
    found = document(capsys, *arguments)
    frame = pd.read_parquet(path)
    own = frame[(frame["model"] == "gru") & (frame["step"] == 1)]
    score = next(row for row in found["models"] if row["model"] == "gru")["scores"]["1"]
    assert len(own) == score["forecasts"]
    within = (own["q05"] <= own["close"]) & (own["close"] <= own["q95"])
    assert within.mean() == pytest.approx(score["coverage_90"])
    assert own["origin"].min().strftime("%Y-%m-%d") == "2017-01-03"


@pytest.mark.usefixtures("_quickly")
def test_a_second_run_takes_what_is_kept(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["backtest", *SMALL, *WALK, "--cells", "gru", "--home", str(home)]
    assert run(arguments) == ExitCode.DONE
    first = capsys.readouterr()
    assert run(arguments) == ExitCode.DONE
    second = capsys.readouterr()
    assert second.out == first.out
    assert "folds" not in second.err  # nothing is done that could be told
    assert len(list((home / "results" / "folds").iterdir())) == 6


@pytest.mark.usefixtures("_quickly")
def test_a_model_is_tested_as_it_is_on_days_after_its_training(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = ("--home", str(home))
    days = ("--train-end", "2016-06-30", "--validation-end", "2016-12-30")
    assert run(["train", *SMALL, *days, "--cell", "gru", "--name", "mine", *place]) == ExitCode.DONE
    capsys.readouterr()
    found = document(capsys, "--model", "mine", "--refit-every", "6M", "--jobs", "1", *place)
    assert found["model"] == "mine"
    assert found["folds"][0]["test_first"] == "2017-01-03"
    (cell,) = (row for row in found["models"] if row["kind"] == "cell")
    assert {training["epochs"] for training in cell["trainings"]} == {0}
    shown = json.loads((home / "models" / "mine" / "1" / "card.json").read_text())
    # the same network on the same days as at its training, and one more that the split leaves out
    assert cell["scores"]["1"]["forecasts"] == shown["scores"]["1"]["forecasts"]
    assert cell["scores"]["1"]["crps"] == pytest.approx(shown["scores"]["1"]["crps"], rel=1e-3)
    arguments = ["backtest", "--model", "mine@1", "--from", "2016-12-30", *place]
    code, line = rejection(capsys, *arguments)
    assert code == ExitCode.USAGE
    assert "--from 2016-12-30 is among the days that mine@1 was trained on, which end on 2016-12-30" in line
    assert "choose --from 2016-12-31 or later" in line


@pytest.mark.usefixtures("_quickly")
def test_days_before_and_after_membership_are_not_tested(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    members = home / "members.csv"
    members.write_text("ticker,start,end\nAAA,2014-01-01,\nBBB,2017-03-01,2017-09-29\n")
    path = home / "all.parquet"
    arguments = [*SMALL, *WALK, "--cells", "gru", "--universe", str(members), "--output", str(path)]
    found = document(capsys, *arguments, "--home", str(home))
    frame = pd.read_parquet(path, columns=["ticker", "origin"])
    days = frame.loc[frame["ticker"] == "BBB", "origin"].astype(str)
    assert (days.min(), days.max()) == ("2017-03-01", "2017-09-29")
    assert found["universe"]["tickers"] == 2


@pytest.mark.usefixtures("_quickly")
def test_a_linear_model_is_tested_without_itself_beside_it(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = ("--home", str(home))
    days = ("--train-end", "2016-06-30", "--validation-end", "2016-12-30")
    assert run(["train", *SMALL, *days, "--cell", "linear", "--name", "line", *place]) == ExitCode.DONE
    assert run(["backtest", "--model", "line", "--jobs", "1", *place]) == ExitCode.DONE
    out = capsys.readouterr().out
    assert "It is a linear-t itself, so nothing is said about recurrence." in out


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--refit-every", "1W"], ExitCode.USAGE, "1W is no period between refits; write it like 1Y"),
        (["--from", "soon"], ExitCode.USAGE, "--from soon is not a date"),
        (["--from", "1990-01-01"], ExitCode.USAGE, "--from 1990-01-01 is outside the prices"),
        (["--to", "2015-06-30", "--from", "2016-01-04"], ExitCode.USAGE, "0 days to forecast from"),
        (["--cells", "none"], ExitCode.USAGE, "names no known cell"),
        (["--baselines", "none"], ExitCode.USAGE, "no baseline 'none'"),
        (["--match", "weight"], ExitCode.USAGE, "--match weight is not known"),
        (["--output", "a.txt"], ExitCode.USAGE, "neither .parquet nor .csv"),
        (["--model", "none"], ExitCode.NOT_FOUND, "none"),
        (["--model", "main", "--warm"], ExitCode.USAGE, "--model and --warm exclude each other"),
        (["--from", "2015-03-02"], ExitCode.BAD_INPUT, "before the refit on 2015-03-02"),
        (["NONE"], ExitCode.NOT_FOUND, "NONE"),
        (["--universe", "sp500", "AAA"], ExitCode.USAGE, "exclude each other"),
    ],
)
def test_what_is_wrong_is_one_line(
    home: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], code: ExitCode, said: str
) -> None:
    found, line = rejection(capsys, "backtest", *arguments, "--home", home)
    assert found == code
    assert said in line


@pytest.mark.usefixtures("_quickly")
def test_results_that_cannot_be_kept_are_said_before_the_work(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (home / "results").write_text("")
    code, _ = rejection(capsys, "backtest", *SMALL, *WALK, "--home", home)
    assert code == ExitCode.DISK


@pytest.mark.trial
def test_killed_twice_and_on_two_workers_the_result_is_the_same_bit_for_bit(home: Path) -> None:
    arguments = [*SMALL, *WALK[:-2], "--cells", "gru", "--home", home]
    folder = home / "results" / "folds"

    def forecasts() -> dict[str, tuple[bytes, ...]]:
        store = FoldStore(folder)
        kept = {path.stem: store.load(path.stem) for path in folder.glob("[!.]*.npz")}
        return {
            name: tuple(getattr(fold.forecast, part).tobytes() for part in ("location", "scale"))  # type: ignore[union-attr]
            for name, fold in kept.items()
        }

    def exit_code(*rest: str) -> int:
        process = started(["backtest", *arguments, *rest, "--quiet"])
        process.communicate(timeout=240)  # which closes its pipes
        return process.returncode

    for least in (1, 3):
        process = started(["backtest", *arguments, "--jobs", "2"])
        deadline = time.monotonic() + 120
        while len(list(folder.glob("[!.]*.npz"))) < least and process.poll() is None:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        process.kill()
        process.communicate()
    assert 3 <= len(forecasts()) < 6
    assert exit_code("--jobs", "2") == ExitCode.DONE
    resumed = forecasts()
    shutil.rmtree(folder)
    assert exit_code("--jobs", "1") == ExitCode.DONE
    assert forecasts() == resumed
    assert len(resumed) == 6


@pytest.mark.trial
def test_an_interruption_ends_the_workers_too(home: Path) -> None:
    process = started(["backtest", *SMALL, *WALK[:-2], "--epochs", "10000", "--jobs", "2", "--home", home])
    time.sleep(8)
    os.killpg(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == ExitCode.INTERRUPTED
    assert err.splitlines()[-1].startswith("forecast: interrupted")
    assert "Traceback" not in err
    assert ended(process.pid)
