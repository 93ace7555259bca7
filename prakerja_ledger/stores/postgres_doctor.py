"""Administering a PostgreSQL ledger: its script, making it, and an examination of all it stands on."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_address
from typing import Any, Final

import psycopg
from psycopg import Connection, Cursor
from psycopg.rows import tuple_row

from prakerja_ledger.domain.phrases import Phrase
from prakerja_ledger.stores.health import Check, judged, note, safe, unsafe
from prakerja_ledger.stores.postgres_connecting import connected, told, unreadable
from prakerja_ledger.stores.postgres_doctor_access import access
from prakerja_ledger.stores.postgres_rights import Rights, rights_of
from prakerja_ledger.stores.postgres_schema import apply, script
from prakerja_ledger.stores.postgres_url import PostgresURL, parse_url

__all__ = ["apply", "examine", "script"]

_OLDEST: Final = 150_000
_GUARDS: Final = frozenset(
    {"stored_events_only_grow", "stored_events_follow", "heads_stay", "ledger_stays"}
)
_SETTINGS: Final = {
    "fsync": ("on", "A crash could lose acknowledged facts, or the whole cluster. Set fsync = on."),
    "full_page_writes": (
        "on",
        "A power cut could tear pages that no log restores. Set full_page_writes = on.",
    ),
    "data_sync_retry": (
        "off",
        "After a failed fsync the server would go on with what was lost. Set data_sync_retry = off.",
    ),
    "zero_damaged_pages": ("off", "Damaged facts would be dropped unseen. Set it off."),
    "ignore_checksum_failure": ("off", "Damaged facts would be read as good ones. Set it off."),
}
_HELD_SECONDS: Final = 60


def examine(url: str) -> list[Check]:
    """Look at the server, the way to it, the ledger and the role. Raises UnreadableSource."""
    parsed = parse_url(url)
    with connected(parsed) as connection:
        try:
            rights = rights_of(connection, parsed)
            return list(_checks(connection, parsed, rights))
        except psycopg.Error as error:
            unreadable(parsed, Phrase("{error}.", error=told(error)), error)


def _checks(connection: Connection[Any], url: PostgresURL, rights: Rights) -> Iterator[Check]:
    cursor = connection.cursor(row_factory=tuple_row)
    yield from _server(cursor)
    yield from _way(connection, cursor, url)
    yield from _schema(cursor, rights)
    yield from _role(cursor, rights)
    yield from access(cursor, rights)
    yield from _holders(cursor)


def _one(cursor: Cursor[Any], query: str, *parameters: Any) -> Any:
    row = cursor.execute(query, parameters).fetchone()
    return None if row is None else row[0]


def _setting(cursor: Cursor[Any], name: str) -> str:
    found = _one(cursor, "SELECT current_setting(%s, true)", name)
    return "unknown" if found is None else str(found)


def _server(cursor: Cursor[Any]) -> Iterator[Check]:
    number = int(_setting(cursor, "server_version_num"))
    yield judged(
        number >= _OLDEST,
        "PostgreSQL",
        _setting(cursor, "server_version"),
        "It is older than 15, with which nothing was tested. Upgrade.",
    )
    encoding = _setting(cursor, "server_encoding")
    yield judged(
        encoding == "UTF8",
        "encoding",
        encoding,
        "Some texts cannot be kept. Use a database in UTF8.",
    )
    for name, (wanted, mend) in _SETTINGS.items():
        found = _setting(cursor, name)
        yield judged(found in (wanted, "unknown"), name, found, mend)
    commit = _setting(cursor, "synchronous_commit")
    if commit in ("off", "local"):
        yield note(
            "synchronous_commit",
            commit,
            "The ledger's own transactions set it on; those that you join with `using` do too, from "
            "the first fact on.",
        )
    else:
        yield safe("synchronous_commit", commit)
    if not _setting(cursor, "synchronous_standby_names").strip():
        yield note(
            "synchronous_standby_names",
            "empty",
            "A fact is acknowledged when it is on this server's disk alone. Name a standby, so that "
            "none is lost with the machine.",
        )
    checksums = _setting(cursor, "data_checksums")
    if checksums != "on":
        yield note(
            "data_checksums",
            checksums,
            "Damage on disk is not noticed when it is read. Enable them (pg_checksums --enable).",
        )
    if _one(cursor, "SELECT pg_is_in_recovery()"):
        yield note("server", "a standby", "Nothing can be recorded here, and what is read may lag.")


def _way(connection: Connection[Any], cursor: Cursor[Any], url: PostgresURL) -> Iterator[Check]:
    yield from _pooler(connection, cursor, url)
    address = connection.info.hostaddr
    local = not address or ip_address(address.partition("%")[0]).is_loopback
    encrypted = bool(connection.pgconn.ssl_in_use)
    found = "TLS" if encrypted else ("loopback or socket" if local else "in clear")
    yield judged(
        encrypted or local,
        "connection",
        found,
        "Facts and the password can be read and changed on the way. Add sslmode=verify-full to the URL.",
    )
    most = int(_setting(cursor, "max_connections"))
    if url.pool > most // 2:
        yield note(
            "pool",
            f"{url.pool} of max_connections {most}",
            "A second process would find none left. Lower pool= or use a pooler.",
        )


def _pooler(connection: Connection[Any], cursor: Cursor[Any], url: PostgresURL) -> Iterator[Check]:
    """Whether a pooler stands between, told by whose backend answers.

    A server gives a client its own process id; a pooler gives one that it made up. Where a second
    client, while the first is idle, is answered by the first one's process, clients share servers
    from transaction to transaction.
    """
    backend = _one(cursor, "SELECT pg_backend_pid()")
    if backend == connection.info.backend_pid:
        yield safe("pooler", "none")
        return
    with connected(url) as second:
        shared = _one(second.cursor(row_factory=tuple_row), "SELECT pg_backend_pid()") == backend
    yield safe("pooler", "transaction mode" if shared else "session mode")


def _schema(cursor: Cursor[Any], rights: Rights) -> Iterator[Check]:
    yield safe("ledger", f"schema {rights.schema}, {rights.shards} shard(s), id {rights.ledger_id}")
    if not rights.guarded:
        yield note(
            "functions and triggers",
            "none",
            "Nothing but rights keeps the tables append-only and positions without gaps. Where the "
            "engine has them, make the ledger with them.",
        )
    else:
        enabled = {
            name
            for (name,) in cursor.execute(
                "SELECT tgname FROM pg_trigger WHERE tgrelid = ANY(ARRAY[%s, %s, %s]::regclass[]) "
                "AND NOT tgisinternal AND tgenabled IN ('O', 'A')",
                [f"{rights.schema}.{table}" for table in ("stored_events", "heads", "ledger")],
            )
        }
        missing = sorted(_GUARDS - enabled)
        yield judged(
            not missing,
            "guards",
            f"{', '.join(missing)} missing or disabled" if missing else "all there",
            "Recorded facts could be changed, or positions left out. Enable them, and find out who "
            "disabled them.",
        )
    if not (rights.by_call or rights.limited):  # who does not see all rows cannot count them
        yield from _heads(cursor, rights)


def _heads(cursor: Cursor[Any], rights: Rights) -> Iterator[Check]:
    """Whether each head says what its shard's facts say."""
    s = rights.schema
    cursor.execute(
        f"SELECT h.shard, h.number, count(e.number), coalesce(max(e.number), 0) FROM {s}.heads AS h "
        f"LEFT JOIN {s}.stored_events AS e USING (shard) GROUP BY h.shard, h.number ORDER BY 1"
    )
    rows = cursor.fetchall()
    wrong = [str(shard) for shard, number, count, last in rows if not number == count == last]
    yield judged(
        not wrong,
        "positions",
        f"gaps in shard {', '.join(wrong)}" if wrong else f"{sum(r[2] for r in rows)} without gaps",
        "Facts are missing, or heads were moved. Compare with a copy or an export before recording on.",
    )


def _role(cursor: Cursor[Any], rights: Rights) -> Iterator[Check]:
    s = rights.schema
    (powerful, owner) = cursor.execute(
        "SELECT r.rolsuper, pg_has_role(current_user, c.relowner, 'USAGE') FROM pg_roles AS r, "
        "pg_class AS c WHERE r.rolname = current_user AND c.oid = %s::regclass",
        (f"{s}.stored_events",),
    ).fetchone() or (False, False)
    if powerful or owner:
        yield unsafe(
            "role",
            f"{rights.role}, {'a superuser' if powerful else 'owner of the tables'}",
            "It can switch off the guards and change what is recorded. Let services log in as a role "
            f"that was granted {s}_writer or {s}_caller (schema --sql prints them), auditors as "
            f"{s}_reader.",
        )
    else:
        yield safe("role", f"{rights.role}, {_may(cursor, rights)}")
    others = cursor.execute(
        "SELECT DISTINCT coalesce(nullif(a.grantee, 0)::regrole::text, 'PUBLIC') "
        "FROM pg_class AS c, aclexplode(c.relacl) AS a "
        "WHERE c.oid = %s::regclass AND a.grantee <> c.relowner "
        "AND a.privilege_type IN ('UPDATE', 'DELETE', 'TRUNCATE', 'TRIGGER') ORDER BY 1",
        (f"{s}.stored_events",),
    ).fetchall()
    yield judged(
        not others,
        "rights on stored_events",
        f"more than INSERT and SELECT: {', '.join(row[0] for row in others)}"
        if others
        else "as made",
        "Nobody needs to update, delete, truncate or add triggers. Revoke those rights.",
    )


def _may(cursor: Cursor[Any], rights: Rights) -> str:
    """What the role may do, in a few words."""
    if rights.limited:
        waves = _one(cursor, f"SELECT {rights.schema}.granted_waves()")
        return f"may only read, of waves {', '.join(map(str, sorted(waves))) or 'none'}"
    if rights.outcomes:
        return "may call, to record outcomes of transfers"
    return "may " + (
        "only read" if rights.writes is None else "call" if rights.by_call else "insert"
    )


def _holders(cursor: Cursor[Any]) -> Iterator[Check]:
    """Transactions that have been idle for long, and may hold a shard's turn."""
    held = _one(
        cursor,
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
        "AND state LIKE 'idle in transaction%%' AND state_change < now() - make_interval(secs => %s)",
        _HELD_SECONDS,
    )
    if held:
        yield note(
            "idle transactions",
            f"{held} for more than {_HELD_SECONDS} seconds",
            "Writers may have to wait for them. See pg_stat_activity, and end those left behind.",
        )
