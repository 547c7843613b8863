"""Pictures: of one look, with intervals, readable by the colour-blind, and sound as files."""

import itertools
import json
import re
import xml.etree.ElementTree as ET
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from quick_training import train_quickly

from forecaster import load_model
from forecaster.cli.main import run
from forecaster.errors import ExitCode, UsageError
from forecaster.evaluation import backtest
from forecaster.home import Home
from forecaster.report.kept import KeptResult, kept_results
from forecaster.report.pictures import scores
from forecaster.report.pictures.gallery import picture_of
from forecaster.report.pictures.laboratory import wilson
from forecaster.report.pictures.look import DARK, LIGHT, standing_alone
from forecaster.report.pictures.picture import Picture, check_picture
from forecaster.settings import Recipe

HUES = ("blue", "orange", "green", "purple")


def newest_result(home: Path, kind: str) -> KeptResult | None:
    return next(iter(kept_results(home, kind)), None)


Vector = np.ndarray[Any, np.dtype[np.float64]]

# Machado, Oliveira and Fernandes 2009, severity 1.0, for linear RGB.
BLINDNESS = {
    "protanopia": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deuteranopia": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "tritanopia": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
    "none": np.eye(3),
}


def linear(colour: str) -> Vector:
    parts = np.array([int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)])
    return np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)


def luminance(colour: str) -> float:
    return float(linear(colour) @ [0.2126, 0.7152, 0.0722])


def contrast(one: str, two: str) -> float:
    low, high = sorted((luminance(one), luminance(two)))
    return (high + 0.05) / (low + 0.05)


def lab(rgb: Vector) -> Vector:
    xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]) @ rgb
    x, y, z = np.cbrt(np.clip(xyz, 0, None) / [0.9505, 1.0, 1.089])
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


@pytest.mark.parametrize("palette", [pytest.param(LIGHT, id="light"), pytest.param(DARK, id="dark")])
def test_text_and_lines_stand_out_from_the_paper(palette: Mapping[str, str]) -> None:
    """WCAG 2.2: 4.5 to 1 for text, 3 to 1 for what is drawn."""
    for name, colour in palette.items():
        if name not in {"paper", "grid"}:
            least = 4.5 if name in {"ink", "faint", "blue", "orange"} else 3.0
            assert contrast(colour, palette["paper"]) >= least, name


@pytest.mark.parametrize("palette", [pytest.param(LIGHT, id="light"), pytest.param(DARK, id="dark")])
@pytest.mark.parametrize("blindness", BLINDNESS)
def test_the_colour_blind_tell_lines_apart(palette: Mapping[str, str], blindness: str) -> None:
    seen = {name: lab(np.clip(np.array(BLINDNESS[blindness]) @ linear(palette[name]), 0, 1)) for name in HUES}
    for one, two in itertools.combinations(HUES, 2):
        assert np.linalg.norm(seen[one] - seen[two]) > 10, (one, two)


@pytest.fixture(scope="module")
def documents(home_with_results: Path) -> dict[str, Mapping[str, Any]]:
    found = {}
    for kind in ("compare", "backtest"):
        result = newest_result(home_with_results, kind)
        assert result is not None
        found[kind] = result.document
    return found


def marks(spec: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return list(spec.get("layer", [spec]))


@pytest.mark.parametrize("kind", ["compare", "backtest"])
def test_every_score_is_drawn_with_its_interval(documents: dict[str, Any], kind: str) -> None:
    for spec in picture_of(documents[kind]).specs:
        fields = [
            {channel["field"] for channel in layer["encoding"].values() if "field" in channel}
            for layer in marks(spec)
        ]
        assert any({"value"} <= each for each in fields)
        assert any({"low", "high"} <= each for each in fields)


@pytest.mark.parametrize("kind", ["compare", "backtest"])
def test_axes_have_titles_and_colours_are_of_the_page(documents: dict[str, Any], kind: str) -> None:
    for spec in picture_of(documents[kind]).specs:
        titles = [
            layer["encoding"][axis]["title"]
            for layer in marks(spec)
            for axis in ("x", "y")
            if "title" in layer["encoding"].get(axis, {})
        ]
        assert any(titles)
        assert spec["description"]
        text = json.dumps(spec)
        assert set(re.findall(r"var\(--(\w+)\)", text)) <= set(LIGHT)
        assert not re.search(r'"#[0-9a-f]{6}"', text)
        assert "var(--" not in json.dumps(standing_alone(spec))


def test_the_pictures_hold_the_documents_figures(documents: dict[str, Any]) -> None:
    spec = scores.skill_picture(documents["compare"])
    name = next(layer["data"]["name"] for layer in marks(spec) if "transform" in layer)
    rows = spec["datasets"][name]
    simple = next(row for row in documents["compare"]["models"] if row["model"] == "rnn")
    (row,) = (row for row in rows if (row["model"], row["ahead"]) == ("SimpleRNN", "1"))
    assert row["value"] == simple["tests"]["1"]["skill"]["value"]
    assert row["low"] < row["value"] < row["high"]


def test_a_walk_shows_coverage_before_and_after_recalibration(documents: dict[str, Any]) -> None:
    text = json.dumps(scores.coverage_picture(documents["backtest"], "1"))
    assert '"as trained"' in text
    assert '"recalibrated"' in text
    assert '"recalibrated"' not in json.dumps(scores.coverage_picture(documents["compare"], "1"))


def test_wilsons_interval_is_that_of_the_textbook() -> None:
    # Newcombe 1998, table I: 81 of 263 gives 0.2553 to 0.3662, 0 of 20 gives 0 to 0.1611.
    assert wilson(81, 263) == pytest.approx((0.2553, 0.3662), abs=1e-4)
    assert wilson(0, 20) == pytest.approx((0.0, 0.1611), abs=1e-4)


@pytest.fixture(scope="module")
def picture(documents: dict[str, Any]) -> Picture:
    return picture_of(documents["compare"])


def test_svg_stands_alone(picture: Picture, tmp_path: Path) -> None:
    picture.save(tmp_path / "a.SVG")
    text = (tmp_path / "a.SVG").read_text()
    root = ET.fromstring(text)  # noqa: S314
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert not re.search(r"<(script|image|foreignObject|link)|href=|url\(|var\(--", text)
    assert text == picture._repr_svg_()
    assert "SimpleRNN" in text


def test_png_and_html_are_such(picture: Picture, tmp_path: Path) -> None:
    picture.save(tmp_path / "a.png")
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG\r\n")
    picture.save(tmp_path / "a.html")
    assert (tmp_path / "a.html").read_text().startswith("<!doctype html>")


def test_a_hostile_name_is_text_in_every_format() -> None:
    name = "<script>alert(1)</script>[red]"
    spec = {
        "mark": "point",
        "data": {"values": [{"x": name}]},
        "encoding": {"x": {"field": "x", "type": "nominal", "axis": {"labelLimit": 999}}},
        "description": name,
        "$schema": "https://vega.github.io/schema/vega-lite/v5.json",
    }
    picture = Picture([spec], [name])
    assert "<script" not in picture.svg()
    assert name in "".join(ET.fromstring(picture.svg()).itertext())  # noqa: S314
    assert "<script>alert" not in picture.html()


@pytest.mark.parametrize("name", ["a.jpg", "a", "a.svg.gz"])
def test_other_endings_are_rejected(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match=r"\.svg, \.png, \.html"):
        check_picture(tmp_path / name)


def test_a_folder_is_no_picture(tmp_path: Path) -> None:
    (tmp_path / "a.svg").mkdir()
    with pytest.raises(UsageError, match="folder"):
        check_picture(tmp_path / "a.svg")


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(["predict", "AAA"], id="predict"),
        pytest.param(["predict", "AAA", "BBB", "--levels", "80"], id="predict with other levels"),
        pytest.param(["lab", "gates", "AAA", "--days", "60"], id="gates"),
        pytest.param(["lab", "inputs", "AAA"], id="inputs"),
        pytest.param(["lab", "cell", "AAA"], id="cell"),
        pytest.param(["lab", "parameters", "--no-keras"], id="parameters"),
    ],
)
def test_commands_save_what_they_show(
    own_home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    target = tmp_path / "picture.svg"
    assert run(["--home", str(own_home), *arguments, "--save", str(target)]) == ExitCode.DONE
    assert str(target) in capsys.readouterr().err
    ET.fromstring(target.read_text())  # noqa: S314


def test_a_wrong_ending_is_told_before_the_work(own_home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for command in ("compare", "backtest", "score", "predict"):
        assert run(["--home", str(own_home), command, "--save", "x.pdf"]) == ExitCode.USAGE
        assert capsys.readouterr().err.count("\n") == 1


def test_a_model_draws_itself_in_a_notebook(home_with_results: Path) -> None:
    model = load_model("main", home=home_with_results)
    assert "<table" in model._repr_html_()
    ET.fromstring(model.plot("AAA").svg())  # noqa: S314


def test_results_draw_themselves_in_a_notebook(own_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    train_quickly(monkeypatch)
    monkeypatch.setattr(backtest, "_elsewhere", backtest._here)
    recipe = Recipe(lookback=12, horizon=2, units=4, epochs=1, device="cpu")
    home, stocks = Home(own_home), ("AAA", "BBB")
    for found in (
        home.compare(stocks, ("rnn",), recipe),
        home.backtest(stocks, ("rnn",), recipe, start="2026-08-01"),
    ):
        page = found._repr_html_()
        assert page.count("<p>") == len(found.document["verdict"]["three_sentences"]) == 3
        assert page.count("<svg") == 1
        assert len(found.plot().specs) > 2
    assert {path.name for path in (own_home / "results").iterdir()} == {"backtest", "compare", "folds"}
