#!/usr/bin/env python
"""One process of libFuzzer, with its options; the target stands in FUZZ_TARGET."""

import json
import os
import sys
from contextlib import suppress
from random import Random

import atheris
from fuzz import TARGET_VARIABLE
from json_changes import with_other_value

with atheris.instrument_imports(include=["forecaster", "tomllib", "openpyxl", "yfinance"]):
    import fuzz_targets

    TARGET = os.environ[TARGET_VARIABLE]
    for content in fuzz_targets.seeds(TARGET):  # which imports what is imported where it is used
        fuzz_targets.TARGETS[TARGET](content)


def changed(data: bytes, most_bytes: int, seed: int) -> bytes:
    """The input with some of it changed; half of the time in one value, where it is JSON."""
    random = Random(seed)
    if random.random() < 0.5:
        with suppress(ValueError, OverflowError, RecursionError):
            document = json.loads(data)
            return json.dumps(with_other_value(document, random)).encode()[:most_bytes]
    return bytes(atheris.Mutate(data, most_bytes))


def main() -> None:
    """Never returns: libFuzzer ends the process."""
    atheris.Setup(sys.argv, fuzz_targets.TARGETS[TARGET], custom_mutator=changed)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
