"""Working days: Monday to Friday less the listed public and government joint holidays."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from datetime import date, timedelta
from functools import cached_property

from attrs import field, frozen

from prakerja_ledger.domain.errors import CalendarTooShort, HolidaysWithGap


@frozen(slots=False, kw_only=True)
class WorkingCalendar:
    """The working days of whole years, `first` to `last`, both inclusive.

    Outside these years nothing is known, and asking raises CalendarTooShort: a list that ends is
    not a list without holidays.
    """

    first: date
    last: date
    holidays: frozenset[date] = field(repr=False)

    @cached_property
    def working_days(self) -> tuple[date, ...]:
        """Every working day covered, in order."""
        span = (self.last - self.first).days + 1
        days = (self.first + timedelta(days=n) for n in range(span))
        return tuple(d for d in days if d.weekday() < 5 and d not in self.holidays)

    @cached_property
    def _memo(self) -> dict[tuple[date, int], date]:
        return {}

    @cached_property
    def _counts(self) -> dict[date, int]:
        return {}

    def after(self, on: date, count: int) -> date:
        """The `count`-th working day after a date; the first counted is the one after it."""
        known = self._memo.get((on, count))
        if known is None:
            index = self._counted(on) + count - 1
            if index >= len(self.working_days):
                raise self._too_short(self.last + timedelta(days=1))
            known = self._memo[on, count] = self.working_days[index]
        return known

    def between(self, after: date, until: date) -> int:
        """Working days after one date, up to and including the other."""
        return self._counted(until) - self._counted(after)

    def _counted(self, on: date) -> int:
        """Working days from the first day covered up to and including a date.

        The eve of the first day is known too: it counts none, and the days after it are listed.
        """
        if not self.first - timedelta(days=1) <= on <= self.last:
            raise self._too_short(on)
        known = self._counts.get(on)
        if known is None:
            known = self._counts[on] = bisect_right(self.working_days, on)
        return known

    def _too_short(self, needed: date) -> CalendarTooShort:
        return CalendarTooShort(first=self.first, last=self.last, needed=needed)

    def extended(self, holidays: Iterable[date]) -> WorkingCalendar:
        """The same list with further whole years; raises HolidaysWithGap where a year is skipped."""
        more = frozenset(holidays)
        years = {*range(self.first.year, self.last.year + 1), *(on.year for on in more)}
        missing = set(range(min(years), max(years))) - years
        if missing:
            raise HolidaysWithGap(missing=min(missing))
        return WorkingCalendar(
            first=date(min(years), 1, 1),
            last=date(max(years), 12, 31),
            holidays=self.holidays | more,
        )
