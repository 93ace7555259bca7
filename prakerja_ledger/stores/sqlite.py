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
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import Any, Final
from urllib.parse import quote, unquote
from uuid import UUID

from eventsourcing.persistence import IntegrityError, PersistenceError, StoredEvent
from eventsourcing.sqlite import (
    SQLiteApplicationRecorder,
    SQLiteConnection,
    SQLiteConnectionPool,
    SQLiteCursor,
    SQLiteDatastore,
    SQLiteFactory,
    SQLiteTransaction,
)

from prakerja_ledger.domain.errors import LedgerFault, UnreadableSource
from prakerja_ledger.ledger.journal import StoredLine
from prakerja_ledger.ledger.mapper import LedgerMapper, RecordedEvent

APPLICATION_ID: Final = 0x50524B4A
"""`PRKJ` in the file's header: what `file` and other tools tell a ledger by."""
SCHEMA_VERSION: Final = 1
LOCK_TIMEOUT_SECONDS: Final = 30
_CACHE_KIB: Final = 65_536
_CHECKPOINT_PAGES: Final = 4_000
"""The log is folded into the file after 16 MiB, not 4: a page written often is then copied once."""
_FULL: Final = 2

EVENTS_TABLE: Final = """\
CREATE TABLE IF NOT EXISTS {events} (
    rowid INTEGER PRIMARY KEY, -- the position; the name is the one that eventsourcing reads
    originator_id TEXT NOT NULL,
    originator_version INTEGER NOT NULL,
    topic TEXT NOT NULL,
    state BLOB NOT NULL,
    UNIQUE (originator_id, originator_version)
)"""
IDENTITIES_TABLE: Final = """\
CREATE TABLE IF NOT EXISTS identities (
    source TEXT NOT NULL,
    id TEXT NOT NULL,
    position INTEGER NOT NULL,
    PRIMARY KEY (source, id)
) WITHOUT ROWID"""


def _append_only(table: str, taken: str) -> list[str]:
    """Triggers that refuse to change, remove or replace a row.

    REPLACE deletes without firing delete triggers, so the third looks at the key before it does.
    """
    return [
        f"CREATE TRIGGER IF NOT EXISTS {table}_{verb.lower()} BEFORE {verb} ON {table} "
        f"{when}BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
        for verb, when in (
            ("UPDATE", ""),
            ("DELETE", ""),
            ("INSERT", f"WHEN EXISTS (SELECT 1 FROM {table} WHERE {taken}) "),
        )
    ]


class LedgerTransaction(SQLiteTransaction):
    """A transaction that, where it writes, holds the writer's lock from the start."""

    def __enter__(self) -> SQLiteCursor:
        cursor = self.connection.cursor()
        cursor.execute("BEGIN IMMEDIATE" if self.commit else "BEGIN")
        return cursor


class LedgerConnection(SQLiteConnection):
    """A connection whose transactions are ours."""

    @contextmanager
    def transaction(self, *, commit: bool) -> Iterator[SQLiteCursor]:
        with LedgerTransaction(self, commit=commit) as cursor, cursor:
            yield cursor


class LedgerPool(SQLiteConnectionPool):
    """Connections with FULL durability, which is read back: some builds of SQLite default to less."""

    def _create_connection(self) -> SQLiteConnection:
        connection = sqlite3.connect(
            self.db_name,
            uri=True,
            check_same_thread=False,
            isolation_level=None,
            cached_statements=128,
            timeout=self.lock_timeout or LOCK_TIMEOUT_SECONDS,
        )
        try:
            self._set_up(connection)
        except BaseException:
            connection.close()
            raise
        connection.row_factory = sqlite3.Row
        return LedgerConnection(sqlite_conn=connection, max_age=self.max_age)

    def _set_up(self, connection: sqlite3.Connection) -> None:
        if not self.is_sqlite_memory_mode:
            (mode,) = connection.execute("PRAGMA journal_mode").fetchone()
            if mode != "wal":  # set when the ledger was made; asking for it again takes a lock
                connection.execute("PRAGMA journal_mode = WAL").fetchone()
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
        connection.execute(f"PRAGMA wal_autocheckpoint = {_CHECKPOINT_PAGES}")
        (synchronous,) = connection.execute("PRAGMA synchronous").fetchone()
        if synchronous < _FULL:
            raise LedgerFault(
                source=self.db_name,
                problem=f"synchronous is {synchronous} although FULL was asked for; an acknowledged "
                "fact could be lost. Use a SQLite build that honours it.",
            )


class LedgerDatastore(SQLiteDatastore):
    """A datastore whose connections are ours."""

    def __init__(self, db_name: str, **options: Any) -> None:
        super().__init__(db_name, **options)
        stock = self.pool  # has opened no connection yet
        self.pool = LedgerPool(
            db_name=db_name,
            lock_timeout=stock.lock_timeout,
            pool_size=stock.pool_size,
            max_overflow=stock.max_overflow,
        )


class LedgerRecorder(SQLiteApplicationRecorder):
    """Records events with their identities, on tables that only grow."""

    def __init__(
        self, datastore: SQLiteDatastore, events_table_name: str = "stored_events"
    ) -> None:
        super().__init__(datastore, events_table_name)
        self.insert_events_statement = (
            f"INSERT INTO {events_table_name} (originator_id, originator_version, topic, state) "
            "VALUES (?, ?, ?, ?)"
        )

    def construct_create_table_statements(self) -> list[str]:
        """The tables and their triggers; made once, never altered."""
        events = self.events_table_name
        return [
            EVENTS_TABLE.format(events=events),
            IDENTITIES_TABLE,
            *_append_only(
                events,
                "rowid = NEW.rowid OR (originator_id = NEW.originator_id "
                "AND originator_version = NEW.originator_version)",
            ),
            *_append_only("identities", "source = NEW.source AND id = NEW.id"),
        ]

    def _insert_events(
        self, c: SQLiteCursor, stored_events: Sequence[StoredEvent], **options: Any
    ) -> Sequence[int] | None:
        """Insert events, and the (source, id) pairs given as `identities`, one for each event."""
        if not stored_events:
            return []
        one = len(stored_events) == 1
        many = _executeone(c) if one else c.executemany
        many(
            self.insert_events_statement,
            [
                (
                    e.originator_id.hex if isinstance(e.originator_id, UUID) else e.originator_id,
                    e.originator_version,
                    e.topic,
                    e.state,
                )
                for e in stored_events
            ],
        )
        if not one:
            c.execute("SELECT last_insert_rowid()")
        last = c.lastrowid if one else c.fetchone()[0]
        positions = list(range(last - len(stored_events) + 1, last + 1))
        identities: Sequence[tuple[str, str]] = options.get("identities", ())
        if identities:
            many(
                "INSERT INTO identities (source, id, position) VALUES (?, ?, ?)",
                [(source, id, at) for (source, id), at in zip(identities, positions, strict=True)],
            )
        return positions


def _executeone(c: SQLiteCursor) -> Callable[[str, list[Any]], None]:
    """What executemany does for one row, without its set-up."""
    return lambda statement, rows: c.execute(statement, rows[0])


class LedgerFactory(SQLiteFactory):
    """Puts the parts together; `eventsourcing` finds it by its topic."""

    application_recorder_class = LedgerRecorder

    def __init__(self, env: Any) -> None:
        super().__init__(env)
        stock = self.datastore
        self.datastore = LedgerDatastore(
            stock.pool.db_name,
            lock_timeout=stock.pool.lock_timeout,
            single_row_tracking=stock.single_row_tracking,
            originator_id_type=stock.originator_id_type,
        )


class SQLiteReading:
    """One consistent look at the journal: a read transaction."""

    def __init__(self, cursor: sqlite3.Cursor) -> None:
        self._cursor = cursor
        self._cursor.row_factory = None

    def head(self) -> int:
        """The highest position; 0 where nothing is recorded."""
        row = self._cursor.execute("SELECT max(rowid) FROM stored_events").fetchone()
        return int(row[0] or 0)

    def find(self, source: str, id: str) -> int | None:
        """The position of the event of that identity."""
        row = self._cursor.execute(
            "SELECT position FROM identities WHERE source = ? AND id = ?", (source, id)
        ).fetchone()
        return None if row is None else int(row[0])

    def stream(self, name: str) -> list[StoredLine]:
        """The lines of a stream, in the order of recording."""
        rows = self._cursor.execute(
            "SELECT rowid, topic, state FROM stored_events WHERE originator_id = ? "
            "ORDER BY originator_version",
            (name,),
        ).fetchall()
        return [StoredLine(*row) for row in rows]

    def streams(self, prefix: str) -> Iterator[tuple[str, list[StoredLine]]]:
        """Every stream of a prefix, by name in the order of code points, with its lines.

        BINARY, the collation of the column, compares UTF-8 bytes: the order of code points.
        """
        end = prefix[:-1] + chr(ord(prefix[-1]) + 1)
        rows = self._cursor.connection.execute(
            "SELECT originator_id, rowid, topic, state FROM stored_events "
            "WHERE originator_id >= ? AND originator_id < ? "
            "ORDER BY originator_id, originator_version",
            (prefix, end),
        )
        rows.row_factory = None
        for name, group in groupby(rows, key=lambda row: row[0]):
            yield name, [StoredLine(*row[1:]) for row in group]

    def lines(self) -> Iterator[StoredLine]:
        """Every line, in the order of recording."""
        rows = self._cursor.connection.execute(
            "SELECT rowid, topic, state FROM stored_events ORDER BY rowid"
        )
        rows.row_factory = None
        for row in rows:
            yield StoredLine(*row)


class SQLiteWriting(SQLiteReading):
    """The one writer: a transaction that holds the lock."""

    def __init__(
        self, cursor: sqlite3.Cursor, recorder: LedgerRecorder, mapper: LedgerMapper
    ) -> None:
        super().__init__(cursor)
        self._recorder = recorder
        self._mapper = mapper

    def append(self, events: Iterable[RecordedEvent]) -> Sequence[int]:
        """Append events with their identities; returns their positions."""
        recorded = list(events)
        return (
            self._recorder._insert_events(  # noqa: SLF001  # the seam that takes a cursor
                SQLiteCursor(self._cursor),
                [self._mapper.to_stored_event(one) for one in recorded],
                identities=[one.event.identity for one in recorded],
            )
            or []
        )


class SQLiteJournal:
    """A journal in one SQLite file."""

    def __init__(self, url: str, factory: LedgerFactory) -> None:
        self.url = url
        self._factory = factory
        recorder = factory.application_recorder()
        assert isinstance(recorder, LedgerRecorder), "the factory makes our recorder"
        self.recorder = recorder
        self.mapper = LedgerMapper()
        self.writers_lock = Lock()
        self._writer: SQLiteConnection | None = None

    @contextmanager
    def reading(self) -> Iterator[SQLiteReading]:
        """A consistent look at the journal."""
        with self._translated(), self.recorder.datastore.transaction(commit=False) as cursor:
            yield SQLiteReading(cursor.sqlite_cursor)

    def writing(self) -> WritersTurn:
        """The one writer; what was appended is durable when the context ends without an error."""
        return WritersTurn(self)

    def writer(self) -> SQLiteConnection:
        """The connection that writes: one for the process, used by whoever holds `writers_lock`."""
        if self._writer is None:
            self._writer = self.recorder.datastore.pool._create_connection()  # noqa: SLF001  # the pool's own seam
        return self._writer

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """The database's errors as ours, with what to do."""
        try:
            yield
        except (sqlite3.Error, PersistenceError) as error:
            raise fault(self.url, error) from error

    def close(self) -> None:
        """Let go of the file."""
        with self.writers_lock:
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
            cursor = journal.writer().cursor().sqlite_cursor
            cursor.execute("BEGIN IMMEDIATE")
        except BaseException as error:
            journal.writers_lock.release()
            if isinstance(error, (sqlite3.Error, PersistenceError)):
                raise fault(journal.url, error) from error
            raise
        self._cursor = cursor
        return SQLiteWriting(cursor, journal.recorder, journal.mapper)

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
            raise fault(self._journal.url, failed) from failed
        finally:
            if self._cursor.connection.in_transaction:
                self._cursor.connection.rollback()
            self._journal.writers_lock.release()
        if isinstance(error, (sqlite3.Error, PersistenceError)):
            raise fault(self._journal.url, error) from error


def fault(url: str, error: Exception) -> LedgerFault:
    """A database's error as ours, with what to do."""
    return LedgerFault(source=url, problem=_advice(error))


def _advice(error: Exception) -> str:
    text = str(error)
    if "locked" in text or "busy" in text:
        return f"{text}: another process has held the ledger too long. Try again."
    if "full" in text:
        return f"{text}. Nothing of this step was recorded; free space and run it again."
    if isinstance(error, (sqlite3.IntegrityError, IntegrityError)):
        return f"{text}. Nothing of this step was recorded."
    return f"{text}. Nothing of this step was recorded; what was acknowledged before stays."


def open_journal(url: str, *, create: bool) -> SQLiteJournal:
    """The journal behind `sqlite:///relative.db` or `sqlite:////absolute.db`.

    Raises UnreadableSource where the file is missing (unless it may be created), is no SQLite
    database, or is one of another application.
    """
    path = path_of(url)
    if not create and not (path.is_file() and path.stat().st_size):
        raise UnreadableSource(source=url, problem="there is no such ledger. Check the path.")
    mode = "rwc" if create else "rw"
    env = {
        "SQLITE_DBNAME": f"file:{quote(str(path))}?mode={mode}",
        "ORIGINATOR_ID_TYPE": "text",
        "CREATE_TABLE": "no",
    }
    try:
        _claim(path, create=create)
        return SQLiteJournal(url, LedgerFactory(env))
    except (sqlite3.Error, PersistenceError) as error:
        raise UnreadableSource(source=url, problem=f"{error}.") from None


def path_of(url: str) -> Path:
    """The file that a SQLite URL names."""
    prefix = "sqlite:///"
    if not url.startswith(prefix) or url == prefix:
        raise UnreadableSource(
            source=url, problem="write sqlite:///relative.db or sqlite:////absolute.db."
        )
    name = unquote(url.removeprefix(prefix))
    if ":memory:" in name or "\0" in name:
        raise UnreadableSource(
            source=url, problem="a ledger is a file, so that facts outlive the process. Name one."
        )
    return Path(name)


def _claim(path: Path, *, create: bool) -> None:
    """Make the tables of a new ledger, or check that the file is one of ours."""
    if create and not path.parent.is_dir():
        raise UnreadableSource(source=str(path), problem=f"there is no folder {path.parent}.")
    mode = "rwc" if create else "rw"
    database = sqlite3.connect(
        f"file:{quote(str(path))}?mode={mode}", uri=True, isolation_level=None, timeout=30
    )
    try:
        _check_or_create(path, database)
    finally:
        database.close()


def _check_or_create(path: Path, database: sqlite3.Connection) -> None:
    """Make a ledger of an empty file. Several processes may try at once: one makes it."""
    if _is_ours(path, database):
        return
    _patiently(database, "PRAGMA journal_mode = WAL")
    database.execute("PRAGMA synchronous = FULL")
    _patiently(database, "BEGIN IMMEDIATE")
    try:
        if not _is_ours(path, database):
            _create(database)
        database.execute("COMMIT")
    except BaseException:
        database.execute("ROLLBACK")
        raise


def _is_ours(path: Path, database: sqlite3.Connection) -> bool:
    """Whether it is a ledger of this schema; False where nothing is in it yet.

    Looks before anything is set: a stranger's file is left as it was. One statement, so that a
    ledger that another process is just making is seen whole or not at all.
    """
    owner, version, tables = database.execute(
        "SELECT (SELECT application_id FROM pragma_application_id), "
        "(SELECT user_version FROM pragma_user_version), (SELECT count(*) FROM sqlite_master)"
    ).fetchone()
    if owner != APPLICATION_ID:
        if tables:
            raise UnreadableSource(
                source=str(path), problem="it is a database of something else. Name another file."
            )
        return False
    if version != SCHEMA_VERSION:
        raise UnreadableSource(
            source=str(path),
            problem=f"it has schema version {version}, and this release reads {SCHEMA_VERSION}. "
            "Use the release that wrote it, or export and import.",
        )
    return True


def _patiently(database: sqlite3.Connection, statement: str) -> None:
    """Run what SQLite refuses at once, without waiting, while another process changes the file."""
    until = time.monotonic() + LOCK_TIMEOUT_SECONDS
    while True:
        try:
            database.execute(statement).fetchall()
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > until:
                raise
            time.sleep(0.01)
        else:
            return


def _create(database: sqlite3.Connection) -> None:
    recorder = LedgerRecorder(LedgerDatastore(":memory:", originator_id_type="text"))
    for statement in recorder.create_table_statements:
        database.execute(statement)
    database.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    database.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
