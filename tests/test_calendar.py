"""Working days: Monday to Friday less Indonesia's public and government joint holidays."""

from __future__ import annotations

import csv
from datetime import date, timedelta

import pytest
from attrs import evolve
from hypothesis import assume, given
from hypothesis import strategies as st

from prakerja_ledger.domain.calendar import WorkingCalendar
from prakerja_ledger.domain.errors import CalendarTooShort, HolidaysWithGap
from prakerja_ledger.domain.holidays import INDONESIA, LISTED
from prakerja_ledger.domain.schemes import KARTU_PRAKERJA
from prakerja_ledger.reading.statement import Status
from prakerja_ledger.testing.strategies import working_spans
from tests.support import (
    bought, certified, completed, enrolled, line_of, rated, statement_of,
)  # fmt: skip

COVERED = st.dates(date(2020, 1, 1), date(2027, 12, 31))


def is_working_day(on: date) -> bool:
    return on.weekday() < 5 and on not in INDONESIA.holidays


def test_the_holidays_are_the_list_of_the_contract(shared):
    with (shared / "data" / "working-day-holidays.csv").open(encoding="utf-8", newline="") as file:
        rows = [f"{row['date']} {row['name']}" for row in csv.DictReader(file)]
    assert LISTED.splitlines() == rows


def test_every_year_covered_lists_holidays():
    assert {on.year for on in INDONESIA.holidays} == set(range(2020, 2028))
    assert (INDONESIA.first, INDONESIA.last) == (date(2020, 1, 1), date(2027, 12, 31))


def test_a_working_day_is_monday_to_friday_and_no_holiday():
    days = (INDONESIA.first + timedelta(days=n) for n in range(8 * 365 + 2))
    assert list(INDONESIA.working_days) == list(filter(is_working_day, days))


@pytest.mark.parametrize(
    ("on", "count", "expected"),
    [
        ("2020-05-04", 7, "2020-05-14"),  # Vesak Day on Thursday the 7th
        ("2020-05-19", 7, "2020-06-02"),  # Ascension, Eid and its second day, Pancasila Day
        ("2020-05-22", 1, "2020-05-26"),  # Friday before Eid: Monday is its second day
        ("2020-05-23", 1, "2020-05-26"),  # a Saturday counts from the next working day too
        ("2020-12-23", 1, "2020-12-28"),  # Christmas and its joint holiday
        ("2021-05-11", 1, "2021-05-17"),
        ("2019-12-31", 1, "2020-01-02"),  # the eve of the first day covered is known
    ],
)
def test_a_working_day_after_a_date_passes_over_weekends_and_holidays(on, count, expected):
    assert INDONESIA.after(date.fromisoformat(on), count) == date.fromisoformat(expected)


@given(COVERED, st.integers(1, 30))
def test_the_nth_working_day_after_is_reached_by_walking(on, count):
    """Day by day, counting only working days, the day itself not counted."""
    walked, left = on, count
    while left and walked < date(2027, 12, 31):
        walked += timedelta(days=1)
        left -= is_working_day(walked)
    assume(not left)
    assert INDONESIA.after(on, count) == walked


@given(working_spans())
def test_working_days_between_are_those_after_the_first_up_to_the_last(span):
    first, last = span
    days = (first + timedelta(days=n) for n in range(1, (last - first).days + 1))
    assert INDONESIA.between(first, last) == sum(map(is_working_day, days))


@given(COVERED, st.integers(1, 30))
def test_after_and_between_are_inverse(on, count):
    try:
        there = INDONESIA.after(on, count)
    except CalendarTooShort:
        assume(False)
    assert INDONESIA.between(on, there) == count


def test_asking_twice_gives_the_same_day():
    assert INDONESIA.after(date(2020, 5, 4), 7) is INDONESIA.after(date(2020, 5, 4), 7)


# --- where the list ends ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ask", "needed"),
    [
        (lambda: INDONESIA.after(date(2027, 12, 30), 2), "2028-01-01"),
        (lambda: INDONESIA.after(date(2028, 1, 1), 1), "2028-01-01"),
        (lambda: INDONESIA.after(date(2019, 12, 30), 1), "2019-12-30"),
        (lambda: INDONESIA.between(date(2027, 12, 30), date(2028, 1, 1)), "2028-01-01"),
    ],
    ids=["counting past the last day", "after the last day", "before the first", "until after"],
)
def test_a_day_outside_the_list_is_an_error_that_says_how_to_extend_it(ask, needed):
    with pytest.raises(CalendarTooShort) as raised:
        ask()
    assert str(raised.value) == (
        f"the list of working-day holidays covers 2020-01-01 to 2027-12-31, and {needed} lies "
        "outside. Extend it: write a CSV file with the columns date,name that lists the holidays of "
        "the missing years, and name it with --holidays FILE."
    )


def test_the_last_day_of_the_list_can_still_be_reached():
    assert INDONESIA.after(date(2027, 12, 30), 1) == date(2027, 12, 31)


def test_a_list_is_extended_by_whole_years():
    longer = INDONESIA.extended([date(2028, 1, 3)])
    assert (longer.first, longer.last) == (date(2020, 1, 1), date(2028, 12, 31))
    assert longer.after(date(2027, 12, 31), 1) == date(2028, 1, 4)


def test_a_list_is_extended_backwards_too():
    longer = INDONESIA.extended([date(2019, 12, 25), date(2018, 12, 25)])
    assert longer.first == date(2018, 1, 1)
    assert longer.after(date(2019, 12, 24), 1) == date(2019, 12, 26)


def test_an_extension_may_add_a_holiday_to_a_year_that_is_listed():
    """A holiday declared late moves a due date; the shorter list is left as it was."""
    longer = INDONESIA.extended([date(2020, 5, 5)])
    assert longer.after(date(2020, 5, 4), 1) == date(2020, 5, 6)
    assert INDONESIA.after(date(2020, 5, 4), 1) == date(2020, 5, 5)


def test_an_extension_by_nothing_is_the_same_list():
    assert INDONESIA.extended([]) == INDONESIA


@pytest.mark.parametrize(
    ("holidays", "missing"),
    [([date(2029, 1, 1)], 2028), ([date(2018, 1, 1)], 2019)],
    ids=["after", "before"],
)
def test_a_year_that_is_skipped_cannot_be_told_from_one_without_holidays(holidays, missing):
    with pytest.raises(HolidaysWithGap) as raised:
        INDONESIA.extended(holidays)
    assert str(raised.value) == (
        f"the holidays skip the year {missing}: a year without any listed holiday cannot be told "
        "from one that is not listed. Add the holidays of every year in between."
    )


# --- a statement at the end of the list --------------------------------------------------------------

LATE = (
    enrolled("2027-11-01", wave=70, scheme="normal-2024")
    + bought(on="2027-11-02")
    + completed(on="2027-12-20")
    + certified(on="2027-12-20")
)


def test_an_earned_line_whose_due_date_lies_beyond_the_list_withholds_the_statement():
    with pytest.raises(CalendarTooShort):
        statement_of(LATE + rated(on="2027-12-29"), "2027-12-31")


def test_a_line_not_yet_earned_whose_due_date_lies_beyond_the_list_has_none():
    """Earned in the future, or by a month to come: the date is null and nothing is withheld."""
    history = [event for event in LATE if "enrolled" not in event["type"]]
    history = enrolled("2027-11-01", wave=30, scheme="semi-bansos-2022") + history
    line = line_of(history + rated(on="2027-12-21"), "2027-12-31", "post-training/2")
    assert (line.status, line.earned_on, line.due_on) == (
        Status.SCHEDULED, date(2028, 1, 21), None,
    )  # fmt: skip


def test_days_overdue_beyond_the_list_withhold_the_statement():
    history = LATE + rated(on="2027-12-21")
    assert line_of(history, "2027-12-31").overdue_working_days == 2
    with pytest.raises(CalendarTooShort):
        statement_of(history, "2028-01-01")


def test_an_extended_list_gives_the_statement():
    programme = evolve(KARTU_PRAKERJA, calendar=INDONESIA.extended([date(2028, 1, 3)]))
    line = line_of(LATE + rated(on="2027-12-29"), "2028-01-31", programme=programme)
    assert line.due_on == date(2028, 1, 6)


def test_a_calendar_of_its_own_covers_whole_years():
    calendar = WorkingCalendar(
        first=date(2030, 1, 1), last=date(2030, 12, 31), holidays=[date(2030, 1, 1)]
    )
    assert len(calendar.working_days) == 260
