"""The journal on SQLite, through `eventsourcing`'s recorder seams.

What is ours beside the library's: FULL durability, set and read back on every connection; one
writer from its first statement (`BEGIN IMMEDIATE`: a deferred transaction that has read cannot wait
for the lock, it fails); identities unique for ever; tables that refuse change, also by
`INSERT OR REPLACE`. A position is the highest one and one more: without gaps, because what is
rolled back leaves none, and never used twice, because no row can be removed. (AUTOINCREMENT would
write one more page at every commit to remember what the table itself shows.)
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Event as Signal
from threading import Lock
from types import TracebackType
from typing import Any, Final
from urllib.parse import quote

from eventsourcing.persistence import (
    ConnectionPoolClosedError,
    IntegrityError,
    PersistenceError,
)
from eventsourcing.sqlite import SQLiteConnection, SQLiteCursor

from prakerja_ledger.domain.errors import CommitInDoubt, LedgerFault, UnreadableSource
from prakerja_ledger.domain.phrases import Phrase
from prakerja_ledger.ledger.journal import Intent, Journal, Marks, Plan, closed
from prakerja_ledger.ledger.mapper import LedgerMapper, RecordedEvent
from prakerja_ledger.ledger.read_only import Readable
from prakerja_ledger.stores.sqlite_file import claim, path_of
from prakerja_ledger.stores.sqlite_reading import SQLiteReading
from prakerja_ledger.stores.sqlite_recorder import LedgerFactory, LedgerRecorder


class SQLiteWriting(SQLiteReading):
    """The one writer: a transaction that holds the lock."""

    def __init__(
        self, cursor: sqlite3.Cursor, recorder: LedgerRecorder, mapper: LedgerMapper
    ) -> None:
        super().__init__(cursor)
        self._recorder = recorder
        self._mapper = mapper
        self._head = super().head()

    @property
    def cursor(self) -> sqlite3.Cursor:
        """The transaction, for what goes with the events."""
        return self._cursor

    def head(self) -> int:
        """The highest position, appended ones of this turn included."""
        return self._head

    def version(self) -> int:
        """The head: it moves with every event, and never back."""
        return self._head

    def fetch(self, intent: Intent) -> None:
        """Everything is at hand."""

    def write_off(self) -> None:
        """Write something: a commit whose sync failed leaves its frames behind the end of the log.

        If the process died before the next write, SQLite would take them for recorded when it opens
        the log. This turn's own frames go over them, and are synced.
        """
        (version,) = self._cursor.execute("PRAGMA user_version").fetchone()
        self._cursor.execute(f"PRAGMA user_version = {version}")

    def send(self) -> None:
        """What was appended is there already."""

    def pump(self) -> None:
        """Nothing is on its way."""

    def place(self, shard: int, pending: int) -> int:
        """The position of the next event, after so many others of this turn."""
        assert shard == 0, "one file, one shard"
        return self._head + pending + 1

    def append(self, events: Iterable[RecordedEvent]) -> Sequence[int]:
        """Append events with their identities; returns their positions."""
        recorded = list(events)
        positions = self._recorder._insert_events(  # noqa: SLF001  # the seam that takes a cursor
            SQLiteCursor(self._cursor),
            [self._mapper.to_stored_event(one) for one in recorded],
            identities=[one.event.identity for one in recorded],
        )
        if not positions:
            return []
        self._head = positions[-1]
        return positions


class SQLiteJournal:
    """A journal in one SQLite file."""

    ahead: Final = None
    """A turn has no way to a server that could be saved."""

    def __init__(self, url: str, factory: LedgerFactory) -> None:
        self.url = url
        self.path: Path = path_of(url)
        self._factory = factory
        recorder = factory.application_recorder()
        assert isinstance(recorder, LedgerRecorder), "the factory makes our recorder"
        self.recorder = recorder
        self.mapper: LedgerMapper = LedgerMapper()
        self.writers_lock: Lock = Lock()
        self._writer: SQLiteConnection | None = None
        self._closed = False

    @contextmanager
    def reading(self) -> Iterator[SQLiteReading]:
        """A consistent look at the journal."""
        with self._translated(), self.recorder.datastore.transaction(commit=False) as cursor:
            yield SQLiteReading(cursor.sqlite_cursor)

    def writing(self, plan: Plan | None = None) -> WritersTurn:  # noqa: ARG002  # one lock for all
        """The one writer; what was appended is durable when the context ends without an error."""
        return WritersTurn(self)

    @property
    def marks(self) -> Marks:
        """Where imports leave their bookmarks."""
        from prakerja_ledger.stores.sqlite_marks import SQLiteMarks  # noqa: PLC0415  # it builds on this

        return SQLiteMarks(self)

    def using(self, connection: Any) -> Journal:
        """The same journal inside the transaction of a connection that the caller commits."""
        self._check_open()
        from prakerja_ledger.stores.sqlite_joined import JoinedSQLiteJournal  # noqa: PLC0415  # it builds on this

        return JoinedSQLiteJournal(self, connection)

    def writer(self) -> SQLiteConnection:
        """The connection that writes: one for the process, used by whoever holds `writers_lock`."""
        self._check_open()
        if self._writer is None:
            self._writer = self.recorder.datastore.pool._create_connection()  # noqa: SLF001  # the pool's own seam
        return self._writer

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """The database's errors as ours, with what to do."""
        try:
            yield
        except ConnectionPoolClosedError as error:
            raise closed(self.url) from error
        except (sqlite3.Error, PersistenceError) as error:
            raise fault(self.url, error) from error

    def _check_open(self) -> None:
        if self._closed:
            raise closed(self.url)

    def pause(self, until: Signal, seconds: float) -> None:
        """Wait so long, or until the signal is set."""
        until.wait(seconds)

    def close(self) -> None:
        """Let go of the file."""
        with self.writers_lock:
            self._closed = True
            if self._writer is not None:
                self._writer._close()  # noqa: SLF001  # the pool never knew of it
                self._writer = None
        self._factory.close()


class WritersTurn:
    """A transaction of the one writer of the process; other processes wait for SQLite's own lock.

    A class, not a generator with four contexts inside: a single record is a hundred microseconds of
    work beside the disk's, and the library's way in took a third of it.
    """

    def __init__(self, journal: SQLiteJournal) -> None:
        self._journal = journal
        self._cursor: sqlite3.Cursor | None = None

    def __enter__(self) -> SQLiteWriting:
        journal = self._journal
        journal.writers_lock.acquire()
        try:
            self._cursor = cursor = journal.writer().cursor().sqlite_cursor
            cursor.execute("BEGIN IMMEDIATE")
            return SQLiteWriting(cursor, journal.recorder, journal.mapper)
        except BaseException as error:
            self._let_go()
            if isinstance(error, (sqlite3.Error, PersistenceError)):
                raise fault(journal.url, error) from error
            raise

    def _let_go(self) -> None:
        """Undo what is open, and let the next one in."""
        try:
            if self._cursor is not None and self._cursor.connection.in_transaction:
                self._cursor.connection.rollback()
        finally:
            self._journal.writers_lock.release()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._cursor is not None, "entered"
        try:
            if error is None:
                self._cursor.execute("COMMIT")
        except sqlite3.Error as failed:
            raise _failed_commit(self._journal.url, failed) from failed
        finally:
            self._let_go()
        if isinstance(error, (sqlite3.Error, PersistenceError)):
            raise fault(self._journal.url, error) from error


_NOTHING_WRITTEN: Final = frozenset({sqlite3.SQLITE_FULL, sqlite3.SQLITE_BUSY})
"""What a commit can fail with before its last frame is in the log."""


def _failed_commit(url: str, error: sqlite3.Error) -> LedgerFault:
    """An error of the disk while it was made durable leaves the outcome open; others do not."""
    code = getattr(error, "sqlite_errorcode", None)
    if code is not None and code & 0xFF in _NOTHING_WRITTEN:
        return fault(url, error)
    return CommitInDoubt(source=url, problem=Phrase("{error}.", error=str(error)))


def fault(url: str, error: Exception) -> LedgerFault:
    """A database's error as ours, with what to do."""
    return LedgerFault(source=url, problem=_advice(error))


def _advice(error: Exception) -> Phrase:
    text = str(error)
    if "locked" in text or "busy" in text:
        return Phrase(
            "{error}: another process has held the ledger too long. Try again.", error=text
        )
    if "full" in text:
        return Phrase(
            "{error}. Nothing of this step was recorded; free space and run it again.", error=text
        )
    if isinstance(error, (sqlite3.IntegrityError, IntegrityError)):
        return Phrase("{error}. Nothing of this step was recorded.", error=text)
    return Phrase(
        "{error}. Nothing of this step was recorded; what was acknowledged before stays.",
        error=text,
    )


def open_journal(url: str, *, create: bool) -> SQLiteJournal:
    """The journal behind `sqlite:///relative.db` or `sqlite:////absolute.db`.

    Raises UnreadableSource where the file is missing (unless it may be created), is no SQLite
    database, or is one of another application.
    """
    path = path_of(url)
    if not create:
        _check_there(url, path)
    env = {
        "SQLITE_DBNAME": f"file:{quote(str(path))}?mode=rw",
        "ORIGINATOR_ID_TYPE": "text",
        "CREATE_TABLE": "no",
    }
    try:
        claim(path, create=create)
        return SQLiteJournal(url, LedgerFactory(env))
    except (sqlite3.Error, PersistenceError, OSError) as error:
        raise UnreadableSource(source=url, problem=Phrase("{error}.", error=str(error))) from None


def open_to_read(url: str) -> Readable:
    """The same ledger for who only reads: nothing is made or left behind. Raises UnreadableSource."""
    from prakerja_ledger.stores.sqlite_read_only import SQLiteReadings  # noqa: PLC0415  # it builds on this

    path = path_of(url)
    try:
        _check_there(url, path)
        return SQLiteReadings(url, path)
    except (sqlite3.Error, OSError) as error:
        why = Phrase("{error}.", error=str(error))
        if Path(f"{path}-wal").exists():
            why = Phrase(
                "{error}. A writer left its log beside it, which is a part of the ledger and needs an index "
                "that cannot be made here. Copy both files to where you may write, and read them there.",
                error=str(error),
            )
        raise UnreadableSource(source=url, problem=why) from None


def _check_there(url: str, path: Path) -> None:
    if not (path.is_file() and path.stat().st_size):
        raise UnreadableSource(
            source=url, problem=Phrase("there is no such ledger. Check the path.")
        )
