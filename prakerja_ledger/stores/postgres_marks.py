"""Bookmarks of imports in a PostgreSQL ledger: a table beside the journal's, which may change.

It is made by the first import whose role may make it. Others import without: stopped, they judge
everything again.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Final

import psycopg
from psycopg.rows import tuple_row

from prakerja_ledger.ledger.journal import Writing
from prakerja_ledger.stores.postgres import PostgresJournal
from prakerja_ledger.stores.postgres_connecting import borrow_alive, fault
from prakerja_ledger.stores.postgres_writing import PostgresWriting

_MAKE: Final = "CREATE TABLE IF NOT EXISTS {s}.import_bookmarks (name text PRIMARY KEY, bookmark text NOT NULL)"
_PUT: Final = (
    "INSERT INTO {s}.import_bookmarks VALUES (%s, %s) "
    "ON CONFLICT (name) DO UPDATE SET bookmark = excluded.bookmark"
)
_ANSWERS: Final = (
    psycopg.errors.UndefinedTable,
    psycopg.errors.InsufficientPrivilege,
    psycopg.errors.UniqueViolation,
)
"""Errors that tell how things stand."""


class PostgresMarks:
    """The bookmarks of one ledger."""

    def __init__(self, journal: PostgresJournal) -> None:
        self._journal = journal
        self._may = True

    def _said(self, statement: str) -> bytes:
        return statement.format(s=self._journal.rights.schema).encode()

    def get(self, name: str) -> str | None:
        """The bookmark of that name."""
        try:
            rows = self._asked("SELECT bookmark FROM {s}.import_bookmarks WHERE name = %s", name)
        except psycopg.errors.UndefinedTable:
            self._make()
            return None
        except psycopg.errors.InsufficientPrivilege:
            self._may = False
            return None
        return str(rows[0][0]) if rows else None

    def _make(self) -> None:
        try:
            with suppress(psycopg.errors.UniqueViolation):  # another import makes it just now
                self._asked(_MAKE)
        except psycopg.errors.InsufficientPrivilege:
            self._may = False

    def _asked(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        """Run one statement by itself."""
        journal = self._journal
        connection = borrow_alive(journal.pool, journal.url)
        try:
            cursor = connection.cursor(row_factory=tuple_row)
            cursor.execute(self._said(statement), values or None)
            return cursor.fetchall() if cursor.description is not None else []
        except _ANSWERS:
            raise
        except psycopg.Error as error:
            raise fault(journal.url, error) from error
        finally:
            journal.let_go(connection)

    def put(self, writing: Writing, name: str, bookmark: str) -> None:
        """Keep it with what a turn appends."""
        assert isinstance(writing, PostgresWriting), "a turn of this journal"
        if self._may:
            writing.keep(self._said(_PUT), (name, bookmark))

    def remove(self, names: Sequence[str]) -> None:
        """Forget them: the import came to its end."""
        if self._may:
            self._asked("DELETE FROM {s}.import_bookmarks WHERE name = ANY(%s)", list(names))
