"""What the role that logged in may do with a ledger, and so by which statements it reads and writes."""

from __future__ import annotations

from typing import Any, Final, NoReturn
from uuid import UUID

from attrs import frozen
from psycopg import Connection
from psycopg.rows import tuple_row

from prakerja_ledger.domain.errors import UnreadableSource
from prakerja_ledger.stores.postgres_sql import (
    SCHEMA_VERSION,
    ReadStatements,
    WriteStatements,
    reads_of,
    writes_of,
)
from prakerja_ledger.stores.postgres_url import PostgresURL

DATABASE: Final = "SELECT oid FROM pg_database WHERE datname = current_database()"
_THERE: Final = (
    f"SELECT current_user, ({DATABASE}), "
    "EXISTS (SELECT FROM pg_class WHERE relnamespace = n.oid AND relname = 'stored_events'), "
    "EXISTS (SELECT FROM pg_proc WHERE pronamespace = n.oid AND proname = 'take'), "
    "coalesce(has_schema_privilege(n.oid, 'USAGE'), false) "
    "FROM (SELECT to_regnamespace(%s)::oid AS oid) AS n"
)
"""Asked of the catalogue: looking a table up by its name is refused to who may not see the schema."""
_APPEND: Final = "append(text[],bigint[],text[],bytea[],bigint[],integer[],bigint[],text[],text[])"


@frozen(kw_only=True)
class Rights:
    """A ledger as a role finds it."""

    role: str
    schema: str
    shards: int
    ledger_id: UUID
    database: int
    """The database's number in its cluster: a copy has the same ledger id, and another number."""
    reads: ReadStatements
    writes: WriteStatements | None
    """None where the role may only read."""
    by_call: bool
    """Whether it has no right on the tables, and calls functions instead."""
    guarded: bool
    """Whether functions and triggers guard the tables."""


def rights_of(connection: Connection[Any], url: PostgresURL) -> Rights:
    """Ask the database. Raises UnreadableSource where there is no ledger that can be read."""
    cursor = connection.cursor(row_factory=tuple_row)
    s = url.schema
    there = cursor.execute(_THERE, (s,)).fetchone()
    assert there is not None, "one row"
    role, database, table, guarded, usage = there
    if not (table or guarded):
        raise UnreadableSource(
            source=url.shown,
            problem=f"there is no ledger in schema {s}. Make one: prakerja-ledger schema --apply URL "
            "(or have an administrator run what schema --sql URL prints).",
        )
    if not usage:
        _no_right(url, role)
    selects, inserts, updates, calls = _granted(cursor, s, guarded=guarded)
    if not selects and not calls:
        _no_right(url, role)
    reads = reads_of(s, by_call=not selects)
    about = cursor.execute(reads.about).fetchone()
    assert about is not None, "one row, by its key"
    version, shards, ledger_id = about
    _check(url, version, shards)
    may_write = calls or (inserts and (guarded or updates))
    by_call = calls and not (inserts and selects)
    return Rights(
        role=role,
        schema=s,
        shards=shards,
        ledger_id=ledger_id,
        database=database,
        reads=reads,
        writes=writes_of(s, by_call=by_call, guarded=guarded) if may_write else None,
        by_call=by_call,
        guarded=guarded,
    )


def _granted(cursor: Any, schema: str, *, guarded: bool) -> tuple[bool, bool, bool, bool]:
    """Whether the role may select, insert, update heads, call append."""
    row = cursor.execute(
        "SELECT has_table_privilege(%(t)s, 'SELECT'), has_table_privilege(%(t)s, 'INSERT'), "
        "has_column_privilege(%(h)s, 'number', 'UPDATE')",
        {"t": f"{schema}.stored_events", "h": f"{schema}.heads"},
    ).fetchone()
    calls = False
    if guarded:
        (calls,) = cursor.execute(
            "SELECT has_function_privilege(%s, 'EXECUTE')", (f"{schema}.{_APPEND}",)
        ).fetchone()
    return (*row, calls)


def _no_right(url: PostgresURL, role: str) -> NoReturn:
    raise UnreadableSource(
        source=url.shown,
        problem=f"role {role} may neither read the tables of schema {url.schema} nor call its "
        f"functions. Grant it {url.schema}_reader, {url.schema}_writer or {url.schema}_caller.",
    )


def _check(url: PostgresURL, version: int, shards: int) -> None:
    if version != SCHEMA_VERSION:
        what = "Run schema --apply URL" if version < SCHEMA_VERSION else "Use a newer release"
        raise UnreadableSource(
            source=url.shown,
            problem=f"it has schema version {version}, and this release reads {SCHEMA_VERSION}. "
            f"{what}.",
        )
    if url.shards is not None and url.shards != shards:
        raise UnreadableSource(
            source=url.shown,
            problem=f"it was made with {shards} shards, and the URL says {url.shards}. Shards are "
            "fixed when a ledger is made: leave them out, or export and import into another.",
        )
