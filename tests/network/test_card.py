"""A card is believed as far as it is what this tool writes; `models verify` and `predict` agree on it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hostile import in_time
from hypothesis import given
from hypothesis import strategies as st
from network_factory import card_of, random_network

from forecaster.cli.main import run
from forecaster.errors import BadInputError
from forecaster.network.artifact import load_network, network_faults, save_network
from forecaster.network.card import parse_card, sealed_card

Card = dict[str, Any]


def written(folder: Path, change: Callable[[Card], object]) -> Path:
    """A version whose card was changed by somebody who knows how it is sealed."""
    network = random_network()
    save_network(folder, network, card_of(network), b"a Keras file")
    return changed(folder, change)


def changed(folder: Path, change: Callable[[Card], object]) -> Path:
    path = folder / "card.json"
    card = json.loads(path.read_text())
    del card["digest"]
    change(card)
    path.write_text(json.dumps(sealed_card(card)))
    return folder


def put(*keys: str, value: object) -> Callable[[Card], None]:
    def change(card: Card) -> None:
        *outer, last = keys
        for key in outer:
            card = card[key]
        card[last] = value

    return change


def removed(*keys: str) -> Callable[[Card], None]:
    def change(card: Card) -> None:
        *outer, last = keys
        for key in outer:
            card = card[key]
        del card[last]

    return change


LIES = {
    "no tickers": removed("tickers"),
    "no ticker": put("tickers", value=[]),
    "tickers are a number": put("tickers", value=7),
    "a path for a ticker": put("tickers", value=["../../etc/passwd"]),
    "a ticker of a megabyte": put("tickers", value=["A" * 1_000_000]),
    "half of a character": put("split", "train_end", value="\ud800"),
    "no recipe": removed("recipe"),
    "a recipe of text": put("recipe", value="lstm"),
    "no lookback": removed("recipe", "lookback"),
    "lookback of text": put("recipe", "lookback", value="long"),
    "no lookback but null": put("recipe", "lookback", value=None),
    "lookback 0": put("recipe", "lookback", value=0),
    "layers without end": put("recipe", "layers", value=10**9),
    "units without end": put("recipe", "units", value=10**12),
    "an infinite rate": put("recipe", "learning_rate", value=float("inf")),
    "another cell": put("recipe", "cell", value="transformer"),
    "bidirectional of text": put("recipe", "bidirectional", value="no"),
    "no split": removed("split"),
    "a split without an end": removed("split", "validation_end"),
    "a split on no day": put("split", "validation_end", value="2019-02-30"),
    "no prices": removed("prices"),
    "prices to no day": put("prices", "last_day", value="yesterday"),
    "prices of a list": put("prices", value=[]),
    "no creation": removed("created"),
    "created at no time": put("created", value="soon"),
    "unknown features": put("features", value=["return", "tomorrow"]),
    "a feature of reports beyond a quarter": put("features", value=["return", "reports_within_64"]),
    "features of reports that are not the last": put("features", value=["reports_within_1", "return"]),
    "no features": put("features", value=[]),
    "features of numbers": put("features", value=[1, 2, 3]),
    "no scores": removed("scores"),
    "no step 1": removed("scores", "1"),
    "scores of text": put("scores", "1", "crps", value="small"),
    "no baselines": removed("baselines"),
    "no training": removed("training"),
    "no digests": removed("digests"),
    "digests of a list": put("digests", value=["weights.npz"]),
    "parameters below none": put("parameters", value=-1),
    "a gate without a verdict": put("gate", value={"reason": "because"}),
    "a refit of a number": put("refit", value=3),
    "a universe without a name": put("universe", value={"source": "package"}),
    "a version of text": put("version", value="one"),
    "a correlation of text": put("step_correlations", value=["high"]),
    "a correlation that is too high": put("step_correlations", value=[0.9991]),
    "a correlation below none": put("step_correlations", value=[-0.1]),
    "a correlation that is no number": put("step_correlations", value=[float("nan")]),
    "too many correlations": put("step_correlations", value=[0.5] * 9),
    "correlations of a number": put("step_correlations", value=0.5),
}


@pytest.mark.parametrize("lie", LIES)
def test_a_card_that_cannot_be_is_rejected_by_all_who_read_it(tmp_path: Path, lie: str) -> None:
    folder = written(tmp_path / "1", LIES[lie])
    with in_time(), pytest.raises(BadInputError, match=r"card\.json is damaged") as caught:
        load_network(folder)
    assert len(str(caught.value)) < 600
    assert network_faults(folder) == [caught.value.message]


@pytest.mark.parametrize("lie", LIES)
def test_the_commands_agree_about_it(own_home: Path, capsys: pytest.CaptureFixture[str], lie: str) -> None:
    changed(own_home / "models" / "main" / "1", LIES[lie])
    for words, code in (
        (("predict", "AAA"), 65),
        (("models", "verify"), 1),
        (("models", "show", "main"), 65),
    ):
        with in_time():
            assert run([*words, "--home", str(own_home)]) == code, words
        said = capsys.readouterr()
        assert "card.json is damaged" in " ".join((said.out + said.err).split())


def test_a_card_may_hold_more_than_this_version_knows(tmp_path: Path) -> None:
    folder = written(tmp_path / "1", put("recipe", "of a later version", value=[1]))
    changed(folder, put("notes", value={"more": "of it"}))
    assert network_faults(folder) == []


@pytest.mark.parametrize(
    "content", [b"[" * 200_000, b'{"format": ' * 50_000, b'{"format": [3]}', b'{"format": true}']
)
def test_deep_or_odd_json_is_no_card(content: bytes) -> None:
    with in_time(), pytest.raises(BadInputError, match=r"card\.json"):
        parse_card(Path("card.json"), content)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@given(st.data())
def test_whatever_stands_in_one_place_is_taken_or_named(data: st.DataObject) -> None:
    card = json.loads(json.dumps(card_of(random_network()) | {"format": 4, "digests": {"weights.npz": "0"}}))
    place: Any = card
    while isinstance(place, dict) and place:
        key = data.draw(st.sampled_from(sorted(place)))
        if not isinstance(place[key], dict) or data.draw(st.booleans()):
            place[key] = data.draw(json_values)
            break
        place = place[key]
    try:
        parse_card(Path("card.json"), json.dumps(sealed_card(card)).encode())
    except BadInputError:
        return
