"""`eventsourcing`'s recorder on PostgreSQL, with what a ledger needs beside it.

Positions come from head rows taken `FOR UPDATE`, so that they have no gaps and become visible in
their order. Nothing depends on the session (a pooler may change it between transactions): no
prepared statements, no session settings, no LISTEN. The library's database functions stay off: they
lose events to tailing readers, and two recorders of one schema overwrite each other's.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Final, Literal, NoReturn
from urllib.parse import quote
from uuid import UUID

import psycopg
from eventsourcing.persistence import Notification, StoredEvent
from eventsourcing.postgres import (
    ConnectionPool,
    PostgresApplicationRecorder,
    PostgresDatastore,
    PostgresFactory,
)
from psycopg import ClientCursor, Connection
from psycopg.rows import dict_row, tuple_row

from prakerja_ledger.ledger.shards import (
    clock_at,
    is_common,
    position_at,
    shard_at,
    shard_of,
    shards_of,
)
from prakerja_ledger.stores.postgres_sql import (
    EVENTS,
    Row,
    WriteStatements,
    create_script,
    writes_of,
)
from prakerja_ledger.stores.postgres_text import binaries, numbers, original, storable, texts
from prakerja_ledger.stores.postgres_url import SCHEMA, PostgresURL, parse_url

COPY_FROM: Final = 200
"""Rows from which COPY is quicker than an INSERT with its way there and back saved."""
BEGIN_READING: Final = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"


class Heads:
    """The heads that a writer holds: where each taken shard stands, and what it adds."""

    def __init__(self, rows: Sequence[Row], shards: int) -> None:
        self.shards = shards
        self._number: dict[int, int] = {shard: number for shard, number, _, _ in rows}
        self._clock: dict[int, int] = {shard: clock for shard, _, clock, _ in rows}
        self.fence: int = max(fence for *_, fence in rows)
        """How often turns under way were written off."""

    @property
    def version(self) -> tuple[tuple[int, int, int], ...]:
        """Where each taken shard stands: number and clock."""
        return tuple((s, self._number[s], self._clock[s]) for s in sorted(self._number))

    @property
    def clock(self) -> int:
        """The latest clock of those taken: what a writer adds comes after all that it could see."""
        return max(self._clock.values())

    def holds(self, shard: int) -> bool:
        """Whether the shard is taken."""
        return shard in self._number

    def add(self, position: int, stream: str) -> Row:
        """Count one event at a position; returns its (position, shard, number)."""
        shard, clock = shard_at(position, self.shards), clock_at(position, self.shards)
        number = self._number[shard] = self._number[shard] + 1
        self._clock[shard] = clock
        if self.shards > 1 and is_common(stream):
            assert len(self._number) == self.shards, "what decides across participants holds all"
            self._clock = dict.fromkeys(self._clock, clock)
        return position, shard, number

    def add_all(self, streams: Sequence[str]) -> list[Row]:
        """Count events of these streams, in this order; returns the (position, shard, number) of each."""
        clock = self.clock
        if self.shards == 1:
            number = self._number[0]
            self._clock[0] = clock + len(streams)
            self._number[0] = number + len(streams)
            return [(clock + n, 0, number + n) for n in range(1, len(streams) + 1)]
        return [
            self.add(position_at(clock + n, shard_of(name, self.shards), self.shards), name)
            for n, name in enumerate(streams, 1)
        ]

    def columns(self) -> list[str]:
        """Shards, numbers and clocks, for the statement that moves the heads by hand."""
        return [numbers(column) for column in zip(*self.version, strict=True)]


class PatientConnection(Connection[Any]):
    """A connection that can be told not to wait for ever.

    A peer that keeps the connection and says nothing is noticed by nobody else: the network is fine.
    """

    patience: float | None = None
    """Seconds to wait for an answer; None: as long as it takes."""
    waited_in_vain: bool = False
    """Whether an answer did not come: the connection is closed then."""

    def wait(self, gen: Any, interval: float = 0.1, timeout: float | None = None) -> Any:
        """Let the driver wait; a connection whose answer did not come is of no further use."""
        try:
            return super().wait(gen, interval, timeout or self.patience)
        except psycopg.OperationalError as error:
            if error.sqlstate is None and not self.closed:
                self.waited_in_vain = True
                self.close()
            raise


class LedgerDatastore(PostgresDatastore):
    """A datastore whose connections work behind a pooler too."""

    def __init__(
        self,
        url: PostgresURL,
        *,
        get_password_func: Callable[[], str] | None = None,
        single_row_tracking: bool = True,
        originator_id_type: Literal["uuid", "text"] = "text",
    ) -> None:
        super().__init__(
            *("", "", "", "", ""),
            schema=url.schema,
            single_row_tracking=single_row_tracking,
            originator_id_type=originator_id_type,
        )
        self.pool_open_timeout: float | None = None
        self.pool: ConnectionPool[Any] = ConnectionPool(
            url.conninfo,
            connection_class=PatientConnection,
            kwargs={"autocommit": True, "prepare_threshold": None, "row_factory": dict_row},
            min_size=1,
            max_size=url.pool,
            open=False,
            timeout=url.pool_timeout,
            # The pool's attempts to connect come at intervals that double. After a long absence the
            # next one would be as long in coming; given up, it is made anew for the next who asks.
            reconnect_timeout=url.pool_timeout,
            get_password_func=get_password_func,
        )


def kept(originator_id: UUID | str) -> str:
    """A stream's name as the table has it."""
    return originator_id.hex if isinstance(originator_id, UUID) else storable(originator_id)


def rows_of(
    stored: Sequence[StoredEvent],
    places: Sequence[Row],
    identities: Sequence[tuple[str | None, str | None]],
) -> list[Row]:
    """The rows of events, in the order of the table's columns."""
    return [
        (
            kept(e.originator_id),
            e.originator_version,
            e.topic,
            e.state,
            position,
            shard,
            number,
            None if source is None else storable(source),
            None if id is None else storable(id),
        )
        for e, (position, shard, number), (source, id) in zip(
            stored, places, identities, strict=True
        )
    ]


def insertion(
    statements: WriteStatements, rows: Sequence[Row], heads: Heads
) -> tuple[str, list[str]]:
    """The statements that insert rows, and move the heads where no trigger does."""
    columns = [
        written(column) for written, column in zip(_WRITTEN, zip(*rows, strict=True), strict=True)
    ]
    if statements.advance is None:
        return statements.append, columns
    return f"{statements.append}; {statements.advance}", columns + heads.columns()


_WRITTEN: Final[Sequence[Callable[[Any], str]]] = (
    texts,
    numbers,
    texts,
    binaries,
    numbers,
    numbers,
    numbers,
    texts,
    texts,
)
"""How each column is written as one array."""


class LedgerRecorder(PostgresApplicationRecorder):
    """Records events at positions without gaps, on tables that only grow."""

    def __init__(
        self,
        datastore: PostgresDatastore,
        events_table_name: str = EVENTS,  # noqa: ARG002  # the schema is a ledger's, its table has one name
    ) -> None:
        super().__init__(datastore, events_table_name=EVENTS)
        self.statements: WriteStatements = writes_of(datastore.schema, by_call=False, guarded=True)
        self.shards: int = 1

    def create_table(self) -> None:
        """Make the tables of a ledger of one shard, where there are none; only when asked."""
        with self.datastore.get_connection() as connection:
            there = connection.execute(
                "SELECT to_regclass(%s) IS NOT NULL AS there", (f"{self.datastore.schema}.heads",)
            ).fetchone()
            if there is None or not there["there"]:
                connection.execute(create_script(self.datastore.schema, 1))

    def insert_events(
        self, stored_events: Sequence[StoredEvent], **options: Any
    ) -> Sequence[int] | None:
        """Insert events, and the (source, id) pairs given as `identities`, one for each event.

        Not tried again: a commit whose answer was lost may have been made.
        """
        if not stored_events:
            return []
        identities = options.get("identities") or [(None, None)] * len(stored_events)
        names = [str(e.originator_id) for e in stored_events]
        with self.datastore.get_connection() as connection, connection.transaction():
            cursor = ClientCursor(connection, row_factory=tuple_row)
            cursor.execute(
                f"SET TRANSACTION ISOLATION LEVEL READ COMMITTED; {self.statements.durable}"
            )
            cursor.execute(self.statements.take, [numbers(shards_of(names, self.shards))])
            heads = Heads(cursor.fetchall(), self.shards)
            places = heads.add_all(names)
            rows = rows_of(stored_events, places, identities)
            cursor.execute(*insertion(self.statements, rows, heads))
        return [position for position, _, _ in places]

    def select_events(self, originator_id: UUID | str, **options: Any) -> Sequence[StoredEvent]:
        """The events of a stream, as the library asks for them."""
        found = super().select_events(kept(originator_id), **options)
        return [replace(one, originator_id=originator_id) for one in found]

    def select_notifications(self, *places: Any, **options: Any) -> Sequence[Notification]:
        """Events by position, as the library asks for them."""
        by_uuid = self.datastore.originator_id_type == "uuid"
        given = UUID if by_uuid else original
        return [
            replace(one, originator_id=given(str(one.originator_id)))
            for one in super().select_notifications(*places, **options)
        ]

    def subscribe(self, gt: int | None = None, topics: Sequence[str] = ()) -> NoReturn:
        """Not offered: a subscription listens in a session of its own, and a ledger tells nobody.

        Ask `select_notifications` again and again, or follow a ledger of one shard by its lines.
        """
        raise NotImplementedError


class LedgerFactory(PostgresFactory):
    """Puts the parts together; `eventsourcing` finds it by its topic."""

    application_recorder_class = LedgerRecorder

    def __init__(self, env: Any) -> None:
        super().__init__(env)
        stock = self.datastore  # has opened no connection yet
        options = stock.pool.kwargs
        assert isinstance(options, dict), "the stock pool has options"
        given = {name: quote(str(value), safe=",") for name, value in options.items()}
        schema = self.env.get(self.POSTGRES_SCHEMA) or SCHEMA
        self.datastore: PostgresDatastore = LedgerDatastore(
            parse_url(
                "postgresql://{user}:{password}@{host}:{port}/{dbname}".format(**given)
                + f"?schema={schema}&pool={stock.pool.max_size}&pool_timeout={stock.pool.timeout:.0f}"
            ),
            get_password_func=stock.pool.get_password_func,
            single_row_tracking=stock.single_row_tracking,
            originator_id_type="uuid" if stock.originator_id_type == "uuid" else "text",
        )
