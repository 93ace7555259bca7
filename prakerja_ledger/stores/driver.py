"""The driver's connection inside what a caller hands over: as it is, or beneath SQLAlchemy 2."""

from __future__ import annotations

from typing import Any, NoReturn

from prakerja_ledger.domain.errors import UnusableConnection


def driver_connection(given: Any, url: str) -> Any:
    """The sqlite3 or psycopg connection; a SQLAlchemy Session or Connection begins its transaction.

    SQLAlchemy is recognised by name: who does not use it need not install it. Asked again for each
    turn: a Session has another connection after each commit.
    """
    module = type(given).__module__
    if not module.startswith("sqlalchemy"):
        return given
    if ".asyncio" in module:
        _unusable(given, url)
    from sqlalchemy.exc import SQLAlchemyError  # noqa: PLC0415  # who gives its objects has it

    try:
        if hasattr(given, "get_bind"):  # a Session: its connection begins with it
            given = given.connection()
        if not hasattr(given, "exec_driver_sql"):
            _unusable(given, url)
        if not given.in_transaction():
            given.begin()
        found = given.connection.driver_connection
    except SQLAlchemyError as error:
        raise UnusableConnection(source=url, problem=f"{error}. Give one that is open.") from error
    return found


def _unusable(given: Any, url: str) -> NoReturn:
    raise UnusableConnection(
        source=url,
        problem=f"it is a SQLAlchemy {type(given).__name__}. Give a Connection or a Session.",
    )
