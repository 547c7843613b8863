"""What `--json` prints."""

import json
from pathlib import Path

import numpy as np
import pytest

from forecaster.cli.screen import print_json


def test_a_document_has_null_for_nan_and_plain_values_for_known_types(
    capsys: pytest.CaptureFixture[str],
) -> None:
    content = {
        "nan": [float("nan"), np.float32("nan"), np.inf],
        "day": np.datetime64("2026-11-20"),
        "no_day": np.datetime64("NaT", "D"),
        "path": Path("data"),
        "count": np.int64(3),
    }
    print_json("forecast.test/1", content)
    assert json.loads(capsys.readouterr().out) == {
        "schema": "forecast.test/1",
        "nan": [None, None, None],
        "day": "2026-11-20",
        "no_day": None,
        "path": "data",
        "count": 3,
    }


@pytest.mark.parametrize(
    "value",
    [
        pytest.param({1}, id="set"),
        pytest.param(np.datetime64("2026-11-20", "ns"), id="nanoseconds"),
        pytest.param(np.timedelta64(1, "D"), id="duration"),
    ],
)
def test_a_document_with_an_unknown_type_is_not_printed(
    capsys: pytest.CaptureFixture[str], value: object
) -> None:
    with pytest.raises(TypeError, match="has no form in JSON"):
        print_json("forecast.test/1", {"values": [value]})
    assert capsys.readouterr().out == ""
