"""What sources say is merged: precedence, two dates of one report, moved dates, what was known when."""

import numpy as np
import pytest
from earnings_factory import EMPTY, after, day, said, written
from hypothesis import given
from hypothesis import strategies as st

from forecaster.prices.earnings.table import (
    SAME_REPORT_DAYS,
    Announcement,
    earnings_table,
    first_of_each_report,
    merge_earnings,
    reports,
)

TODAY = "2026-01-15"


def test_two_filings_within_ten_days_are_one_report_of_the_earlier_day() -> None:
    filed = said("sec", "AA 2025-04-20", "AA 2025-04-30", "AA 2025-05-01 after", "BB 2025-04-21 before")
    kept = first_of_each_report(filed)
    # The 30th is ten days after the 20th; the 1st is eleven, and a report of its own.
    assert kept.date.astype(str).tolist() == ["2025-04-20", "2025-05-01", "2025-04-21"]


def test_of_two_rows_of_one_day_that_which_says_when_is_kept() -> None:
    kept = first_of_each_report(said("a.csv", "AA 2025-04-20", "AA 2025-04-20 after"))
    assert kept.when.tolist() == ["after"]


def test_what_comes_again_changes_nothing() -> None:
    first = said("yahoo", "AA 2025-10-20 after", "AA 2026-01-20 after scheduled")
    stored = merge_earnings(EMPTY, first, day(TODAY))
    assert (stored.added, stored.changed, stored.moved) == (2, 0, ())
    again = merge_earnings(stored.table, first, day("2026-01-19"))
    assert (again.added, again.changed, again.moved) == (0, 0, ())
    assert written(again.table) == [
        "AA 2025-10-20 after reported yahoo - -",
        "AA 2026-01-20 after scheduled yahoo 2026-01-15 -",
    ]


def test_a_scheduled_date_that_took_place_is_reported_and_keeps_when_it_was_known() -> None:
    merged = merge_earnings(
        after((TODAY, said("yahoo", "AA 2026-01-20 after scheduled"))),
        said("yahoo", "AA 2026-01-20"),
        day("2026-01-22"),
    )
    assert (merged.added, merged.changed, merged.moved) == (0, 1, ())
    assert written(merged.table) == ["AA 2026-01-20 after reported yahoo 2026-01-15 -"]


@pytest.mark.parametrize(
    ("first", "then", "fetched", "known"),
    [
        pytest.param("unknown scheduled", "after scheduled", "2026-01-18", "2026-01-18", id="time, ahead"),
        pytest.param("unknown scheduled", "after reported", "2026-01-22", "2026-01-20", id="time, later"),
        pytest.param("after projected", "after scheduled", "2026-01-18", "2026-01-18", id="certain, ahead"),
        pytest.param("after projected", "after reported", "2026-01-22", "2026-01-20", id="certain, later"),
    ],
)
def test_what_is_learned_of_a_date_that_was_known_ahead_does_not_rewrite_what_was_known(
    first: str, then: str, fetched: str, known: str
) -> None:
    stored = after((TODAY, said("yahoo", f"AA 2026-01-20 {first}")))
    merged = merge_earnings(stored, said("yahoo", f"AA 2026-01-20 {then}"), day(fetched))
    assert (merged.added, merged.changed, merged.moved) == (0, 1, ())
    assert sorted(written(merged.table)) == sorted(
        [
            f"AA 2026-01-20 {first} yahoo 2026-01-15 {known}",
            f"AA 2026-01-20 {then} yahoo {known} -",
        ]
    )
    assert sorted(written(reports(merged.table))) == sorted(written(merged.table))


def test_a_time_that_another_source_learns_later_was_not_known_before() -> None:
    stored = after(
        ("2026-01-02", said("yahoo", "AA 2026-01-20 unknown scheduled")),
        ("2026-02-02", said("sec", "AA 2026-01-20 after")),
    )
    assert written(reports(stored)) == [
        "AA 2026-01-20 after reported sec 2026-01-20 -",
        "AA 2026-01-20 unknown scheduled yahoo 2026-01-02 2026-01-20",
    ]


def test_a_moved_date_is_told_and_both_are_kept_with_the_days_on_which_they_were_known() -> None:
    stored = after(("2026-01-02", said("yahoo", "AA 2026-01-20 after scheduled")))
    merged = merge_earnings(stored, said("yahoo", "AA 2026-02-03 after scheduled"), day(TODAY))
    assert [str(each) for each in merged.moved] == ["AA: moved from 2026-01-20 to 2026-02-03 (yahoo)"]
    assert written(merged.table) == [
        "AA 2026-01-20 after scheduled yahoo 2026-01-02 2026-01-15",
        "AA 2026-02-03 after scheduled yahoo 2026-01-15 -",
    ]


@pytest.mark.parametrize(
    ("came", "known"),
    [
        pytest.param("2026-01-12", "2026-01-12", id="earlier"),
        pytest.param("2026-01-27", "2026-01-27", id="later"),
    ],
)
def test_a_report_on_another_day_than_scheduled_was_known_on_that_day_only(came: str, known: str) -> None:
    stored = after(("2026-01-02", said("yahoo", "AA 2026-01-20 after scheduled")))
    merged = merge_earnings(stored, said("yahoo", f"AA {came} after"), day("2026-02-15"))
    assert len(merged.moved) == 1
    assert sorted(written(merged.table)) == sorted(
        [
            f"AA 2026-01-20 after scheduled yahoo 2026-01-02 {known}",
            f"AA {came} after reported yahoo {known} -",
        ]
    )


def test_a_source_without_its_coming_dates_takes_none_away() -> None:
    # Yahoo did so for weeks in 2025.
    stored = after((TODAY, said("yahoo", "AA 2025-10-20 after", "AA 2026-01-20 after scheduled")))
    merged = merge_earnings(stored, said("yahoo", "AA 2025-10-20 after"), day("2026-01-16"))
    assert written(merged.table) == written(stored)
    assert merged.moved == ()


def test_the_next_quarters_date_is_no_move_of_this_ones() -> None:
    stored = after((TODAY, said("yahoo", "AA 2026-01-20 after scheduled")))
    both = said("yahoo", "AA 2026-01-20 after scheduled", "AA 2026-04-21 after projected")
    assert merge_earnings(stored, both, day("2026-01-16")).moved == ()
    later = merge_earnings(stored, said("yahoo", "AA 2026-04-21 after scheduled"), day("2026-02-16"))
    assert (later.moved, later.added) == ((), 1)


def test_an_estimate_that_becomes_a_date_has_not_moved() -> None:
    stored = after(("2026-01-02", said("yahoo", "AA 2026-01-20 unknown projected")))
    merged = merge_earnings(stored, said("yahoo", "AA 2026-01-28 after scheduled"), day(TODAY))
    assert merged.moved == ()
    assert written(merged.table) == [
        "AA 2026-01-20 unknown projected yahoo 2026-01-02 2026-01-15",
        "AA 2026-01-28 after scheduled yahoo 2026-01-15 -",
    ]


def test_a_history_that_its_source_corrects_is_replaced() -> None:
    stored = after((TODAY, said("sec", "AA 2025-10-21")))
    merged = merge_earnings(stored, said("sec", "AA 2025-10-20 after"), day("2026-01-16"))
    assert (merged.added, merged.changed, merged.moved) == (0, 1, ())
    assert written(merged.table) == ["AA 2025-10-20 after reported sec - -"]


def test_sources_are_kept_apart_and_the_better_ones_date_counts() -> None:
    stored = after(
        ("2026-01-02", said("sample", "AA 2025-07-20")),
        ("2026-01-02", said("yahoo", "AA 2025-07-21 after", "AA 2025-10-20 before", "BB 2025-10-20")),
        ("2026-01-02", said("sec", "AA 2025-07-22", "AA 2025-10-20")),
        ("2026-01-03", said("own.csv", "AA 2025-04-22 after", "AA 2025-07-23")),
    )
    assert len(stored) == 8
    assert written(reports(stored)) == [
        "AA 2025-04-22 after reported own.csv - -",
        "AA 2025-07-23 unknown reported own.csv - -",
        "AA 2025-10-20 before reported sec - -",  # the SEC's date, and the time of day that Yahoo has
        "BB 2025-10-20 unknown reported yahoo - -",
    ]


def test_filings_alone_tell_no_date_ahead() -> None:
    stored = after(
        ("2026-01-02", said("sec", "AA 2025-07-22", "AA 2025-10-20 after", "BB 2025-10-20")),
        ("2026-01-03", said("yahoo", "BB 2026-01-20 after scheduled")),
    )
    assert written(reports(stored)) == [
        "AA 2025-07-22 unknown reported sec 2025-07-22 -",
        "AA 2025-10-20 after reported sec 2025-10-20 -",
        "BB 2025-10-20 unknown reported sec - -",  # Yahoo tells of this company's ahead
        "BB 2026-01-20 after scheduled yahoo 2026-01-03 -",
    ]


def test_another_file_is_the_same_source() -> None:
    stored = after(
        ("2026-01-02", said("a.csv", "AA 2026-01-20 after scheduled")),
        ("2026-01-09", said("b.csv", "AA 2026-01-22 after scheduled")),
    )
    assert [row.split()[4:] for row in written(stored)] == [
        ["a.csv", "2026-01-02", "2026-01-09"],
        ["b.csv", "2026-01-09", "-"],
    ]


def test_what_yahoo_scheduled_and_the_sec_knows_better_was_believed_until_then() -> None:
    stored = after(
        ("2026-01-02", said("yahoo", "AA 2026-01-20 after scheduled", "BB 2026-01-20 after scheduled")),
        ("2026-02-02", said("sec", "AA 2026-01-22 before", "BB 2026-01-20")),
    )
    assert written(reports(stored)) == [
        "AA 2026-01-20 after scheduled yahoo 2026-01-02 2026-01-22",
        "AA 2026-01-22 before reported sec 2026-01-22 -",
        "BB 2026-01-20 after reported sec 2026-01-02 -",
    ]


def test_a_file_overrules_a_scheduled_date_from_the_day_of_its_import() -> None:
    stored = after(
        ("2026-01-02", said("yahoo", "AA 2026-01-20 after scheduled")),
        ("2026-01-09", said("own.csv", "AA 2026-01-22 after scheduled")),
    )
    assert written(reports(stored)) == [
        "AA 2026-01-20 after scheduled yahoo 2026-01-02 2026-01-09",
        "AA 2026-01-22 after scheduled own.csv 2026-01-09 -",
    ]


SOURCES = ("own.csv", "sec", "yahoo")
FETCHES = st.lists(
    st.tuples(
        st.sampled_from(SOURCES),
        st.lists(st.tuples(st.sampled_from(["AA", "BB"]), st.integers(-120, 120)), min_size=1, max_size=6),
        st.integers(0, 20),
    ),
    min_size=1,
    max_size=5,
)


@given(FETCHES)
def test_whatever_comes_no_source_has_two_dates_of_a_report_and_nothing_is_rewritten(
    fetches: list[tuple[str, list[tuple[str, int]], int]],
) -> None:
    stored, today = EMPTY, day(TODAY)
    for source, rows, passed in fetches:
        today = today + passed
        table = earnings_table([Announcement(name, day(TODAY) + shift) for name, shift in rows], source)
        before, stored = stored, merge_earnings(stored, table, today).table
        assert set(written(stored)) >= set(written(before.take(~before.live)))
        for each in SOURCES:
            live = stored.take(stored.live & (stored.source == each))
            assert len(first_of_each_report(live)) == len(live) if len(live) else True
        assert merge_earnings(stored, table, today).table.date.tolist() == stored.date.tolist()
    found = reports(stored)
    live = found.take(found.live)
    for ticker in ("AA", "BB"):
        gaps = np.diff(live.of([ticker]).date).astype(int)
        assert (gaps > SAME_REPORT_DAYS).all()
    gone = found.take(~found.live)
    assert (gone.announced < gone.withdrawn).all()
