"""`forecast predict`, from the flags to the exit code."""

import json
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command import rejection
from factories import filled_store
from trained_home import recent_table

from forecaster.cli.main import run
from forecaster.errors import ExitCode
from forecaster.ledger.ledger import Ledger
from forecaster.prices.store import PriceStore
from forecaster.prices.table import PRICES
from forecaster.registry.versions import ModelRegistry


def predict(capsys: pytest.CaptureFixture[str], home: Path, *arguments: str) -> tuple[str, str]:
    assert run(["predict", *arguments, "--home", str(home)]) == ExitCode.DONE
    captured = capsys.readouterr()
    return captured.out, captured.err


def test_a_dated_table_and_a_chart(trained_home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out, err = predict(capsys, trained_home, "aaa")
    assert err == ""
    for text in ("AAA", "close of 2026-11-20", "model main@1", "50 %", "90 %", "naive", "±"):
        assert text in out
    for date in ("2026-11-23", "2026-11-24", "2026-11-25"):
        assert date in out
    assert max(map(len, out.splitlines())) <= 80
    assert "\x1b" not in out


def test_json_holds_what_the_table_does(trained_home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out, _ = predict(capsys, trained_home, "AAA", "BBB", "--json", "--horizon", "2", "--levels", "50,80")
    document = json.loads(out)
    assert document["schema"] == "forecast.predict/2"
    assert [item["ticker"] for item in document["predictions"]] == ["AAA", "BBB"]
    first = document["predictions"][0]
    assert (first["model"], first["trained_on"], first["sessions_old"]) == ("main@1", True, 0)
    assert [step["date"] for step in first["steps"]] == ["2026-11-23", "2026-11-24"]
    step = first["steps"][0]
    narrow, wide = step["intervals"]["50"], step["intervals"]["80"]
    assert wide["lower"] < narrow["lower"] < step["median"] < narrow["upper"] < wide["upper"]
    assert step["naive"]["median"] == first["last_close"]


def test_as_many_levels_as_are_asked_for(trained_home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out, _ = predict(capsys, trained_home, "AAA", "--json", "--levels", "99,50, 99.5,80,90")
    for step in json.loads(out)["predictions"][0]["steps"]:
        intervals = step["intervals"]
        assert list(intervals) == ["50", "80", "90", "99", "99.5"]
        widths = [each["upper"] - each["lower"] for each in intervals.values()]
        assert widths == sorted(widths)
        assert step["naive"]["upper"] > step["naive"]["median"]
    out, _ = predict(capsys, trained_home, "AAA", "--levels", "50,80,90,99")
    for heading in ("50 %", "80 %", "90 %", "99 %", "naive 99 %"):
        assert heading in out
    assert out.count("2026-11-24") == 2  # in two tables
    assert max(map(len, out.splitlines())) <= 80


def test_the_chance_of_a_close_beyond_a_price(trained_home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plain = json.loads(predict(capsys, trained_home, "AAA", "--json")[0])["predictions"][0]
    assert (plain["above"], plain["below"]) == (None, None)
    assert plain["steps"][0]["chance_above"] is None
    price = plain["steps"][1]["median"]
    arguments = ("AAA", "--above", f"{price:.12f}", "--below", "-5%")
    found = json.loads(predict(capsys, trained_home, *arguments, "--json")[0])["predictions"][0]
    assert found["above"] == pytest.approx(price)
    assert found["below"] == pytest.approx(0.95 * found["last_close"])
    assert found["steps"][1]["chance_above"] == pytest.approx(0.5, abs=1e-6)
    falls = [step["chance_below"] for step in found["steps"]]
    assert 0 < falls[0] < falls[1] < falls[2] < 0.5
    out, _ = predict(capsys, trained_home, *arguments)
    assert f"above {price:.2f}" in out
    assert f"below {found['below']:.2f}" in out
    assert "50.0%" in out
    assert "above, below: chance that the close is there" in out
    assert max(map(len, out.splitlines())) <= 80


def test_what_is_next_to_impossible_or_certain(
    trained_home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, _ = predict(capsys, trained_home, "AAA", "--above", "1", "--below", "-90%")
    assert out.count(">99.9%") == 3
    assert out.count("<0.1%") == 3


def test_a_change_is_asked_of_many_tickers(own_home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names = [f"T{number}" for number in range(6)]
    filled_store(own_home, *(recent_table(name, seed=seed) for seed, name in enumerate(names)))
    out, _ = predict(capsys, own_home, *names, "--above", "+2.5%")
    assert "above +2.5%" in out
    assert out.count("%") > 12
    assert max(map(len, out.splitlines())) <= 80


def test_the_chance_of_touching_a_price_by_a_date(
    trained_home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ("AAA", "--touch", "-2%", "--below", "-2%")
    out, err = predict(capsys, trained_home, *arguments, "--json")
    assert err == ""
    found = json.loads(out)["predictions"][0]
    assert found["touch"] == pytest.approx(0.98 * found["last_close"])
    assert found["step_dependence"] == "fitted"
    steps = found["steps"]
    assert steps[0]["chance_touch"] == pytest.approx(steps[0]["chance_below"], abs=1e-7)
    assert all(step["chance_touch"] > step["chance_below"] for step in steps[1:])
    assert all(step["chance_above"] is None for step in steps)
    out, _ = predict(capsys, trained_home, *arguments)
    assert f"touch {found['touch']:.2f}" in out
    assert f"{steps[2]['chance_touch']:.1%}" in out
    assert "touch: chance that a close has reached it by then (closes only)" in " ".join(out.split())


def test_a_model_without_fitted_dependence_says_so(
    own_home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    registry = ModelRegistry(own_home)
    loaded = registry.load("main@1")
    assert len(loaded.card["step_correlations"]) == 2
    card = {name: value for name, value in loaded.card.items() if name != "step_correlations"}
    registry.register("main", loaded.network, card, b"keras")
    out, err = predict(capsys, own_home, "AAA", "--touch", "+5%", "--json")
    assert "note: main@2 has no fitted dependence of its steps; --touch takes a random walk's" in err
    assert json.loads(out)["predictions"][0]["step_dependence"] == "random walk"
    assert predict(capsys, own_home, "AAA", "--above", "+5%")[1] == ""


def test_losses_in_the_tail_are_shown_when_asked_for(
    trained_home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    step = json.loads(predict(capsys, trained_home, "AAA", "--json")[0])["predictions"][0]["steps"][0]
    assert list(step["risk"]) == ["95", "99"]
    assert 0 < step["risk"]["95"]["value_at_risk"] < step["risk"]["95"]["expected_shortfall"] < 1
    plain, _ = predict(capsys, trained_home, "AAA")
    assert "VaR" not in plain
    out, _ = predict(capsys, trained_home, "AAA", "--risk")
    for name, key in (("VaR", "value_at_risk"), ("ES", "expected_shortfall")):
        for level in ("95", "99"):
            assert f"{name} {level} %" in out
            assert f" {step['risk'][level][key]:.1%} " in out
    assert "ES: mean of those losses" in " ".join(out.split())
    assert max(map(len, out.splitlines())) <= 80


def test_one_level_is_enough(trained_home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out, _ = predict(capsys, trained_home, "AAA", "--levels", "75")
    assert "75 %: interval that covers the close with that chance" in out
    assert "90 %" not in out


@pytest.mark.parametrize(
    ("ticker", "words"),
    [
        pytest.param("OLD", "warning: OLD's last price is of 2026-11-13, 5 sessions ago", id="stale"),
        pytest.param("NEW", "note: main@1 was not trained on NEW", id="not-trained-on"),
    ],
)
def test_doubts_go_to_stderr(
    trained_home: Path, capsys: pytest.CaptureFixture[str], ticker: str, words: str
) -> None:
    out, err = predict(capsys, trained_home, ticker)
    assert words in err
    assert words not in out
    assert predict(capsys, trained_home, ticker, "--quiet") == ("", "")


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        pytest.param(["ZZZ"], ExitCode.NOT_FOUND, "ZZZ", id="unknown-ticker"),
        pytest.param(["../AAA"], ExitCode.USAGE, "is not a ticker", id="a-path-for-a-ticker"),
        pytest.param(["AAA", "--horizon", "9"], ExitCode.USAGE, "predicts 1 to 3", id="horizon-too-large"),
        pytest.param(
            ["AAA", "--levels", "50,105"], ExitCode.USAGE, "--levels 50,105: 105 is out", id="level-105"
        ),
        pytest.param(["AAA", "--levels", "0.9"], ExitCode.USAGE, "from 1 to 99.9", id="level-below-1"),
        pytest.param(["AAA", "--levels", "nan"], ExitCode.USAGE, "nan is out of range", id="level-nan"),
        pytest.param(["AAA", "--levels", "50,90,50"], ExitCode.USAGE, "50 is given twice", id="level-twice"),
        pytest.param(["AAA", "--levels", "much"], ExitCode.USAGE, "not a list of num", id="level-no-number"),
        pytest.param(["AAA", "--levels", ""], ExitCode.USAGE, "--levels", id="no-level"),
        pytest.param(
            ["AAA", "--sort", "size"],
            ExitCode.USAGE,
            "--sort size is not an order; it is one of move, ticker, report",
            id="no-order",
        ),
        pytest.param(["AAA", "--above", "much"], ExitCode.USAGE, "--above 'much' is neither", id="no-price"),
        pytest.param(["AAA", "--below", "-5"], ExitCode.USAGE, "--below '-5' is neither", id="negative"),
        pytest.param(
            ["AAA", "BBB", "--below", "9"], ExitCode.USAGE, "--below 9 is one price for 2", id="one-price"
        ),
        pytest.param(
            ["AAA", "--model", "../../x"], ExitCode.USAGE, "not a model's name", id="a-path-for-a-model"
        ),
        pytest.param(
            ["AAA", "--model", "other"], ExitCode.NOT_FOUND, "no model called other", id="no-such-model"
        ),
        pytest.param(["AAA", "--model", "main@7"], ExitCode.NOT_FOUND, "no version 7", id="no-such-version"),
        pytest.param(["SHORT"], ExitCode.BAD_INPUT, "SHORT has 25 bars, 32 are needed", id="too-few-days"),
        pytest.param(["AAA", "--universe", "sp500"], ExitCode.USAGE, "exclude each other", id="both"),
    ],
)
def test_rejections_are_one_line(
    trained_home: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], code: ExitCode, words: str
) -> None:
    found, line = rejection(capsys, "predict", *arguments, "--home", trained_home)
    assert found == code
    assert words in line


def test_an_empty_store_says_what_to_do(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, line = rejection(capsys, "predict", "AAA", "--home", tmp_path)
    assert code == ExitCode.NOT_FOUND
    assert "forecast fetch" in line


def test_prices_without_a_model_say_what_to_do(own_home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (own_home / "models").rename(own_home / "elsewhere")
    code, line = rejection(capsys, "predict", "AAA", "--home", own_home)
    assert code == ExitCode.NOT_FOUND
    assert "run `forecast train`" in line


@pytest.mark.parametrize(
    ("path", "words"),
    [
        pytest.param("data/prices/AAA.parquet", "AAA.parquet", id="prices"),
        pytest.param("models/main/1/weights.npz", "weights.npz is damaged", id="weights"),
        pytest.param("models/main/1/card.json", "card.json is damaged", id="card"),
        pytest.param("models/main/champion", "champion does not name a version", id="champion"),
    ],
)
def test_damage_is_bad_input(
    own_home: Path, capsys: pytest.CaptureFixture[str], path: str, words: str
) -> None:
    whole = (own_home / path).read_bytes()
    (own_home / path).write_bytes(whole[: len(whole) // 2] + b"\0")
    code, line = rejection(capsys, "predict", "AAA", "--home", own_home)
    assert code == ExitCode.BAD_INPUT
    assert words in line


def test_the_last_good_model_answers_only_when_told_to(
    own_home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    registry = ModelRegistry(own_home)
    card = registry.card("main", 1)
    registry.register("main", registry.load(None).network, card, b"keras")
    (own_home / "models" / "main" / "2" / "weights.npz").write_bytes(b"rubbish")
    assert rejection(capsys, "predict", "AAA", "--home", own_home)[0] == ExitCode.BAD_INPUT
    out, err = predict(capsys, own_home, "AAA", "--fallback", "--json")
    assert "2/weights.npz is damaged" in err
    assert "main@1 is used in its place" in err
    document = json.loads(out)
    assert document["predictions"][0]["model"] == "main@1"
    assert "2/weights.npz is damaged" in document["fallback"]


def test_the_tickers_that_can_be_predicted_are(
    trained_home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["predict", "AAA", "ZZZ", "SHORT", "BBB", "--home", str(trained_home)]
    assert run(arguments) == ExitCode.NOT_FOUND
    out, err = capsys.readouterr()
    assert "AAA" in out
    assert "BBB" in out
    lines = err.splitlines()
    assert "there are no prices of ZZZ" in lines[0]
    assert "SHORT has 25 bars, 32 are needed" in lines[1]
    assert lines[2].startswith("forecast: 2 of 4 tickers could not be predicted: ZZZ, SHORT")
    assert run([*arguments, "--json"]) == ExitCode.NOT_FOUND
    document = json.loads(capsys.readouterr().out)
    assert [item["ticker"] for item in document["predictions"]] == ["AAA", "BBB"]
    assert [item["ticker"] for item in document["failures"]] == ["ZZZ", "SHORT"]
    assert "fetch more of its history" in document["failures"][1]["remedy"]


def test_the_first_failure_decides_the_exit_code(
    trained_home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["predict", "SHORT", "ZZZ", "--home", str(trained_home)]) == ExitCode.BAD_INPUT
    assert "2 of 2 tickers" in capsys.readouterr().err


def test_what_can_be_predicted_is_recorded(own_home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["predict", "SHORT", "AAA", "--record", "--home", str(own_home)]) == ExitCode.BAD_INPUT
    assert "Recorded: 3 forecasts." in capsys.readouterr().err
    assert {row[0] for row in Ledger(own_home).select("SELECT ticker FROM forecasts")} == {"AAA"}


def test_without_tickers_all_are_predicted_in_one_table(
    trained_home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["predict", "--home", str(trained_home)]) == ExitCode.BAD_INPUT  # two of seven have gaps
    out, err = capsys.readouterr()
    for ticker in ("AAA", "BBB", "CCC", "NEW", "OLD"):
        assert any(line.startswith(f"{ticker} ") for line in out.splitlines()) or ticker in out
    assert "2 of 7 tickers could not be predicted" in err
    assert max(map(len, out.splitlines())) <= 80


def test_a_universe_names_the_tickers(own_home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    listed = own_home / "mine.txt"
    listed.write_text("AAA\nBBB\n")
    out, _ = predict(capsys, own_home, "--universe", str(listed), "--json")
    assert [item["ticker"] for item in json.loads(out)["predictions"]] == ["AAA", "BBB"]


def test_more_than_five_tickers_share_one_table(own_home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names = [f"T{number}" for number in range(6)]
    filled_store(own_home, *(recent_table(name, seed=seed) for seed, name in enumerate(names)))
    out, err = predict(capsys, own_home, *names)
    assert "6 tickers by main@1, 3 sessions ahead (2026-11-25)\n" in out
    rows = [line for line in out.splitlines() if line.startswith("T")]
    assert [row.split()[0] for row in rows] == names
    assert all("±" in row for row in rows)
    assert max(map(len, out.splitlines())) <= 80
    wide, _ = predict(capsys, own_home, *names, "--levels", "50,80,90,99")
    assert [line.split()[0] for line in wide.splitlines() if line.startswith("T")] == names * 2
    assert all(f"{level} %" in wide for level in (50, 80, 90, 99))
    assert max(map(len, wide.splitlines())) <= 80
    assert "was not trained on T0, T1, T2, T3, T4 and 1 more" in err


def six_tickers(home: Path) -> list[str]:
    """Tickers in no order, one of them of another size than the rest."""
    names = ["T3", "T1", "T5", "T0", "T4", "T2"]
    filled_store(home, *(recent_table(name, seed=seed) for seed, name in enumerate(names)))
    return names


def test_many_tickers_have_a_sparkline_of_their_last_quarter(
    own_home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    names = six_tickers(own_home)
    up = recent_table("T0")
    rise = dict.fromkeys(PRICES, np.linspace(50, 100, len(up)))
    filled_store(own_home, replace(up, columns={**up.columns, **rise}))
    out, _ = predict(capsys, own_home, *names)
    row = next(line.split() for line in out.splitlines() if line.startswith("T0 "))
    assert row[2] == "▁▁▁▂▃▃▄▅▅▆▇▇█"
    assert "quarter: its last 63 closes, from the lowest to the highest of them" in " ".join(out.split())
    assert "expected move, half of the 68 % one" in " ".join(out.split())
    monkeypatch.setenv("COLUMNS", "70")
    narrow, _ = predict(capsys, own_home, *names)
    row = next(line.split() for line in narrow.splitlines() if line.startswith("T0 "))
    assert row[2] == "▁▁▃▄▅▇█"


def test_a_table_of_many_that_is_too_wide_lacks_intervals_that_nobody_asked_for(
    own_home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    names = six_tickers(own_home)
    left_out = "50 %: on a wider screen, or with --levels."
    assert left_out not in " ".join(predict(capsys, own_home, *names)[0].split())
    monkeypatch.setenv("COLUMNS", "56")
    out, _ = predict(capsys, own_home, *names)
    heading = next(line for line in out.splitlines() if line.startswith("ticker"))
    assert heading.split() == ["ticker", "close", "quarter", "median", "90", "%", "move"]
    assert left_out in " ".join(out.split())
    assert [line.split()[0] for line in out.splitlines() if line.startswith("T")] == names
    asked, _ = predict(capsys, own_home, *names, "--levels", "50,90")
    assert [line.split()[0] for line in asked.splitlines() if line.startswith("T")] == names * 2
    assert left_out not in " ".join(asked.split())
    assert max(map(len, (out + asked).splitlines())) <= 56


def test_tickers_come_in_the_order_asked_for(own_home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names = six_tickers(own_home)

    def shown(*arguments: str) -> list[str]:
        out, _ = predict(capsys, own_home, *names, *arguments)
        return [line.split()[0] for line in out.splitlines() if line.startswith("T")]

    def documents(*arguments: str) -> list[dict[str, Any]]:
        out, _ = predict(capsys, own_home, *names, *arguments, "--json")
        found: list[dict[str, Any]] = json.loads(out)["predictions"]
        return found

    plain = documents()
    assert [item["ticker"] for item in plain] == names == shown()
    moves = {item["ticker"]: item["steps"][-1]["expected_move_percent"] for item in plain}
    by_move = sorted(names, key=lambda name: -moves[name])
    assert by_move not in (names, sorted(names))
    assert shown("--sort", "move") == by_move
    assert [item["ticker"] for item in documents("--sort", "move")] == by_move
    assert shown("--sort", "ticker") == sorted(names)
    out, _ = predict(capsys, own_home, *names, "--sort", "move")
    assert "3 sessions ahead (2026-11-25), largest expected move first" in " ".join(out.split())
    # So do few tickers, each with a table of its own.
    few, _ = predict(capsys, own_home, "T1", "T0", "--sort", "ticker")
    assert few.index("T0  close of") < few.index("T1  close of")


def test_targets_stand_in_the_table_where_they_differ(
    own_home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = six_tickers(own_home)
    out, _ = predict(capsys, own_home, *names, "OLD")
    assert "7 tickers by main@1, 3 sessions ahead\n" in out
    ends = {line.split()[0]: line for line in out.splitlines() if line.startswith(("T", "OLD"))}
    assert "2026-11-25" in ends["T0"]
    assert "2026-11-18" in ends["OLD"]


def test_help_needs_no_numpy() -> None:
    script = (
        "import sys; from forecaster.cli.main import run; run(['--help']); sys.exit('numpy' in sys.modules)"
    )
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    for command in ("fetch", "train", "compare", "predict", "models"):
        assert command in ran.stdout


HEAVY = (
    *("pandas", "tensorflow", "scipy.special", "scipy.optimize", "sqlite3", "numpy.f2py", "pyarrow.compute"),
    *("forecaster.cli.train", "forecaster.dataset.training_set", "forecaster.network.fitting"),
)


@pytest.mark.parametrize("how", [["AAA", "--json"], ["AAA", "--risk", "--touch", "+5%"], ["AAA", "BBB"]])
def test_it_loads_nothing_heavy(trained_home: Path, how: list[str]) -> None:
    words = ["predict", *how, "--home", str(trained_home)]
    script = f"import sys; from forecaster.cli.main import run; code = run({words!r});"
    script += f"print(code, [name for name in {HEAVY} if name in sys.modules], file=sys.stderr)"
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert ran.stderr.splitlines()[-1] == "0 []"


def test_a_bridged_gap_is_named_and_drawn(own_home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store = PriceStore(own_home)
    table = store.read("AAA")
    day = str(table.dates[-3])
    kept = table.take(np.delete(np.arange(len(table)), -3))
    store.write(kept, source="test", fetched_at=datetime(2026, 11, 21, tzinfo=UTC))
    assert run(["predict", "AAA", "--home", str(own_home)]) == 0
    out, err = capsys.readouterr()
    assert f"note: AAA has no bar of {day}; the gap was bridged" in err
    assert "nan" not in out
    assert run(["predict", "AAA", "--json", "--home", str(own_home)]) == 0
    assert json.loads(capsys.readouterr().out)["predictions"][0]["bridged"] == [day]


def test_a_market_of_few_is_a_warning_and_stands_in_the_document(
    own_home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = PriceStore(own_home)
    for ticker in ("BBB", "CCC"):
        kept = store.read(ticker).take(slice(0, -1))
        store.write(kept, source="test", fetched_at=datetime(2026, 11, 21, tzinfo=UTC))
    assert run(["predict", "AAA", "--json", "--home", str(own_home)]) == 0
    out, err = capsys.readouterr()
    assert (
        "warning: AAA: on 2026-11-20 1 of 3 members of the market have a price; their mean is scaled" in err
    )
    assert "`forecast fetch`" in err
    day = {"date": "2026-11-20", "tickers": 1, "listed": 3}
    assert json.loads(out)["predictions"][0]["thin_market"] == [day]


def test_another_currency_and_calendar_are_shown(own_home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store = PriceStore(own_home)
    table = replace(store.read("AAA"), ticker="AAA.L", calendar="XLON", currency="GBp")
    store.write(table, source="test", fetched_at=datetime(2026, 11, 21, tzinfo=UTC))
    assert run(["predict", "AAA.L", "--home", str(own_home)]) == 0
    assert " GBp " in capsys.readouterr().out
    assert run(["data", "status", "--home", str(own_home)]) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "XLON" in out
    assert "GBp" in out
    assert "calendars: XNYS 7, XLON 1" in out
    run(["doctor", "--home", str(own_home)])
    assert "calendars: XLON 1, XNYS 7; currencies: GBp 1" in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize("factor", [1e-9, 1e-6, 1e-4, 1e-2, 1, 1e2, 1e4])
def test_prices_of_any_size_are_shown_whole_in_80_columns(
    own_home: Path, capsys: pytest.CaptureFixture[str], factor: float
) -> None:
    store = PriceStore(own_home)
    table = store.read("AAA")
    columns = {name: table.columns[name] * (factor if name in PRICES else 1) for name in table.columns}
    store.write(replace(table, columns=columns), source="test", fetched_at=datetime(2026, 11, 21, tzinfo=UTC))
    assert run(["predict", "AAA", "--home", str(own_home)]) == 0
    out = capsys.readouterr().out
    rows = out.split("naive:")[0]
    assert "…" not in rows
    assert " 0.0000 " not in rows
    assert max(map(len, out.splitlines())) <= 80
