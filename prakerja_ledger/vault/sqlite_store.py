"""A vault in a SQLite file of its own, which only its owner can read.

`secure_delete` overwrites what is deleted with zeros in the file. Three copies remain for a while: old
pages in the write-ahead log, free room within pages where rows were moved, and whatever another process
still reads. `scrub` writes the file anew and empties the log, and says whether it could.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from threading import RLock
from typing import Any, Final
from urllib.parse import quote

from prakerja_ledger.domain.errors import LedgerFault, UnreadableSource
from prakerja_ledger.domain.phrases import Phrase
from prakerja_ledger.stores.sqlite import fault
from prakerja_ledger.stores.sqlite_file import FULL, path_of
from prakerja_ledger.vault.rows import FORMAT, Rows, Settings, create_script
from prakerja_ledger.vault.store import no_vault, vault_there

APPLICATION_ID: Final = 0x50524B56
"""`PRKV` in the file's header; a ledger's is another, and neither is taken for the other."""
_LOCK_SECONDS: Final = 30
_APPEND_ONLY: Final = [
    f"CREATE TRIGGER journal_{verb.lower()} BEFORE {verb} ON journal {when}"
    "BEGIN SELECT RAISE(ABORT, 'journal is append-only'); END"
    for verb, when in (
        ("UPDATE", ""),
        ("DELETE", ""),
        ("INSERT", "WHEN EXISTS (SELECT 1 FROM journal WHERE number = NEW.number) "),
    )
]
"""REPLACE deletes without firing delete triggers, so the third looks at the key before it does."""


def create(url: str, settings: Settings) -> None:
    """Make the file, with the mode it keeps: there is no moment in which others could open it."""
    path = path_of(url)
    if not path.parent.is_dir():
        raise UnreadableSource(
            source=url, problem=Phrase("there is no folder {folder}.", folder=str(path.parent))
        )
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    except FileExistsError:
        raise vault_there(url) from None
    try:
        with closing(_connected(path)) as database:
            database.execute("BEGIN IMMEDIATE")
            for statement in (*create_script("TEXT", "BLOB"), *_APPEND_ONLY):
                database.execute(statement)
            Rows(_runner(database)).create(settings)
            database.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            database.execute(f"PRAGMA user_version = {FORMAT}")
            database.execute("COMMIT")
    except sqlite3.Error as error:
        path.unlink()
        raise fault(url, error) from error


def open(url: str) -> SQLiteStore:  # StoreModule's word
    """The vault in that file. Raises UnreadableSource where it is none, or others can read it."""
    path = path_of(url)
    if not (path.is_file() and path.stat().st_size):
        raise no_vault(url)
    if path.stat().st_mode & 0o077:
        raise UnreadableSource(
            source=url,
            problem=Phrase(
                "its mode is {mode}, so others can get at it. Run chmod go= {path}.",
                mode=f"{path.stat().st_mode & 0o777:04o}",
                path=str(path),
            ),
        )
    try:
        _check(url, path)
        return SQLiteStore(url, _connected(path))
    except sqlite3.Error as error:
        raise UnreadableSource(source=url, problem=Phrase("{error}.", error=str(error))) from None


def _check(url: str, path: Path) -> None:
    """Look before anything is set: a stranger's file is left as it was."""
    look = sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True, timeout=_LOCK_SECONDS)
    with closing(look) as database:
        (owner,) = database.execute("PRAGMA application_id").fetchone()
        (version,) = database.execute("PRAGMA user_version").fetchone()
    if (owner, version) != (APPLICATION_ID, FORMAT):
        problem = Phrase("it is no vault of format {format}. Name another file.", format=FORMAT)
        raise UnreadableSource(source=url, problem=problem)


def _connected(path: Path) -> sqlite3.Connection:
    database = sqlite3.connect(
        f"file:{quote(str(path))}?mode=rw",
        uri=True,
        isolation_level=None,
        timeout=_LOCK_SECONDS,
        check_same_thread=False,
    )
    for setting in ("journal_mode = WAL", "synchronous = FULL", "secure_delete = ON"):
        database.execute(f"PRAGMA {setting}").fetchall()
    (synchronous,) = database.execute("PRAGMA synchronous").fetchone()
    (secure,) = database.execute("PRAGMA secure_delete").fetchone()
    if synchronous < FULL or secure != 1:
        raise LedgerFault(
            source=str(path),
            problem=Phrase("this SQLite cannot be made durable, or keeps what is deleted."),
        )
    return database


def _runner(database: sqlite3.Connection) -> Any:
    def run(statement: str, parameters: Sequence[Any]) -> list[tuple[Any, ...]]:
        return database.execute(statement, parameters).fetchall()

    return run


class SQLiteStore:
    """One connection, used by one thread at a time; other processes wait for SQLite's own lock."""

    def __init__(self, url: str, database: sqlite3.Connection) -> None:
        self.url = url
        self._database = database
        self._lock = RLock()

    @contextmanager
    def reading(self) -> Iterator[Rows]:
        """One consistent look."""
        with self._transaction("BEGIN") as rows:
            yield rows

    @contextmanager
    def writing(self) -> Iterator[Rows]:
        """The one writer's transaction."""
        with self._transaction("BEGIN IMMEDIATE") as rows:
            yield rows

    @contextmanager
    def _transaction(self, begin: str) -> Iterator[Rows]:
        with self._lock, self._translated():
            self._database.execute(begin)
            try:
                yield Rows(_runner(self._database))
                self._database.execute("COMMIT")
            finally:
                if self._database.in_transaction:
                    self._database.execute("ROLLBACK")

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise fault(self.url, error) from error

    def scrub(self) -> bool:
        """Write the file anew, and empty the log of the pages that it held before."""
        with self._lock:
            try:
                self._database.execute("VACUUM")
                query = "PRAGMA wal_checkpoint(TRUNCATE)"
                (busy, _, _) = self._database.execute(query).fetchone()
            except sqlite3.OperationalError as error:
                if "locked" in str(error) or "busy" in str(error):
                    return False
                raise fault(self.url, error) from error
            return not busy

    def close(self) -> None:
        """Let go of the file."""
        with self._lock:
            self._database.close()
