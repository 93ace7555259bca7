"""The difference between two views: each rupiah put to the event that moved it, or to the calendar.

Between two views lies a walk. First, on the first day, what was learned between K1 and K2 arrives
event by event, in the order of recording; then the days pass from D1 to D2, and on each day its
events happen one by one, in the order of events. After every step the statement is made anew, and
what moved is that step's. The parts add up to the whole because each begins where the last ended.
A walk to an earlier view is the walk back, with its signs turned.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

from attrs import define, evolve, field, frozen

from prakerja_ledger.domain.events import Event, order_of_events
from prakerja_ledger.domain.schemes import Line, Programme
from prakerja_ledger.domain.streams import Participant, ProgrammeStream
from prakerja_ledger.domain.time import Instant
from prakerja_ledger.reading.dossier import look_at_programme
from prakerja_ledger.reading.statement import AMOUNTS, Statement, statement
from prakerja_ledger.reading.view import View

MEASURES = ("entitlement", *AMOUNTS)
Amounts = tuple[int, ...]
"""One whole-rupiah number for each of MEASURES."""
_NOTHING: Amounts = (0,) * len(MEASURES)


@frozen(kw_only=True, slots=False)
class Partway(View):
    """A view on the walk: some of what the next view shows is not there yet."""

    unlearned: frozenset[int] = frozenset()
    """Positions of events not yet learned of, though the target K knows them."""
    to_come: frozenset[int] = frozenset()
    """Positions of events of the day not yet happened."""

    def knows(self, event: Event) -> bool:
        return super().knows(event) and event.position not in self.unlearned

    def shows(self, event: Event) -> bool:
        return super().shows(event) and event.position not in self.to_come


@define(eq=False)
class Part:
    """One step of the walk: what moved, and what moved it."""

    event: Event | None
    """The event that moved it; None where only time passed."""
    since: date
    until: date
    moved: dict[Line, Amounts]


@define(eq=False)
class Difference:
    """What moved for one participant between two views."""

    participant: str
    parts: list[Part] = field(factory=list)

    def moved(self) -> dict[Line, Amounts]:
        """The whole: the sum of the parts, by line."""
        whole: dict[Line, Amounts] = {}
        for part in self.parts:
            for line, amounts in part.moved.items():
                whole[line] = _plus(whole.get(line, _NOTHING), amounts)
        return {line: amounts for line, amounts in whole.items() if any(amounts)}


def difference(
    participant: Participant,
    programme_stream: ProgrammeStream,
    programme: Programme,
    first: View,
    second: View,
) -> Difference:
    """What moved between two views. Raises CalendarTooShort as `statement` does."""
    walk = _Walk(participant, programme_stream, programme)
    found = Difference(participant.id)
    before = walk.amounts(first)
    for event, view, since in walk.steps(first, second):
        after = walk.amounts(view)
        moved = _moved(before, after)
        if moved:
            found.parts.append(Part(event, since, view.as_of, moved))
        before = after
    return found


def _moved(before: dict[Line, Amounts], after: dict[Line, Amounts]) -> dict[Line, Amounts]:
    lines = [*before, *(line for line in after if line not in before)]
    deltas = {
        line: _plus(after.get(line, _NOTHING), before.get(line, _NOTHING), sign=-1)
        for line in lines
    }
    return {line: delta for line, delta in deltas.items() if any(delta)}


def _plus(one: Amounts, other: Amounts, *, sign: int = 1) -> Amounts:
    return tuple(a + sign * b for a, b in zip(one, other, strict=True))


@frozen(eq=False)
class _Walk:
    participant: Participant
    programme_stream: ProgrammeStream
    programme: Programme

    def amounts(self, view: View) -> dict[Line, Amounts]:
        """The statement's amounts by line; nothing where there is no statement."""
        around = look_at_programme(self.programme_stream, view)
        made: Statement | None = statement(self.participant, view, self.programme, around)
        if made is None:
            return {}
        return {
            line.line: (line.amount, *(getattr(line, name) for name in AMOUNTS))
            for line in made.lines
        }

    def steps(self, first: View, second: View) -> Iterator[tuple[Event | None, View, date]]:
        """Each step's event (None: the calendar), the view after it, and the day before it."""
        yield from self._learning(first, second.known_at)
        yield from self._days(evolve(first, known_at=second.known_at), second)

    def _events(self) -> list[Event]:
        return [*self.participant.events, *self.programme_stream.events]

    def _learning(
        self, first: View, known_at: Instant | None
    ) -> Iterator[tuple[Event | None, View, date]]:
        """From K1 to K2 on the first day; backwards where K2 is the earlier."""
        earlier, later = first, evolve(first, known_at=known_at)
        forth = _at_most(earlier.known_at, later.known_at)
        if not forth:
            earlier, later = later, earlier
        learned = sorted(
            (e for e in self._events() if later.knows(e) and not earlier.knows(e)),
            key=lambda event: (event.recorded_at, event.position),
            reverse=not forth,
        )
        for index, event in enumerate(learned, 1):
            unlearned = learned[index:] if forth else learned[:index]
            yield event, _partway(later, unlearned=unlearned), first.as_of

    def _days(self, first: View, second: View) -> Iterator[tuple[Event | None, View, date]]:
        """From D1 to D2; backwards where D2 is the earlier."""
        forth = first.as_of <= second.as_of
        low, high = sorted((first.as_of, second.as_of))
        by_day: dict[date, list[Event]] = {}
        for event in sorted(self._events(), key=order_of_events):
            if low < event.occurred_on <= high and second.knows(event):
                by_day.setdefault(event.occurred_on, []).append(event)
        at = first.as_of
        for day, events in by_day.items() if forth else reversed(by_day.items()):
            yield from self._one_day(second, day, events, at, forth=forth)
            at = day
        if at != second.as_of:
            yield None, second, at

    def _one_day(
        self, second: View, day: date, events: list[Event], at: date, *, forth: bool
    ) -> Iterator[tuple[Event | None, View, date]]:
        """The calendar to that day, then its events one by one; or back, the last one first."""
        view = evolve(second, as_of=day)
        if forth:
            yield None, _partway(view, to_come=events), at
            for index, event in enumerate(events, 1):
                yield event, _partway(view, to_come=events[index:]), day
        else:
            if at != day:
                yield None, view, at
            for index in range(len(events) - 1, -1, -1):
                yield events[index], _partway(view, to_come=events[index:]), day


def _at_most(one: Instant | None, other: Instant | None) -> bool:
    """Whether K1 knows no more than K2; open knows all."""
    if one is None or other is None:
        return other is None
    return one <= other


def _partway(
    view: View, unlearned: list[Event] | None = None, to_come: list[Event] | None = None
) -> View:
    return Partway(
        as_of=view.as_of,
        known_at=view.known_at,
        unlearned=frozenset(event.position for event in unlearned or ()),
        to_come=frozenset(event.position for event in to_come or ()),
    )
