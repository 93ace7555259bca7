"""The streams of a journal as domain values: the ports of the register, over a look at a journal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

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
    Reading,
    StoredLine,
    stream_name,
)
from prakerja_ledger.ledger.mapper import LedgerMapper, RecordedEvent


class FindsIdentities(Protocol):
    """Where identities are looked up: a look at the journal, or a quicker answer in front of it."""

    def find(self, source: str, id: str) -> int | None:
        """The position of the event of that identity."""


@define(eq=False)
class JournalIdentities:
    """Identities as recorded; those that join are the journal's business once appended."""

    finder: FindsIdentities
    complete: bool = False
    """Whether `added` holds every identity: the journal was empty, and none was let go since."""
    added: dict[tuple[str, str], int] = field(factory=dict)

    def find(self, source: str, id: str) -> int | None:
        """The position of the recorded event of this identity."""
        found = self.added.get((source, id))
        return found if found is not None or self.complete else self.finder.find(source, id)

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
    """Streams read when they are asked for, and then kept."""

    def __init__(self, reading: Reading, mapper: LedgerMapper) -> None:
        self.reading = reading
        self._mapper = mapper
        self.participants = JournalParticipants(self)
        self.packages = JournalPackages(self)

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
        stream = ProgrammeStream(PROGRAMME_SUBJECT)
        self.fill(stream, self.reading.stream(PROGRAMME_STREAM))
        return stream

    def fill(self, stream: Stream, lines: Sequence[StoredLine]) -> None:
        """Fold a stream's stored lines into it."""
        read = self._mapper.read
        stream.restore(read(stored.topic, stored.line, stored.position) for stored in lines)


class JournalParticipants:
    """The participants of a journal."""

    def __init__(self, streams: JournalStreams) -> None:
        self._streams = streams
        self.known: dict[str, Participant | None] = {}

    def get(self, id: str) -> Participant | None:
        """The participant of that id, ready to be folded on."""
        if id not in self.known:
            lines = self._streams.reading.stream(PARTICIPANT_PREFIX + id)
            self.known[id] = self._filled(id, lines) if lines else None
        return self.known[id]

    def add(self, participant: Participant) -> None:
        """Remember a participant who has just enrolled."""
        self.known[participant.id] = participant

    def __iter__(self) -> Iterator[Participant]:
        """Every participant, by id in the order of code points; none is kept."""
        for name, lines in self._streams.reading.streams(PARTICIPANT_PREFIX):
            yield self._filled(name.removeprefix(PARTICIPANT_PREFIX), lines)

    def _filled(self, id: str, lines: Sequence[StoredLine]) -> Participant:
        participant = Participant(id)
        self._streams.fill(participant, lines)
        return participant


class JournalPackages:
    """The packages of a journal."""

    def __init__(self, streams: JournalStreams) -> None:
        self._streams = streams
        self.known: dict[str, Package | None] = {}

    def get(self, id: str) -> Package | None:
        """The package of that id, ready to be folded on."""
        if id not in self.known:
            lines = self._streams.reading.stream(PACKAGE_PREFIX + id)
            self.known[id] = self._filled(id, lines) if lines else None
        return self.known[id]

    def add(self, package: Package) -> None:
        """Remember a package that was just offered."""
        self.known[package.id] = package

    def __contains__(self, id: object) -> bool:
        return self.get(str(id)) is not None

    def __iter__(self) -> Iterator[Package]:
        """Every package, by id in the order of code points; none is kept."""
        for name, lines in self._streams.reading.streams(PACKAGE_PREFIX):
            yield self._filled(name.removeprefix(PACKAGE_PREFIX), lines)

    def _filled(self, id: str, lines: Sequence[StoredLine]) -> Package:
        package = Package(id)
        self._streams.fill(package, lines)
        return package


def recorded_event(stream: Stream, event: Event, line: bytes) -> RecordedEvent:
    """An event that its stream has just folded in, as the journal appends it."""
    return RecordedEvent(
        originator_id=stream_name(_kind_of(stream), stream.id),
        originator_version=len(stream.events),
        event=event,
        line=line,
    )


def _kind_of(stream: Stream) -> str:
    if isinstance(stream, Participant):
        return f.PARTICIPANT
    return f.PACKAGE if isinstance(stream, Package) else f.PROGRAMME
