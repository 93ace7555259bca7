"""The journal in memory: for tests and simulations. What is recorded lives as long as the process.

`memory://name` is one ledger for everybody in the process who says that name; `memory://` alone is
a new one each time.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from threading import Event as Signal
from threading import Lock, RLock
from typing import Any, Final

from attrs import define, field
from eventsourcing.persistence import IntegrityError, StoredEvent
from eventsourcing.popo import POPOApplicationRecorder

from prakerja_ledger.domain.errors import LedgerFault, UnreadableSource, UnusableConnection
from prakerja_ledger.domain.phrases import Phrase
from prakerja_ledger.ledger.journal import Filed, Intent, Plan, StoredLine, closed
from prakerja_ledger.ledger.mapper import LedgerMapper, RecordedEvent

_PREFIX: Final = "memory://"
_named: dict[str, Books] = {}
_naming: Final = Lock()


@define(eq=False)
class Books:
    """What a ledger in memory holds; it only grows, at the end of a turn."""

    recorder: POPOApplicationRecorder = field(factory=POPOApplicationRecorder)
    lines: list[StoredLine] = field(factory=list)
    names: list[str] = field(factory=list)
    """The stream of each line."""
    streams: dict[str, list[StoredLine]] = field(factory=dict)
    identities: dict[tuple[str, str], int] = field(factory=dict)
    turn: RLock = field(factory=RLock)

    def keep(self, stored: StoredEvent, identity: tuple[str, str], position: int) -> None:
        """Add one event."""
        line = StoredLine(position, stored.topic, stored.state)
        self.streams.setdefault(str(stored.originator_id), []).append(line)
        self.identities[identity] = position
        self.names.append(str(stored.originator_id))
        self.lines.append(line)


class MemoryReading:
    """One consistent look: everything up to the head at its beginning."""

    shards: Final = 1

    def __init__(self, books: Books) -> None:
        self._books = books
        self._head = len(books.lines)

    def head(self) -> int:
        """The highest position; 0 where nothing is recorded."""
        return self._head

    def find(self, source: str, id: str) -> int | None:
        """The position of the event of that identity."""
        position = self._books.identities.get((source, id))
        return None if position is None or position > self._head else position

    def stream(self, name: str, known: int = 0) -> list[StoredLine]:
        """The lines of a stream after the first `known` ones, in the order of recording."""
        lines = self._books.streams.get(name, [])
        return [line for line in lines[known:] if line.position <= self._head]

    def streams(self, prefix: str, after: str = "") -> Iterator[tuple[str, list[StoredLine]]]:
        """Every stream of a prefix, by name in the order of code points, with its lines."""
        names = [n for n in list(self._books.streams) if n.startswith(prefix) and n > after]
        return self.some(sorted(names))

    def some(self, names: Sequence[str]) -> Iterator[tuple[str, list[StoredLine]]]:
        """These streams, those of them that are there, with their lines."""
        for name in names:
            lines = self.stream(name)
            if lines:
                yield name, lines

    def waves(self) -> tuple[int, ...] | None:
        """Everybody is seen."""
        return None

    def clocks(self) -> tuple[int]:
        """The head: there is one shard."""
        return (self._head,)

    def touched(self, after: Sequence[int], upto: Sequence[int]) -> set[str]:
        """The names of the streams with events between these clocks, each once."""
        return set(self._books.names[after[0] : upto[0]])

    def between(self, after: Sequence[int], upto: Sequence[int]) -> list[StoredLine]:
        """The lines between these clocks, in the order of positions."""
        return self._books.lines[after[0] : upto[0]]

    def bare(self, after: Sequence[int], upto: Sequence[int]) -> list[bytes]:
        """The lines alone."""
        return [one.line for one in self.between(after, upto)]

    def filed(self) -> Iterator[Filed]:
        """Every line in the order of recording, as it is filed."""
        versions: Counter[str] = Counter()
        for name, one in zip(self._books.names[: self._head], self._books.lines, strict=False):
            versions[name] += 1
            yield one.position, name, versions[name], one.topic, one.line, None

    def damage(self) -> str:
        """There is no file."""
        return ""

    def identities(self) -> Iterator[tuple[str, str, int]]:
        """Source, id and position of every event."""
        return (
            (source, id, position)
            for (source, id), position in list(self._books.identities.items())
            if position <= self._head
        )

    def finds(self, source: str, id: str, position: int) -> bool:
        """Whether an event is found there by its identity."""
        return self.find(source, id) == position

    def lines(self, after: int = 0) -> Iterator[StoredLine]:
        """Every line beyond a position, in the order of recording."""
        return islice(self._books.lines, after, self._head)


class MemoryWriting(MemoryReading):
    """The one writer of the process."""

    def __init__(self, books: Books, mapper: LedgerMapper) -> None:
        super().__init__(books)
        self._mapper = mapper
        self._appended: list[RecordedEvent] = []

    def version(self) -> int:
        """The head: it moves with every event, and never back."""
        return self._head + len(self._appended)

    def fetch(self, intent: Intent) -> None:
        """Everything is at hand."""

    def write_off(self) -> None:
        """Nothing is ever half there."""

    def send(self) -> None:
        """What was appended is there already."""

    def pump(self) -> None:
        """Nothing is on its way."""

    def place(self, shard: int, pending: int) -> int:
        """The position of the next event, after so many others of this turn."""
        assert shard == 0, "one memory, one shard"
        return self.version() + pending + 1

    def append(self, events: Iterable[RecordedEvent]) -> Sequence[int]:
        """Append events with their identities; returns their positions."""
        first = self.version() + 1
        self._appended += events
        return range(first, self.version() + 1)

    def keep(self) -> None:
        """Make what was appended part of the books, all or nothing. Raises IntegrityError."""
        if not self._appended:
            return
        identities = [one.event.identity for one in self._appended]
        if len(set(identities)) < len(identities) or self._books.identities.keys() & identities:
            raise IntegrityError("an identity is recorded already")
        stored = [self._mapper.to_stored_event(one) for one in self._appended]
        positions = self._books.recorder.insert_events(stored)
        assert positions is not None, "an application recorder numbers what it is given"
        for event, identity, position in zip(stored, identities, positions, strict=True):
            self._books.keep(event, identity, position)


class MemoryJournal:
    """A journal in memory."""

    ahead: Final = None
    """A turn has no way to a server that could be saved."""
    marks: Final = None
    """Nothing of it outlives the process."""

    def __init__(self, url: str, books: Books) -> None:
        self.url = url
        self.books = books
        self.mapper: LedgerMapper = LedgerMapper()
        self._closed = False

    @contextmanager
    def reading(self) -> Iterator[MemoryReading]:
        """A consistent look at the journal."""
        self._check_open()
        yield MemoryReading(self.books)

    @contextmanager
    def writing(self, plan: Plan | None = None) -> Iterator[MemoryWriting]:  # noqa: ARG002  # one lock for all
        """The one writer; what was appended is there for others when the context ends well."""
        self._check_open()
        with self.books.turn:
            writing = MemoryWriting(self.books, self.mapper)
            yield writing
            try:
                writing.keep()
            except IntegrityError as error:
                raise LedgerFault(
                    source=self.url,
                    problem=Phrase(
                        "an identity, or a place in a stream, is taken already. Nothing of this step was "
                        "recorded."
                    ),
                ) from error

    def using(self, connection: Any) -> MemoryJournal:  # noqa: ARG002  # the port's signature
        """There is no transaction to join."""
        self._check_open()
        raise UnusableConnection(
            source=self.url,
            problem=Phrase("a ledger in memory has no transactions of others to join."),
        )

    def pause(self, until: Signal, seconds: float) -> None:
        """Wait so long, or until the signal is set."""
        until.wait(seconds)

    def close(self) -> None:
        """Nothing is held, and the books stay for who opens them by their name."""
        self._closed = True

    def _check_open(self) -> None:
        if self._closed:
            raise closed(self.url)


def open_journal(url: str, *, create: bool) -> MemoryJournal:
    """The journal behind `memory://name`, or a new one behind `memory://`."""
    if not url.startswith(_PREFIX):
        raise UnreadableSource(source=url, problem=Phrase("write memory://name."))
    name = url.removeprefix(_PREFIX)
    with _naming:
        books = _named.get(name)
        if books is None:
            if not create:
                raise UnreadableSource(
                    source=url,
                    problem=Phrase("there is no such ledger in this process. Check the name."),
                )
            books = Books()
            if name:
                _named[name] = books
    return MemoryJournal(url, books)


def open_to_read(url: str) -> MemoryJournal:
    """The journal behind `memory://name`, which is there."""
    return open_journal(url, create=False)
