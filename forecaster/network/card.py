"""A network's card: what is known of it, read from JSON of which nothing is believed that was not expected.

Older formats are brought up to date as they are read: 1 and 2 told a network's sizes up to three times, and
up to 3 the digest of the prices was one of tickers, closes and returns only.
"""

import json
from collections.abc import Mapping
from dataclasses import fields
from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from forecaster.dataset.features import ALWAYS, FROM_BARS
from forecaster.dataset.report_features import REPORT_FEATURES, is_report_feature
from forecaster.errors import BadInputError, UsageError, name_some
from forecaster.files import digest_bytes
from forecaster.network.step_copula import MOST_CORRELATION
from forecaster.prices.table import checked_ticker
from forecaster.settings import Recipe, check_cell, override

FORMAT = 4
_READABLE = (1, 2, 3, 4)  # from 2 on, weights may have seen the days that the card's scores are of
SIZES = ("cell", "units", "layers", "bidirectional", "horizon", "lookback")
"""Of a network, in its recipe."""
ENSEMBLE = "ensemble"
"""The last of them, which older recipes lack: there it is 1."""
MOST_TICKERS = 100_000
_MOST_FEATURES = len(ALWAYS) + len(FROM_BARS) + len(REPORT_FEATURES)

_Count = Annotated[int, msgspec.Meta(ge=0)]


class _Scores(msgspec.Struct):
    """Of one model at one step."""

    crps: float
    skill: float
    p_value: float
    coverage_90: float
    mae: float


class _Training(msgspec.Struct):
    """How it went."""

    epochs_run: _Count
    best_epoch: _Count
    losses: list[float]
    validation_losses: list[float]
    seconds: float
    engine: str
    device: str


class _Split(msgspec.Struct):
    """The last days of the parts."""

    train_start: date
    train_end: date
    validation_end: date
    test_end: date


_Sums = Annotated[list[float], msgspec.Meta(min_length=2, max_length=2)]


class _Fingerprint(msgspec.Struct):
    """Of one ticker's prices, see `dataset.fingerprint`."""

    first: date
    bars: _Count
    returns: _Sums
    ranges: _Sums | None
    volumes: _Sums | None


class _Prices(msgspec.Struct):
    """What the network knows; the digest is of all inputs, in older cards of the closes alone."""

    last_day: date
    digest: str | None = None
    closes_digest: str | None = None
    tickers: dict[str, _Fingerprint] | None = None


class _Survivorship(msgspec.Struct):
    """How far the prices are those of survivors."""

    tickers: _Count
    ended_early: _Count
    last_day: date
    members_day: date | None = None
    members: _Count | None = None
    members_stored: _Count | None = None


class _Universe(msgspec.Struct):
    """Whose members it was trained on."""

    name: str
    source: str
    targets: str


class _Gate(msgspec.Struct):
    """What decided whether it was promoted."""

    promote: bool
    reason: str
    first_day: date
    last_day: date


class _Refit(msgspec.Struct):
    """Whether it was refitted to all days."""

    refused: str | None
    trained_to: date | None = None


class _Calibration(msgspec.Struct):
    """See `evaluation.calibration.Calibration`, which reads it."""

    raw_levels: list[list[Annotated[float, msgspec.Meta(gt=0, lt=1)]]]
    days: list[_Count]
    through: str


class _Card(msgspec.Struct):
    """What every command relies on; a card may hold more."""

    format: int
    created: datetime
    parameters: _Count
    features: Annotated[list[str], msgspec.Meta(min_length=1, max_length=_MOST_FEATURES)]
    recipe: dict[str, Any]
    training: _Training
    tickers: Annotated[list[str], msgspec.Meta(min_length=1, max_length=MOST_TICKERS)]
    split: _Split
    prices: _Prices
    scores: dict[str, _Scores]
    baselines: dict[str, dict[str, _Scores]]
    versions: dict[str, str]
    digests: dict[str, str]
    name: str | None = None
    version: int | None = None
    parent: int | None = None
    universe: _Universe | None = None
    whole_store: bool = False
    damaged: list[str] = []
    market: list[str] = []
    survivorship: _Survivorship | None = None
    gate: _Gate | None = None
    refit: _Refit | None = None
    reference: Literal["linear-t", "riskmetrics-t"] = "riskmetrics-t"
    step_correlations: list[Annotated[float, msgspec.Meta(ge=0, le=MOST_CORRELATION)]] | None = None
    calibration: _Calibration | None = None


def sealed_card(card: Mapping[str, Any]) -> dict[str, Any]:
    """A card with the digest of the rest of it, as it is written."""
    return {**card, "digest": _digest(card)}


def parse_card(path: Path, content: bytes) -> dict[str, Any]:
    """The card that `content`, of the file `path`, holds: in the present format, without its own digest.

    Raises:
        BadInputError: it is not one as this tool wrote it, is of another format, or is of a bidirectional
            network from before format 3.
    """
    try:
        card: dict[str, Any] = json.loads(content)
        written, digest = card["format"], card.pop("digest", None)
        sound = digest == _digest(card)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise damaged_file(path, f"it is no card: {type(error).__name__} {error}") from error
    if not isinstance(written, int) or written not in _READABLE:
        raise BadInputError(
            f"{path} has format {str(written)[:20]}, this version reads {FORMAT} and older ones",
            "update forecast, or train the model anew",
        )
    if not sound:
        raise damaged_file(path, "its content is not what was written")
    if written != FORMAT:
        card = _brought_up_to_date(path, card, written)
    _check(path, card)
    return card


def described(card: Mapping[str, Any]) -> dict[str, Any]:
    """The network that a card describes, but for its weights."""
    recipe = card["recipe"]
    sizes = {name: recipe[name] for name in SIZES} | {ENSEMBLE: recipe.get(ENSEMBLE, 1)}
    return sizes | {"features": tuple(card["features"])}


def damaged_file(path: Path, reason: str) -> BadInputError:
    """The error of a model's file that is not as it was written."""
    return BadInputError(f"{path} is damaged: {reason}", DAMAGE_REMEDY)


DAMAGE_REMEDY = "choose another version with --model NAME@VERSION (`forecast models list`), or train anew"


def _check(path: Path, card: Mapping[str, Any]) -> None:
    """Hold what every command relies on against what it has to be."""
    try:
        msgspec.convert(card, _Card)
        for ticker in card["tickers"]:
            checked_ticker(ticker)
        recipe = card["recipe"]
        sizes = {ENSEMBLE: 1, **recipe}
        missing = [name for name in (*SIZES, ENSEMBLE) if sizes.get(name) is None]
        names = card["features"]
        unknown = [name for name in names if name not in (*ALWAYS, *FROM_BARS, *REPORT_FEATURES)]
        if unknown:
            raise damaged_file(path, f"it has features that are not known: {name_some(unknown)}")
        last = [is_report_feature(name) for name in names]
        if last != sorted(last):
            raise damaged_file(path, "its features of reports are not the last ones")
        if missing or "1" not in card["scores"]:
            raise damaged_file(path, f"it lacks {name_some(missing) or 'the scores of step 1'}")
        known = {part.name for part in fields(Recipe)}
        # Settings of a later version are left to who would train by them.
        check_cell(
            override(Recipe(), {name: value for name, value in recipe.items() if name in known}, _quoted)
        )
        tied = card.get("step_correlations")
        if tied is not None and len(tied) != recipe["horizon"] - 1:
            raise damaged_file(path, f"it has {len(tied)} step_correlations, of {recipe['horizon']} steps")
        moved = card.get("calibration")
        if moved is not None and not len(moved["raw_levels"]) == len(moved["days"]) == recipe["horizon"]:
            raise damaged_file(path, f"it has a calibration of other than its {recipe['horizon']} steps")
    except (msgspec.ValidationError, UnicodeError, UsageError, RecursionError) as error:
        message = error.message if isinstance(error, UsageError) else str(error)
        raise damaged_file(path, message) from error


def _quoted(key: str, value: object) -> str:
    return f"recipe: {key} = {str(value)[:40]}"


def _brought_up_to_date(path: Path, card: Mapping[str, Any], written: int) -> dict[str, Any]:
    """A card of an older format in the present one."""
    present = dict(card) if written > 2 else _with_sizes_in_the_recipe(path, card)
    prices = present.get("prices")
    if isinstance(prices, dict):
        known = {name: value for name, value in prices.items() if name != "digest"}
        present["prices"] = known | {"closes_digest": prices.get("digest")}
    return present | {"format": FORMAT}


def _with_sizes_in_the_recipe(path: Path, card: Mapping[str, Any]) -> dict[str, Any]:
    """A card of format 1 or 2, with a network's sizes where later ones have them."""
    try:
        shape = {**card["network"], "lookback": card["lookback"]}
        recipe = {**card["recipe"], **{name: shape[name] for name in SIZES}}
        kept = {name: part for name, part in card.items() if name not in (*SIZES, "network")}
        present = {**kept, "recipe": recipe, "features": shape["features"]}
        if recipe["bidirectional"]:
            raise _read_at_the_wrong_day(path, present)
    except (KeyError, TypeError) as error:
        raise damaged_file(path, f"it does not describe a network: {error}") from error
    return present


def _read_at_the_wrong_day(path: Path, card: Mapping[str, Any]) -> BadInputError:
    """The weights were fitted to an answer that is no longer given; none can be made of them."""
    sizes = " ".join(f"--{name} {card['recipe'][name]}" for name in SIZES if name != "bidirectional")
    return BadInputError(
        f"{path}: an earlier forecast trained this bidirectional network, and read its backward direction at "
        "the window's last day, where it had seen one day only",
        f"train it anew with `forecast train --name {card['name']} --bidirectional {sizes}`, or choose "
        "another version with --model NAME@VERSION",
    )


def _digest(card: Mapping[str, Any]) -> str:
    return digest_bytes(json.dumps(card, sort_keys=True).encode())
