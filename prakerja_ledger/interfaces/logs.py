"""SOURCE as logs: what of it is sealed, in the order of recording, whatever it is kept in.

A ledger is as many logs as it has shards. A history file is the log of what is recorded of it; where it
is held against a ledger of several shards, each event goes to the shard of its stream, as it did there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Final

from attrs import define, field, frozen

from prakerja_ledger.domain.errors import (
    NotCanonical,
    UnreadableSource,
)
from prakerja_ledger.domain.facts import EventVoided, type_of
from prakerja_ledger.domain.phrases import Phrase
from prakerja_ledger.domain.register import Recorded
from prakerja_ledger.domain.schemes import KARTU_PRAKERJA, Programme
from prakerja_ledger.evidence.canonical import Told, told
from prakerja_ledger.evidence.merkle import leaf_hash
from prakerja_ledger.interfaces.columnar.sniffing import is_columnar
from prakerja_ledger.interfaces.history_file import STANDARD_INPUT, Line, OverlongLine
from prakerja_ledger.interfaces.source import (
    TICK_EVERY,
    Tally,
    Tick,
    file_register,
    is_ledger,
    judged,
    no_tick,
    numbered,
    without_collection,
)
from prakerja_ledger.ledger.filing import Filing, lost, streams_of
from prakerja_ledger.ledger.journal import Looking
from prakerja_ledger.ledger.ledger import Ledger
from prakerja_ledger.ledger.shards import shard_at, shard_of
from prakerja_ledger.ledger.streams import name_of
from prakerja_ledger.ledger.urls import check_source
from prakerja_ledger.processes import Helpers
from prakerja_ledger.stores.sqlite_file import path_of

_BLANKS: Final = b" \t\r"
_VOID: Final = type_of(EventVoided.kind)
"""The one kind of event that does not say of itself whose stream it belongs to."""


@frozen
class Aside:
    """A line of a file that is not recorded."""

    number: int
    leaf: bytes
    code: str
    """Of its quarantine; empty for a duplicate."""


Placed = tuple[int, bytes, Told | None]
"""A line: where it stands in the source, its bytes, and the event on it, unless it cannot be read."""


@define(eq=False)
class FileLogs:
    """A history file: one log, or as many as a checkpoint says."""

    name: str
    _programme: Programme
    _tick: Tick
    tally: Tally = field(factory=Tally)
    asides: list[Aside] = field(factory=list)
    """The lines that are not recorded, once all events were asked for."""
    shards: None = None
    _streams: dict[int, str] = field(factory=dict)
    """The streams of events that do not say themselves which is theirs, by their lines."""
    claims: bool = False
    """Whether each place is the position that the source itself says."""

    def events(self) -> Iterator[Placed]:
        """What is recorded, judged as one history."""
        self.tally, self.asides, self._streams = Tally(), [], {}
        for one in judged([self.name], file_register(self._programme), self._programme, self._tick):
            self.tally.count(one.number, one.outcome, one.line)
            if type(one.outcome) is Recorded:
                line = one.line.strip(_BLANKS)
                event = _told(line)
                if event is not None and event.type == _VOID:
                    self._streams[one.number] = name_of(one.outcome.stream)
                yield one.number, line, event
            else:
                leaf = _aside_leaf(one.overlong or one.line)
                self.asides.append(Aside(one.number, leaf, getattr(one.outcome, "code", "")))

    def lines(self) -> Iterator[Placed]:
        """Every line that is not blank, judged or not."""
        for number, line in numbered(self.name):
            if isinstance(line, OverlongLine):
                line.file.close()
                yield number, b"", None
            else:
                line = line.strip(_BLANKS)
                yield number, line, _told(line)

    def shard(self, place: int, event: Told, shards: int) -> int:
        """That of its stream."""
        return shard_of(self.stream(place, event), shards)

    def stream(self, place: int, event: Told) -> str:
        """The stream of an event."""
        return self._streams.get(place) or next(iter(streams_of(event)), "")

    def shard_of_unreadable(self, place: int, shards: int) -> int:  # noqa: ARG002  # the port's signature
        """Nobody knows; a line that is recorded can be read."""
        return 0

    def damage(self) -> str:
        """Of a Parquet history what its footers say that its rows do not; once all events were asked for."""
        if not is_columnar(self.name):
            return ""
        from prakerja_ledger.interfaces.columnar.honesty import dishonesty  # noqa: PLC0415  # Arrow

        return dishonesty(self.name, self._programme, is_clean=not self.asides)


def _told(line: bytes) -> Told | None:
    try:
        return told(line) if isinstance(line, bytes) else None  # SQLite's columns take any value
    except NotCanonical:
        return None


def _aside_leaf(line: Line) -> bytes:
    if isinstance(line, bytes):
        return leaf_hash(line)
    whole = sha256(b"\0")
    for piece in line.pieces():
        whole.update(piece)
    return whole.digest()


@define(eq=False)
class LedgerLogs:
    """A ledger, as it stands at one moment."""

    name: str
    """The URL without its password."""
    url: str = field(repr=False)
    looking: Looking
    tick: Tick
    shards: int
    claims: bool
    asides: Sequence[Aside] = ()
    _streams: dict[int, str] = field(factory=dict)
    """The streams of events that do not say themselves which is theirs."""
    misfiled: list[tuple[int, str]] = field(factory=list)
    """Positions whose columns are not what their lines say, and which column, once all events were
    asked for."""

    def events(self) -> Iterator[Placed]:
        """Every line with its position."""
        filed = self.looking.filed()
        self.misfiled = []
        if filed is None:
            for one in self.looking.lines():
                yield one.position, one.line, _told(one.line)
            return
        filing = Filing()
        for count, row in enumerate(filed):
            if not count % TICK_EVERY:
                self.tick(count)
            event = _told(row[4])
            if not (type(row[1]) is type(row[3]) is str and type(row[2]) is int):
                self.misfiled.append((row[0], "kind of value"))  # SQLite's columns take any
            elif event is not None:
                if event.type == _VOID:
                    self._streams[row[0]] = row[1]
                if wrong := filing.wrong(row, event):
                    self.misfiled.append((row[0], wrong))
            yield row[0], row[4], event
        kept = self.looking.identities()
        if kept is not None and not filing.finds(kept):
            self._look_up()

    def _look_up(self) -> None:
        """Some event is not where its identity says: find out which."""
        readable = ((place, event) for place, _, event in self.lines() if event is not None)
        found = [(position, "identity") for position in lost(readable, self.looking.finds)]
        unread = any(event is None for _, _, event in self.lines())  # then that is whose it is
        self.misfiled += found or ([] if unread else [(0, "identity")])

    def lines(self) -> Iterator[Placed]:
        """The same, looked for no misfiling: a ledger holds nothing else."""
        filed = self.looking.filed()
        if filed is None:
            return ((one.position, one.line, _told(one.line)) for one in self.looking.lines())
        return ((row[0], row[4], _told(row[4])) for row in filed)

    def shard(self, place: int, event: Told, shards: int) -> int:  # noqa: ARG002  # the port's signature
        """That of its position."""
        return shard_at(place, shards)

    def stream(self, place: int, event: Told) -> str:
        """The stream of an event."""
        return self._streams.get(place) or next(iter(streams_of(event)), "")

    def shard_of_unreadable(self, place: int, shards: int) -> int:
        """That of its position."""
        return shard_at(place, shards)

    @property
    def is_large_file(self) -> bool:
        """Whether to look through its file for damage takes seconds."""
        return self.url.startswith("sqlite:") and path_of(self.url).stat().st_size >= LARGE

    def damage(self) -> str:
        """Where the store contradicts itself."""
        return self.looking.damage()


Logs = FileLogs | LedgerLogs
"""What of a source is sealed."""

LARGE: Final = 64 << 20
"""Bytes of a ledger that are worth another process."""


@contextmanager
def examined(source: Logs) -> Iterator[Callable[[], str]]:
    """Where the source contradicts itself, to be asked for once all events were.

    A large SQLite ledger is examined by another process meanwhile: it is one long call, and can be ended.
    """
    if isinstance(source, FileLogs) or not source.is_large_file:
        yield source.damage
        return
    with Helpers(
        1,
        _examiner,
        (source.url,),
        source=source.name,
        advice=Phrase("It was not verified to its end."),
    ) as helpers:
        yield helpers.ask(None).result


def _examiner(url: str) -> Callable[[None], str]:
    ledger = Ledger.open(url, read_only=True)

    def damage(_: None) -> str:
        with ledger.journal.reading() as looking:
            return looking.damage()

    return damage


@contextmanager
def open_logs(
    source: str, programme: Programme = KARTU_PRAKERJA, tick: Tick = no_tick
) -> Iterator[Logs]:
    """The logs of a source. Raises UnreadableSource."""
    check_source(source)
    if not is_ledger(source):
        # a pipe would be found cut where the second look begins
        if source == STANDARD_INPUT or Path(source).is_fifo() or Path(source).is_char_device():
            raise UnreadableSource(
                source=source, problem=Phrase("it is read more than once here. Name a file.")
            )
        with without_collection():
            yield FileLogs(source, programme, tick)
        return
    with (
        without_collection(),
        Ledger.open(source, programme=programme, read_only=True) as ledger,
        ledger.journal.reading() as looking,
    ):
        shards = looking.shards
        yield LedgerLogs(ledger.journal.url, source, looking, tick, shards, claims=shards == 1)
