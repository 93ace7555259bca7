"""The view: which recorded events speak, as of a day, as known at a moment (contract, section 4)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date
from functools import cached_property
from operator import itemgetter

from attrs import define, field, frozen

from prakerja_ledger.domain import facts as f
from prakerja_ledger.domain.events import Event, order_of_events
from prakerja_ledger.domain.fields import is_canonical, is_day, or_absent
from prakerja_ledger.domain.streams import Participant, Stream
from prakerja_ledger.domain.time import Instant, after_all_of

_CLOCKS = itemgetter(4, 5)
assert Event._fields[4:6] == ("occurred_at", "recorded_at"), "the clocks are other fields"


@frozen(kw_only=True, slots=False)
class View:
    """As of date D, as known at instant K; no K: all that is recorded. Raises InvalidField."""

    as_of: date = field(validator=is_day)
    """D: what is dated by its end in WIB."""
    known_at: Instant | None = field(default=None, validator=or_absent(is_canonical))
    """K: only what the programme had learned by then, at that instant included."""

    @cached_property
    def bound(self) -> str:
        """Every instant dated by D is below it, every other above."""
        return after_all_of(self.as_of)

    def knows(self, event: Event) -> bool:
        """Whether the programme had learned of the event by K."""
        return self.known_at is None or event.recorded_at <= self.known_at

    def shows(self, event: Event) -> bool:
        """Whether the event is known and dated by D (a void of it aside)."""
        return event.occurred_at < self.bound and self.knows(event)


def in_order(events: Iterable[Event]) -> list[Event]:
    """The events of one stream in the order of events.

    A stream is kept in the order of recording and the sort is stable, so the position needs no
    place in the key.
    """
    return sorted(events, key=_CLOCKS)


def each_once(events: Iterable[Event]) -> tuple[Event, ...]:
    """Events in the order of events, each once."""
    found = {event[6]: event for event in events}
    if len(found) < 2:
        return tuple(found.values())
    return tuple(sorted(found.values(), key=order_of_events))


def followed_by(first: tuple[Event, ...], then: Sequence[Event]) -> tuple[Event, ...]:
    """Two runs of different events, each in order, as one: payments mostly follow what earns them."""
    if not first or not then:
        return first or tuple(then)
    last, following = first[-1], then[0]
    if last[4] < following[4] or order_of_events(last) < order_of_events(following):
        return (*first, *then)
    return each_once((*first, *then))


def events_in_view(stream: Stream, view: View) -> list[Event]:
    """The stream's events in view, in the order of events.

    A void known at K takes its event out whatever the void's own `time` is: it says that the fact
    never was.
    """
    bound = view.bound
    if view.known_at is None and type(view) is View and not stream.voids:
        return in_order([event for event in stream.events if event.occurred_at < bound])
    voided = voided_positions(stream, view)
    return in_order(
        event for event in stream.events if view.shows(event) and event.position not in voided
    )


def voided_positions(stream: Stream, view: View) -> frozenset[int]:
    """Where the events stand that are voided as known at K."""
    return frozenset(position for position, void in stream.voids.items() if view.knows(void))


@define(kw_only=True, eq=False)
class ParticipantInView:
    """A participant who has a statement: the events in view and the enrolment that holds."""

    participant: Participant
    events: list[Event]
    enrolled: Event
    correction: Event | None
    """The latest known enrolment-corrected, whatever its `time`."""

    @property
    def wave(self) -> int:
        return self._holding.wave

    @property
    def scheme(self) -> str:
        return self._holding.scheme

    @property
    def _holding(self) -> f.Enrolled | f.EnrolmentCorrected:
        event = self.correction or self.enrolled
        return event.fact  # type: ignore[return-value]


def is_in_view(participant: Participant, view: View) -> bool:
    """Whether the participant's enrolment is in view: then they have a statement."""
    return view.shows(participant.events[0])  # nothing is recorded of a participant before it


def look(participant: Participant, view: View) -> ParticipantInView | None:
    """The participant as the view shows them; None where the enrolment is not in view."""
    if not is_in_view(participant, view):
        return None
    return ParticipantInView(
        participant=participant,
        events=events_in_view(participant, view),
        enrolled=participant.events[0],
        correction=_correction(participant, view),
    )


def _correction(participant: Participant, view: View) -> Event | None:
    if len(participant.enrolments) == 1 and not participant.voids:
        return None
    voided = voided_positions(participant, view)
    known = [
        event
        for event in participant.events
        if isinstance(event.fact, f.EnrolmentCorrected)
        and view.knows(event)
        and event.position not in voided
    ]
    return max(known, key=order_of_events, default=None)
