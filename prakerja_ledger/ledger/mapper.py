"""Between events and what the store keeps: a closed registry of names, one place for upcasting.

A stored event's topic is its CloudEvents type (`prakerja.certificate-issued.v1`), never a Python
path: a database must not be able to name code to import. Its state is the event's line as it came,
byte for byte, so that `export` gives back what was recorded, kept attributes included.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from attrs import frozen
from eventsourcing.persistence import Mapper, MapperDeserialisationError, StoredEvent, Transcoder

from prakerja_ledger.domain.errors import Refusal
from prakerja_ledger.domain.events import Event
from prakerja_ledger.domain.facts import FACTS, type_of
from prakerja_ledger.domain.schemes import KARTU_PRAKERJA, Programme
from prakerja_ledger.evidence.wire import read_event

Upcast = Callable[[bytes], tuple[str, bytes]]
UPCASTS: Final[Mapping[str, Upcast]] = {}
"""Old topic to (newer topic, line rewritten for reading). What is stored never changes.

Empty: version 1 of every type is the only one there is.
"""


@frozen(kw_only=True, eq=False)
class RecordedEvent:
    """What `eventsourcing` sees: an event in its stream, with the line it came as."""

    originator_id: str
    """The stream: `participant/ID`, `package/ID` or `programme`."""
    originator_version: int
    event: Event
    line: bytes


class LedgerMapper(Mapper[str]):
    """Maps recorded events to stored events and back, through the wire format alone."""

    def __init__(self, transcoder: Transcoder | None = None, **_: Any) -> None:
        super().__init__(transcoder or LineTranscoder())
        self.programme: Programme = KARTU_PRAKERJA

    def to_stored_event(self, domain_event: Any) -> StoredEvent:
        """A recorded event as the store keeps it."""
        return StoredEvent(
            originator_id=domain_event.originator_id,
            originator_version=domain_event.originator_version,
            topic=type_of(domain_event.event.fact.kind),
            state=domain_event.line,
        )

    def to_domain_event(self, stored_event: StoredEvent) -> Any:
        """A stored event as it was recorded.

        Raises MapperDeserialisationError where the store holds what no ledger wrote.
        """
        position = getattr(stored_event, "id", 0)
        return RecordedEvent(
            originator_id=str(stored_event.originator_id),
            originator_version=stored_event.originator_version,
            event=self.read(stored_event.topic, stored_event.state, position),
            line=stored_event.state,
        )

    def read(self, topic: str, line: bytes, position: int) -> Event:
        """The event of a stored line, upcast where its topic is an old one."""
        while topic in UPCASTS:
            topic, line = UPCASTS[topic](line)
        event = read_event(line, position, self.programme)
        if isinstance(event, Refusal) or type(event.fact) is not FACTS.get(topic):
            why = event if isinstance(event, Refusal) else "it holds an event of another type"
            raise MapperDeserialisationError(f"stored event {position} ({topic}): {why}")
        return event


class LineTranscoder(Transcoder):
    """State is a line already; there is nothing to encode."""

    def encode(self, obj: Any) -> bytes:
        """The line itself."""
        return bytes(obj)

    def decode(self, data: bytes) -> Any:
        """The line itself."""
        return data
