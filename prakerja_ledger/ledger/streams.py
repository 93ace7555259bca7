"""The streams of a journal as domain values: the ports of the register, over a look at a journal."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, Generic, Protocol, TypeVar

from attrs import define, field

from prakerja_ledger.domain import facts as f
from prakerja_ledger.domain.events import PROGRAMME_SUBJECT, Event
from prakerja_ledger.domain.register import Identities, Register
from prakerja_ledger.domain.schemes import Programme
from prakerja_ledger.domain.streams import Package, Participant, ProgrammeStream, Stream
from prakerja_ledger.ledger.journal import (
    PACKAGE_PREFIX,
    PARTICIPANT_PREFIX,
    PROGRAMME_STREAM,
    Judging,
    StoredLine,
    Streaming,
    stream_name,
)
from prakerja_ledger.ledger.mapper import LedgerMapper, RecordedEvent
from prakerja_ledger.ledger.shards import shard_at, shard_of


class FindsIdentities(Protocol):
    """Where identities are looked up: a look at the journal, or a quicker answer in front of it."""

    def find(self, source: str, id: str) -> int | None:
        """The position of the event of that identity."""


S = TypeVar("S", bound=Stream)
NEVER: Final = -1


@define(eq=False)
class Kept(Generic[S]):
    """A stream, and the turn in which it was last caught up with the journal."""

    stream: S
    turn: int


@define(eq=False)
class JournalIdentities:
    """Identities as recorded; those that join are the journal's business once appended."""

    finder: FindsIdentities
    complete: bool = False
    """Whether `added` holds every identity: the journal was empty, and none was let go since."""
    added: dict[tuple[str, str], int] = field(factory=dict)

    _absent: tuple[str, str] | None = None
    """The identity last looked for in vain, in this turn: it is asked for and then claimed."""

    def turn_over(self, finder: FindsIdentities) -> None:
        """Another look, in which others may have taken any identity."""
        self.finder = finder
        self._absent = None

    def find(self, source: str, id: str) -> int | None:
        """The position of the recorded event of this identity."""
        key = (source, id)
        found = self.added.get(key)
        if found is not None or self.complete or key == self._absent:
            return found
        found = self.finder.find(source, id)
        if found is None:
            self._absent = key
        return found

    def claim(self, source: str, id: str, position: int) -> int:
        """Take the identity for a position, unless it is taken; returns the position that has it."""
        taken = self.find(source, id)
        if taken is not None:
            return taken
        self.added[source, id] = position
        return position

    def release(self, source: str, id: str) -> None:
        """Give back an identity just claimed: its event was refused."""
        del self.added[source, id]


class JournalStreams:
    """Streams read when they are asked for, and then kept; once a turn, what others added is read."""

    def __init__(self, reading: Streaming, mapper: LedgerMapper) -> None:
        self.reading = reading
        self._mapper = mapper
        self.turn: int = 0
        self.complete = False
        """Whether everything ever recorded is at hand: what is not, is not there."""
        self.participants: JournalParticipants = JournalParticipants(self)
        self.packages: JournalPackages = JournalPackages(self)
        self._programme = Kept(ProgrammeStream(PROGRAMME_SUBJECT), NEVER)

    def turn_over(self) -> None:
        """Others may have added to any stream since it was last looked at."""
        self.turn += 1

    def register(self, programme: Programme, identities: Identities) -> Register:
        """A register that judges against the journal."""
        return Register(
            programme,
            participants=self.participants,
            packages=self.packages,
            load_programme=self.programme_stream,
            identities=identities,
        )

    def programme_stream(self) -> ProgrammeStream:
        """The programme's own stream."""
        return self.caught_up(self._programme, PROGRAMME_STREAM)

    def folded(self, name: str) -> int:
        """How many events of a stream are folded already."""
        kept = self._kept(name)
        return 0 if kept is None else len(kept.stream.events)

    def knows(self, name: str) -> bool:
        """Whether a stream was ever looked at."""
        kept = self._kept(name)
        return kept is not None and kept.turn != NEVER

    def let_go_if_new(self, name: str) -> None:
        """Forget a participant's stream in which nothing is folded: it may not be there."""
        if not self.folded(name):
            self.participants.known.pop(name.removeprefix(PARTICIPANT_PREFIX), None)

    def fold(self, name: str, event: Event) -> None:
        """Fold in a participant's event that was recorded after all that is folded of it."""
        id = name.removeprefix(PARTICIPANT_PREFIX)
        kept = self.participants.known.get(id)
        if kept is None:
            kept = self.participants.known[id] = Kept(Participant(id), self.turn)
        kept.stream.evolve(event)

    def _kept(self, name: str) -> Kept[Any] | None:
        if name == PROGRAMME_STREAM:
            return self._programme
        if name.startswith(PARTICIPANT_PREFIX):
            return self.participants.known.get(name.removeprefix(PARTICIPANT_PREFIX))
        return self.packages.known.get(name.removeprefix(PACKAGE_PREFIX))

    def caught_up(self, kept: Kept[S], name: str) -> S:
        """The stream with what was added to it since it was last looked at."""
        stream = kept.stream
        if kept.turn != self.turn:
            if kept.turn != NEVER or not self.complete:
                self.fill(stream, self.reading.stream(name, len(stream.events)))
            kept.turn = self.turn
        return stream

    def fill(self, stream: Stream, lines: Sequence[StoredLine]) -> None:
        """Fold a stream's stored lines into it."""
        if lines:
            read = self._mapper.read
            stream.restore(read(stored.topic, stored.line, stored.position) for stored in lines)


class _Known(Generic[S]):
    """The participants, or the packages, of a journal."""

    def __init__(self, streams: JournalStreams, prefix: str, made: Callable[[str], S]) -> None:
        self._streams = streams
        self._prefix = prefix
        self._made = made
        self.known: dict[str, Kept[S]] = {}

    def get(self, id: str) -> S | None:
        """The one of that id, ready to be folded on; None where nothing is recorded of it."""
        kept = self.known.get(id)
        if kept is None:
            kept = self.known[id] = Kept(self._made(id), NEVER)
        stream = self._streams.caught_up(kept, self._prefix + id)
        return stream if stream.events else None

    def add(self, stream: S) -> None:
        """Remember one whose first event is about to be folded in."""
        self.known[stream.id] = Kept(stream, self._streams.turn)

    def __contains__(self, id: object) -> bool:
        return self.get(str(id)) is not None

    def __iter__(self) -> Iterator[S]:
        """Every one, by id in the order of code points; none is kept."""
        for name, lines in self._streams.reading.streams(self._prefix):
            stream = self._made(name.removeprefix(self._prefix))
            self._streams.fill(stream, lines)
            yield stream


class JournalParticipants(_Known[Participant]):
    """The participants of a journal."""

    def __init__(self, streams: JournalStreams) -> None:
        super().__init__(streams, PARTICIPANT_PREFIX, Participant)


class JournalPackages(_Known[Package]):
    """The packages of a journal."""

    def __init__(self, streams: JournalStreams) -> None:
        super().__init__(streams, PACKAGE_PREFIX, Package)


def placing(writing: Judging, identities: Identities) -> Callable[[Event, int], Event]:
    """What puts an event at the position that it will have, after so many others of this turn."""
    shards = writing.shards
    if shards == 1:
        first = writing.place(0, 0)

        def next_in_line(event: Event, pending: int) -> Event:
            return _new_tuple(Event, (*event[:-1], first + pending))

        return next_in_line

    def next_in_shard(event: Event, pending: int) -> Event:
        return event._replace(position=writing.place(_shard(event, shards, identities), pending))

    return next_in_shard


_new_tuple = tuple.__new__
"""Makes a named tuple without its own constructor, which only names the places: once a line."""
assert Event._fields[-1] == "position", "placing puts it last"


def _shard(event: Event, shards: int, identities: Identities) -> int:
    fact = event.fact
    if isinstance(fact, f.EventVoided):  # lies beside what it voids
        voided = identities.find(fact.source, fact.id)
        return 0 if voided is None else shard_at(voided, shards)
    return shard_of(stream_name(fact.stream, event.subject), shards)


def recorded_event(stream: Stream, version: int, event: Event, line: bytes) -> RecordedEvent:
    """An event of a stream, the first or the hundredth, as the journal appends it."""
    return RecordedEvent(
        originator_id=name_of(stream),
        originator_version=version,
        event=event,
        line=line,
    )


def name_of(stream: Stream) -> str:
    """The name of a stream."""
    return stream_name(_kind_of(stream), stream.id)


def _kind_of(stream: Stream) -> str:
    if isinstance(stream, Participant):
        return f.PARTICIPANT
    return f.PACKAGE if isinstance(stream, Package) else f.PROGRAMME
