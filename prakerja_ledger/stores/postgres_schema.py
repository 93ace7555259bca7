"""Making a PostgreSQL ledger: the script to read and run oneself, and the same run when asked for."""

from __future__ import annotations

from typing import Final

import psycopg
from psycopg import Connection
from psycopg.rows import TupleRow

from prakerja_ledger.domain.errors import LedgerFault, UnreadableSource
from prakerja_ledger.domain.phrases import Phrase
from prakerja_ledger.stores.postgres_access import role_script
from prakerja_ledger.stores.postgres_connecting import connected, told
from prakerja_ledger.stores.postgres_sql import SCHEMA_VERSION, create_script
from prakerja_ledger.stores.postgres_url import PostgresURL, parse_url

_ONE_AT_A_TIME: Final = "SELECT pg_advisory_xact_lock(hashtext('prakerja-ledger schema'))"


def script(url: str) -> str:
    """The whole script of a new ledger and its roles; nothing is connected to."""
    parsed = parse_url(url)
    return "\n".join(
        [
            f"-- prakerja-ledger, schema version {SCHEMA_VERSION}, {parsed.shards or 1} shard(s).",
            "-- Run it once, in the ledger's database, in UTF-8.",
            "BEGIN;",
            "",
            create_script(parsed.schema, parsed.shards or 1, functions=parsed.functions),
            role_script(parsed.schema, functions=parsed.functions),
            "COMMIT;",
            "",
        ]
    )


def apply(url: str) -> bool:
    """Make the tables of the ledger in one transaction; False where they are there already.

    Roles are not made: they belong to the whole cluster, and to who runs it. Raises UnreadableSource
    where the server cannot be reached, and LedgerFault where it refuses.
    """
    parsed = parse_url(url)
    try:
        with connected(parsed, autocommit=False) as connection:
            return _applied(connection, parsed)
    except psycopg.Error as error:
        raise LedgerFault(
            source=parsed.shown, problem=Phrase("{error}. Nothing was changed.", error=told(error))
        ) from error


def _applied(connection: Connection[TupleRow], url: PostgresURL) -> bool:
    if url.functions:
        connection.execute(_ONE_AT_A_TIME)
    (encoding,) = connection.execute("SHOW server_encoding").fetchone() or ("",)
    if encoding not in ("UTF8", "utf8"):
        raise LedgerFault(
            source=url.shown,
            problem=Phrase(
                "the database is encoded in {encoding}. Make one in UTF8 (createdb -E UTF8).",
                encoding=encoding,
            ),
        )
    there = connection.execute(
        "SELECT to_regclass(%s) IS NOT NULL", (f"{url.schema}.ledger",)
    ).fetchone()
    if there is None or not there[0]:
        connection.execute(
            create_script(url.schema, url.shards or 1, functions=url.functions).encode()
        )
        return True
    (version,) = connection.execute(
        f"SELECT schema_version FROM {url.schema}.ledger".encode()
    ).fetchone() or (0,)
    if version > SCHEMA_VERSION:
        raise UnreadableSource(
            source=url.shown,
            problem=Phrase(
                "it has schema version {version}, and this release knows {known}. Use a newer release.",
                version=version,
                known=SCHEMA_VERSION,
            ),
        )
    return False
