"""A PostgreSQL journal inside a transaction that the caller began, and will end."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Self

import psycopg
from psycopg import Connection
from psycopg.pq import TransactionStatus
from psycopg.rows import tuple_row

from prakerja_ledger.domain.errors import UnusableConnection
from prakerja_ledger.ledger.journal import Plan
from prakerja_ledger.stores.driver import driver_connection
from prakerja_ledger.stores.postgres import (
    PostgresJournal,
    PostgresReading,
    PostgresWriting,
    fault,
    open_turn,
)

_SAVEPOINT = "prakerja_ledger_step"


class JoinedJournal:
    """The journal on a connection of the caller's. What it appends is durable when that commits."""

    def __init__(self, journal: PostgresJournal, connection: Any) -> None:
        self.url = journal.url
        self._journal = journal
        found = driver_connection(connection, self.url)
        if not isinstance(found, Connection):
            raise UnusableConnection(
                source=self.url,
                problem=f"it is a {type(found).__module__}.{type(found).__qualname__}. Give a psycopg "
                "(version 3) connection, or a SQLAlchemy Connection or Session on psycopg.",
            )
        self._connection: Connection[Any] = found
        self._check()

    def _check(self) -> None:
        connection, journal = self._connection, self._journal
        idle = connection.info.transaction_status == TransactionStatus.IDLE
        if connection.autocommit and idle:
            raise UnusableConnection(
                source=self.url,
                problem="it commits each statement by itself. Begin a transaction first "
                "(with connection.transaction():), or open it without autocommit.",
            )
        try:
            row = (
                connection.cursor(row_factory=tuple_row)
                .execute(journal.rights.reads.about, prepare=False)
                .fetchone()
            )
        except psycopg.Error as error:
            raise UnusableConnection(
                source=self.url, problem=f"it cannot see the ledger ({error}). Use its database."
            ) from error
        if row is None or row[2] != journal.rights.ledger_id:
            raise UnusableConnection(
                source=self.url,
                problem="it is a connection to another ledger. Use one to this ledger's database.",
            )

    @contextmanager
    def reading(self) -> Iterator[PostgresReading]:
        """A look at the journal as the caller's transaction sees it, its own facts included."""
        try:
            yield PostgresReading(self._connection, self._journal.rights)
        except psycopg.Error as error:
            raise fault(self.url, error) from error

    @contextmanager
    def writing(self, plan: Plan | None = None) -> Iterator[PostgresWriting]:
        """The writer's turn, which lasts until the caller's transaction ends."""
        self._journal.check_may_write()
        connection = self._connection
        try:
            with connection.transaction(savepoint_name=_SAVEPOINT):
                writing = open_turn(
                    connection,
                    self._journal.rights,
                    self._journal.mapper,
                    plan() if plan is not None else None,
                )
                yield writing
                writing.flush()
        except psycopg.Error as error:
            raise fault(self.url, error) from error

    def using(self, connection: Any) -> Self:  # noqa: ARG002  # the port's signature
        """A joined journal is joined already."""
        return self

    def close(self) -> None:
        """The connection is the caller's."""
