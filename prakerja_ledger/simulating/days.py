"""Days and times in bulk: the working calendar and the calendar months of the domain, as arrays.

A day is a number, 0 for 1 January 2020; a time is in seconds since that day's midnight in WIB. The
arrays are made from `WorkingCalendar` and `months_after`, so that a simulated payment falls due
by the same law as a recorded one.
"""

from __future__ import annotations

from datetime import date, timedelta
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from prakerja_ledger.domain.holidays import INDONESIA
from prakerja_ledger.domain.time import WIB, months_after
from prakerja_ledger.simulating.drawing import Flags, Ints

DAY: Final = 86_400
FIRST: Final = INDONESIA.first
LAST: Final = (INDONESIA.last - FIRST).days
EPOCH: Final = (FIRST - date(1970, 1, 1)).days * DAY - int(WIB.total_seconds())
"""Seconds from 1970 (UTC) to time 0."""


def number_of(on: date) -> int:
    """The number of a day."""
    return (on - FIRST).days


def day_of(at: Ints) -> Ints:
    """The day of each time."""
    return at // DAY


def midnight(on: date) -> int:
    """The first second of a day."""
    return number_of(on) * DAY


_WORKING: Final = np.array([number_of(on) for on in INDONESIA.working_days], dtype=np.int64)
_COUNTED: Final = np.searchsorted(_WORKING, np.arange(LAST + 1), side="right").astype(np.int64)
"""Working days up to and including each day."""


def working_days_after(days: Ints, count: int | Ints) -> Ints:
    """The count-th working day after each; for 0 the day itself, or the next working day."""
    counts = np.asarray(count, dtype=np.int64)
    eve = np.where(counts == 0, days - 1, days)
    found: Ints = _WORKING[_COUNTED[eve] + np.maximum(counts, 1) - 1]
    return found


@lru_cache(maxsize=8)
def _later(months: int) -> Ints:
    out = np.empty(LAST + 1, dtype=np.int64)
    for n in range(LAST + 1):
        later = months_after(FIRST + timedelta(days=n), months)
        assert later is not None, "the calendar ends long before the years do"
        out[n] = number_of(later)
    return out


def months_later(days: Ints, months: int) -> Ints:
    """The same day so many months later, or the month's last."""
    found: Ints = _later(months)[days]
    return found


def within(days: Ints, first: date, last: date) -> Flags:
    """Which days lie between two, both inclusive."""
    flags: Flags = (days >= number_of(first)) & (days <= number_of(last))
    return flags


# Text: a time is YYYY-MM-DDTHH:MM:SS+07:00, put together from tables of days and of seconds

TEXT_WIDTH: Final = 25


@lru_cache(maxsize=1)
def _tables() -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    days = b"".join(
        (FIRST + timedelta(days=n)).isoformat().encode() + b"T" for n in range(LAST + 1)
    )
    clocks = b"".join(
        b"%02d:%02d:%02d+07:00" % (n // 3_600, n // 60 % 60, n % 60) for n in range(DAY)
    )
    return (
        np.frombuffer(days, dtype=np.uint8).reshape(-1, 11),
        np.frombuffer(clocks, dtype=np.uint8).reshape(-1, 14),
    )


def as_text(at: Ints) -> NDArray[np.uint8]:
    """Each time as 25 bytes of text, one row each."""
    days, clocks = _tables()
    out = np.empty((len(at), TEXT_WIDTH), dtype=np.uint8)
    out[:, :11] = days[at // DAY]
    out[:, 11:] = clocks[at % DAY]
    return out
