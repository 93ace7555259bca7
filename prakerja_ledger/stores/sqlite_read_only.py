"""A SQLite ledger opened to be read: nothing is made, changed or left behind, whoever owns file and folder.

SQLite makes a log and its index beside a ledger as soon as one is opened, also read only, and cannot where the
folder may not be written. Where there is no log, nobody is writing; the file alone is the ledger, and is opened
as immutable. Where there is one, somebody writes or has died in the middle, and it is part of the ledger: it is
read through SQLite's locks, as by any reader.

A writer may begin while an immutable file is read. What it records goes to its log at first, and the look stays
what it was. When it folds the log into the file, the look may be torn: the file's time then differs at
the end, and the reader is told to ask again rather than given what may be wrong.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from threading import Event as Signal
from typing import Final
from urllib.parse import quote

from prakerja_ledger.domain.errors import LedgerFault, UnreadableSource
from prakerja_ledger.domain.phrases import Phrase
from prakerja_ledger.ledger.journal import closed
from prakerja_ledger.stores.sqlite import fault
from prakerja_ledger.stores.sqlite_file import LOCK_TIMEOUT_SECONDS, check_ours
from prakerja_ledger.stores.sqlite_reading import SQLiteReading

_CACHE_KIB: Final = 65_536
_DAMAGED: Final = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
_LOGS: Final = ("-wal", "-journal")
"""What lies beside a file that is not the whole ledger."""


def stands_alone(path: Path) -> bool:
    """Whether the file is all there is of the ledger."""
    return not any(Path(f"{path}{suffix}").exists() for suffix in _LOGS)


def connected(path: Path, *, alone: bool) -> sqlite3.Connection:
    """A connection that cannot write."""
    how = "mode=ro&immutable=1" if alone else "mode=ro"
    connection = sqlite3.connect(
        f"file:{quote(str(path))}?{how}",
        uri=True,
        isolation_level=None,
        timeout=LOCK_TIMEOUT_SECONDS,
        check_same_thread=False,
    )
    connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
    return connection


class SQLiteReadings:
    """A ledger's file, as those see it who only read. Each look has a connection of its own."""

    def __init__(self, url: str, path: Path) -> None:
        self.url = url
        self._path = path
        self._closed = False
        with self._look() as connection:
            check_ours(path, connection)

    @contextmanager
    def reading(self) -> Iterator[SQLiteReading]:
        """A consistent look at the journal. Raises LedgerFault where it may have been torn."""
        if self._closed:
            raise closed(self.url)
        try:
            with self._look() as connection:
                connection.execute("BEGIN")
                yield SQLiteReading(connection.cursor())
        except sqlite3.Error as error:
            if getattr(error, "sqlite_errorcode", 0) & 0xFF in _DAMAGED:
                raise _damaged(self.url, error) from error
            raise fault(self.url, error) from error

    @contextmanager
    def _look(self) -> Iterator[sqlite3.Connection]:
        alone = stands_alone(self._path)
        before = self._stamp()
        try:
            with closing(connected(self._path, alone=alone)) as connection:
                yield connection
        except sqlite3.Error as error:
            if alone and self._stamp() != before:
                raise self._torn() from error
            raise
        if alone and self._stamp() != before:
            raise self._torn()

    def _stamp(self) -> tuple[int, int, int]:
        found = os.stat(self._path)  # noqa: PTH116  # asked twice a look
        return found.st_ino, found.st_size, found.st_mtime_ns

    def _torn(self) -> LedgerFault:
        problem = Phrase(
            "somebody recorded while it was read, and what was read may be torn. Ask again."
        )
        return LedgerFault(source=self.url, problem=problem)

    def pause(self, until: Signal, seconds: float) -> None:
        """Wait so long, or until the signal is set."""
        until.wait(seconds)

    def close(self) -> None:
        """Nothing is held between looks."""
        self._closed = True


def _damaged(url: str, error: sqlite3.Error) -> UnreadableSource:
    return UnreadableSource(
        source=url,
        problem=Phrase(
            "{error}. The file is damaged: keep a copy of it as it is, and put a sound one in its place; "
            "verify tells which events of it are hit.",
            error=str(error),
        ),
    )
