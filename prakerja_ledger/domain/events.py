"""The event: a fact with its identity, its subject and its two clocks."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from operator import itemgetter
from typing import Final, NamedTuple

from prakerja_ledger.domain.facts import Fact
from prakerja_ledger.domain.time import Instant, date_of

PROGRAMME_SUBJECT: Final = "programme"


class Event(NamedTuple):
    """A fact as recorded.

    `source` and `id` together are its identity. `position` is its place in the order of recording;
    only the order matters: a history file uses line numbers, a ledger its positions. A named tuple,
    where facts are attrs classes: as immutable, made in half the time, and every line makes one.
    """

    source: str
    id: str
    subject: str
    fact: Fact
    occurred_at: Instant
    """When it happened in the world."""
    recorded_at: Instant
    """When the programme learned of it; never before `occurred_at`."""
    position: int = 0

    @property
    def identity(self) -> tuple[str, str]:
        """`source` and `id`."""
        return (self.source, self.id)

    @property
    def occurred_on(self) -> date:
        """The WIB date on which it happened."""
        return date_of(self.occurred_at)

    @property
    def recorded_on(self) -> date:
        """The WIB date on which the programme learned of it."""
        return date_of(self.recorded_at)


order_of_events: Final[Callable[[Event], tuple[Instant, Instant, int]]] = itemgetter(4, 5, 6)
"""The key of the order of events: first, latest, then, before all mean this order."""
assert Event._fields[4:7] == ("occurred_at", "recorded_at", "position"), (
    "the order is of other fields"
)


def same_content(one: Event, other: Event) -> bool:
    """Whether two events of one identity say the same: then the second is a duplicate.

    The recording time and the kept attributes do not count; a report sent again is still the same.
    """
    return (
        one.subject == other.subject
        and one.occurred_at == other.occurred_at
        and one.fact == other.fact
    )
