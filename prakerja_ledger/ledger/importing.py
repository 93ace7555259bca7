"""Importing a history into a ledger: in batches, each durable, each judged against what is there.

A batch is one transaction: its lines are judged under the writer's lock, so that what another
process recorded in between is seen. Killed at any moment, what was acknowledged is there; run
again, it is met as duplicates and the rest follows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Final

from attrs import define, field, frozen

from prakerja_ledger.domain.errors import Refusal
from prakerja_ledger.domain.events import Event
from prakerja_ledger.domain.register import Outcome, Recorded, Register
from prakerja_ledger.evidence.wire import read_event
from prakerja_ledger.ledger.bookmark import Bookmark, kept, quarantined
from prakerja_ledger.ledger.journal import Intent, Marks, Writing, stream_name
from prakerja_ledger.ledger.ledger import Ledger
from prakerja_ledger.ledger.mapper import RecordedEvent
from prakerja_ledger.ledger.registrar import Registrar
from prakerja_ledger.ledger.streams import placing, recorded_event

BATCH: Final = 8_192
"""Lines a transaction: one fsync for many, a fraction of a second of work to repeat after a crash."""
_BATCH_BYTES: Final = 1 << 23
_PUMP_EVERY: Final = 128
_MOST_STREAMS: Final = 60_000
_MOST_IDENTITIES: Final = 1_000_000
_BLANKS: Final = b" \t\r"
"""White space around an event; it is not part of the event that came."""

Numbered = tuple[int, bytes]
"""A line and its number in the file."""
Read = tuple[int, bytes, Event | Refusal]
"""The same, with the event that it holds or why it holds none."""
Given = Numbered | Read
"""What an import is given: a line, read already or not."""


def _batches(lines: Iterable[Given]) -> Iterator[list[Given]]:
    """Lines in batches of bounded count and size: a thousand lines of a megabyte are many batches."""
    batch: list[Given] = []
    size = 0
    for numbered in lines:
        batch.append(numbered)
        size += len(numbered[1])
        if len(batch) >= BATCH or size >= _BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _nothing() -> None:
    """Nothing is on its way yet."""


@frozen(eq=False)
class Reading:
    """A batch as it was read; empty at the end, or where reading failed."""

    batch: Sequence[Read]
    failure: Exception | None = None


@define(eq=False)
class Judged:
    """A batch with what becomes of each line, and the events to append."""

    outcomes: list[tuple[int, bytes, Outcome]] = field(factory=list)
    recorded: list[RecordedEvent] = field(factory=list)


@define(eq=False)
class Importer:
    """Imports lines into one ledger, keeping what it has folded from batch to batch."""

    ledger: Ledger
    _registrar: Registrar = field(init=False)
    _marks: Marks | None = field(init=False)
    _bookmark: Bookmark | None = field(init=False, default=None)

    def __attrs_post_init__(self) -> None:
        """An import meets the same participants again and again, and so keeps many."""
        self._marks = self.ledger.journal.marks
        self._registrar = self.ledger.registrar(
            most_streams=_MOST_STREAMS, most_identities=_MOST_IDENTITIES
        )

    def bookmarked(self, name: str) -> dict[str, Any] | None:
        """What the bookmark of an import says that was stopped."""
        marks = self._marks
        return None if marks is None else kept(marks.get(name))

    def ended(self, bookmark: Bookmark) -> None:
        """The import of that file came to its end: another one begins at the beginning."""
        if self._marks is not None:
            self._marks.remove([bookmark.name, *map(bookmark.beside, bookmark.asides)])

    def quarantined(self, bookmark: Bookmark) -> Iterator[tuple[int, Refusal]]:
        """The lines before a bookmark that were quarantined, in order, and why."""
        for first in bookmark.asides:
            note = None if self._marks is None else self._marks.get(bookmark.beside(first))
            yield from quarantined(note or "[]")

    def outcomes(
        self, lines: Iterable[Given], bookmark: Bookmark | None = None
    ) -> Iterator[tuple[int, bytes, Outcome]]:
        """Record the lines; yields each with its outcome once its batch is durable.

        The bookmark is moved behind each batch, and kept with it.

        A line may come with the event on it, by the ledger's own programme; else it is read here.

        While a store takes in one batch, the next one is read, and judged too where that needs no
        look at the store.
        """
        self._bookmark = bookmark
        batches = _batches(lines)
        reading = self._read_next(batches, _nothing)
        judged: Judged | None = None
        while reading.batch:
            judged, following, ahead = self._record(reading, batches, judged)
            yield from judged.outcomes
            reading, judged = following, ahead
        if reading.failure is not None:
            raise reading.failure

    def _record(
        self, reading: Reading, batches: Iterator[list[Given]], ahead: Judged | None
    ) -> tuple[Judged, Reading, Judged | None]:
        """One turn: a batch judged (unless it is already) and appended, the next one read meanwhile."""
        registrar = self._registrar
        try:
            with self.ledger.journal.writing() as writing:
                if ahead is not None and registrar.version != writing.version():
                    registrar.forget()  # somebody wrote in between: judged too early
                    ahead = None
                register = registrar.register(writing)
                judged = ahead or self._judged(writing, register, reading.batch)
                positions = writing.append(judged.recorded)
                self._keep_bookmark(writing, judged)
                writing.send()
                following = self._read_next(batches, writing.pump)
                registrar.appended(writing, positions)
                judged_next = None
                if registrar.complete and following.batch:
                    judged_next = self._judge(writing, register, following.batch)
        except BaseException:
            registrar.forget()
            raise
        return judged, following, judged_next

    def _keep_bookmark(self, writing: Writing, judged: Judged) -> None:
        if self._bookmark is None or self._marks is None:
            return
        bookmark = self._bookmark
        note = bookmark.pass_over(judged.outcomes)
        if note is not None:
            self._marks.put(writing, bookmark.beside(bookmark.asides[-1]), note)
        self._marks.put(writing, bookmark.name, bookmark.text())

    def _read_next(self, batches: Iterator[list[Given]], pump: Callable[[], None]) -> Reading:
        """The next batch as events. What fails here must not undo the batch before it."""
        programme = self.ledger.programme
        read: list[Read] = []
        try:
            for given in next(batches, ()):
                if len(given) == 2:
                    number, line = given
                    given = (number, line, read_event(line, 0, programme))
                read.append(given)
                if not given[0] % _PUMP_EVERY:
                    pump()
        except Exception as failure:  # noqa: BLE001  # raised once the batch before it is durable
            return Reading([], failure)
        return Reading(read)

    def _judged(self, writing: Writing, register: Register, batch: Sequence[Read]) -> Judged:
        """A batch judged inside the turn, with what it needs fetched at once."""
        if not self._registrar.complete:
            writing.fetch(self._intent(batch))
        return self._judge(writing, register, batch)

    def _intent(self, batch: Sequence[Read]) -> Intent:
        """The streams and identities of a batch."""
        events = [event for _, _, event in batch if isinstance(event, Event)]
        names = {stream_name(event.fact.stream, event.subject) for event in events}
        return Intent(
            appends={name: self._registrar.known(name) for name in names},
            identities=[event.identity for event in events],
        )

    def _judge(self, writing: Writing, register: Register, batch: Sequence[Read]) -> Judged:
        judged = Judged()
        recorded, outcomes = judged.recorded, judged.outcomes
        place = placing(writing, register.identities)
        for number, line, event in batch:
            if isinstance(event, Refusal):
                outcomes.append((number, line, event))
                continue
            placed = place(event, len(recorded))
            outcome = register.record(placed)
            if isinstance(outcome, Recorded):
                stream = outcome.stream
                version = len(stream.events)
                recorded.append(recorded_event(stream, version, placed, line.strip(_BLANKS)))
                if not len(recorded) % _PUMP_EVERY:
                    writing.pump()
            outcomes.append((number, line, outcome))
        return judged
