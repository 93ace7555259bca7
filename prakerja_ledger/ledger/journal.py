"""The journal: the port behind which a store keeps lines. It can append and read, nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Final, Protocol

from attrs import frozen

from prakerja_ledger.domain import facts as f
from prakerja_ledger.ledger.mapper import RecordedEvent

PROGRAMME_STREAM: Final = "programme"
PARTICIPANT_PREFIX: Final = "participant/"
PACKAGE_PREFIX: Final = "package/"


def stream_name(kind: str, subject: str) -> str:
    """The stream of a participant, a package or the programme; their name spaces are separate."""
    if kind == f.PARTICIPANT:
        return PARTICIPANT_PREFIX + subject
    if kind == f.PACKAGE:
        return PACKAGE_PREFIX + subject
    return PROGRAMME_STREAM


@frozen
class StoredLine:
    """A recorded line: its position, topic and bytes."""

    position: int
    topic: str
    line: bytes


class Reading(Protocol):
    """What can be asked inside one consistent look at the journal."""

    def head(self) -> int:
        """The highest position; 0 where nothing is recorded."""

    def find(self, source: str, id: str) -> int | None:
        """The position of the event of that identity."""

    def stream(self, name: str) -> Sequence[StoredLine]:
        """The lines of a stream, in the order of recording."""

    def streams(self, prefix: str) -> Iterator[tuple[str, list[StoredLine]]]:
        """Every stream of a prefix, by name in the order of code points, with its lines."""

    def lines(self) -> Iterator[StoredLine]:
        """Every line, in the order of recording."""


class Writing(Reading, Protocol):
    """A look at the journal that nobody else can change, and that may append."""

    def append(self, events: Iterable[RecordedEvent]) -> Sequence[int]:
        """Append events with their identities; returns their positions."""


class Journal(Protocol):
    """A store of recorded lines. It offers no way to change or remove one."""

    url: str

    def reading(self) -> AbstractContextManager[Reading]:
        """A consistent look at the journal."""

    def writing(self) -> AbstractContextManager[Writing]:
        """The one writer; what was appended is durable when the context ends without an error."""

    def close(self) -> None:
        """Let go of files and connections."""
