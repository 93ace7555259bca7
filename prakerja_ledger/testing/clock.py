"""A clock that a test moves."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta, timezone

from prakerja_ledger.domain.fields import wrong
from prakerja_ledger.domain.phrases import Phrase

_WIB = timezone(timedelta(hours=7))


class TestClock:
    """Stands still until it is moved. Given to `Ledger.open(…, clock=clock)`.

    Begins at `now`. Raises InvalidField where that is no aware datetime.
    """

    __test__ = False  # no test class, whatever its name begins with

    def __init__(self, now: datetime) -> None:
        if now.utcoffset() is None:
            raise wrong("now", now, Phrase("an aware datetime"))
        self.now: datetime = now.astimezone(UTC)

    def __call__(self) -> datetime:
        return self.now

    def pass_by(self, **lapse: float) -> None:
        """Move on by so much: `days=3`, `hours=2` … as `timedelta` takes it."""
        self.now += timedelta(**lapse)

    def set_to(self, on: date | datetime) -> None:
        """Stand at a moment, or at 09:00 in WIB of a day; also of one that is past."""
        if isinstance(on, datetime):
            self.now = TestClock(on).now
        else:
            self.now = datetime.combine(on, time(9), tzinfo=_WIB).astimezone(UTC)
