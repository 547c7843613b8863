"""Three synthetic tasks that cannot be done without remembering, over any lag."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Float32 = NDArray[np.float32]

TASKS = ("adding", "order", "agreement")
SHORTEST, LONGEST = 6, 5000
_NOISE, _SIGNALS, _BEGIN, _END = range(4), (4, 5), 6, 7  # places of the eight symbols
_SYMBOLS = 8
# The words of the made-up language, by the same places.
_NOUNS, _PREPOSITION, _RELATIVE, _ADJECTIVE, _ADVERB, _ARTICLE, _VERB = (0, 1), 2, 3, 4, 5, 6, 7


@dataclass(frozen=True)
class Examples:
    """Inputs (N, T, f), and what is to be answered after the last step, (N, K).

    The answer is a sum for `adding` (K = 1), and a class in one-hot form for `order` (K = 4) and for
    `agreement` (K = 2).
    """

    inputs: Float32
    answers: Float32


def features_of(task: str) -> int:
    """f, numbers a step."""
    return 2 if task == "adding" else _SYMBOLS


def answers_of(task: str) -> int:
    """K, numbers answered."""
    return {"adding": 1, "order": len(_SIGNALS) ** 2, "agreement": len(_NOUNS)}[task]


def draw(task: str, random: np.random.Generator, count: int, lag: int) -> Examples:
    """Draw `count` sequences of `lag` steps."""
    return {"adding": adding, "order": order, "agreement": agreement}[task](random, count, lag)


def adding(random: np.random.Generator, count: int, lag: int) -> Examples:
    """The adding problem: a stream of numbers, two of them marked; answer their sum.

    One marked number is among the first ten, the other elsewhere in the first half, so both have
    to be held for half the lag at least. Numbers are uniform from 0 to 1: always answering 1 has a
    mean squared error of 1/6.

    Source: Hochreiter & Schmidhuber, "Long short-term memory", 1997, section 5.4; numbers from 0 to
    1 and their plain sum as in Le, Jaitly & Hinton, "A simple way to initialize recurrent networks
    of rectified linear units", 2015.
    """
    values = random.uniform(0, 1, (count, lag))
    half = lag // 2
    first = random.integers(0, min(10, half), count)
    second = random.integers(0, half - 1, count)
    second += second >= first
    marks = np.zeros((count, lag))
    row = np.arange(count)
    marks[row, first] = marks[row, second] = 1
    answers = (values * marks).sum(1, keepdims=True)
    return Examples(np.stack([values, marks], -1).astype(np.float32), answers.astype(np.float32))


def order(random: np.random.Generator, count: int, lag: int) -> Examples:
    """Temporal order: two signals, each X or Y, in a stream of noise; answer which came in which order.

    The first signal stands at a tenth to two tenths of the lag, the second at five to six tenths.

    Source: Hochreiter & Schmidhuber, "Long short-term memory", 1997, section 5.6, task 6a.
    """
    symbols = random.integers(0, len(_NOISE), (count, lag))
    symbols[:, 0], symbols[:, -1] = _BEGIN, _END
    signals = random.integers(0, 2, (2, count))
    row = np.arange(count)
    for signal, tenth in zip(signals, (1, 5), strict=True):
        start = max(tenth * lag // 10, 1)
        place = random.integers(start, max((tenth + 1) * lag // 10, start + 1), count)
        symbols[row, place] = np.array(_SIGNALS)[signal]
    classes = 2 * signals[0] + signals[1]
    return Examples(
        np.eye(_SYMBOLS, dtype=np.float32)[symbols], np.eye(answers_of("order"), dtype=np.float32)[classes]
    )


def agreement(random: np.random.Generator, count: int, lag: int) -> Examples:
    """Number agreement in a made-up language: "the cats … near the dog … were"; answer the verb's number.

    A sentence is an article and the subject, singular or plural, then phrases (a preposition or a relative
    pronoun, an article, adjectives and adverbs, and a noun of a number of its own), and the verb's place.
    All words between subject and verb are drawn anew, every fourth of them a noun, so that the network has
    to hold the first noun's number over lag − 2 words against others of the same form.

    Source: Linzen, Dupoux & Goldberg, "Assessing the ability of LSTMs to learn syntax-sensitive
    dependencies", TACL 4, 2016, who count such attractors in real sentences.
    """
    fillers = np.array([_ARTICLE, _ADJECTIVE, _ADVERB])
    words = random.choice(fillers, (count, lag))
    # Phrases of four words: what opens it, two words, and a noun.
    opens = np.arange(2, lag - 1, 4)
    words[:, opens] = random.choice([_PREPOSITION, _RELATIVE], (count, len(opens)))
    nouns = np.arange(5, lag - 1, 4)
    words[:, nouns] = random.integers(0, 2, (count, len(nouns)))
    subject = random.integers(0, 2, count)
    words[:, 0], words[:, 1], words[:, -1] = _ARTICLE, subject, _VERB
    answers = np.eye(answers_of("agreement"), dtype=np.float32)[subject]
    return Examples(np.eye(_SYMBOLS, dtype=np.float32)[words], answers)
