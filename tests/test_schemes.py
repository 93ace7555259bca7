"""The numbers of the law: what each scheme pays, by when, and on which days the programme works."""

from __future__ import annotations

import csv
from datetime import date, timedelta

import pytest

from prakerja_ledger.domain.calendar import WorkingCalendar
from prakerja_ledger.domain.errors import CalendarTooShort, HolidaysWithGap, UnknownScheme
from prakerja_ledger.domain.holidays import INDONESIA
from prakerja_ledger.domain.schemes import KARTU_PRAKERJA, Instalments, Scheme

AMOUNTS = {
    "semi-bansos-2020": (1, 11, 1_000_000, 4, 600_000, 3, 50_000, 3_550_000),
    "semi-bansos-2021": (12, 22, 1_000_000, 4, 600_000, 3, 50_000, 3_550_000),
    "semi-bansos-2022": (23, 47, 1_000_000, 4, 600_000, 3, 50_000, 3_550_000),
    "normal-2023": (48, 64, 3_500_000, 1, 600_000, 2, 50_000, 4_200_000),
    "normal-2024": (65, None, 3_500_000, 1, 600_000, 2, 50_000, 4_200_000),
}
WINDOWS = {
    "semi-bansos-2020": (7, 14, 30),
    "semi-bansos-2021": (5, 14, 30),
    "semi-bansos-2022": (5, 14, 30),
    "normal-2023": (5, 14, 15),
    "normal-2024": (5, 14, 15),
}
CUT_OFFS = {
    "semi-bansos-2020": ("2020-12-15", "2020-12-15", "2021-03-04", "2020-12-15"),
    "semi-bansos-2021": (None, "2021-12-10", "2021-12-15", None),
    "semi-bansos-2022": (None, None, None, None),
    "normal-2023": (None, None, None, None),
    "normal-2024": (None, None, None, None),
}


def test_the_schemes_are_five():
    assert list(KARTU_PRAKERJA.schemes) == list(AMOUNTS) == list(WINDOWS) == list(CUT_OFFS)


@pytest.mark.parametrize("name", AMOUNTS)
def test_a_scheme_pays_what_the_law_says(name):
    scheme = KARTU_PRAKERJA.scheme(name)
    last = scheme.waves[-1]
    assert (
        scheme.waves[0],
        last if last < 1_000 else None,
        scheme.training_balance,
        scheme.post_training.count,
        scheme.post_training.each,
        scheme.survey.count,
        scheme.survey.each,
        scheme.total,
    ) == AMOUNTS[name]


@pytest.mark.parametrize("name", WINDOWS)
def test_a_scheme_pays_within_the_days_that_the_law_says(name):
    scheme = KARTU_PRAKERJA.scheme(name)
    assert (
        scheme.payment_window_working_days,
        scheme.survey_payment_days,
        scheme.first_purchase_days,
    ) == WINDOWS[name]


@pytest.mark.parametrize("name", CUT_OFFS)
def test_a_scheme_ends_on_the_days_that_the_law_says(name):
    scheme = KARTU_PRAKERJA.scheme(name)
    assert tuple(
        on and on.isoformat()
        for on in (
            scheme.first_course_by,
            scheme.surveys_by,
            scheme.account_linked_by,
            scheme.training_used_by,
        )
    ) == CUT_OFFS[name]


def test_every_wave_belongs_to_exactly_one_scheme():
    for wave in range(1, 200):
        assert len([s for s in KARTU_PRAKERJA.schemes.values() if wave in s.waves]) == 1


def test_every_scheme_names_its_sources():
    assert all(scheme.sources for scheme in KARTU_PRAKERJA.schemes.values())


def test_a_programme_registers_a_scheme_of_its_own_and_the_shipped_one_stays_as_it_is():
    pilot = Scheme(
        id="pilot",
        waves=range(72, 73),
        training_balance=1,
        post_training=Instalments(1, each=2),
        survey=Instalments(1, each=3),
        payment_window_working_days=5,
        survey_payment_days=14,
        first_purchase_days=15,
    )
    extended = KARTU_PRAKERJA.registering(pilot)
    assert extended.scheme("pilot").total == 6
    with pytest.raises(UnknownScheme):
        KARTU_PRAKERJA.scheme("pilot")


def test_the_shipped_holidays_are_the_listed_ones(shared):
    with (shared / "data" / "working-day-holidays.csv").open(encoding="utf-8", newline="") as file:
        listed = {date.fromisoformat(row["date"]) for row in csv.DictReader(file)}
    assert INDONESIA.holidays == listed
    assert (INDONESIA.first, INDONESIA.last) == (date(2020, 1, 1), date(2027, 12, 31))


def test_a_working_day_is_monday_to_friday_and_no_holiday():
    days = (INDONESIA.first + timedelta(days=n) for n in range(8 * 365 + 2))
    expected = [d for d in days if d.weekday() < 5 and d not in INDONESIA.holidays]
    assert list(INDONESIA.working_days) == expected


def test_the_first_working_day_counted_is_the_one_after():
    friday, monday = date(2020, 7, 3), date(2020, 7, 6)
    assert INDONESIA.after(friday, 1) == monday
    assert INDONESIA.between(friday, monday) == 1


def test_a_working_day_beyond_the_list_is_not_guessed():
    with pytest.raises(CalendarTooShort) as caught:
        INDONESIA.after(date(2027, 12, 30), 5)
    assert caught.value.fields["needed"] == date(2028, 1, 1)
    with pytest.raises(CalendarTooShort):
        INDONESIA.between(date(2027, 12, 30), date(2028, 1, 1))


def test_the_list_is_extended_by_whole_years():
    longer = INDONESIA.extended([date(2028, 1, 3)])
    assert longer.last == date(2028, 12, 31)
    assert longer.after(date(2027, 12, 30), 2) == date(2028, 1, 4)


def test_a_year_without_any_holiday_is_a_gap():
    with pytest.raises(HolidaysWithGap) as caught:
        INDONESIA.extended([date(2029, 1, 1)])
    assert caught.value.fields["missing"] == 2028


def test_a_calendar_knows_its_first_day():
    calendar = WorkingCalendar(
        first=date(2020, 1, 1), last=date(2020, 12, 31), holidays=frozenset({date(2020, 1, 1)})
    )
    assert calendar.after(date(2019, 12, 31), 1) == date(2020, 1, 2)
    with pytest.raises(CalendarTooShort):
        calendar.after(date(2019, 12, 30), 1)
