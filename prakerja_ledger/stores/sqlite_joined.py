"""A SQLite journal inside a transaction that the caller began, and will end."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event as Signal
from typing import Any, Final, NoReturn, Self

from prakerja_ledger.domain.errors import TurnLost, UnusableConnection
from prakerja_ledger.domain.phrases import Phrase
from prakerja_ledger.ledger.journal import Plan
from prakerja_ledger.stores.driver import SAVEPOINT, driver_connection
from prakerja_ledger.stores.sqlite import SQLiteJournal, SQLiteWriting, fault
from prakerja_ledger.stores.sqlite_file import FULL
from prakerja_ledger.stores.sqlite_reading import SQLiteReading

_WANTED: Final = Phrase("a sqlite3.Connection, or a SQLAlchemy Connection or Session on one")
_TAKE_THE_LOCK: Final = "UPDATE stored_events SET rowid = rowid WHERE 0"
"""Changes nothing, and takes the writer's lock; or fails at once where the transaction has looked
at the file before somebody else wrote to it, so that nothing is judged on what is past."""


class JoinedSQLiteJournal:
    """The journal on a connection of the caller's. What it appends is durable when that commits."""

    ahead: Final = None
    marks: Final = None
    """Nothing may happen outside the caller's transaction."""

    def __init__(self, journal: SQLiteJournal, connection: Any) -> None:
        self.url: str = journal.url
        self._journal = journal
        self._given = connection
        try:
            self._check()
        except sqlite3.Error as error:
            self._unusable(Phrase("{error} Give one that is open.", error=str(error)), error)

    def _cursor(self) -> sqlite3.Cursor:
        """A cursor of ours on the caller's connection."""
        found = driver_connection(self._given, self.url, sqlite3.Connection, _WANTED)
        if found.text_factory is not str:
            self._unusable(
                Phrase("its text_factory is not str. Set it back, and read your own texts after.")
            )
        cursor = found.cursor()
        cursor.row_factory = None
        return cursor

    def _check(self) -> None:
        cursor = self._cursor()
        files = {name: file for _, name, file in cursor.execute("PRAGMA database_list")}
        own = files.get("main", "")
        if not own or Path(own).resolve() != self._journal.path.resolve():
            self._unusable(
                Phrase(
                    "it is open on {file}. Open the ledger's own file, and keep your tables beside its "
                    "tables.",
                    file=own or Phrase("memory"),
                )
            )
        (synchronous,) = cursor.execute("PRAGMA synchronous").fetchone()
        if synchronous < FULL:
            self._unusable(
                Phrase(
                    "its synchronous is less than FULL, so that a commit could be lost with the power. Run "
                    "PRAGMA synchronous = FULL on it first."
                )
            )

    def _unusable(self, problem: Phrase, error: BaseException | None = None) -> NoReturn:
        raise UnusableConnection(source=self.url, problem=problem) from error

    @contextmanager
    def reading(self) -> Iterator[SQLiteReading]:
        """A look at the journal as the caller's transaction sees it, its own facts included."""
        try:
            yield SQLiteReading(self._cursor())
        except sqlite3.Error as error:
            raise fault(self.url, error) from error

    @contextmanager
    def writing(self, plan: Plan | None = None) -> Iterator[SQLiteWriting]:  # noqa: ARG002  # one lock for all
        """The writer's turn, which lasts until the caller's transaction ends."""
        cursor = self._cursor()
        connection = cursor.connection
        begun = not connection.in_transaction
        try:
            cursor.execute("BEGIN IMMEDIATE" if begun else _TAKE_THE_LOCK)
        except sqlite3.Error as error:
            lost = not begun and "locked" in str(error)
            raise (_lost(self.url, error) if lost else fault(self.url, error)) from error
        cursor.execute(f"SAVEPOINT {SAVEPOINT}")
        try:
            yield SQLiteWriting(cursor, self._journal.recorder, self._journal.mapper)
        except BaseException as error:
            if begun and connection.in_transaction:
                cursor.execute("ROLLBACK")  # as it was: the caller had none, and holds no lock
            elif connection.in_transaction:
                cursor.execute(f"ROLLBACK TO {SAVEPOINT}")
                cursor.execute(f"RELEASE {SAVEPOINT}")
            if isinstance(error, sqlite3.Error):
                raise fault(self.url, error) from error
            raise
        cursor.execute(f"RELEASE {SAVEPOINT}")

    def using(self, connection: Any) -> Self:  # noqa: ARG002  # the port's signature
        """A joined journal is joined already."""
        return self

    def pause(self, until: Signal, seconds: float) -> None:
        """Wait so long, or until the signal is set."""
        until.wait(seconds)

    def close(self) -> None:
        """The connection is the caller's."""


def _lost(url: str, error: sqlite3.Error) -> TurnLost:
    return TurnLost(
        source=url,
        problem=Phrase(
            "{error}: somebody else wrote after your transaction had first looked. Nothing was "
            "recorded. Roll back and run it again, best begun with BEGIN IMMEDIATE.",
            error=str(error),
        ),
    )
