"""Clocks for the ledger: one that goes on, and ones that jump between two looks at them."""

from __future__ import annotations

import random
import threading
from datetime import UTC, datetime, timedelta

START = datetime(2020, 5, 20, 2, 0, tzinfo=UTC)
YEAR = timedelta(days=365)
MIDNIGHT_IN_WIB = timedelta(hours=17)
"""00:00 in Jakarta, since 00:00 UTC."""

FORMS = {
    "backward": "jumps back by hours to years, to before the last payment",
    "forward": "jumps on by hours to years, and back",
    "midnight": "stands beside midnight in WIB, now before it and now after it",
}


class Clock:
    """Goes on by itself where a run asks it to; `form` says how it lies when it is looked at."""

    def __init__(self, form: str, seed: int, now: datetime = START) -> None:
        self.now = now
        self._form = form
        self._rng = random.Random(f"clock {seed}")
        self._lock = threading.Lock()

    def advance(self, by: timedelta) -> None:
        """Time passes."""
        with self._lock:
            self.now += by

    def __call__(self) -> datetime:
        with self._lock:
            if not self._form:
                return self.now
            return _JUMPS[self._form](self.now, self._rng)


def _some(rng: random.Random) -> timedelta:
    return rng.choice((timedelta(hours=3), timedelta(days=2), timedelta(days=25), YEAR, 40 * YEAR))


def _backward(now: datetime, rng: random.Random) -> datetime:
    return now - _some(rng) if rng.random() < 0.5 else now


def _forward(now: datetime, rng: random.Random) -> datetime:
    roll = rng.random()
    if roll < 0.05:
        return datetime.max.replace(tzinfo=UTC)
    return now + _some(rng) if roll < 0.5 else now


def _midnight(now: datetime, rng: random.Random) -> datetime:
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0) + MIDNIGHT_IN_WIB
    beside = rng.choice((-1_000_000, -1, 0, 1, 1_000_000, 86_400_000_000))
    return midnight + timedelta(microseconds=beside)


_JUMPS = {"backward": _backward, "forward": _forward, "midnight": _midnight}
assert _JUMPS.keys() == FORMS.keys()
