"""Nothing from outside reaches a terminal or a log raw: no escape sequence, no forged line, no markup."""

import json
import os
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from forecaster.cli.main import run
from forecaster.cli.screen import (
    figures_table,
    headline,
    plain_table,
    print_picture,
    stacked,
    stderr_console,
    stdout_console,
    visible,
    write_note,
)
from forecaster.prices.store import PriceStore
from forecaster.service.events import log_event
from forecaster.settings import current_time

EVIL = "\x1b[2J\x1b]0;owned\x07\nforecast: all is well\r\u202egnp.exe\u2028[red]:smile:[/red]"
texts = st.text(min_size=1) | st.sampled_from(
    [EVIL, "\x9b31m", "\u200f", "[/]", "[link=x]", "\x00", "\ud800"]
)


def is_shown_plainly(text: str) -> bool:
    return all(letter.isprintable() or letter == "\n" for letter in text)


@given(texts)
def test_visible_text_is_printable_and_one_line(text: str) -> None:
    shown = visible(text)
    assert shown.isprintable()
    assert visible(shown) == shown
    if text.isprintable():
        assert shown == text


@given(texts)
def test_every_way_of_printing_shows_text_plainly(text: str) -> None:
    """With colours allowed, as on a terminal, Rich's own sequences would be there; they are not asked for."""
    for console in (stdout_console(), stderr_console()):
        with console.capture() as capture:
            console.print(text, soft_wrap=True)
        assert capture.get() == visible(text) + "\n"
        with console.capture() as capture:
            table = figures_table(text, text, text)
            table.add_row(text, text)
            console.print(table)
            console.print(headline(text, text))
            console.print(stacked(text, text))
            print_picture(console, plain_table((text,), [(text,)]))
        assert is_shown_plainly(capture.get())


def test_markup_and_smileys_in_data_are_text(capsys: pytest.CaptureFixture[str]) -> None:
    stdout_console().print("[bold]x[/bold] :smile: [/] [link=https://evil.example]y[/link]", soft_wrap=True)
    assert capsys.readouterr().out == "[bold]x[/bold] :smile: [/] [link=https://evil.example]y[/link]\n"


def test_a_note_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    write_note(EVIL)
    assert capsys.readouterr().err.count("\n") == 1


def says_it_plainly(capsys: pytest.CaptureFixture[str]) -> tuple[str, str]:
    out, err = capsys.readouterr()
    for text in (out, err):
        assert is_shown_plainly(text)
        assert not any(line.startswith("forecast: all is well") for line in text.splitlines())
    return out, err


def test_a_file_name_cannot(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    evil = tmp_path / "\x1b[2J\nforecast: all is well [red].csv"
    evil.write_text("date,close\n2020-01-02,1\nx,y\n")
    for source in (evil, tmp_path / "none\x1b[2J\nforecast: all is well"):
        assert run(["fetch", "--source", str(source), "--home", str(tmp_path / "home")]) != 0
        says_it_plainly(capsys)
    assert run(["fetch", "AAA", "--source", str(evil), "--home", str(tmp_path / "home")]) == 0
    out, err = says_it_plainly(capsys)
    assert "[red].csv" in out
    assert "\\x1b[2J\\nforecast: all is well" in err


def test_the_cells_of_a_file_cannot(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    evil = "\x1b[2J\u202e[red]"
    (tmp_path / "a.csv").write_text(
        f"ticker,date,close\nAAA,2020-01-02,1\n{evil},2020-01-02,1\nAAA,{evil},1\nAAA,2020-01-03,{evil}\n"
    )
    assert run(["fetch", "--source", "a.csv", "--home", str(tmp_path / "home")]) == 0
    _, err = says_it_plainly(capsys)
    assert err.count("\\x1b[2J") >= 2


def test_the_metadata_of_a_price_file_cannot(own_home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = PriceStore(own_home).path("OLD")
    table = pq.read_table(path)
    metadata = {
        name: value.replace(b"sample", EVIL.encode()) for name, value in table.schema.metadata.items()
    }
    pq.write_table(table.replace_schema_metadata(metadata | {b"source": EVIL.encode()}), path)
    for words in (
        ("data", "status"),
        ("data", "status", "OLD"),
        ("data", "verify"),
        ("predict", "OLD"),
        ("doctor",),
    ):
        run([*words, "--home", str(own_home)])
        says_it_plainly(capsys)


def test_a_card_cannot(own_home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = own_home / "models" / "main" / "1" / "card.json"
    card = json.loads(path.read_text())
    for name in card:
        if isinstance(card[name], str):
            path.write_text(json.dumps(card | {name: EVIL}))
            for words in (
                ("models", "list"),
                ("models", "show", "main"),
                ("models", "verify"),
                ("predict", "AAA"),
            ):
                run([*words, "--home", str(own_home)])
                says_it_plainly(capsys)


def test_a_settings_file_and_the_environment_cannot(
    own_home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORECAST_TRAIN_CELL", EVIL.replace("\x00", ""))
    assert run(["data", "status", "--home", str(own_home)]) == 2
    says_it_plainly(capsys)
    monkeypatch.delenv("FORECAST_TRAIN_CELL")
    for content in (f"[train]\ncell = {json.dumps(EVIL)}\n", f"[{json.dumps(EVIL)}]\n", "\x1b = 1"):
        (own_home / "forecast.toml").write_text(content)
        assert run(["data", "status", "--home", str(own_home)]) == 2
        says_it_plainly(capsys)


def test_an_event_is_one_line_of_the_log_whatever_it_says(tmp_path: Path) -> None:
    now = current_time(os.environ)
    log_event(tmp_path, now, "alarm", text=EVIL, path=Path(EVIL))
    log_event(tmp_path, now, EVIL)
    lines = (tmp_path / "logs" / "events.jsonl").read_text().split("\n")
    assert [json.loads(line).get("text", "") for line in lines[:-1]] == [EVIL, ""]
    assert all(line.isascii() and line.isprintable() for line in lines)
    assert len(lines) == 3
