"""A vault on PostgreSQL, in a schema of its own: `prakerja_vault`, or what `?schema=` names.

The row of settings is the writers' lock: each transaction that writes takes it first, so that the journal
has one order.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from threading import RLock
from typing import Any, Final

import psycopg
from psycopg import Connection

from prakerja_ledger.domain.errors import CommitInDoubt
from prakerja_ledger.domain.phrases import Phrase
from prakerja_ledger.stores.postgres_connecting import connected, fault, has_died, lost, told
from prakerja_ledger.stores.postgres_url import PostgresURL, parse_url
from prakerja_ledger.vault.rows import TABLES, Rows, Settings, create_script
from prakerja_ledger.vault.store import no_vault, vault_there

SCHEMA: Final = "prakerja_vault"
_ERASED_FROM: Final = ("wrapped_keys", "sealed_values", "tokens")
_OWNED: Final = """\
SELECT bool_and(pg_has_role(relowner, 'USAGE')) FROM pg_class
WHERE oid IN (SELECT to_regclass(name) FROM unnest(%s::text[]) AS name)"""
_APPEND_ONLY: Final = """\
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'journal is append-only'; END $$;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON journal
FOR EACH STATEMENT EXECUTE FUNCTION refuse()"""


def create(url: str, settings: Settings) -> None:
    """Make the schema and its tables, in one transaction."""
    parsed = parse_url(url, SCHEMA)
    with connected(parsed, autocommit=False) as connection:
        try:
            if _is_there(connection, parsed):
                raise vault_there(parsed.shown)
            connection.execute(f"CREATE SCHEMA IF NOT EXISTS {parsed.schema}".encode())
            connection.execute(f"SET LOCAL search_path = {parsed.schema}".encode())
            for statement in create_script('text COLLATE "C"', "bytea"):
                connection.execute(statement.encode())
            connection.execute(_APPEND_ONLY.encode())
            Rows(_runner(connection)).create(settings)
        except psycopg.errors.DuplicateTable:
            raise vault_there(parsed.shown) from None
        except psycopg.Error as error:
            raise fault(parsed.shown, error) from error


def open(url: str) -> PostgresStore:  # StoreModule's word
    """The vault in that schema. Raises UnreadableSource where there is none."""
    parsed = parse_url(url, SCHEMA)
    with connected(parsed) as connection:
        if not _is_there(connection, parsed):
            raise no_vault(parsed.shown)
    return PostgresStore(parsed)


def _is_there(connection: Connection[Any], url: PostgresURL) -> bool:
    query = "SELECT to_regclass(%s) IS NOT NULL"
    (there,) = connection.execute(query, (f"{url.schema}.{TABLES[0]}",)).fetchone() or (False,)
    return bool(there)


def _runner(connection: Connection[Any]) -> Any:
    def run(statement: str, parameters: Sequence[Any]) -> list[tuple[Any, ...]]:
        cursor = connection.execute(statement.replace("?", "%s").encode(), parameters)
        return cursor.fetchall() if cursor.description is not None else []

    return run


class PostgresStore:
    """One connection, used by one thread at a time, and made anew when the server went away."""

    def __init__(self, url: PostgresURL) -> None:
        self.url: str = url.shown
        self._parsed = url
        self._connection: Connection[Any] | None = None
        self._lock = RLock()

    @contextmanager
    def reading(self) -> Iterator[Rows]:
        """One consistent look: all its statements see the same moment."""
        with self._transaction("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY") as rows:
            yield rows

    @contextmanager
    def writing(self) -> Iterator[Rows]:
        """The one writer's transaction."""
        with self._transaction(f"SELECT FROM {self._parsed.schema}.settings FOR UPDATE") as rows:
            yield rows

    @contextmanager
    def _transaction(self, begin: str) -> Iterator[Rows]:
        with self._lock:
            connection = self._alive()
            try:
                with connection.transaction():
                    connection.execute(begin.encode())
                    local = f"SET LOCAL search_path = {self._parsed.schema}"
                    connection.execute(local.encode())
                    yield Rows(_runner(connection))
            except psycopg.Error as error:
                if lost(connection, error):
                    raise CommitInDoubt(
                        source=self.url,
                        problem=Phrase(
                            "{error}. Whether it was done is not known; do it again, which is safe.",
                            error=told(error),
                        ),
                    ) from error
                raise fault(self.url, error) from error

    def _alive(self) -> Connection[Any]:
        known = self._connection
        if known is not None and not known.closed and not has_died(known):
            return known
        self.close()
        self._connection = connected(self._parsed)
        return self._connection

    def scrub(self) -> bool:
        """Free the rooms of dead rows. The server's own log and backups keep theirs for their time.

        False for who does not own the tables: the server would pass over them with a warning.
        """
        with self._lock:
            tables = [f"{self._parsed.schema}.{table}" for table in _ERASED_FROM]
            try:
                connection = self._alive()
                owned = connection.execute(_OWNED, (tables,)).fetchone() == (True,)
                if owned:
                    connection.execute(f"VACUUM {', '.join(tables)}".encode())
            except psycopg.Error as error:
                raise fault(self.url, error) from error
        return owned

    def close(self) -> None:
        """Let go of the connection."""
        with self._lock, suppress(psycopg.Error):
            if self._connection is not None:
                self._connection.close()
