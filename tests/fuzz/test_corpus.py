"""Every input that fuzzing kept is harmless still, and every seed is of use."""

import pytest
from fuzz import read_corpus
from fuzz_targets import TARGETS, seeds
from hostile import in_time


@pytest.mark.parametrize("target", TARGETS)
def test_the_corpus_is_harmless(target: str) -> None:
    inputs = read_corpus(target)
    assert len(inputs) > 3
    for content in inputs:
        with in_time():
            TARGETS[target](content)


@pytest.mark.parametrize("target", TARGETS)
def test_a_seed_is_read_to_its_end(target: str) -> None:
    """Fuzzing that begins where nothing is read would find nothing."""
    assert [place for place, content in enumerate(seeds(target)) if not TARGETS[target](content)] == []
