"""A projection's tables in a SQLite file: of its own, or the ledger's."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final
from urllib.parse import quote

from eventsourcing.persistence import IntegrityError, PersistenceError, Tracking
from eventsourcing.sqlite import SQLiteCursor, SQLiteTrackingRecorder

from prakerja_ledger.domain.errors import LedgerFault
from prakerja_ledger.projecting.rows import Row
from prakerja_ledger.projecting.tables import Overtaken, Slot, State
from prakerja_ledger.stores.projection_questions import SQLQuestions
from prakerja_ledger.stores.projection_sql import Dialect
from prakerja_ledger.stores.projection_tables import (
    STATE_COLUMNS,
    SQLChange,
    state_of,
    tracked_as,
)
from prakerja_ledger.stores.sqlite import fault
from prakerja_ledger.stores.sqlite_file import path_of
from prakerja_ledger.stores.sqlite_recorder import LedgerDatastore

DIALECT: Final = Dialect(
    mark="?",
    text="text",
    day="text",
    members="participant IN (SELECT id FROM temp.chosen)",
    closing=" WITHOUT ROWID",
)


class SQLiteChange(SQLChange):
    """One write transaction."""

    dialect = DIALECT

    def __init__(self, cursor: SQLiteCursor, recorder: SQLiteTrackingRecorder) -> None:
        self._cursor = cursor
        self._sqlite = cursor.sqlite_cursor
        self._recorder = recorder

    def run(self, statement: str, parameters: Sequence[Any] = ()) -> list[Row]:
        """Run one statement; its rows, if it has any."""
        return [tuple(row) for row in self._sqlite.execute(statement, parameters)]

    def run_script(self, script: str) -> None:
        """Run several statements; `executescript` would commit first."""
        for statement in script.split(";\n"):
            if statement.strip():
                self._sqlite.execute(statement)

    def fill(self, table: str, columns: tuple[str, ...], rows: Iterable[Row]) -> None:
        """Insert many rows."""
        marks = ", ".join("?" * len(columns))
        self._sqlite.executemany(
            f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks})", rows
        )

    def insert_tracking(self, tracking: Tracking) -> None:
        """Let `eventsourcing`'s tracking move on."""
        self._recorder._insert_tracking(self._cursor, tracking)  # noqa: SLF001  # the library's seam

    def choose(self, names: Sequence[str]) -> Sequence[Any]:
        """Name participants in a table of this connection's own."""
        self._sqlite.execute("CREATE TEMP TABLE IF NOT EXISTS chosen (id text PRIMARY KEY)")
        self._sqlite.execute("DELETE FROM temp.chosen")
        self._sqlite.executemany("INSERT INTO temp.chosen VALUES (?)", [(name,) for name in names])
        return ()


class SQLiteTables(SQLQuestions):
    """The tables of a projection in one file."""

    dialect = DIALECT

    def __init__(self, url: str) -> None:
        self.url = url
        path = path_of(url)
        if not path.parent.is_dir():
            raise LedgerFault(
                source=url, problem=f"there is no folder {path.parent}. Make it first."
            )
        self._datastore = LedgerDatastore(f"file:{quote(str(path))}?mode=rwc")
        self._recorder = SQLiteTrackingRecorder(self._datastore)
        with self._translated():
            self._recorder.create_table()

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except IntegrityError as error:
            raise Overtaken from error
        except (sqlite3.Error, PersistenceError) as error:
            raise fault(self.url, error) from error

    def make(self) -> None:
        """Nothing: the file is there since it was opened."""

    def state(self, slot: Slot) -> State | None:
        """What a slot holds; None where nothing was begun there."""
        with self._translated(), self._datastore.transaction(commit=False) as cursor:
            return self._state(cursor, slot)

    def _state(self, cursor: SQLiteCursor, slot: Slot) -> State | None:
        asked = cursor.sqlite_cursor
        asked.row_factory = None
        there = "SELECT 1 FROM sqlite_master WHERE name = 'projection' AND type = 'table'"
        if asked.execute(there).fetchone() is None:
            return None
        found = asked.execute(
            f"SELECT {', '.join(STATE_COLUMNS)} FROM projection WHERE slot = ?", (slot.value,)
        ).fetchone()
        if found is None:
            return None
        state = state_of(found, ())
        clocks = [
            asked.execute(
                self._recorder.select_max_tracking_id_statement, (tracked_as(state, shard),)
            ).fetchone()[0]
            for shard in range(found[STATE_COLUMNS.index("shards")])
        ]
        return state_of(found, tuple(clock or 0 for clock in clocks))

    @contextmanager
    def change(self, expected: State | None) -> Iterator[SQLiteChange]:
        """A transaction, if the tables still are as expected. Raises Overtaken."""
        with self._translated(), self._datastore.transaction(commit=True) as cursor:
            if expected is not None and self._state(cursor, expected.slot) != expected:
                raise Overtaken
            yield SQLiteChange(cursor, self._recorder)

    def rows(self, query: str, parameters: Sequence[Any] = ()) -> list[Row]:
        """What a query of this package's finds."""
        with self._translated(), self._datastore.transaction(commit=False) as cursor:
            asked = cursor.sqlite_cursor
            asked.row_factory = None
            return asked.execute(query, parameters).fetchall()

    def close(self) -> None:
        """Let go of the file."""
        self._datastore.close()


def open_tables(url: str) -> SQLiteTables:
    """The tables of a projection in the file behind a URL, which is made where it is missing."""
    return SQLiteTables(url)
