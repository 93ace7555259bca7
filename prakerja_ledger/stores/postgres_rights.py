"""What the role that logged in may do with a ledger, and so by which statements it reads and writes."""

from __future__ import annotations

from typing import Any, Final, NoReturn
from uuid import UUID

from attrs import frozen
from psycopg import Connection
from psycopg.rows import tuple_row

from prakerja_ledger.domain.errors import UnreadableSource
from prakerja_ledger.domain.phrases import Phrase
from prakerja_ledger.stores.postgres_roles import ROLES
from prakerja_ledger.stores.postgres_sql import (
    EVENTS,
    EVENTS_BY_WAVE,
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
_GRANTED: Final = (
    "SELECT has_table_privilege(%(e)s, 'SELECT'), has_table_privilege(%(e)s, 'INSERT'), "
    "has_column_privilege(%(h)s, 'number', 'UPDATE'), "
    "coalesce(has_table_privilege(to_regclass(%(w)s), 'SELECT'), false), "
    "coalesce(has_function_privilege(to_regprocedure(%(a)s), 'EXECUTE'), false), "
    "coalesce(has_function_privilege(to_regprocedure(%(o)s), 'EXECUTE'), false)"
)


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
    limited: bool = False
    """Whether it sees the participants of some waves alone."""
    outcomes: bool = False
    """Whether all that it may append is outcomes of transfers."""


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
            problem=Phrase(
                "there is no ledger in schema {schema}. Make one: prakerja-ledger schema --apply URL (or "
                "have an administrator run what schema --sql URL prints).",
                schema=s,
            ),
        )
    if not usage:
        _no_right(url, role)
    granted = _granted(cursor, s)
    if not (granted.reads or granted.appends):
        _no_right(url, role)
    events = EVENTS_BY_WAVE if granted.limited else EVENTS
    reads = reads_of(s, by_call=not granted.reads, events=events)
    about = cursor.execute(reads.about).fetchone()
    assert about is not None, "one row, by its key"
    version, shards, ledger_id = about
    _check(url, version, shards)
    return Rights(
        role=role,
        schema=s,
        shards=shards,
        ledger_id=ledger_id,
        database=database,
        reads=reads,
        writes=_writes(s, granted, guarded=guarded),
        by_call=granted.by_call,
        guarded=guarded,
        limited=granted.limited,
        outcomes=granted.outcomes,
    )


@frozen
class _Granted:
    """What the role may do in the schema, as the database answers."""

    selects: bool
    inserts: bool
    updates: bool
    selects_waves: bool
    calls: bool
    settles: bool

    @property
    def reads(self) -> bool:
        return self.selects or self.selects_waves

    @property
    def appends(self) -> bool:
        """Whether it may append by calling a function."""
        return self.calls or self.settles

    @property
    def by_call(self) -> bool:
        """Whether it writes so, for it may not do it itself."""
        return self.appends and not (self.inserts and self.selects)

    @property
    def outcomes(self) -> bool:
        return self.settles and not (self.calls or self.inserts)

    @property
    def limited(self) -> bool:
        return self.selects_waves and not self.selects


def _granted(cursor: Any, schema: str) -> _Granted:
    named = {
        "e": EVENTS,
        "h": "heads",
        "w": EVENTS_BY_WAVE,
        "a": _APPEND,
        "o": _APPEND.replace("append", "append_outcomes"),
    }
    there = {key: f"{schema}.{name}" for key, name in named.items()}
    return _Granted(*cursor.execute(_GRANTED, there).fetchone())


def _writes(schema: str, granted: _Granted, *, guarded: bool) -> WriteStatements | None:
    if not (granted.appends or (granted.inserts and (guarded or granted.updates))):
        return None
    return writes_of(schema, by_call=granted.by_call, guarded=guarded, outcomes=granted.outcomes)


def _no_right(url: PostgresURL, role: str) -> NoReturn:
    names = [one.in_schema(url.schema) for one in ROLES if one.selects or one.calls]
    raise UnreadableSource(
        source=url.shown,
        problem=Phrase(
            "role {role} may neither read the tables of schema {schema} nor call its functions. "
            "Grant it {roles} or {last}.",
            role=role,
            schema=url.schema,
            roles=", ".join(names[:-1]),
            last=names[-1],
        ),
    )


def _check(url: PostgresURL, version: int, shards: int) -> None:
    if version != SCHEMA_VERSION:
        advice = (
            Phrase("Run schema --apply URL.")
            if version < SCHEMA_VERSION
            else Phrase("Use a newer release.")
        )
        raise UnreadableSource(
            source=url.shown,
            problem=Phrase(
                "it has schema version {version}, and this release reads {known}. {advice}",
                version=version,
                known=SCHEMA_VERSION,
                advice=advice,
            ),
        )
    if url.shards is not None and url.shards != shards:
        raise UnreadableSource(
            source=url.shown,
            problem=Phrase(
                "it was made with {shards} shards, and the URL says {asked}. Shards are fixed when a "
                "ledger is made: leave them out, or export and import into another.",
                shards=shards,
                asked=url.shards,
            ),
        )
