"""Bookmarks of imports in a SQLite ledger: a table beside the journal's, which may change."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from prakerja_ledger.ledger.journal import Writing
from prakerja_ledger.stores.sqlite import SQLiteJournal, SQLiteWriting

_MAKE: Final = (
    "CREATE TABLE IF NOT EXISTS import_bookmarks "
    "(name TEXT PRIMARY KEY, bookmark TEXT NOT NULL) WITHOUT ROWID"
)


class SQLiteMarks:
    """The bookmarks of one ledger."""

    def __init__(self, journal: SQLiteJournal) -> None:
        self._journal = journal

    def get(self, name: str) -> str | None:
        """The bookmark of that name."""
        with self._journal.writing() as writing:
            writing.cursor.execute(_MAKE)
            row = writing.cursor.execute(
                "SELECT bookmark FROM import_bookmarks WHERE name = ?", (name,)
            ).fetchone()
        return None if row is None else str(row[0])

    def put(self, writing: Writing, name: str, bookmark: str) -> None:
        """Keep it with what a turn appends."""
        assert isinstance(writing, SQLiteWriting), "a turn of this journal"
        writing.cursor.execute(
            "INSERT INTO import_bookmarks VALUES (?, ?) "
            "ON CONFLICT (name) DO UPDATE SET bookmark = excluded.bookmark",
            (name, bookmark),
        )

    def remove(self, names: Sequence[str]) -> None:
        """Forget them: the import came to its end."""
        with self._journal.writing() as writing:
            writing.cursor.executemany(
                "DELETE FROM import_bookmarks WHERE name = ?", [(name,) for name in names]
            )
