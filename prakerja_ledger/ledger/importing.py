"""Importing a history into a ledger: in batches, each durable, each judged against what is there.

A batch is one transaction: its lines are judged under the writer's lock, so that what another
process recorded in between is seen. Killed at any moment, what was acknowledged is there; run
again, it is met as duplicates and the rest follows.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Final

from attrs import define, field

from prakerja_ledger.domain.errors import Refusal
from prakerja_ledger.domain.register import Outcome, Recorded, Register
from prakerja_ledger.evidence.wire import read_event
from prakerja_ledger.ledger.journal import Reading, Writing
from prakerja_ledger.ledger.ledger import Ledger
from prakerja_ledger.ledger.mapper import RecordedEvent
from prakerja_ledger.ledger.streams import JournalIdentities, JournalStreams, recorded_event

BATCH: Final = 8_192
"""Lines a transaction: one fsync for many, a fraction of a second of work to repeat after a crash."""
_MOST_STREAMS_KEPT: Final = 60_000
_BLANKS: Final = b" \t\r"
"""White space around an event; it is not part of the event that came."""

Numbered = tuple[int, bytes]
"""A line and its number in the file."""


@define(eq=False)
class Importer:
    """Imports lines into one ledger, keeping what it has folded from batch to batch."""

    ledger: Ledger
    _head: int = field(init=False, default=-1)
    _register: Register | None = field(init=False, default=None)
    _streams: JournalStreams | None = field(init=False, default=None)

    def outcomes(self, lines: Iterable[Numbered]) -> Iterator[tuple[int, bytes, Outcome]]:
        """Record the lines; yields each with its outcome once its batch is durable."""
        source = iter(lines)
        while batch := list(islice(source, BATCH)):
            yield from self._record(batch)

    def _record(self, batch: list[Numbered]) -> list[tuple[int, bytes, Outcome]]:
        try:
            with self.ledger.journal.writing() as writing:
                register = self._fresh(writing)
                judged, recorded = self._judge(register, batch)
                positions = writing.append(recorded)
                self._head = positions[-1] if positions else self._head
        except BaseException:
            self._head = -1  # what was folded in is not on record; begin again from the journal
            raise
        return judged

    def _judge(
        self, register: Register, batch: list[Numbered]
    ) -> tuple[list[tuple[int, bytes, Outcome]], list[RecordedEvent]]:
        judged: list[tuple[int, bytes, Outcome]] = []
        recorded: list[RecordedEvent] = []
        position = self._head + 1
        programme = self.ledger.programme
        for number, line in batch:
            event = read_event(line, position, programme)
            if isinstance(event, Refusal):
                judged.append((number, line, event))
                continue
            outcome = register.record(event)
            if isinstance(outcome, Recorded):
                recorded.append(recorded_event(outcome.stream, event, line.strip(_BLANKS)))
                position += 1
            judged.append((number, line, outcome))
        return judged, recorded

    def _fresh(self, writing: Writing) -> Register:
        """A register that knows what the journal knows: kept, unless someone else wrote since."""
        head = writing.head()
        streams = self._streams
        if (
            self._register is None
            or streams is None
            or head != self._head
            or self._is_full(streams)
        ):
            streams = self._streams = self.ledger.streams(writing)
            self._register = streams.register(self.ledger.programme)
            self._register.identities = JournalIdentities(
                _NothingRecorded() if head == 0 else writing
            )
        else:
            streams.reading = writing
            self._rebind(writing)
        self._head = head
        return self._register

    def _rebind(self, writing: Reading) -> None:
        assert self._register is not None
        identities = self._register.identities
        assert isinstance(identities, JournalIdentities)
        if not isinstance(identities.finder, _NothingRecorded):
            identities.finder = writing

    def _is_full(self, streams: JournalStreams) -> bool:
        return len(streams.participants.known) > _MOST_STREAMS_KEPT


class _NothingRecorded:
    """The identities of a journal that was empty when the import began: none to look up."""

    def find(self, source: str, id: str) -> int | None:  # noqa: ARG002  # the port's signature
        """Nothing is recorded but what this import added."""
        return None
