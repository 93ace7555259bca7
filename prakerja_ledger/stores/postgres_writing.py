"""The writer of some shards on PostgreSQL: its turn is two messages, one that opens and one that ends it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from psycopg import ClientCursor, Connection, Cursor
from psycopg.rows import tuple_row

from prakerja_ledger.ledger.journal import Intent
from prakerja_ledger.ledger.mapper import LedgerMapper, RecordedEvent
from prakerja_ledger.ledger.shards import position_at, shards_of
from prakerja_ledger.stores.postgres_copy import Copying
from prakerja_ledger.stores.postgres_reading import (
    PostgresReading,
    find_parameters,
    stream_parameters,
)
from prakerja_ledger.stores.postgres_recorder import COPY_FROM, Heads, insertion, rows_of
from prakerja_ledger.stores.postgres_rights import Rights
from prakerja_ledger.stores.postgres_sql import Row, WriteStatements
from prakerja_ledger.stores.postgres_text import numbers


class PostgresWriting(PostgresReading):
    """The writer of the shards that it has taken."""

    def __init__(
        self,
        connection: Connection[Any],
        rights: Rights,
        writes: WriteStatements,
        mapper: LedgerMapper,
        heads: Heads,
    ) -> None:
        super().__init__(connection, rights)
        self.rows: list[Row] = []
        """Rows to be inserted together with the commit."""
        self.heads = heads
        self.changed: bool = False
        """Whether something was written that is no row."""
        self._mapper = mapper
        self._writes = writes
        self._copying: Copying | None = None

    def _cursor(self) -> Cursor[Row]:
        assert self._copying is None, "nothing is looked up once rows are on their way"
        return super()._cursor()

    def version(self) -> tuple[tuple[int, int, int], ...]:
        """Where the taken shards stand."""
        return self.heads.version

    def fetch(self, intent: Intent) -> None:
        """Bring streams and identities in one message."""
        cursor = ClientCursor(self._connection, row_factory=tuple_row)
        cursor.execute(
            f"{self._writes.find}; {self._writes.stream}",
            find_parameters(intent.identities) + stream_parameters(intent.streams),
        )
        self.take_fetched(intent, *rows_in_turn(cursor))

    def take_fetched(self, intent: Intent, found: Sequence[Row], streams: Sequence[Row]) -> None:
        """Keep what was fetched for an intent until it is asked for."""
        self.take_found(intent.identities, found)
        self.take_streams(intent.streams, streams)

    def place(self, shard: int, pending: int) -> int:
        """The position of the next event of a shard, after so many others of this turn."""
        assert self.heads.holds(shard), "the intent named every stream that is appended to"
        return position_at(self.heads.clock + pending + 1, shard, self.shards)

    def append(self, events: Iterable[RecordedEvent]) -> Sequence[int]:
        """Append events with their identities; returns their positions."""
        recorded = list(events)
        places = self.heads.add_all([one.originator_id for one in recorded])
        stored = [self._mapper.to_stored_event(one) for one in recorded]
        self.rows += rows_of(stored, places, [one.event.identity for one in recorded])
        return [position for position, _, _ in places]

    def write_off(self) -> None:
        """With every head held, turns under way have ended; those in one message come too late now.

        A server whose sync failed goes down.
        """
        if self._writes.write_off is not None:
            self._cursor().execute(self._writes.write_off)
            self.changed = True

    def keep(self, statement: bytes, values: tuple[Any, ...]) -> None:
        """Write something else with the events."""
        self._cursor().execute(statement, values)
        self.changed = True

    def send(self) -> None:
        """Let many rows go by COPY, where the role may; they arrive while the caller goes on."""
        if len(self.rows) >= COPY_FROM and self._writes.copies:
            self._copying = Copying(self._connection, self._rights.schema)
            self._copying.send(self.rows)
            self.rows = []

    def pump(self) -> None:
        """Hand on what the server will take of what was sent."""
        if self._copying is not None:
            self._copying.pump()

    @property
    def appended(self) -> bool:
        """Whether there is anything to commit."""
        return self.changed or bool(self.rows) or self._copying is not None

    def flush(self, ending: str = "") -> str | None:
        """Have all rows inserted, and what ends the transaction with them; says what it ended as."""
        self.send()
        statements = [ending] if ending else []
        parameters: list[str] = []
        if self.rows:
            inserting, parameters = insertion(self._writes, self.rows, self.heads)
            statements.insert(0, inserting)
            self.rows = []
        elif self._copying is not None:
            self._copying.finish()
            self._copying = None
            if self._writes.advance is not None:
                statements.insert(0, self._writes.advance)
                parameters = self.heads.columns()
        if not statements:
            return None
        cursor = ClientCursor(self._connection, row_factory=tuple_row)
        cursor.execute("; ".join(statements), parameters)
        while cursor.nextset():
            pass
        return cursor.statusmessage

    def give_up(self, error: BaseException) -> None:
        """Stop what is being sent."""
        if self._copying is not None:
            self._copying.finish(type(error), error, error.__traceback__)
            self._copying = None


def taken_by(intent: Intent | None, shards: int) -> list[int]:
    """The shards that a turn has to hold: all, where it is not known to which it will append."""
    return list(range(shards)) if intent is None else shards_of(intent.appends, shards)


def open_turn(
    connection: Connection[Any],
    rights: Rights,
    writes: WriteStatements,
    mapper: LedgerMapper,
    intent: Intent | None,
    begin: str,
) -> PostgresWriting:
    """Take the heads, and fetch what the writer said it would need: one message, one answer."""
    parameters = [numbers(taken_by(intent, rights.shards))]
    asked = writes.take
    if intent is not None:
        parameters += find_parameters(intent.identities)
        parameters += stream_parameters(intent.streams)
        asked = writes.open or f"{writes.take}; {writes.find}; {writes.stream}"
    cursor = ClientCursor(connection, row_factory=tuple_row)
    answers = rows_in_turn(cursor.execute(begin + asked, parameters))
    heads, *fetched = by_kind(next(answers)) if asked == writes.open else answers
    writing = PostgresWriting(connection, rights, writes, mapper, Heads(heads, rights.shards))
    if intent is not None:
        writing.take_fetched(intent, *fetched)
    return writing


def by_kind(rows: Iterable[Row]) -> tuple[list[Row], list[Row], list[Row]]:
    """Heads, identities and streams, from the one answer that holds them all."""
    heads: list[Row] = []
    found: list[Row] = []
    streams: list[Row] = []
    for kind, name, id, place, number, clock, fence, topic, state in rows:
        if kind == 0:
            heads.append((place, number, clock, fence))
        elif kind == 1:
            found.append((name, id, place))
        else:
            streams.append((name, place, topic, state))
    return heads, found, streams


def rows_in_turn(cursor: ClientCursor[Row]) -> Iterator[list[Row]]:
    """The rows of each statement of a message that gave any."""
    more: bool | None = True
    while more:
        if cursor.description is not None:
            yield cursor.fetchall()
        more = cursor.nextset()
