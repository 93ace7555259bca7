"""`eventsourcing`'s recorder on SQLite, with what a ledger needs beside it.

FULL durability, set and read back on every connection; one writer from its first statement
(`BEGIN IMMEDIATE`: a deferred transaction that has read cannot wait for the lock, it fails);
identities unique for ever, written with their events.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final
from uuid import UUID

from eventsourcing.persistence import StoredEvent
from eventsourcing.sqlite import (
    SQLiteApplicationRecorder,
    SQLiteConnection,
    SQLiteConnectionPool,
    SQLiteCursor,
    SQLiteDatastore,
    SQLiteFactory,
    SQLiteTransaction,
)

from prakerja_ledger.domain.errors import LedgerFault
from prakerja_ledger.domain.phrases import Phrase
from prakerja_ledger.stores.sqlite_file import FULL, LOCK_TIMEOUT_SECONDS, create_statements

_CACHE_KIB: Final = 65_536


_CHECKPOINT_PAGES: Final = 4_000
"""The log is folded into the file after 16 MiB, not 4: a page written often is then copied once."""


_FULL: Final = FULL


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
                problem=Phrase(
                    "synchronous is {synchronous} although FULL was asked for; an acknowledged fact could be "
                    "lost. Use a SQLite build that honours it.",
                    synchronous=synchronous,
                ),
            )


class LedgerDatastore(SQLiteDatastore):
    """A datastore whose connections are ours."""

    def __init__(self, db_name: str, **options: Any) -> None:
        super().__init__(db_name, **options)
        stock = self.pool  # has opened no connection yet
        self.pool: SQLiteConnectionPool = LedgerPool(
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
        self.insert_events_statement: str = (
            f"INSERT INTO {events_table_name} (originator_id, originator_version, topic, state) "
            "VALUES (?, ?, ?, ?)"
        )

    def construct_create_table_statements(self) -> list[str]:
        """The tables and their triggers; made once, never altered."""
        return create_statements(self.events_table_name)

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
        self.datastore: SQLiteDatastore = LedgerDatastore(
            stock.pool.db_name,
            lock_timeout=stock.pool.lock_timeout,
            single_row_tracking=stock.single_row_tracking,
            originator_id_type=stock.originator_id_type,
        )
