"""A projection's tables in a SQLite file: of its own, or the ledger's."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final
from urllib.parse import quote

from attrs import evolve
from eventsourcing.persistence import IntegrityError, PersistenceError, Tracking
from eventsourcing.sqlite import SQLiteCursor, SQLiteTrackingRecorder

from prakerja_ledger.domain.errors import LedgerFault
from prakerja_ledger.domain.phrases import Phrase
from prakerja_ledger.projecting.rows import Row
from prakerja_ledger.projecting.tables import Overtaken, Slot, State
from prakerja_ledger.stores.projection_questions import SQLQuestions
from prakerja_ledger.stores.projection_sql import Dialect, insertion
from prakerja_ledger.stores.projection_tables import (
    STATE_COLUMNS,
    SQLChange,
    state_of,
    tracked_as,
)
from prakerja_ledger.stores.sqlite import fault
from prakerja_ledger.stores.sqlite_file import make_private, path_of
from prakerja_ledger.stores.sqlite_recorder import LedgerDatastore

DIALECT: Final = Dialect(
    mark="?",
    text="text",
    day="text",
    chosen="{} IN (SELECT id FROM temp.chosen)",
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
        self._sqlite.executemany(insertion(table, columns, DIALECT), rows)

    def hold_live(self) -> None:
        """Nobody else writes to the file meanwhile."""

    def insert_tracking(self, tracking: Tracking) -> None:
        """Let `eventsourcing`'s tracking move on."""
        self._recorder._insert_tracking(self._cursor, tracking)  # noqa: SLF001  # the library's seam

    def choose(self, names: Sequence[str]) -> Sequence[Any]:
        """Names in a table of this connection's own."""
        self._sqlite.execute("CREATE TEMP TABLE IF NOT EXISTS chosen (id text PRIMARY KEY)")
        self._sqlite.execute("DELETE FROM temp.chosen")
        self._sqlite.executemany("INSERT INTO temp.chosen VALUES (?)", [(name,) for name in names])
        return ()


class SQLiteLook(SQLQuestions):
    """One read transaction."""

    dialect = DIALECT

    def __init__(self, cursor: sqlite3.Cursor, recorder: SQLiteTrackingRecorder) -> None:
        self._cursor = cursor
        self._cursor.row_factory = None
        self._recorder = recorder

    def rows(self, query: str, parameters: Sequence[Any] = ()) -> list[Row]:
        """What a query finds."""
        return self._cursor.execute(query, parameters).fetchall()

    def state(self, slot: Slot) -> State | None:
        """What a slot holds; None where nothing was begun there."""
        if not self.rows(
            "SELECT 1 FROM sqlite_master WHERE name = 'projection' AND type = 'table'"
        ):
            return None
        columns = ", ".join(STATE_COLUMNS)
        found = self.rows(f"SELECT {columns} FROM projection WHERE slot = ?", (slot.value,))
        if not found:
            return None
        state = state_of(found[0], ())
        highest = self._recorder.select_max_tracking_id_statement
        clocks = [
            self.rows(highest, (tracked_as(state, shard),))[0][0]
            for shard in range(found[0][STATE_COLUMNS.index("shards")])
        ]
        return evolve(state, clocks=tuple(clock or 0 for clock in clocks))


class SQLiteTables:
    """The tables of a projection in one file."""

    def __init__(self, url: str) -> None:
        self.url = url
        path = path_of(url)
        if not path.parent.is_dir():
            raise LedgerFault(
                source=url,
                problem=Phrase(
                    "there is no folder {folder}. Make it first.", folder=str(path.parent)
                ),
            )
        self._datastore = LedgerDatastore(f"file:{quote(str(path))}?mode=rw")
        self._recorder = SQLiteTrackingRecorder(self._datastore)
        with self._translated():
            make_private(path)
            self._recorder.create_table()

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except IntegrityError as error:
            raise Overtaken from error
        except (sqlite3.Error, PersistenceError, OSError) as error:
            raise fault(self.url, error) from error

    def make(self) -> None:
        """Nothing: the file is there since it was opened."""

    @contextmanager
    def look(self) -> Iterator[SQLiteLook]:
        """A consistent look."""
        with self._translated(), self._datastore.transaction(commit=False) as cursor:
            yield SQLiteLook(cursor.sqlite_cursor, self._recorder)

    @contextmanager
    def change(self, expected: State | None) -> Iterator[SQLiteChange]:
        """A transaction, if the tables still are as expected. Raises Overtaken."""
        with self._translated(), self._datastore.transaction(commit=True) as cursor:
            looking = SQLiteLook(cursor.sqlite_cursor, self._recorder)
            if expected is not None and looking.state(expected.slot) != expected:
                raise Overtaken
            yield SQLiteChange(cursor, self._recorder)

    def close(self) -> None:
        """Let go of the file."""
        self._datastore.close()


def open_tables(url: str) -> SQLiteTables:
    """The tables of a projection in the file behind a URL, which is made where it is missing."""
    return SQLiteTables(url)
