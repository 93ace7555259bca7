"""Roles on PostgreSQL: each may do what it is for, by the database's word and not by the ledger's."""

from __future__ import annotations

import json
from typing import Any

import psycopg
import pytest

from prakerja_ledger.domain.errors import LedgerFault, UnreadableSource
from prakerja_ledger.ledger.ledger import Ledger
from prakerja_ledger.stores import postgres_doctor
from prakerja_ledger.stores.postgres_roles import OUTCOMES, ROLES
from tests.ledger_support import enrolment, subjects
from tests.postgres_support import (
    logged_in,
    made_with_roles,
    schema_of,
    shared_database,  # noqa: F401  # a fixture
    without_options,
)
from tests.servers import connect


def event(type: str, id: str, subject: str = "P-1", **data: Any) -> dict[str, Any]:
    return {
        "specversion": "1.0",
        "source": "//pmo",
        "id": id,
        "type": f"prakerja.{type}.v1",
        "subject": subject,
        "time": data.pop("time", "2020-05-01T10:00:00+07:00"),
        "data": data,
    }


INSTRUCTED = event("disbursement-instructed", "i-1", disbursement="D1", component="post-training",
                   instalment=1, amount=600_000, provider="bni", account="A1")  # fmt: skip
SETTLED = event("disbursement-settled", "s-1", disbursement="D1", reference="R1")
RETURNED = event("disbursement-returned", "r-1", disbursement="D1", reason="account-closed")
FAILED = event("disbursement-failed", "f-1", disbursement="D2", reason="technical")


@pytest.fixture(params=[1, 3], ids="{} shards".format)
def url(shared_database: str, request: pytest.FixtureRequest) -> str:
    """A ledger with its roles; P-1 has two transfers without an outcome."""
    url = made_with_roles(shared_database, shards=request.param)
    second = INSTRUCTED | {"id": "i-2", "data": INSTRUCTED["data"] | {"disbursement": "D2"}}
    with Ledger.open(url) as ledger:
        ledger.record_all([enrolment("P-1"), INSTRUCTED, second])
    return url


# --- the settler --------------------------------------------------------------------------------------


def test_a_settler_records_what_became_of_transfers(url: str):
    with Ledger.open(logged_in(url, "settler")) as ledger:
        alone = ledger.record(SETTLED)
        together = ledger.record_all([RETURNED, FAILED])
        again = ledger.record(SETTLED)
        assert ledger.resolve("//pmo", "f-1").position == together[1].position
    assert again.duplicate and again.position == alone.position
    with Ledger.open(url) as ledger:
        assert [json.loads(line)["id"] for line in ledger.lines()][-3:] == ["s-1", "r-1", "f-1"]


OTHERS = {
    "another participant": enrolment("P-2"),
    "an instruction": INSTRUCTED | {"id": "i-3", "data": INSTRUCTED["data"] | {"disbursement": "D3"}},
    "a void": event("event-voided", "v-1")
    | {"data": {"source": "//pmo", "id": "i-1", "reason": "r", "authority": "a"}},
    "a hold of payments": event("payments-held", "h-1", "programme", reason="r"),
}  # fmt: skip


@pytest.mark.parametrize("other", OTHERS)
def test_a_settler_records_nothing_else(url: str, other: str):
    """The server refuses it: the ledger sends it as it would any fact."""
    with Ledger.open(logged_in(url, "settler")) as ledger:
        before = ledger.head()
        with pytest.raises(LedgerFault, match="a settler records outcomes of transfers alone"):
            ledger.record(OTHERS[other])
        with pytest.raises(LedgerFault, match="a settler records outcomes of transfers alone"):
            ledger.record_all([OTHERS[other], SETTLED])
        assert ledger.head() == before


BY_HAND = (
    "SELECT append_next_outcome(0, 0, '{{}}', '{{}}', '{stream}', {version}, '{topic}', "
    "convert_to('{line}', 'UTF8'), '{source}', '{id}')"
)
HONEST = {"stream": "participant/P-1", "version": 4, "topic": OUTCOMES[0], "line": json.dumps(SETTLED),
          "source": "//pmo", "id": "s-1"}  # fmt: skip
FALSE = {
    "another type": {"line": json.dumps(SETTLED | {"type": "prakerja.enrolled.v1"})},
    "another source": {"source": "//bank"},
    "another id": {"id": "s-2"},
    "another participant": {"stream": "participant/P-2", "version": 1},
    "a package": {"stream": "package/P-1", "version": 1},
    "no JSON": {"line": "x"},
    "no object": {"line": "[]"},
}


@pytest.mark.parametrize("changed", [None, *FALSE])
def test_a_settler_who_calls_by_hand_cannot_say_one_thing_and_write_another(
    shared_database: str, changed: str | None
):
    url = made_with_roles(shared_database)
    with Ledger.open(url) as ledger:
        ledger.record_all([enrolment("P-1"), INSTRUCTED])
    asked = BY_HAND.format(**HONEST | {"version": 3} | FALSE.get(changed, {}))
    with connect(without_options(logged_in(url, "settler"))) as connection:
        connection.execute(f"SET search_path = {schema_of(url)}")
        if changed is None:
            assert connection.execute(asked).fetchone() == (3,)
        else:
            with pytest.raises(psycopg.errors.InsufficientPrivilege, match="settler"):
                connection.execute(asked)


def test_a_settler_sees_whom_it_names_and_lists_nobody(url: str):
    with Ledger.open(logged_in(url, "settler")) as ledger:
        assert len(ledger.timeline("P-1").events) == 3
        with pytest.raises(LedgerFault, match="permission denied"):
            list(ledger.lines())
        with pytest.raises(LedgerFault, match="permission denied"):
            ledger.feed()


# --- who keeps keys -------------------------------------------------------------------------------------


def test_a_key_keeper_has_no_right_in_the_ledger(url: str):
    """The identity vault is elsewhere; whoever holds its keys cannot look up what was paid to whom."""
    with pytest.raises(UnreadableSource, match="_as_key_keeper may neither read"):
        Ledger.open(logged_in(url, "key_keeper"))
    s = schema_of(url)
    with connect(without_options(url)) as connection:
        found = connection.execute(
            "SELECT c.relname FROM pg_class AS c, aclexplode(c.relacl) AS a WHERE a.grantee = %s::regrole "
            "UNION SELECT p.proname FROM pg_proc AS p, aclexplode(p.proacl) AS a WHERE a.grantee = %s::regrole "
            "UNION SELECT n.nspname FROM pg_namespace AS n, aclexplode(n.nspacl) AS a WHERE a.grantee = %s::regrole",
            [f"{s}_key_keeper"] * 3,
        ).fetchall()
    assert found == []


# --- what no role has -----------------------------------------------------------------------------------

CHANGING = ["UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "TRIGGER"]


def test_no_role_holds_a_right_that_changes_or_removes_a_row(url: str):
    s = schema_of(url)
    with connect(without_options(url)) as connection:
        held = connection.execute(
            "SELECT r, c.relname, p FROM unnest(%s::text[]) AS r, unnest(%s::text[]) AS p, pg_class AS c "
            "WHERE c.relnamespace = %s::regnamespace AND c.relkind IN ('r', 'v') "
            "AND (has_table_privilege(r, c.oid, p) OR (p IN ('UPDATE', 'REFERENCES') "
            "AND has_any_column_privilege(r, c.oid, p)))",
            [[role.in_schema(s) for role in ROLES], CHANGING, s],
        ).fetchall()
    assert held == []


def test_no_role_can_log_in_by_itself_and_public_has_nothing(url: str):
    s = schema_of(url)
    with connect(without_options(url)) as connection:
        assert connection.execute(
            "SELECT bool_or(rolcanlogin OR rolsuper OR rolbypassrls OR rolcreaterole OR rolcreatedb) "
            "FROM pg_roles WHERE rolname = ANY(%s)", [[role.in_schema(s) for role in ROLES]]
        ).fetchone() == (False,)
        assert connection.execute(
            "SELECT p.proname FROM pg_proc AS p WHERE p.pronamespace = %s::regnamespace "
            "AND has_function_privilege('public', p.oid, 'EXECUTE')", [s]
        ).fetchall() == []


# --- the auditor ----------------------------------------------------------------------------------------


def test_an_auditor_reads_everything_and_who_may_do_what(url: str):
    s = schema_of(url)
    with connect(without_options(url)) as connection:
        connection.execute(f"SELECT {s}.grant_waves('{s}_as_wave_reader', 1, 2)")
    with Ledger.open(logged_in(url, "auditor")) as ledger:
        assert subjects(ledger.lines()) == {"P-1"}
        with pytest.raises(LedgerFault, match="may read and not write"):
            ledger.record(enrolment("P-2"))
    with connect(without_options(logged_in(url, "auditor"))) as connection:
        who = connection.execute(
            f"SELECT who, role, waves FROM {s}.who_may WHERE may_log_in AND who LIKE '{s}%' ORDER BY 1, 2"
        ).fetchall()
        record = connection.execute(f"SELECT role_name, waves, granted_by FROM {s}.wave_grants").fetchall()
    expected = sorted((f"{s}_as_{role.name}", role.in_schema(s)) for role in ROLES)
    assert [(a, b) for a, b, _ in who] == expected
    assert [waves for a, _, waves in who if a == f"{s}_as_wave_reader"] == [[1, 2]]
    assert record == [(f"{s}_as_wave_reader", [1, 2], "postgres")]


def test_doctor_says_what_a_role_may(url: str):
    s = schema_of(url)
    said = {}
    for role in ("reader", "writer", "caller", "settler", "wave_reader", "auditor"):
        checks = postgres_doctor.examine(logged_in(url, role))
        said[role] = next(c.found for c in checks if c.subject == "role").partition(", ")[2]
        assert not [c for c in checks if c.verdict.name == "UNSAFE"]
    assert said == {
        "reader": "may only read",
        "writer": "may insert",
        "caller": "may call",
        "settler": "may call, to record outcomes of transfers",
        "wave_reader": "may only read, of waves none",
        "auditor": "may only read",
    }


UNDONE = {
    "rights of the roles": "GRANT UPDATE ON {s}.heads TO {s}_writer",
    "guards of readers by wave": "ALTER TABLE {s}.events_by_wave DISABLE ROW LEVEL SECURITY",
    "waves of participants": "UPDATE {s}.participant_waves SET wave = 9",
}


@pytest.mark.parametrize("subject", [None, *UNDONE])
def test_doctor_finds_what_was_done_to_roles_and_waves(url: str, subject: str | None):
    """As an auditor, who may see all of it and can do nothing about it."""
    s = schema_of(url)
    with connect(without_options(url)) as connection:
        if subject is not None:
            connection.execute(UNDONE[subject].format(s=s))
    checks = postgres_doctor.examine(logged_in(url, "auditor"))
    found = {c.subject: c.verdict.name for c in checks if c.subject in UNDONE}
    assert found == {one: "UNSAFE" if one == subject else "SAFE" for one in UNDONE}
