"""The driver's connection inside what a caller hands over: as it is, or beneath SQLAlchemy 2."""

from __future__ import annotations

from typing import Any

from prakerja_ledger.domain.errors import UnusableConnection


def driver_connection(given: Any, url: str) -> Any:
    """The sqlite3 or psycopg connection; a SQLAlchemy Session or Connection begins its transaction.

    SQLAlchemy is recognised by name: who does not use it need not install it.
    """
    if not type(given).__module__.startswith("sqlalchemy"):
        return given
    if hasattr(given, "get_bind"):  # a Session: its connection begins with it
        given = given.connection()
    if not hasattr(given, "exec_driver_sql"):
        raise UnusableConnection(
            source=url,
            problem=f"it is a SQLAlchemy {type(given).__name__}. Give a Connection or a Session.",
        )
    if not given.in_transaction():
        given.begin()
    return given.connection.driver_connection
