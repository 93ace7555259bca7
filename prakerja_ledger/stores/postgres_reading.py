"""One consistent look at a journal on PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from itertools import count, groupby
from typing import Any, Final

import psycopg
from psycopg import Connection, Cursor
from psycopg.pq import Format
from psycopg.rows import tuple_row

from prakerja_ledger.ledger.journal import Filed, StoredLine
from prakerja_ledger.ledger.shards import position_at
from prakerja_ledger.stores.postgres_rights import Rights
from prakerja_ledger.stores.postgres_sql import Row
from prakerja_ledger.stores.postgres_text import numbers, original, storable, texts

_PAGE: Final = 2_000
_names: Final = count()
"""Of cursors, in this process: a transaction is one process's."""


class PostgresReading:
    """One consistent look at the journal: a read transaction."""

    def __init__(self, connection: Connection[Any], rights: Rights) -> None:
        self._connection = connection
        self._rights = rights
        self._reads = rights.reads
        self.shards: int = rights.shards
        self._found: dict[tuple[str, str], int | None] = {}
        self._fetched: dict[str, tuple[int, list[StoredLine]]] = {}

    def _cursor(self) -> Cursor[Row]:
        """Ours, whatever kind of cursors a caller's connection makes."""
        cursor = Cursor(self._connection, row_factory=tuple_row)
        cursor.format = Format.BINARY
        return cursor

    @contextmanager
    def _pages(self) -> Iterator[psycopg.ServerCursor[Row]]:
        """A cursor that fetches page by page; of its own name, as several may be open at once."""
        name = f"prakerja_ledger_{next(_names)}"
        cursor = psycopg.ServerCursor(self._connection, name, row_factory=tuple_row)
        cursor.itersize = _PAGE
        try:
            yield cursor
        finally:
            try:
                cursor.close()
            except psycopg.OperationalError:
                # The connection has died: its next user is told, not whoever reads no further.
                with suppress(psycopg.OperationalError):
                    cursor.close()  # asks nobody now; a cursor left open is warned of

    def head(self) -> int:
        """The highest position; 0 where nothing is recorded."""
        found = self._cursor().execute(self._reads.highest).fetchone()
        return 0 if found is None else int(found[0] or 0)

    def find(self, source: str, id: str) -> int | None:
        """The position of the event of that identity."""
        key = (source, id)
        if key not in self._found:
            self.take_found([key], self._cursor().execute(self._reads.find, find_parameters([key])))
        return self._found[key]

    def take_found(self, asked: Iterable[tuple[str, str]], rows: Iterable[Row]) -> None:
        """Remember what was found of the identities that were asked for."""
        self._found.update(dict.fromkeys(asked))
        self._found.update(((original(s), original(i)), at) for s, i, at in rows)

    def stream(self, name: str, known: int = 0) -> Sequence[StoredLine]:
        """The lines of a stream after the first `known` ones, in the order of recording."""
        fetched = self._fetched.pop(name, None)
        if fetched is None or fetched[0] != known:
            wanted = {name: known}
            rows = self._cursor().execute(self._reads.stream, stream_parameters(wanted))
            self.take_streams(wanted, rows)
            fetched = self._fetched.pop(name)
        return fetched[1]

    def take_streams(self, asked: Mapping[str, int], rows: Iterable[Row]) -> None:
        """Keep the lines of the streams that were asked for, until they are."""
        self._fetched.update({name: (known, []) for name, known in asked.items()})
        for name, *line in rows:
            self._fetched[original(name)][1].append(StoredLine(*line))

    def streams(self, prefix: str, after: str = "") -> Iterator[tuple[str, list[StoredLine]]]:
        """Every stream of a prefix, by name in the order of code points, with its lines."""
        end = prefix[:-1] + chr(ord(prefix[-1]) + 1)
        with self._pages() as rows:
            # Ids may hold any character but none lies between a name and itself with U+0001 put on.
            low = storable(after) + "\1" if after else prefix
            rows.execute(self._reads.streams, (low, end), binary=True)
            for name, group in groupby(rows, key=lambda row: row[0]):
                yield original(name), [StoredLine(*row[1:]) for row in group]

    def some(self, names: Sequence[str]) -> Iterator[tuple[str, Sequence[StoredLine]]]:
        """These streams, those of them that are there, with their lines."""
        wanted = dict.fromkeys(names, 0)
        self.take_streams(
            wanted, self._cursor().execute(self._reads.stream, stream_parameters(wanted))
        )
        return ((name, lines) for name in names if (lines := self.stream(name)))

    def waves(self) -> tuple[int, ...] | None:
        """The waves granted to a role that is limited to some; None: it sees everybody."""
        if not self._rights.limited:
            return None
        granted = self._cursor().execute(self._reads.waves).fetchone()
        return tuple(sorted(granted[0])) if granted is not None else ()

    def clocks(self) -> tuple[int, ...]:
        """How far each shard has come."""
        return tuple(clock for (clock,) in self._cursor().execute(self._reads.clocks))

    def touched(self, after: Sequence[int], upto: Sequence[int]) -> list[str]:
        """The names of the streams with events between these clocks, each once."""
        found = self._cursor().execute(self._reads.touched, bounds(after, upto))
        return [original(name) for (name,) in found]

    def between(self, after: Sequence[int], upto: Sequence[int]) -> list[StoredLine]:
        """The lines between these clocks, in the order of positions."""
        found = self._cursor().execute(self._reads.between, bounds(after, upto))
        return list(map(StoredLine._make, found))

    def bare(self, after: Sequence[int], upto: Sequence[int]) -> list[bytes]:
        """The lines alone."""
        return [one.line for one in self.between(after, upto)]

    def filed(self) -> Iterator[Filed] | None:
        """Every line in the order of positions, as it is filed; None for a role that may only call."""
        return self._filed() if self._reads.filed else None

    def _filed(self) -> Iterator[Filed]:
        with self._pages() as rows:
            rows.execute(self._reads.filed, binary=True)
            for position, stream, version, topic, line, source, id in rows:
                identity = (original(source or ""), original(id or ""))
                yield position, original(stream), version, topic, line, identity

    def damage(self) -> str:
        """Its files are the server's to check (`pg_amcheck`); nobody reads them past it."""
        return ""

    def identities(self) -> Iterable[tuple[str, str, int]] | None:
        """They stand with the lines."""
        return None

    def finds(self, source: str, id: str, position: int) -> bool:
        """Whether an event is found there by its identity."""
        return self.find(source, id) == position

    def lines(self, after: int = 0) -> Iterator[StoredLine]:
        """Every line beyond a position, in the order of recording."""
        with self._pages() as rows:
            rows.execute(self._reads.lines, (after,), binary=True)
            yield from map(StoredLine._make, rows)


def bounds(after: Sequence[int], upto: Sequence[int]) -> list[Any]:
    """Clocks as positions: the lowest and the highest, and each shard's own."""
    count = len(after)
    places = [
        [position_at(clock, shard, count) for shard, clock in enumerate(clocks)]
        for clocks in (after, upto)
    ]
    return [min(places[0]), max(places[1]), *map(numbers, places)]


def find_parameters(identities: Sequence[tuple[str, str]]) -> list[str]:
    """The identities as the statement takes them."""
    return [
        texts(storable(source) for source, _ in identities),
        texts(storable(id) for _, id in identities),
    ]


def stream_parameters(wanted: Mapping[str, int]) -> list[str]:
    """Streams and how much of each is known, as the statement takes them."""
    return [texts(map(storable, wanted)), numbers(wanted.values())]
