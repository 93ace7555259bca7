"""Importing a history into a ledger: in batches, each durable, each judged against what is there.

A batch is one transaction: its lines are judged under the writer's lock, so that what another
process recorded in between is seen. Killed at any moment, what was acknowledged is there; run
again, it is met as duplicates and the rest follows.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from attrs import define, field

from prakerja_ledger.domain.errors import Refusal
from prakerja_ledger.domain.events import Event
from prakerja_ledger.domain.register import Outcome, Recorded, Register
from prakerja_ledger.evidence.wire import read_event
from prakerja_ledger.ledger.journal import Intent, Writing, stream_name
from prakerja_ledger.ledger.ledger import Ledger
from prakerja_ledger.ledger.mapper import RecordedEvent
from prakerja_ledger.ledger.registrar import Registrar
from prakerja_ledger.ledger.streams import placed, recorded_event

BATCH: Final = 8_192
"""Lines a transaction: one fsync for many, a fraction of a second of work to repeat after a crash."""
_BATCH_BYTES: Final = 1 << 23
_MOST_STREAMS: Final = 60_000
_MOST_IDENTITIES: Final = 1_000_000
_BLANKS: Final = b" \t\r"
"""White space around an event; it is not part of the event that came."""

Numbered = tuple[int, bytes]
"""A line and its number in the file."""
Read = tuple[int, bytes, Event | Refusal]
"""The same, with the event that it holds or why it holds none."""


def _batches(lines: Iterable[Numbered]) -> Iterator[list[Numbered]]:
    """Lines in batches of bounded count and size: a thousand lines of a megabyte are many batches."""
    batch: list[Numbered] = []
    size = 0
    for numbered in lines:
        batch.append(numbered)
        size += len(numbered[1])
        if len(batch) >= BATCH or size >= _BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


@define(eq=False)
class Importer:
    """Imports lines into one ledger, keeping what it has folded from batch to batch."""

    ledger: Ledger
    _registrar: Registrar = field(init=False)

    def __attrs_post_init__(self) -> None:
        """An import meets the same participants again and again, and so keeps many."""
        self._registrar = self.ledger.registrar(
            most_streams=_MOST_STREAMS, most_identities=_MOST_IDENTITIES
        )

    def outcomes(self, lines: Iterable[Numbered]) -> Iterator[tuple[int, bytes, Outcome]]:
        """Record the lines; yields each with its outcome once its batch is durable."""
        programme = self.ledger.programme
        for batch in _batches(lines):
            read = [(number, line, read_event(line, 0, programme)) for number, line in batch]
            yield from self._record(read)

    def _intent(self, batch: Sequence[Read]) -> Intent:
        """The streams and identities of a batch."""
        events = [event for _, _, event in batch if isinstance(event, Event)]
        names = {stream_name(event.fact.stream, event.subject) for event in events}
        return Intent(
            appends={name: self._registrar.known(name) for name in names},
            identities=[event.identity for event in events],
        )

    def _record(self, batch: Sequence[Read]) -> list[tuple[int, bytes, Outcome]]:
        try:
            with self.ledger.journal.writing() as writing:
                register = self._registrar.register(writing)
                if not self._registrar.complete:
                    writing.fetch(self._intent(batch))
                judged, recorded = self._judge(writing, register, batch)
                positions = writing.append(recorded)
        except BaseException:
            self._registrar.forget()
            raise
        self._registrar.appended(writing, positions)
        return judged

    def _judge(
        self, writing: Writing, register: Register, batch: Sequence[Read]
    ) -> tuple[list[tuple[int, bytes, Outcome]], list[RecordedEvent]]:
        judged: list[tuple[int, bytes, Outcome]] = []
        recorded: list[RecordedEvent] = []
        for number, line, event in batch:
            if isinstance(event, Refusal):
                judged.append((number, line, event))
                continue
            placed_event = placed(event, writing, len(recorded), register.identities)
            outcome = register.record(placed_event)
            if isinstance(outcome, Recorded):
                recorded.append(recorded_event(outcome.stream, placed_event, line.strip(_BLANKS)))
            judged.append((number, line, outcome))
        return judged, recorded
