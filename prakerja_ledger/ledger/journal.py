"""The journal: the port behind which a store keeps lines. It can append and read, nothing else."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from threading import Event as Signal
from typing import Any, Final, NamedTuple, Protocol

from attrs import field, frozen

from prakerja_ledger.domain import facts as f
from prakerja_ledger.domain.errors import LedgerFault
from prakerja_ledger.domain.phrases import Phrase
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


class StoredLine(NamedTuple):
    """A recorded line: its position, topic and bytes. A tuple: whoever reads a ledger makes one of each."""

    position: int
    topic: str
    line: bytes


Filed = tuple[int, str, int, str, bytes, tuple[str, str] | None]
"""A line as a store files it: position, stream, version in it, topic, the line, and its identity, where
that stands beside it. A plain tuple: a verification makes one of every event there is."""


@frozen(kw_only=True)
class Intent:
    """What a writer is about to do. A store may lock less for it, and fetch what it needs at once.

    Streams are given with how many of their events the writer knows already.
    """

    appends: Mapping[str, int] = field(factory=dict)
    """Streams that may be appended to; nothing else may."""
    looks: Mapping[str, int] = field(factory=dict)
    """Streams that are looked at besides."""
    identities: Sequence[tuple[str, str]] = ()
    """(source, id) pairs that will be asked for."""

    @property
    def streams(self) -> Mapping[str, int]:
        """Every stream that is appended to or looked at."""
        return {**self.looks, **self.appends} if self.looks else self.appends


def closed(url: str) -> LedgerFault:
    """What every use of a journal raises once it is closed."""
    return LedgerFault(
        source=url, problem=Phrase("the ledger is closed. Open it again with Ledger.open.")
    )


Plan = Callable[[], Intent | None]
"""Asked for the intent by a store that has a use for it; None where it is not known beforehand."""


class Streaming(Protocol):
    """Streams by their names."""

    def stream(self, name: str, known: int = 0) -> Sequence[StoredLine]:
        """The lines of a stream after the first `known` ones, in the order of recording."""

    def streams(self, prefix: str) -> Iterator[tuple[str, list[StoredLine]]]:
        """Every stream of a prefix, by name in the order of code points, with its lines."""


class Reading(Streaming, Protocol):
    """What can be asked inside one consistent look at the journal."""

    def head(self) -> int:
        """The highest position; 0 where nothing is recorded."""

    def find(self, source: str, id: str) -> int | None:
        """The position of the event of that identity."""

    def lines(self, after: int = 0) -> Iterator[StoredLine]:
        """Every line beyond a position, in the order of positions.

        With one shard that is the order of recording, and reading on from the highest misses nothing.
        With several, a later event can lie below: count the shards' numbers to follow them.
        """


class Looking(Reading, Protocol):
    """A look from outside a turn, for those who follow a journal."""

    def streams(
        self, prefix: str, after: str = ""
    ) -> Iterator[tuple[str, list[StoredLine]]]:  # as in a Reading, from a name on
        """Every stream of a prefix whose name is above `after`, with its lines."""

    def some(self, names: Sequence[str]) -> Iterator[tuple[str, Sequence[StoredLine]]]:
        """These streams, those of them that are there, with their lines."""

    def waves(self) -> tuple[int, ...] | None:
        """The waves whose participants are seen, where the reader is limited to some; None: everybody."""

    @property
    def shards(self) -> int:
        """How many shards there are."""

    def clocks(self) -> tuple[int, ...]:
        """How far each shard has come: all that is recorded there is at or below, all to come above.

        With one shard it is the highest position.
        """

    def touched(self, after: Sequence[int], upto: Sequence[int]) -> Iterable[str]:
        """The names of the streams with events between these clocks, each once."""

    def between(self, after: Sequence[int], upto: Sequence[int]) -> Iterable[StoredLine]:
        """The lines between these clocks, in the order of positions."""

    def bare(self, after: Sequence[int], upto: Sequence[int]) -> list[bytes]:
        """The same, nothing but the lines: whoever hashes a ledger counts them."""

    def filed(self) -> Iterator[Filed] | None:
        """Every line in the order of positions, as it is filed; None for who may not see that."""

    def damage(self) -> str:
        """Where the store's own file contradicts itself, so that lines are not found; empty if it does not."""

    def identities(self) -> Iterable[tuple[str, str, int]] | None:
        """Source, id and position of every event, where they are kept apart from the lines."""

    def finds(self, source: str, id: str, position: int) -> bool:
        """Whether an event is found at that position by its identity; not, where that cannot be read."""


class Judging(Reading, Protocol):
    """What a step is judged against: a look at the journal, and the place that its event would have."""

    @property
    def shards(self) -> int:
        """In how many shards the journal grows (module `shards`)."""

    def place(self, shard: int, pending: int) -> int:
        """The position of the next event of a shard, after so many others of this turn."""


class Writing(Judging, Protocol):
    """A look at the journal that nobody else can change, and that may append."""

    def version(self) -> Hashable:
        """Equal to what it was in an earlier turn only if nobody else has written since."""

    def fetch(self, intent: Intent) -> None:
        """Bring what will be asked for, where that saves going for it piece by piece."""

    def append(self, events: Iterable[RecordedEvent]) -> Sequence[int]:
        """Append events with their identities; returns their positions."""

    def write_off(self) -> None:
        """See to it that what is not found in this turn cannot turn up once the turn has ended well."""

    def send(self) -> None:
        """Let what was appended go on its way, where that can go on beside other work.

        After that nothing can be looked up in this turn any more.
        """

    def pump(self) -> None:
        """Hand on more of what was sent, if any; to be called from time to time."""


class Conditional(Protocol):
    """What a store offers beside turns that can append on a condition (module `ahead`)."""

    def look(self, names: Iterable[str]) -> Mapping[str, Sequence[StoredLine]]:
        """Streams as they are now, read together and without a lock."""

    def append_next(self, event: RecordedEvent, expected: Mapping[str, int]) -> int | None:
        """Append a participant's event durably, and give it its position.

        Only if its identity is new, its stream has one event less than its version says, and each
        other stream has so many as expected; else None, and nothing was appended. Raises as leaving
        `writing` does.
        """


class Marks(Protocol):
    """Bookmarks of imports (module `bookmark`), by name."""

    def get(self, name: str) -> str | None:
        """The bookmark of that name. To be asked for before one is put."""

    def put(self, writing: Writing, name: str, bookmark: str) -> None:
        """Keep it with what a turn appends: it is there exactly if that is. Before the turn sends."""

    def remove(self, names: Sequence[str]) -> None:
        """Forget them: the import came to its end."""


class Journal(Protocol):
    """A store of recorded lines. It offers no way to change or remove one.

    Once closed, reading, writing and using raise the LedgerFault that `closed` makes.
    """

    url: str

    def reading(self) -> AbstractContextManager[Looking]:
        """A consistent look at the journal."""

    def writing(self, plan: Plan | None = None) -> AbstractContextManager[Writing]:
        """The one writer; what was appended is durable when the context ends without an error.

        Without a plan it may append to any stream. Raises TurnLost where the store undid the turn
        in favour of another's, and CommitInDoubt where it cannot tell whether it was stored.
        """

    @property
    def ahead(self) -> Conditional | None:
        """How it appends on a condition, without a turn; None where that would save nothing."""

    @property
    def marks(self) -> Marks | None:
        """Where imports leave their bookmarks; None where nothing outlives the process."""

    def pause(self, until: Signal, seconds: float) -> None:
        """Wait until something may have been recorded, or the signal is set; about so long at most."""

    def using(self, connection: Any) -> Journal:
        """The same journal inside the transaction of a connection that the caller commits.

        Raises UnusableConnection.
        """

    def close(self) -> None:
        """Let go of files and connections; again, and nothing happens."""
