"""The register: judges events one after another, and keeps what was recorded.

Every event ends as recorded, duplicate or refused. The register holds the streams through ports,
so that a file keeps them in memory, a long file on disk, and a ledger in its database.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final, NamedTuple, Protocol

from attrs import define, field, frozen

from prakerja_ledger.domain import facts as f
from prakerja_ledger.domain.errors import Refusal
from prakerja_ledger.domain.events import PROGRAMME_SUBJECT, Event, same_content
from prakerja_ledger.domain.legality import Surroundings, decide, illegal, unknown
from prakerja_ledger.domain.schemes import Programme
from prakerja_ledger.domain.streams import Package, Participant, ProgrammeStream, Stream


class Recorded(NamedTuple):
    """The event is on record, at this position, folded into this stream."""

    position: int
    stream: Stream


@frozen
class Duplicate:
    """The same event was recorded before, at this position; nothing changed."""

    position: int


Outcome = Recorded | Duplicate | Refusal


class Identities(Protocol):
    """Which identity is recorded at which position, for ever."""

    def find(self, source: str, id: str) -> int | None:
        """The position of the recorded event of this identity."""

    def claim(self, source: str, id: str, position: int) -> int:
        """Take the identity for a position, unless it is taken; returns the position that has it."""

    def release(self, source: str, id: str) -> None:
        """Give back an identity just claimed: its event was refused."""


class Participants(Protocol):
    """The participants on record."""

    def get(self, id: str, /) -> Participant | None:
        """The participant of that id, ready to be folded on."""

    def add(self, participant: Participant, /) -> None:
        """Remember a participant who has just enrolled."""

    def __iter__(self) -> Iterator[Participant]:
        """Every participant, by id in the order of code points."""


class Packages(Protocol):
    """The packages on record."""

    def get(self, id: str, /) -> Package | None:
        """The package of that id, ready to be folded on."""

    def add(self, package: Package, /) -> None:
        """Remember a package that was just offered."""

    def __contains__(self, id: object, /) -> bool:
        """Whether a package was ever offered (and so can be referred to)."""

    def __iter__(self) -> Iterator[Package]:
        """Every package, by id in the order of code points."""


class IdentitiesInMemory:
    """Identities in nested dictionaries: a source is written once, not once an event."""

    def __init__(self) -> None:
        self._by_source: dict[str, dict[str, int]] = {}

    def find(self, source: str, id: str) -> int | None:
        """The position of the recorded event of this identity."""
        ids = self._by_source.get(source)
        return None if ids is None else ids.get(id)

    def claim(self, source: str, id: str, position: int) -> int:
        """Take the identity for a position, unless it is taken; returns the position that has it."""
        ids = self._by_source.get(source)
        if ids is None:
            ids = self._by_source[source] = {}
        return ids.setdefault(id, position)

    def release(self, source: str, id: str) -> None:
        """Give back an identity just claimed: its event was refused."""
        del self._by_source[source][id]


class ParticipantsInMemory(dict[str, Participant]):
    """Participants in a dictionary."""

    def add(self, participant: Participant) -> None:
        """Remember a participant who has just enrolled."""
        self[participant.id] = participant

    def __iter__(self) -> Iterator[Participant]:  # type: ignore[override]  # a port, not a mapping
        return (self[id] for id in sorted(self.keys()))


class PackagesInMemory(dict[str, Package]):
    """Packages in a dictionary."""

    def add(self, package: Package) -> None:
        """Remember a package that was just offered."""
        self[package.id] = package

    def __iter__(self) -> Iterator[Package]:  # type: ignore[override]  # a port, not a mapping
        return (self[id] for id in sorted(self.keys()))


OWN: Final = frozenset(
    kind for kind in f.FACTS.values() if kind.stream == f.PARTICIPANT and kind is not f.Enrolled
)
"""Facts that are judged by one participant's record and the packages on offer alone."""

_VOID_NOT_VOIDABLE: Final = (
    "{kind} events cannot be voided. Correct an enrolment by an enrolment-corrected; a voided event is "
    "sent again under a new id."
)


def _programme_in_memory() -> Callable[[], ProgrammeStream]:
    stream = ProgrammeStream(PROGRAMME_SUBJECT)
    return lambda: stream


@define
class Register:
    """Judges events in the order of recording and folds in those that are recorded."""

    programme: Programme
    participants: Participants = field(factory=ParticipantsInMemory)
    packages: Packages = field(factory=PackagesInMemory)
    identities: Identities = field(factory=IdentitiesInMemory)
    _load_programme: Callable[[], ProgrammeStream] = field(factory=_programme_in_memory)
    _around: Surroundings = field(init=False)

    def __attrs_post_init__(self) -> None:
        """Decisions look at the packages through the register's own port."""
        self._around = Surroundings(programme=self.programme, offered_packages=self.packages)

    @property
    def programme_stream(self) -> ProgrammeStream:
        """The programme's own stream; loaded when it is asked for, as most events never do."""
        return self._load_programme()

    def record(self, event: Event) -> Outcome:
        """Judge an event and, where it may stand, fold it in at its position."""
        outcome = self.judge(event)
        if isinstance(outcome, Recorded) and type(event.fact) is not f.EventVoided:
            outcome.stream.evolve(event)
        return outcome

    def record_own(self, participant: Participant, event: Event) -> Refusal | None:
        """Judge an event of `OWN` about a participant on record and, where it may stand, fold it in.

        The same as `record` where nobody else can have the event's identity: no identity is looked at.
        """
        refusal = decide(participant, event[3], self._around)
        if refusal is None:
            participant.evolve(event)
        return refusal

    def judge(self, event: Event) -> Outcome:
        """Judge an event; where it may stand it is still to be folded in, unless it voids another."""
        source, id, position = event.source, event.id, event.position
        taken = self.identities.claim(source, id, position)
        if taken != position:
            return self._again(event, taken)
        if type(event.fact) is f.EventVoided:
            outcome = self._void(event, event.fact)
        else:
            outcome = self._stream(event)
        if isinstance(outcome, Refusal):
            self.identities.release(source, id)
            return outcome
        return Recorded(position, outcome)

    def _void(self, event: Event, fact: f.EventVoided) -> Stream | Refusal:
        target = self._target(event.subject, fact)
        if isinstance(target, Refusal):
            return target
        stream, voided = target
        stream.void(event, voided)
        return stream

    def _again(self, event: Event, position: int) -> Outcome:
        earlier = self.recorded(event.subject, position)
        if earlier is not None and same_content(earlier, event):
            return Duplicate(position)
        return conflicting(event.source, event.id, position)

    def recorded(self, subject: str, position: int) -> Event | None:
        """The event recorded at a position on one of the streams that a subject may mean."""
        found = (stream.at(position) for stream in self._streams_of(subject))
        return next((event for event in found if event is not None), None)

    def _streams_of(self, subject: str) -> Iterator[Stream]:
        """Every stream that the subject may mean: the name spaces are separate."""
        participant = self.participants.get(subject)
        if participant is not None:
            yield participant
        package = self.packages.get(subject)
        if package is not None:
            yield package
        if subject == PROGRAMME_SUBJECT:
            yield self.programme_stream

    def _stream(self, event: Event) -> Stream | Refusal:
        """The stream that the event may be recorded on next; new ones are remembered."""
        fact = event.fact
        if fact.stream == f.PARTICIPANT:
            participant = self.participants.get(event.subject)
            if participant is None or type(fact) is f.Enrolled:
                return self._newcomer(event.subject, fact, participant)
            return decide(participant, fact, self._around) or participant
        if fact.stream == f.PACKAGE:
            return self._package(event.subject, fact)
        return decide(self.programme_stream, fact, self._around) or self.programme_stream

    def _newcomer(
        self, subject: str, fact: f.Fact, participant: Participant | None
    ) -> Participant | Refusal:
        """Only an enrolment makes a participant, and only once."""
        if type(fact) is not f.Enrolled:
            return not_enrolled(subject)
        if participant is not None:
            return Refusal(
                code="ALREADY_ENROLLED",
                template=(
                    "participant {subject} is enrolled already. Correct a wrong enrolment by an "
                    "enrolment-corrected."
                ),
                fields={"subject": subject},
            )
        participant = Participant(subject)
        self.participants.add(participant)
        return participant

    def _package(self, subject: str, fact: f.Fact) -> Package | Refusal:
        package = self.packages.get(subject)
        if package is not None:
            return decide(package, fact, self._around) or package
        package = Package(subject)
        refusal = decide(package, fact, self._around)
        if refusal is not None:
            return refusal
        self.packages.add(package)
        return package

    def _target(self, subject: str, fact: f.EventVoided) -> tuple[Stream, Event] | Refusal:
        """The event that a void names, and its stream."""
        streams = list(self._streams_of(subject))
        if not streams:
            return not_enrolled(subject)
        position = self.identities.find(fact.source, fact.id)
        for stream in streams:
            target = None if position is None else stream.at(position)
            if target is None:
                continue
            if isinstance(target.fact, (f.Enrolled, f.EventVoided)):
                return illegal(_VOID_NOT_VOIDABLE, kind=target.fact.kind)
            if target.position in stream.voids:
                return illegal(
                    "event {name} is voided already. Nothing further is needed.",
                    name=f"{fact.source} {fact.id}",
                )
            return stream, target
        return unknown("event", f"{fact.source} {fact.id}")


def conflicting(source: str, id: str, position: int) -> Refusal:
    """The identity is taken by an event with other content."""
    return Refusal(
        code="CONFLICTING_DUPLICATE",
        template=(
            "{source} {id} is recorded before (at {position}) with other content. An identity "
            "is used once for ever: send the new fact under a new id."
        ),
        fields={"source": source, "id": id, "position": position},
    )


def not_enrolled(subject: str) -> Refusal:
    """Nothing but an enrolment may be recorded of somebody who is not enrolled."""
    return Refusal(
        code="NOT_ENROLLED",
        template=(
            "no enrolment of {subject} is recorded before it. Import the enrolment first, then "
            "this line again."
        ),
        fields={"subject": subject},
    )
