"""Whether the roles of a PostgreSQL ledger hold what they were made with, and see what they should."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from psycopg import Cursor

from prakerja_ledger.stores.health import Check, judged
from prakerja_ledger.stores.postgres_rights import Rights
from prakerja_ledger.stores.postgres_roles import ROLES

_HELD: Final = """\
SELECT a.grantee::regrole::text, a.privilege_type || ' on ' || c.relname
FROM pg_class AS c, aclexplode(c.relacl) AS a
WHERE c.relnamespace = %(s)s::regnamespace AND a.grantee = ANY(%(roles)s::regrole[])
UNION ALL
SELECT a.grantee::regrole::text, a.privilege_type || ' on ' || p.proname
FROM pg_proc AS p, aclexplode(p.proacl) AS a
WHERE p.pronamespace = %(s)s::regnamespace AND a.grantee = ANY(%(roles)s::regrole[])"""
_GUARDED: Final = """\
SELECT 'row level security of ' || c.relname FROM pg_class AS c
WHERE c.relnamespace = %(s)s::regnamespace AND NOT c.relrowsecurity
    AND c.relname IN ('events_by_wave', 'participant_waves', 'wave_grants')
UNION ALL
SELECT 'trigger ' || name FROM unnest(ARRAY['stored_events_keep_wave', 'wave_grants_only_grow',
    'events_by_wave_stay_empty']) AS name
WHERE NOT EXISTS (SELECT FROM pg_trigger AS t JOIN pg_class AS c ON c.oid = t.tgrelid
    WHERE c.relnamespace = %(s)s::regnamespace AND t.tgname = name AND t.tgenabled IN ('O', 'A'))
ORDER BY 1"""
_WRONG_WAVES: Final = """\
SELECT count(*) FROM (SELECT DISTINCT originator_id FROM {s}.stored_events
        WHERE originator_id LIKE 'participant/%%') AS e
    FULL JOIN {s}.participant_waves AS w USING (originator_id)
WHERE w.wave IS DISTINCT FROM {s}.wave_of(originator_id)"""


def access(cursor: Cursor[Any], rights: Rights) -> Iterator[Check]:
    """What is to be said of the roles, where the ledger has any."""
    names = [role.in_schema(rights.schema) for role in ROLES]
    cursor.execute("SELECT rolname FROM pg_roles WHERE rolname = ANY(%s)", [names])
    there = [name for (name,) in cursor.fetchall()]
    if there:
        yield _grants(cursor, rights.schema, there)
    cursor.execute("SELECT to_regclass(%s)", [f"{rights.schema}.participant_waves"])
    if cursor.fetchone() != (None,):
        yield _guards(cursor, rights.schema)
        yield from _waves(cursor, rights.schema)


def _grants(cursor: Cursor[Any], schema: str, there: list[str]) -> Check:
    made = {
        (role.in_schema(schema), f"{right} on {name.partition('(')[0]}")
        for role in ROLES
        for right, named in (
            ("SELECT", role.selects),
            ("INSERT", role.inserts),
            ("EXECUTE", role.calls),
        )
        for name in named
    }
    cursor.execute(_HELD, {"s": schema, "roles": there})
    more = sorted(set(cursor.fetchall()) - made)
    return judged(
        not more,
        "rights of the roles",
        "; ".join(f"{role}: {right}" for role, right in more) if more else "as made",
        "Somebody has given a role more than it is for. Revoke it, and find out who did.",
    )


def _guards(cursor: Cursor[Any], schema: str) -> Check:
    missing = [name for (name,) in cursor.execute(_GUARDED, {"s": schema})]
    return judged(
        not missing,
        "guards of readers by wave",
        f"{', '.join(missing)} missing or disabled" if missing else "all there",
        "Readers limited to waves could see others, or grants could be changed. Enable them, and find "
        "out who disabled them.",
    )


def _waves(cursor: Cursor[Any], schema: str) -> Iterator[Check]:
    """Whether each participant's wave is what the events say; asked by who may work it out."""
    cursor.execute(
        "SELECT coalesce(has_function_privilege(to_regprocedure(%s), 'EXECUTE'), false)",
        [f"{schema}.wave_of(text)"],
    )
    if cursor.fetchone() != (True,):
        return
    cursor.execute(_WRONG_WAVES.format(s=schema).encode())
    (wrong,) = cursor.fetchone() or (0,)
    yield judged(
        not wrong,
        "waves of participants",
        f"{wrong} not as the events say" if wrong else "as the events say",
        f"Readers limited to waves see others than they should. Run as the owner: UPDATE "
        f"{schema}.participant_waves SET wave = {schema}.wave_of(originator_id).",
    )
