"""Dates and instants of the programme: everything is seen from WIB (UTC+7).

An `Instant` is the WIB wall clock written `YYYY-MM-DDTHH:MM:SS[.fraction]`, the fraction exact and
without trailing zeros. Years have four digits, so plain string comparison is the order of time at
any precision, and the WIB date is the first ten characters. A datetime would cut the fraction at
microseconds; two facts that differ by a nanosecond would become equal, and their order a guess.
"""

from __future__ import annotations

import calendar
import re
from datetime import date, datetime, timedelta, timezone
from functools import lru_cache
from typing import Final, NewType

from prakerja_ledger.domain.errors import InvalidDate, InvalidTimestamp

Instant = NewType("Instant", str)
"""The WIB wall clock as text, exact; `instant` and `known_at` make one."""

WIB: Final = timedelta(hours=7)
_WIB_ZONE: Final = timezone(WIB)
LONGEST_TEXT: Final = 200
_RFC3339 = re.compile(
    r"(\d{4}-\d\d-\d\d)[Tt]((?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d)(?:\.(\d+))?"
    r"([Zz]|[+-](?:[01]\d|2[0-3]):[0-5]\d)",
    re.ASCII,
).fullmatch
_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII).fullmatch
_INSTANT = re.compile(
    r"(\d{4}-\d\d-\d\d)T(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d*[1-9])?", re.ASCII
).fullmatch


@lru_cache(maxsize=1 << 16)
def day(text: str) -> date:
    """The date that `YYYY-MM-DD` names. Raises InvalidDate for another form or no real day."""
    if not _DATE(text):
        raise InvalidDate(found=repr(text))
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise InvalidDate(found=repr(text)) from None


_IN_WIB_WITHOUT_FRACTION: Final = len("2020-05-19T10:00:00+07:00")
_days: set[str] = set()
_clocks: set[str] = set()
"""Days and times of day met before, and so known to be valid; there are few of either."""
_MOST_KNOWN: Final = 1 << 17


def instant(text: str) -> Instant:
    """The instant of an RFC 3339 timestamp with offset. Raises InvalidTimestamp."""
    if (
        len(text) == _IN_WIB_WITHOUT_FRACTION
        and text[19:] == "+07:00"
        and text[10] == "T"
        and text[:10] in _days
        and text[11:19] in _clocks
    ):
        return Instant(text[:19])
    return _instant(text)


def _instant(text: str) -> Instant:
    match = _RFC3339(text)
    if match is None or len(text) > LONGEST_TEXT:
        raise InvalidTimestamp(found=repr(text[:60]))
    on, clock, fraction, offset = match.groups()
    try:
        day(on)
        _remember(on, clock)
        if offset != "+07:00":
            on, clock = _seen_from_wib(on, clock, offset)
    except (InvalidDate, OverflowError):
        raise InvalidTimestamp(found=repr(text[:60])) from None
    if fraction is not None:
        digits = fraction.rstrip("0")
        if digits:
            return Instant(f"{on}T{clock}.{digits}")
    return Instant(f"{on}T{clock}")


def _remember(on: str, clock: str) -> None:
    if len(_days) < _MOST_KNOWN:
        _days.add(on)
    _clocks.add(clock)


def _seen_from_wib(on: str, clock: str, offset: str) -> tuple[str, str]:
    # One step: by way of UTC, the first hours of year 1 would leave the range of dates.
    moved = datetime.fromisoformat(f"{on}T{clock}") + (WIB - _offset(offset))
    on, _, clock = moved.isoformat().partition("T")
    return on, clock


@lru_cache(maxsize=4096)
def _offset(text: str) -> timedelta:
    if text in "Zz":
        return timedelta(0)
    size = timedelta(hours=int(text[1:3]), minutes=int(text[4:6]))
    return -size if text[0] == "-" else size


def date_of(at: Instant) -> date:
    """The WIB date on which an instant falls."""
    return day(at[:10])


def end_of(on: date) -> Instant:
    """The last microsecond of a day in WIB: what a date means where an instant is asked for."""
    return Instant(f"{on.isoformat()}T23:59:59.999999")


def after_all_of(on: date) -> str:
    """A bound above every instant of that day, at any precision, and below the next day's."""
    return f"{on.isoformat()}U"  # "U" follows "T", the sign between date and clock


def known_at(text: str) -> Instant:
    """K as a user writes it: an instant, or a date that means its end in WIB."""
    return end_of(day(text)) if _DATE(text) else instant(text)


def is_instant(value: object) -> bool:
    """Whether a value is an instant as this module makes it."""
    match = _INSTANT(value) if isinstance(value, str) else None
    if match is None:
        return False
    try:
        day(match[1])
    except InvalidDate:
        return False
    return True


def in_utc(at: Instant) -> str:
    """An instant as RFC 3339 in UTC, exact fraction, `Z`.

    By hand: the first hours of year 1 in WIB lie in year 0 in UTC, where no date of Python's reaches.
    """
    hour = int(at[11:13]) - 7
    if hour >= 0:
        on = at[:10]
    else:
        hour += 24
        before = day(at[:10]).toordinal() - 1
        on = date.fromordinal(before).isoformat() if before else "0000-12-31"
    return f"{on}T{hour:02}{at[13:]}Z"


def in_wib(at: Instant) -> str:
    """An instant as RFC 3339 with WIB's offset."""
    return f"{at}+07:00"


def instant_of(moment: datetime) -> Instant:
    """The instant of an aware datetime. Raises InvalidTimestamp for a naive one."""
    if moment.utcoffset() is None:
        raise InvalidTimestamp(found=repr(moment.isoformat()))
    try:
        clock = moment.astimezone(_WIB_ZONE).isoformat()[: -len("+07:00")]
    except (OverflowError, ValueError):
        raise InvalidTimestamp(found=repr(moment.isoformat())) from None
    return Instant(clock.rstrip("0") if "." in clock else clock)


@lru_cache(maxsize=1 << 14)
def months_after(on: date, months: int) -> date | None:
    """The same day of a later month, or the month's last day; None past year 9999."""
    index = on.month - 1 + months
    year, month = on.year + index // 12, index % 12 + 1
    if year > date.max.year:
        return None
    return date(year, month, min(on.day, calendar.monthrange(year, month)[1]))


@lru_cache(maxsize=1 << 14)
def days_after(on: date, days: int) -> date | None:
    """The date that many calendar days later; None past year 9999."""
    try:
        return on + timedelta(days=days)
    except OverflowError:
        return None
