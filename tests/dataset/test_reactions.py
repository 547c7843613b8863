"""Reaction days by hand, against plain loops, and blind to all that was not known at the origin."""

import numpy as np
import pytest
from earnings_factory import EMPTY, ROW, after, day, learned_otherwise, said, table_of_rows
from hypothesis import given, settings
from hypothesis import strategies as st

from forecaster.dataset.reactions import (
    ANNOUNCED,
    HABIT_DECAY,
    LIKELY,
    MOST_EVIDENCE,
    NONE,
    coming_reactions,
    lay_out,
    reaction_days,
    read_habit,
)
from forecaster.prices.calendar import next_sessions, sessions_between
from forecaster.prices.earnings.table import NO_DAY, EarningsTable, reports

HORIZON = 5
FLAT = np.float32(0.01)


class Laid:
    """Announcements on New York's sessions of two years, beside prices that always move by 1 %."""

    def __init__(
        self,
        found: EarningsTable,
        tickers: tuple[str, ...] = ("AA", "BB"),
        moves: dict[tuple[str, str], float] | None = None,
        span: tuple[str, str] = ("2024-01-02", "2025-12-31"),
        as_of: np.datetime64 | None = None,
    ) -> None:
        self.dates = sessions_between(day(span[0]), day(span[1]))
        self.tickers = tickers
        coming = next_sessions(self.dates[-1], HORIZON)
        self.sessions = np.concatenate([self.dates, coming])
        self.log_return = np.full((len(tickers), len(self.dates)), FLAT)
        for (ticker, date), move in (moves or {}).items():
            self.log_return[tickers.index(ticker), self.place(date)] = move
        self.days = lay_out(found, tickers, self.dates, coming, as_of)
        self.habit = read_habit(self.days, self.log_return, np.full_like(self.log_return, FLAT))

    def place(self, date: str) -> int:
        return int(np.searchsorted(self.sessions, day(date)))

    def seen(self, origin: str, ticker: str = "AA", *, spread: int = 0) -> dict:
        """What an origin knows: date to code."""
        codes = coming_reactions(self.days, self.habit, HORIZON, spread)
        ahead = codes[self.tickers.index(ticker), self.place(origin)]
        first = self.place(origin) + 1
        return {str(self.sessions[first + step]): int(code) for step, code in enumerate(ahead) if code}

    def past(self, ticker: str = "AA") -> list[str]:
        return (
            self.dates[reaction_days(self.days, self.habit)[self.tickers.index(ticker)]].astype(str).tolist()
        )


@pytest.mark.parametrize(
    ("row", "reaction"),
    [
        pytest.param("AA 2025-01-28 before", "2025-01-28", id="before the open"),
        pytest.param("AA 2025-01-28 during", "2025-01-28", id="during the session"),
        pytest.param("AA 2025-01-28 after", "2025-01-29", id="after the close"),
        pytest.param("AA 2025-01-31 after", "2025-02-03", id="after Friday's close"),
        pytest.param("AA 2025-02-01 before", "2025-02-03", id="Saturday"),
        pytest.param("AA 2025-02-01 after", "2025-02-03", id="Saturday evening"),
        pytest.param("AA 2025-02-14 after", "2025-02-18", id="before a holiday"),
        pytest.param("AA 2025-01-28 unknown", "2025-01-29", id="unknown, without a habit"),
    ],
)
def test_the_reaction_day_is_the_first_whose_close_comes_after_the_news(row: str, reaction: str) -> None:
    laid = Laid(reports(said("yahoo", row)))
    assert laid.past() == [reaction]
    eve = str(laid.sessions[laid.place(reaction) - 1])
    assert laid.seen(eve) == {reaction: ANNOUNCED}
    assert laid.seen(eve, "BB") == {}


def test_a_date_counts_as_known_from_two_weeks_before() -> None:
    laid = Laid(reports(said("yahoo", "AA 2025-02-05 before")), span=("2025-01-02", "2025-02-28"))
    ahead = coming_reactions(laid.days, laid.habit, HORIZON)[0]
    assert ahead.any(1).nonzero()[0].tolist() == [laid.place("2025-02-05") - step for step in range(5, 0, -1)]
    laid = Laid(reports(after(("2025-02-03", said("yahoo", "AA 2025-02-05 before scheduled")))))
    assert laid.seen("2025-01-31") == {}
    assert laid.seen("2025-02-03") == {"2025-02-05": ANNOUNCED}


def test_a_forecast_made_later_than_its_origin_knows_what_is_known_then() -> None:
    found = reports(after(("2025-02-01", said("yahoo", "AA 2025-02-05 before scheduled"))))  # a Saturday
    span = ("2024-01-02", "2025-01-31")
    assert Laid(found, span=span).seen("2025-01-31") == {}
    assert Laid(found, span=span, as_of=day("2025-02-01")).seen("2025-01-31") == {"2025-02-05": ANNOUNCED}
    assert Laid(found, span=span, as_of=day("2025-02-01")).seen("2025-01-30") == {}


def test_a_date_that_moved_is_seen_where_it_was_believed() -> None:
    found = reports(
        after(
            ("2025-01-20", said("yahoo", "AA 2025-02-05 before scheduled")),
            ("2025-02-03", said("yahoo", "AA 2025-02-07 before scheduled")),
        )
    )
    laid = Laid(found)
    assert laid.seen("2025-01-31") == {"2025-02-05": ANNOUNCED}
    assert laid.seen("2025-02-03") == {"2025-02-07": ANNOUNCED}
    assert laid.past() == ["2025-02-07"]


def test_without_a_date_last_years_is_projected_to_a_session() -> None:
    # 364 days after Tuesday, 23 January 2024 is Tuesday, 21 January 2025; after the close, so the next day.
    laid = Laid(reports(said("yahoo", "AA 2024-01-23 after", "BB 2024-01-22 before")))
    assert laid.seen("2025-01-17") == {"2025-01-22": LIKELY}
    # Of Monday, 20 January 2025, a holiday, it is the Tuesday.
    assert laid.seen("2025-01-17", "BB") == {"2025-01-21": LIKELY}
    assert laid.seen("2025-01-17", "BB", spread=1) == {
        "2025-01-21": LIKELY,
        "2025-01-22": LIKELY,
    }
    # The window goes on where its middle is past.
    assert laid.seen("2025-01-21", "BB", spread=1) == {"2025-01-22": LIKELY}
    assert laid.seen("2025-01-22", "BB", spread=1) == {}


@pytest.mark.parametrize(
    "rows",
    [
        pytest.param(("AA 2025-01-30 after",), id="announced for a later day"),
        pytest.param(("AA 2025-01-14 after",), id="already reported"),
    ],
)
def test_nothing_is_projected_near_a_date_that_is_known(rows: tuple[str, ...]) -> None:
    laid = Laid(reports(said("yahoo", "AA 2024-01-23 after", *rows)))
    assert LIKELY not in laid.seen("2025-01-17").values()
    # Fourteen days before the 30th is the 16th: until then the projection stands.
    if rows[0] == "AA 2025-01-30 after":
        assert laid.seen("2025-01-15") == {"2025-01-22": LIKELY}


def test_a_date_that_a_source_estimates_is_likely_only() -> None:
    laid = Laid(reports(after(("2025-01-20", said("yahoo", "AA 2025-02-05 before projected")))))
    assert laid.seen("2025-01-31") == {"2025-02-05": LIKELY}
    assert laid.past() == []


def test_habit_is_the_day_that_moved_more_and_known_times_count_most() -> None:
    past = "AA 2024-04-23"  # Tuesday
    coming = "AA 2025-01-28"
    before = {("AA", "2024-04-23"): 0.05}
    later = {("AA", "2024-04-24"): -0.05}
    found = reports(said("yahoo", past, coming))
    assert Laid(found, moves=before).seen("2025-01-27") == {"2025-01-28": ANNOUNCED}
    assert Laid(found, moves=later).seen("2025-01-27") == {"2025-01-29": ANNOUNCED}
    # The move is 4 volatilities larger; so much does a known time count, and the later one counts more.
    known = reports(said("yahoo", past, "AA 2024-07-23 before", coming))
    habit = Laid(known, moves=later).habit
    np.testing.assert_allclose(habit.score[:2], [4, HABIT_DECAY * 4 - MOST_EVIDENCE], rtol=1e-5)
    assert Laid(known, moves=later).seen("2025-01-27") == {"2025-01-28": ANNOUNCED}
    # Known times before the first session of the panel count too.
    laid = Laid(known, moves={}, span=("2024-12-02", "2025-03-03"))
    assert laid.seen("2025-01-27") == {"2025-01-28": ANNOUNCED}


def test_moves_are_measured_in_the_volatility_of_the_day_before() -> None:
    laid = Laid(reports(said("yahoo", "AA 2025-01-28")), moves={("AA", "2025-01-29"): 0.05})
    sigma = np.full_like(laid.log_return, 0.5)
    sigma[0, laid.place("2025-01-27")] = 0.02
    assert read_habit(laid.days, laid.log_return, sigma).score.tolist() == pytest.approx([2.0])  # (5 - 1) / 2


def test_habit_is_learned_when_both_days_have_closed() -> None:
    found = reports(said("yahoo", "AA 2025-01-28", "AA 2025-02-10"))
    laid = Laid(found, moves={("AA", "2025-01-28"): 0.05})
    late = [
        laid.habit.reports_after_close(np.array([0]), np.array([laid.place(day)]))[0]
        for day in ("2025-01-28", "2025-01-29")
    ]
    assert late == [True, False]


def test_tickers_that_end_on_different_days_lie_right_aligned() -> None:
    found = reports(said("yahoo", "AA 2025-01-28 before", "BB 2025-01-22 after", "CC 2025-01-22 after"))
    ends = [day("2025-01-24"), day("2025-01-17")]
    dates = np.full((2, 6), NO_DAY)
    for row, end in enumerate(ends):
        own = sessions_between(end - 30, end)[-(6 - 2 * row) :]
        dates[row, -len(own) :] = own
    coming = np.stack([next_sessions(end, HORIZON) for end in ends])
    laid = lay_out(found, ("AA", "BB"), dates, coming)
    flat = np.full(dates.shape, FLAT)
    codes = coming_reactions(laid, read_habit(laid, flat, flat), HORIZON)
    assert codes[0, -1].tolist() == [NONE, ANNOUNCED, NONE, NONE, NONE]  # Monday, then the 28th
    assert codes[1, -1].tolist() == [NONE, NONE, ANNOUNCED, NONE, NONE]  # the 21st, the 22nd, the 23rd
    # The same as on a calendar that all share.
    shared = lay_out(found, ("AA",), dates[0], coming[0])
    alone = coming_reactions(shared, read_habit(shared, flat[:1], flat[:1]), HORIZON)
    np.testing.assert_array_equal(codes[:1], alone)


def test_without_an_announcement_nothing_is_known() -> None:
    laid = Laid(reports(EMPTY))
    assert not coming_reactions(laid.days, laid.habit, HORIZON).any()
    assert not reaction_days(laid.days, laid.habit).any()


DATES = sessions_between(day("2024-01-02"), day("2025-03-31"))
COMING = next_sessions(DATES[-1], HORIZON)
TICKERS = ("BB", "AA")


def by_loops(found: EarningsTable, moves: np.ndarray) -> np.ndarray:
    """`coming_reactions` by its definition, an origin at a time and without any index of places."""
    sessions = np.concatenate([DATES, COMING])
    codes = np.zeros((len(TICKERS), len(DATES), HORIZON), int)
    for place, ticker in enumerate(TICKERS):
        mine = found.of([ticker])
        columns = (mine.date, mine.when, mine.status != "projected", mine.known_from, mine.withdrawn)
        events = list(zip(*columns, strict=True))
        for origin, today in enumerate(DATES):
            known = [each for each in events if each[3] <= today and (np.isnat(each[4]) or today < each[4])]
            late = is_late(events, moves[place], origin)
            told, ahead = codes[place, origin], sessions[origin + 1 : origin + 1 + HORIZON]
            for date, when, sure, _, _ in known:
                mark(told, ahead, reaction(sessions, date, when, late=late), ANNOUNCED if sure else LIKELY)
            for date, when, sure, _, _ in known:
                likely = date + 364
                near = any(abs((each[0] - likely).astype(int)) <= 45 for each in known)
                if sure and not near and DATES[0] <= likely <= sessions[-1]:
                    moved = sessions[sessions >= likely][0]
                    mark(told, ahead, reaction(sessions, moved, when, late=late), LIKELY)
    return codes


def mark(codes: np.ndarray, ahead: np.ndarray, reaction: np.datetime64, code: int) -> None:
    for step in np.flatnonzero(ahead == reaction):
        codes[step] = max(codes[step], code)


def reaction(sessions: np.ndarray, date: np.datetime64, when: str, *, late: bool) -> np.datetime64:
    later = when == "after" or (when == "unknown" and late)
    following = sessions[sessions > date] if later else sessions[sessions >= date]
    return following[0] if len(following) and date >= sessions[0] else NO_DAY


def is_late(events: list, moves: np.ndarray, origin: int) -> bool:
    """The habit that an origin can tell, from the reports that it has seen in full."""
    learned = []
    for date, when, _, known, withdrawn in events:
        here = int(np.searchsorted(DATES, date)) if date >= DATES[0] else -1
        after = int(np.searchsorted(DATES, date, "right")) if date >= DATES[0] else -1
        at = max(after, int(np.searchsorted(DATES, known)), 0)
        if at > origin or (not np.isnat(withdrawn) and withdrawn <= DATES[at]):
            continue
        if when != "unknown":
            learned.append((at, date, 4.0 if when == "after" else -4.0))
        elif here > 0 and after > here:
            size = (abs(moves[after]) - abs(moves[here])) / FLAT
            learned.append((at, date, float(np.clip(size, -4, 4))))
    score = 0.0
    for _, _, evidence in sorted(learned, key=lambda each: each[:2]):
        score = 0.9 * score + evidence
    return score > 0 or not learned


def random_moves(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 0.02, (len(TICKERS), len(DATES))).astype(np.float32)


def all_known(found: EarningsTable, moves: np.ndarray, spread: int = 0) -> list[np.ndarray]:
    """Everything that is told of the origins, (N, D, …)."""
    laid = lay_out(found, TICKERS, DATES, COMING)
    habit = read_habit(laid, moves, np.full_like(moves, FLAT))
    return [
        coming_reactions(laid, habit, HORIZON, spread),
        reaction_days(laid, habit),
    ]


@settings(max_examples=25)
@given(st.lists(ROW, max_size=8, unique_by=lambda row: (row[0], row[1])), st.integers(0, 99))
def test_loops_over_origins_tell_the_same(rows: list, seed: int) -> None:
    found, moves = table_of_rows(rows), random_moves(seed)
    np.testing.assert_array_equal(all_known(found, moves)[0], by_loops(found, moves))


@given(
    st.lists(ROW, max_size=10),
    st.lists(ROW, max_size=10),
    st.integers(0, len(DATES) - 2),
    st.integers(0, 2),
    st.integers(0, 99),
)
def test_nothing_that_was_not_known_at_an_origin_moves_what_it_is_told(
    rows: list, others: list, origin: int, spread: int, seed: int
) -> None:
    today = DATES[origin]
    found, moves = table_of_rows(rows), random_moves(seed)
    changed = learned_otherwise(found, table_of_rows(others), today)
    later = moves.copy()
    later[:, origin + 1 :] = random_moves(seed + 1)[:, origin + 1 :]
    for before, after_ in zip(
        all_known(found, moves, spread), all_known(changed, later, spread), strict=True
    ):
        np.testing.assert_array_equal(before[:, : origin + 1], after_[:, : origin + 1])


@settings(max_examples=50)
@given(
    st.lists(ROW, max_size=10), st.integers(20, len(DATES) - 10), st.sampled_from([0, 2]), st.integers(0, 99)
)
def test_the_last_origin_is_told_what_it_is_told_where_the_days_go_on(
    rows: list, origin: int, spread: int, seed: int
) -> None:
    found, moves = table_of_rows(rows), random_moves(seed)
    coming = next_sessions(DATES[origin], HORIZON + spread)
    laid = lay_out(found, TICKERS, DATES[: origin + 1], coming)
    past = moves[:, : origin + 1]
    habit = read_habit(laid, past, np.full_like(past, FLAT))
    told, whole = coming_reactions(laid, habit, HORIZON, spread), all_known(found, moves, spread)[0]
    np.testing.assert_array_equal(told[:, -1], whole[:, origin])
