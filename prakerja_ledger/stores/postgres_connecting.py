"""Connections to PostgreSQL, made or borrowed, and what their errors mean for a ledger."""

from __future__ import annotations

from contextlib import suppress
from select import POLLIN, poll
from typing import Any, Final, NoReturn

import psycopg
import psycopg_pool
from psycopg import Connection

from prakerja_ledger.domain.errors import LedgerFault, TurnLost, UnreadableSource
from prakerja_ledger.domain.phrases import Phrase
from prakerja_ledger.stores.postgres_recorder import PatientConnection
from prakerja_ledger.stores.postgres_url import PostgresURL

_UNDONE: Final = frozenset({"40001", "40P01", "23505"})
"""What the server undoes for another writer's sake: serialization, deadlock, and a key that was
taken in between."""


def borrow(pool: psycopg_pool.ConnectionPool[Any], url: str) -> PatientConnection:
    """A connection of the pool. Raises LedgerFault where none gets free, or none can be made."""
    try:
        pool.open()
        connection: PatientConnection = pool.getconn()
    except psycopg_pool.PoolTimeout as error:
        raise LedgerFault(
            source=url,
            problem=Phrase(
                "no connection within {seconds} seconds: the server does not answer, or all {most} are "
                "in use. Nothing was recorded; try again, or allow more (pool=).",
                seconds=f"{pool.timeout:g}",
                most=pool.max_size,
            ),
        ) from error
    except psycopg.Error as error:
        raise fault(url, error) from error
    return connection


def borrow_alive(pool: psycopg_pool.ConnectionPool[Any], url: str) -> PatientConnection:
    """One that nobody has closed, as far as is known here; the dead ones are replaced."""
    tries = pool.max_size
    while has_died(connection := borrow(pool, url)) and tries:
        connection.close()
        pool.putconn(connection)
        tries -= 1
    return connection


def has_died(connection: Connection[Any]) -> bool:
    """Whether an idle connection was closed by its peer: then there is something to be read on it."""
    asked = poll()
    asked.register(connection.fileno(), POLLIN)
    return bool(asked.poll(0))


def end(connection: Connection[Any]) -> None:
    """Undo what is open; a connection that cannot is closed, and the pool makes another."""
    if connection.closed or connection.info.transaction_status == 0:  # idle
        return
    try:
        connection.execute("ROLLBACK")
    except psycopg.Error:
        with suppress(psycopg.Error):
            connection.close()


def lost(connection: Connection[Any], error: BaseException) -> bool:
    """Whether the connection died, so that what was under way is not known."""
    return isinstance(error, psycopg.Error) and (connection.closed or error.sqlstate is None)


def told(error: BaseException) -> str:
    """The first line of what the database said."""
    text = str(error).strip()
    return text.splitlines()[0].rstrip(".") if text else type(error).__name__


def fault(url: str, error: BaseException) -> LedgerFault:
    """A database's error as ours, with what to do."""
    state = getattr(error, "sqlstate", None)
    if state in _UNDONE:
        return TurnLost(
            source=url,
            problem=Phrase(
                "{error}: undone in favour of another writer, nothing was recorded. Do it again.",
                error=told(error),
            ),
        )
    return LedgerFault(
        source=url, problem=Phrase("{error}. {advice}", error=told(error), advice=_advice(state))
    )


def _advice(state: str | None) -> Phrase:
    if state == "55P03":
        return Phrase(
            "Another writer has held its shard too long; nothing was recorded. Try again."
        )
    if state == "42501":
        return Phrase("Nothing was recorded. Run `doctor` to see the rights that are missing.")
    if state == "53100":
        return Phrase("Nothing of this step was recorded; free space and run it again.")
    return Phrase("Nothing of this step was recorded; what was acknowledged before stays.")


def connected(url: PostgresURL, *, autocommit: bool = True) -> Connection[Any]:
    """A connection of its own, for what is asked once. Raises UnreadableSource."""
    try:
        return psycopg.connect(url.conninfo, autocommit=autocommit, prepare_threshold=None)
    except psycopg.Error as error:
        unreadable(
            url,
            Phrase("{error}. Check the URL, and that the server runs.", error=told(error)),
            error,
        )


def unreadable(url: PostgresURL, problem: Phrase, error: BaseException) -> NoReturn:
    """Say that there is no ledger to be read there."""
    raise UnreadableSource(source=url.shown, problem=problem) from error
