"""The driver's connection inside what a caller hands over: as it is, or beneath SQLAlchemy 2."""

from __future__ import annotations

from typing import Any, Final, NoReturn, TypeVar

from prakerja_ledger.domain.errors import UnusableConnection
from prakerja_ledger.domain.phrases import Phrase

SAVEPOINT: Final = "prakerja_ledger_step"
"""What each call is, inside the caller's transaction."""
C = TypeVar("C")


def driver_connection(given: Any, url: str, kind: type[C], wanted: Phrase) -> C:
    """The driver's connection, of the kind that the store is on. Raises UnusableConnection.

    A SQLAlchemy Session or Connection begins its transaction. Asked again for each turn: a Session
    has another connection after each commit.
    """
    found = _beneath(given, url)
    if not isinstance(found, kind):
        raise UnusableConnection(
            source=url,
            problem=Phrase(
                "it is a {module}.{kind}. Give {wanted}.",
                module=type(found).__module__,
                kind=type(found).__qualname__,
                wanted=wanted,
            ),
        )
    return found


def _beneath(given: Any, url: str) -> Any:
    """What lies beneath SQLAlchemy, which is recognised by name: nobody else need install it."""
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
        raise UnusableConnection(
            source=url, problem=Phrase("{error}. Give one that is open.", error=str(error))
        ) from error
    return found


def _unusable(given: Any, url: str) -> NoReturn:
    raise UnusableConnection(
        source=url,
        problem=Phrase(
            "it is a SQLAlchemy {kind}. Give a Connection or a Session.", kind=type(given).__name__
        ),
    )
