"""A projection's tables on PostgreSQL: in a schema of their own, beside the ledger's or elsewhere."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

import psycopg
from attrs import evolve
from eventsourcing.persistence import IntegrityError, PersistenceError, Tracking
from eventsourcing.postgres import PostgresTrackingRecorder
from psycopg import ClientCursor, Connection, Cursor
from psycopg.rows import dict_row, tuple_row

from prakerja_ledger.domain.errors import LedgerFault
from prakerja_ledger.domain.phrases import Phrase
from prakerja_ledger.projecting.rows import Row
from prakerja_ledger.projecting.tables import Overtaken, Slot, State
from prakerja_ledger.stores.postgres_connecting import borrow_alive, end, fault
from prakerja_ledger.stores.postgres_recorder import LedgerDatastore
from prakerja_ledger.stores.postgres_text import original, storable
from prakerja_ledger.stores.postgres_url import PostgresURL, parse_url
from prakerja_ledger.stores.postgres_writing import rows_in_turn
from prakerja_ledger.stores.projection_questions import SQLQuestions
from prakerja_ledger.stores.projection_sql import Dialect
from prakerja_ledger.stores.projection_tables import (
    STATE_COLUMNS,
    SQLChange,
    state_of,
    tracked_as,
)

DIALECT: Final = Dialect(
    mark="%s",
    text='text COLLATE "C"',
    day="date",
    chosen="{} = ANY(%s)",
    closing="",
)
SUFFIX: Final = "_projection"
"""Put to the name of the ledger's schema."""
_TRACKING: Final = "tracking"
_READ_STATE: Final = f"""\
SELECT {{columns}}, ARRAY(
    SELECT coalesce(t.notification_id, 0) FROM generate_series(0, p.shards - 1) AS s
    LEFT JOIN {_TRACKING} AS t ON t.application_name = p.ledger || ' ' || p.generation || '/' || s
    ORDER BY s)
FROM projection AS p WHERE slot = %s"""
"""A state with its clocks, as `tracked_as` names them; a reader needs no second look after a lock."""
_OVERTAKEN: Final = (
    psycopg.errors.DeadlockDetected,
    psycopg.errors.SerializationFailure,
    psycopg.errors.UniqueViolation,
    psycopg.errors.DuplicateTable,
    psycopg.errors.DuplicateSchema,
    psycopg.errors.DuplicateObject,
    psycopg.errors.UndefinedTable,
)
"""What another runner, or a swap, makes of a transaction that is under way."""


class PostgresChange(SQLChange):
    """One write transaction."""

    dialect = DIALECT

    def __init__(self, connection: Connection[Any], tables: PostgresTables) -> None:
        self._connection = connection
        self._tables = tables

    def run(self, statement: str, parameters: Sequence[Any] = ()) -> list[Row]:
        """Run one statement; its rows, if it has any."""
        cursor = Cursor(self._connection, row_factory=tuple_row)
        cursor.execute(statement, parameters)
        return cursor.fetchall() if cursor.description is not None else []

    def run_script(self, script: str) -> None:
        """Run several statements."""
        self._connection.execute(script)

    def fill(self, table: str, columns: tuple[str, ...], rows: Iterable[Row]) -> None:
        """Insert many rows by COPY; names stand in the first column."""
        cursor = Cursor(self._connection, row_factory=tuple_row)
        with cursor.copy(f"COPY {table} ({', '.join(columns)}) FROM STDIN") as copying:
            for row in rows:
                copying.write_row((storable(row[0]), *row[1:]))

    def hold_live(self) -> None:
        """Its row first, as every runner does: it holds that one while it wants the tables."""
        self.run("SELECT FROM projection WHERE slot = 'live' FOR UPDATE")

    def insert_tracking(self, tracking: Tracking) -> None:
        """Let `eventsourcing`'s tracking move on."""
        cursor = Cursor(self._connection, row_factory=dict_row)
        self._tables.recorder._insert_tracking(cursor, tracking)  # noqa: SLF001  # the library's seam

    def choose(self, names: Sequence[str]) -> Sequence[Any]:
        """Names in an array."""
        return (list(names),)

    def kept(self, name: str) -> str:
        """A name as PostgreSQL can keep it."""
        return storable(name)

    def given(self, kept: str) -> str:
        """The name that was kept."""
        return original(kept)


class PostgresLook(SQLQuestions):
    """One read transaction."""

    dialect = DIALECT

    def __init__(self, connection: Connection[Any], schema: str, lock: str = "") -> None:
        self._connection = connection
        self._schema = schema
        self._lock = lock

    def rows(self, query: str, parameters: Sequence[Any] = ()) -> list[Row]:
        """What a query finds."""
        asked = Cursor(self._connection, row_factory=tuple_row)
        return asked.execute(query, parameters).fetchall()

    def state(self, slot: Slot) -> State | None:
        """What a slot holds; None where nothing was begun there."""
        if self.rows("SELECT to_regclass(%s)", (f"{self._schema}.projection",)) == [(None,)]:
            return None
        columns = ", ".join(STATE_COLUMNS)
        asked = f"SELECT {columns} FROM projection WHERE slot = %s{self._lock}"
        found = self.rows(asked, (slot.value,))
        if not found:
            return None
        state = state_of(found[0], ())
        names = [tracked_as(state, n) for n in range(found[0][STATE_COLUMNS.index("shards")])]
        asked = f"SELECT application_name, notification_id FROM {_TRACKING} "
        tracked: dict[str, int] = dict(
            self.rows(asked + "WHERE application_name = ANY(%s)", (names,))
        )
        return evolve(state, clocks=tuple(tracked.get(name, 0) for name in names))

    def _several(
        self, one: str, other: str, parameters: Sequence[Any]
    ) -> tuple[State | None, Sequence[Row], Sequence[Row]]:
        """In one message: a screen of one participant waits for the server once."""
        cursor = ClientCursor(self._connection, row_factory=tuple_row)
        asked = f"{_READ_STATE.format(columns=', '.join(STATE_COLUMNS))}; {one}; {other}"
        try:
            cursor.execute(asked, (Slot.LIVE.value, *parameters, *parameters))
        except psycopg.errors.UndefinedTable:  # nothing was ever built
            return None, (), ()
        found, first, second = rows_in_turn(cursor)
        if not found:
            return None, (), ()
        *row, clocks = found[0]
        return state_of(tuple(row), tuple(clocks)), first, second

    def kept(self, name: str) -> str:
        """A participant's name as PostgreSQL can keep it."""
        return storable(name)

    def given(self, kept: str) -> str:
        """The name that was kept."""
        return original(kept)


class PostgresTables:
    """The tables of a projection in one schema."""

    def __init__(self, url: PostgresURL) -> None:
        self.url: str = url.shown
        self.schema: str = url.schema
        self._datastore = LedgerDatastore(url)
        self.recorder: PostgresTrackingRecorder = PostgresTrackingRecorder(
            self._datastore, tracking_table_name=_TRACKING
        )

    @contextmanager
    def _transaction(self, *, write: bool) -> Iterator[Connection[Any]]:
        """A transaction in which names without a schema are ours."""
        connection = borrow_alive(self._datastore.pool, self.url)
        try:
            level = "READ COMMITTED" if write else "REPEATABLE READ READ ONLY"
            connection.execute(
                f"BEGIN ISOLATION LEVEL {level}; SET LOCAL search_path = {self.schema}"
            )
            yield connection
            connection.execute("COMMIT")
        except (*_OVERTAKEN, IntegrityError) as error:
            raise Overtaken from error
        except (psycopg.Error, PersistenceError) as error:
            raise fault(self.url, error) from error
        finally:
            end(connection)
            self._datastore.pool.putconn(connection)

    @contextmanager
    def look(self) -> Iterator[PostgresLook]:
        """A consistent look. Raises Overtaken where the tables were swapped in the middle of it."""
        with self._transaction(write=False) as connection:
            yield PostgresLook(connection, self.schema)

    @contextmanager
    def change(self, expected: State | None) -> Iterator[PostgresChange]:
        """A transaction, if the tables still are as expected. Raises Overtaken."""
        with self._transaction(write=True) as connection:
            if expected is None:
                self._check_made(connection)
                self._make_tracking(connection)
            else:
                looking = PostgresLook(connection, self.schema, " FOR UPDATE")
                if looking.state(expected.slot) != expected:
                    raise Overtaken
            yield PostgresChange(connection, self)

    def make(self) -> None:
        """Make the schema; a run makes tables in it, and never the schema itself."""
        with self._transaction(write=True) as connection:
            connection.execute(f"CREATE SCHEMA IF NOT EXISTS {self.schema}")

    def _check_made(self, connection: Connection[Any]) -> None:
        cursor = Cursor(connection, row_factory=tuple_row)
        if cursor.execute("SELECT to_regnamespace(%s)", (self.schema,)).fetchone() == (None,):
            raise LedgerFault(
                source=self.url,
                problem=Phrase(
                    "there is no schema {schema}, and none is made unasked. Run `prakerja-ledger projection "
                    "rebuild`, or have it made for this role.",
                    schema=self.schema,
                ),
            )

    def _make_tracking(self, connection: Connection[Any]) -> None:
        for statement in self.recorder.sql_create_statements:
            connection.execute(statement)

    def close(self) -> None:
        """Let go of the connections."""
        self._datastore.close()


def open_tables(url: str) -> PostgresTables:
    """The tables of a projection in the database behind a URL; made when a rebuild begins."""
    parsed = parse_url(url)
    return PostgresTables(evolve(parsed, schema=parsed.schema + SUFFIX))
