"""SQLsmith as the application's roles: whatever SQL they send, history, chain and grants stay.

SQLsmith makes statements of the grammar and of all that the catalogue offers to the role. By itself it rolls
each back, which would prove nothing here: so it only writes them, and they are run and committed one by one.
A few seconds in the suite; `make fuzz` lets each role go on for a minute (PRAKERJA_FUZZ_SECONDS).
"""

from __future__ import annotations

import os
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from prakerja_ledger.ledger.ledger import Ledger
from tests.ledger_support import enrolment
from tests.postgres_support import (
    logged_in,
    made_with_roles,
    schema_of,
    shared_database,  # noqa: F401  # a fixture
    without_options,
)
from tests.servers import connect, program
from tests.test_access import INSTRUCTED, SETTLED

SECONDS = float(os.environ.get("PRAKERJA_FUZZ_SECONDS", "4"))
SEED = int(os.environ.get("PRAKERJA_FUZZ_SEED", "20200702"))
AT_ONCE = 150
"""Statements of one seed, and of one connection: a statement may change its session."""
OURS = ("writer", "caller", "settler", "wave_reader")
READING = ("writer", "wave_reader")


def state_of(url: str) -> dict[str, list[Any]]:
    """All that must not move: events, heads, grants, guards, policies, functions, roles."""
    s = schema_of(url)
    asked = {
        "events": f"SELECT * FROM {s}.stored_events ORDER BY notification_id",
        "heads": f"SELECT shard, number, clock FROM {s}.heads ORDER BY 1",
        "ledger": f"SELECT * FROM {s}.ledger",
        "waves": f"SELECT * FROM {s}.participant_waves ORDER BY 1",
        "granted waves": f"SELECT * FROM {s}.wave_grants ORDER BY 1",
        "relations": f"SELECT relname, relkind::text, relowner, relacl::text, relrowsecurity FROM pg_class WHERE relnamespace = '{s}'::regnamespace ORDER BY 1",
        "functions": f"SELECT proname, pronargs, proowner, proacl::text, prosrc FROM pg_proc WHERE pronamespace = '{s}'::regnamespace ORDER BY 1, 2",
        "triggers": "SELECT tgrelid::regclass::text, tgname, tgenabled::text FROM pg_trigger WHERE NOT tgisinternal ORDER BY 1, 2",
        "policies": "SELECT polrelid::regclass::text, polname, pg_get_expr(polqual, polrelid) FROM pg_policy ORDER BY 1, 2",
        "schemas": "SELECT nspname, nspowner, nspacl::text FROM pg_namespace WHERE nspname !~ '^pg_(toast_)?temp' ORDER BY 1",
        "roles": "SELECT rolname, rolsuper, rolcanlogin, rolbypassrls FROM pg_roles ORDER BY 1",
        "members": "SELECT roleid::regrole::text, member::regrole::text, admin_option FROM pg_auth_members ORDER BY 1, 2",
    }
    with connect(without_options(url)) as connection:
        return {name: connection.execute(query).fetchall() for name, query in asked.items()}


def statements(target: str, seed: int, *, reads: bool) -> Iterator[str]:
    """What SQLsmith would send: about the ledger's tables by turns, where the role may read any, or about all."""
    told = subprocess.run(
        [program("sqlsmith"), f"--target={target}", "--dry-run", f"--seed={seed}", f"--max-queries={AT_ONCE}",
         *(["--exclude-catalog"] if reads and seed % 2 else [])],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert told.stdout, told.stderr
    return (one for one in told.stdout.split(";\n") if one.strip())


def outcome_of(connection: psycopg.Connection[Any], statement: str) -> str:
    try:
        connection.execute(statement.encode())
    except psycopg.Error as error:
        return type(error).__name__
    return "passed"


@pytest.mark.parametrize("role", OURS)
def test_whatever_a_role_sends_history_chain_and_grants_stay(shared_database: str, role: str):
    url = made_with_roles(shared_database)
    with Ledger.open(url) as ledger:
        ledger.record_all([*(enrolment(f"P-{n}") for n in range(1, 9)), INSTRUCTED, SETTLED])
    with connect(without_options(url)) as connection:
        connection.execute(f"SELECT {schema_of(url)}.grant_waves('{schema_of(url)}_as_wave_reader', 2)")
    before, target = state_of(url), without_options(logged_in(url, role))
    ended: Counter[str] = Counter()
    deadline, seed = time.monotonic() + SECONDS, SEED
    while time.monotonic() < deadline:
        with connect(target) as connection:
            connection.execute("SET statement_timeout = '500ms'")
            for statement in statements(target, seed, reads=role in READING):
                ended[outcome_of(connection, statement)] += 1
                if connection.closed or time.monotonic() > deadline:
                    break
        assert state_of(url) == before, f"PRAKERJA_FUZZ_SEED={seed}"
        seed += 1
    assert ended["passed"] and ended["InsufficientPrivilege"], f"nothing was tried: {ended}"
    ends = ", ".join(f"{count:,} {end}" for end, count in ended.most_common(5))
    print(f"\n{role}: {ended.total()} statements: {ends}")
    with Ledger.open(url) as ledger:
        assert ledger.record(enrolment("P-9")).position == ledger.head() == 11
