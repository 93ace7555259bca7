"""Dates and instants: RFC 3339 in, WIB inside, exact at any precision."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prakerja_ledger.domain.errors import InvalidDate, InvalidTimestamp
from prakerja_ledger.domain.time import (
    after_all_of, date_of, day, days_after, end_of, in_utc, in_wib, instant, instant_of, known_at,
    months_after,
)  # fmt: skip
from prakerja_ledger.testing.strategies import timestamps


def exact(text: str) -> Fraction:
    """The instant of a timestamp as seconds, worked out another way."""
    text = text.upper()
    body, offset = (text[:-1], "+00:00") if text[-1] == "Z" else (text[:-6], text[-6:])
    clock, _, digits = body.partition(".")
    whole = datetime.fromisoformat(clock + offset) - datetime(1970, 1, 1, tzinfo=UTC)
    fraction = Fraction(int(digits), 10 ** len(digits)) if digits else Fraction(0)
    return Fraction(whole // timedelta(seconds=1)) + fraction


@given(timestamps(), timestamps())
def test_instants_compare_as_what_they_name_at_any_precision(one, other):
    assert (instant(one) < instant(other)) == (exact(one) < exact(other))
    assert (instant(one) == instant(other)) == (exact(one) == exact(other))


@given(timestamps())
def test_the_date_of_an_instant_is_its_date_in_wib(text):
    moved = datetime(1970, 1, 1) + timedelta(seconds=int(exact(text) // 1), hours=7)
    assert date_of(instant(text)) == moved.date()


@given(timestamps())
def test_an_instant_written_again_is_the_same_instant(text):
    at = instant(text)
    assert instant(in_utc(at)) == instant(in_wib(at)) == at


@given(timestamps())
def test_an_instant_lies_before_the_end_of_its_day_and_after_that_of_the_day_before(text):
    at = instant(text)
    on = date_of(at)
    assert after_all_of(on - timedelta(days=1)) < at < after_all_of(on)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2020-05-19T10:00:00+07:00", "2020-05-19T10:00:00"),
        ("2020-05-19T03:00:00Z", "2020-05-19T10:00:00"),
        ("2020-05-19t03:00:00z", "2020-05-19T10:00:00"),
        ("2020-05-18T17:00:00Z", "2020-05-19T00:00:00"),
        ("2020-05-18T16:59:59.5000Z", "2020-05-18T23:59:59.5"),
        ("2020-05-19T10:00:00.000+07:00", "2020-05-19T10:00:00"),
        ("2020-05-19T10:00:00-00:00", "2020-05-19T17:00:00"),
        ("2020-05-19T10:00:00+23:59", "2020-05-18T17:01:00"),
        ("0001-01-01T00:00:00+07:00", "0001-01-01T00:00:00"),
        ("9999-12-31T16:59:59.9Z", "9999-12-31T23:59:59.9"),
        ("2020-02-29T00:00:00+07:00", "2020-02-29T00:00:00"),
    ],
)
def test_a_timestamp_is_read_as_the_wib_clock(text, expected):
    assert instant(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "2020-05-19 10:00:00+07:00", "2020-05-19T10:00:60+07:00", "2020-05-19T24:00:00+07:00",
        "2020-05-19T10:60:00+07:00", "2020-05-19T10:00:00", "2020-05-19T10:00:00+0700",
        "2020-05-19T10:00:00+24:00", "2020-05-19T10:00:00+07:60", "2020-05-19T10:00:00.+07:00",
        "2020-05-19T10:00:00,5+07:00", "2020-05-19T10:00+07:00", "2021-02-29T10:00:00+07:00",
        "0000-05-19T10:00:00+07:00", "10000-01-01T00:00:00Z", "0001-01-01T00:00:00+07:01",
        "9999-12-31T17:00:00Z", "2020-05-19T10:00:00+07:00\n", "２０２０-05-19T10:00:00Z",
        "2020-05-19T10:00:00.٥Z", "", "now", "2020-05-19T10:00:00." + "0" * 180 + "Z",
    ],
)  # fmt: skip
def test_any_other_text_is_no_timestamp(text):
    with pytest.raises(InvalidTimestamp) as raised:
        instant(text)
    assert str(raised.value).startswith(f"{text[:60]!r} is not an RFC 3339 timestamp with offset")


def test_a_timestamp_of_the_longest_length_is_read():
    text = "2020-05-19T10:00:00." + "0" * (200 - 21 - 1) + "1Z"
    assert len(text) == 200
    assert instant(text).endswith("01")


@pytest.mark.parametrize("text", ["2020-02-30", "2021-02-29", "20200519", "2020-5-19", "", " ",
                                  "2020-05-19Z", "0000-01-01", "２０２０-05-19", "2020-W01-1"])  # fmt: skip
def test_a_text_that_is_no_real_day_is_no_date(text):
    with pytest.raises(InvalidDate) as raised:
        day(text)
    assert str(raised.value) == (
        f"{text!r} is not a date. Write it as YYYY-MM-DD, such as 2020-07-02."
    )


def test_a_date_where_an_instant_is_asked_for_means_its_last_microsecond():
    assert known_at("2020-07-02") == end_of(date(2020, 7, 2)) == "2020-07-02T23:59:59.999999"


def test_an_instant_where_an_instant_is_asked_for_is_itself():
    assert known_at("2020-07-02T00:00:00Z") == "2020-07-02T07:00:00"


@pytest.mark.parametrize(
    ("at", "expected"),
    [
        ("2020-07-02T23:59:59.999999", "2020-07-02T16:59:59.999999Z"),
        ("2020-07-02T06:59:59", "2020-07-01T23:59:59Z"),
        ("2020-01-01T00:00:00.5", "2019-12-31T17:00:00.5Z"),
        ("0001-01-01T07:00:00", "0001-01-01T00:00:00Z"),
        ("0001-01-01T06:59:59", "0000-12-31T23:59:59Z"),
        ("9999-12-31T23:59:59", "9999-12-31T16:59:59Z"),
    ],
)
def test_an_instant_in_utc(at, expected):
    assert in_utc(at) == expected


def test_an_aware_datetime_is_an_instant():
    moment = datetime(2020, 7, 2, 5, tzinfo=timezone(timedelta(hours=2)))
    assert instant_of(moment) == "2020-07-02T10:00:00"


def test_a_naive_datetime_is_refused():
    """Without a time zone nobody can say which instant it is."""
    with pytest.raises(InvalidTimestamp):
        instant_of(datetime(2020, 7, 2))


# --- months and days ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("on", "months", "expected"),
    [
        ("2021-01-31", 1, "2021-02-28"),
        ("2020-01-31", 1, "2020-02-29"),
        ("2020-10-31", 1, "2020-11-30"),
        ("2020-11-30", 3, "2021-02-28"),
        ("2020-12-31", 1, "2021-01-31"),
        ("2020-05-04", 12, "2021-05-04"),
        ("2020-02-29", 12, "2021-02-28"),
        ("2020-01-31", 0, "2020-01-31"),
        ("9999-11-30", 1, "9999-12-30"),
    ],
)
def test_months_later_is_the_same_day_or_the_months_last(on, months, expected):
    assert months_after(date.fromisoformat(on), months) == date.fromisoformat(expected)


@given(st.dates(max_value=date(9000, 1, 1)), st.integers(0, 600))
def test_months_later_is_never_a_day_later_in_its_month(on, months):
    later = months_after(on, months)
    assert later.day <= on.day
    assert (later.year - on.year) * 12 + later.month - on.month == months


def test_past_the_last_year_there_is_no_month():
    assert months_after(date(9999, 12, 1), 1) is None


def test_days_later():
    assert days_after(date(2020, 2, 28), 2) == date(2020, 3, 1)


def test_past_the_last_day_there_is_no_day():
    assert days_after(date(9999, 12, 31), 1) is None
