"""A PostgreSQL journal inside a transaction that the caller began, and will end."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event as Signal
from typing import Any, Final, NoReturn, Self

import psycopg
from psycopg import Connection, Cursor
from psycopg.pq import TransactionStatus
from psycopg.rows import tuple_row

from prakerja_ledger.domain.errors import UnusableConnection
from prakerja_ledger.domain.phrases import Phrase
from prakerja_ledger.ledger.journal import Plan
from prakerja_ledger.stores.driver import SAVEPOINT, driver_connection
from prakerja_ledger.stores.postgres import PostgresJournal
from prakerja_ledger.stores.postgres_connecting import fault, told
from prakerja_ledger.stores.postgres_reading import PostgresReading
from prakerja_ledger.stores.postgres_rights import DATABASE
from prakerja_ledger.stores.postgres_writing import PostgresWriting, open_turn

_WANTED: Final = Phrase(
    "a psycopg (version 3) connection, or a SQLAlchemy Connection or Session on psycopg"
)


class JoinedJournal:
    """The journal on a connection of the caller's. What it appends is durable when that commits."""

    ahead: Final = None
    marks: Final = None
    """Nothing may happen outside the caller's transaction."""

    def __init__(self, journal: PostgresJournal, connection: Any) -> None:
        self.url: str = journal.url
        self._journal = journal
        self._given = connection
        self._check()

    def _found(self) -> Connection[Any]:
        """The driver's connection, if something can be recorded in its transaction."""
        found: Connection[Any] = driver_connection(self._given, self.url, Connection, _WANTED)
        if found.closed:
            self._unusable(Phrase("it is closed. Give one that is open."))
        if found.autocommit and _is_idle(found):
            self._unusable(
                Phrase(
                    "it commits each statement by itself. Begin a transaction first (with "
                    "connection.transaction():), or open it without autocommit."
                )
            )
        if found.info.encoding != "utf-8":
            self._unusable(
                Phrase(
                    "its client_encoding is {encoding}, in which not every name can be written. SET "
                    "client_encoding = 'UTF8' on it first.",
                    encoding=found.info.encoding,
                )
            )
        return found

    def _check(self) -> None:
        """Refuse a connection to something else, and leave its transaction as it was."""
        connection, rights = self._found(), self._journal.rights
        try:
            with connection.transaction():
                cursor = Cursor(connection, row_factory=tuple_row)
                about = cursor.execute(rights.reads.about, prepare=False).fetchone()
                database = cursor.execute(DATABASE, prepare=False).fetchone()
        except psycopg.Error as error:
            self._unusable(
                Phrase("it cannot see the ledger ({error}). Use its database.", error=told(error)),
                error,
            )
        if about is None or about[2] != rights.ledger_id or database != (rights.database,):
            self._unusable(
                Phrase("it is a connection to another ledger. Use one to this ledger's database.")
            )

    def _unusable(self, problem: Phrase, error: BaseException | None = None) -> NoReturn:
        raise UnusableConnection(source=self.url, problem=problem) from error

    @contextmanager
    def reading(self) -> Iterator[PostgresReading]:
        """A look at the journal as the caller's transaction sees it, its own facts included."""
        try:
            yield PostgresReading(self._found(), self._journal.rights)
        except psycopg.Error as error:
            raise fault(self.url, error) from error

    @contextmanager
    def writing(self, plan: Plan | None = None) -> Iterator[PostgresWriting]:
        """The writer's turn, which lasts until the caller's transaction ends."""
        writes = self._journal.writes()
        connection = self._found()
        try:
            if _is_idle(connection):
                connection.execute("SELECT 1")  # begins the caller's transaction, as it would
            with connection.transaction(savepoint_name=SAVEPOINT):
                journal, intent = self._journal, None if plan is None else plan()
                writing = open_turn(
                    connection, journal.rights, writes, journal.mapper, intent, writes.durable
                )
                try:
                    yield writing
                    writing.flush()
                except BaseException as error:
                    writing.give_up(error)
                    raise
        except psycopg.Error as error:
            raise fault(self.url, error) from error

    def using(self, connection: Any) -> Self:  # noqa: ARG002  # the port's signature
        """A joined journal is joined already."""
        return self

    def pause(self, until: Signal, seconds: float) -> None:
        """Wait so long, or until the signal is set."""
        until.wait(seconds)

    def close(self) -> None:
        """The connection is the caller's."""


def _is_idle(connection: Connection[Any]) -> bool:
    """Whether no transaction is open."""
    return connection.info.transaction_status == TransactionStatus.IDLE
