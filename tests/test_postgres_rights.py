"""Who may do what with a ledger on PostgreSQL, and what nobody may: change what is recorded."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from prakerja_ledger.domain.errors import LedgerFault, UnreadableSource
from prakerja_ledger.ledger.ledger import Ledger, Receipt
from tests.ledger_support import enrolment, subjects
from tests.postgres_support import (
    insert,
    logged_in,
    made,
    made_with_roles,
    row,
    schema_of,
    shared_database,  # noqa: F401  # a fixture
    without_options,
)
from tests.servers import connect


@pytest.fixture
def url(shared_database: str) -> str:
    """The URL of a ledger that was just made."""
    return made(shared_database)


# --- who may do what --------------------------------------------------------------------------------


@pytest.fixture
def with_roles(shared_database: str) -> str:
    """A ledger with its roles, in which P-1 is enrolled."""
    url = made_with_roles(shared_database)
    with Ledger.open(url) as ledger:
        ledger.record(enrolment("P-1"))
    return url


def test_a_reader_reads_everything(with_roles: str):
    with Ledger.open(logged_in(with_roles, "reader")) as ledger:
        assert ledger.head() == 1
        assert ledger.find("//pmo", "enrolled P-1") == 1
        assert subjects(ledger.lines()) == {"P-1"}
        with ledger.journal.reading() as reading:
            assert [name for name, _ in reading.streams("participant/")] == ["participant/P-1"]
            assert len(reading.stream("participant/P-1")) == 1


@pytest.mark.parametrize("write", ["record", "resolve", "turn"])
def test_a_reader_who_writes_is_told_what_it_lacks(with_roles: str, write: str):
    writes = {
        "record": lambda ledger: ledger.record(enrolment("P-2")),
        "resolve": lambda ledger: ledger.resolve("//pmo", "x"),
        "turn": lambda ledger: ledger.journal.writing().__enter__(),
    }
    with Ledger.open(logged_in(with_roles, "reader")) as ledger:
        with pytest.raises(LedgerFault, match="_as_reader may read and not write.*writer or caller"):
            writes[write](ledger)
        assert ledger.head() == 1


def test_who_may_do_nothing_is_told_what_to_ask_for(with_roles: str):
    schema = schema_of(with_roles)
    with pytest.raises(
        UnreadableSource,
        match=f"_as_nobody may .*Grant it {schema}_reader, {schema}_writer, .* or {schema}_auditor",
    ):
        Ledger.open(logged_in(with_roles, "nobody"))


def test_who_may_only_see_the_schema_is_told_what_to_ask_for(with_roles: str):
    schema = schema_of(with_roles)
    with connect(without_options(with_roles)) as connection:
        connection.execute(f"GRANT USAGE ON SCHEMA {schema} TO {schema}_as_nobody")
    with pytest.raises(UnreadableSource, match=f"Grant it {schema}_reader"):
        Ledger.open(logged_in(with_roles, "nobody"))


FORBIDDEN = {
    "reader": [
        "INSERT INTO stored_events SELECT * FROM stored_events",
        "UPDATE heads SET number = 9",
        "SELECT take('{0}')",
        "SELECT append('{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}')",
        "SELECT * FROM heads FOR UPDATE",
    ],
    "writer": [
        "UPDATE heads SET number = 9",
        "UPDATE heads SET clock = 9",
        "INSERT INTO heads VALUES (1, 0, 0)",
        "DELETE FROM heads",
        "UPDATE stored_events SET state = 'x'",
        "DELETE FROM stored_events",
        "TRUNCATE stored_events",
        "UPDATE ledger SET shards = 2",
        "DROP TABLE stored_events",
        "DROP TRIGGER stored_events_follow ON stored_events",
        "ALTER TABLE stored_events DISABLE TRIGGER ALL",
        "CREATE TABLE another ()",
        "SET session_replication_role = replica",
    ],
    "caller": [
        "SELECT * FROM stored_events",
        "SELECT * FROM heads",
        "SELECT * FROM ledger",
        "INSERT INTO stored_events SELECT * FROM stored_events",
        "UPDATE heads SET number = 9",
        "DELETE FROM stored_events",
        "COPY stored_events TO STDOUT",
        "CREATE TABLE another ()",
        "SELECT follow()",
    ],
    "nobody": ["SELECT * FROM stored_events", "SELECT take('{0}')", "SELECT about()"],
}


@pytest.mark.parametrize(
    ("role", "statement"), [(role, one) for role, them in FORBIDDEN.items() for one in them]
)
def test_a_role_may_do_no_more_than_it_has_to(with_roles: str, role: str, statement: str):
    """Asked of the server itself, past the ledger."""
    with connect(without_options(logged_in(with_roles, role))) as connection:
        connection.execute(f"SET search_path = {schema_of(with_roles)}")
        with pytest.raises(
            (psycopg.errors.InsufficientPrivilege, psycopg.errors.UndefinedFunction,
             psycopg.errors.UndefinedTable, psycopg.errors.InvalidSchemaName)
        ):  # fmt: skip
            connection.execute(statement)


NEXT = (
    "SELECT append_next({home}, {fence}, '{looked}', '{expected}', '{stream}', {version}, "
    "'prakerja.enrolled.v1', 'x', '//pmo', '{id}')"
)
LAWFUL = {
    "home": 0, "fence": 0, "looked": "{}", "expected": "{}", "stream": "participant/X", "version": 1,
    "id": "fresh",
}  # fmt: skip
UNLAWFUL = {
    "another fence": {"fence": 1},
    "a shard that is not there": {"home": 7},
    "no shard": {"home": "NULL"},
    "the programme": {"stream": "programme"},
    "a package": {"stream": "package/K"},
    "a version taken": {"stream": "participant/P-1"},
    "an identity taken": {"id": "enrolled P-1"},
    "a stream that went on": {"looked": "{participant/P-1}", "expected": "{0}"},
    "a stream not as far": {"looked": "{programme}", "expected": "{1}"},
    "a stream expected at nothing": {"looked": "{programme}", "expected": "{}"},
}


@pytest.mark.parametrize("changed", [None, *UNLAWFUL])
def test_who_calls_by_hand_what_appends_on_a_condition_gets_no_further(
    with_roles: str, changed: str | None
):
    """A call that does not follow appends nothing and leaves no gap behind."""
    asked = NEXT.format(**{**LAWFUL, **UNLAWFUL.get(changed, {})})
    with connect(without_options(logged_in(with_roles, "caller"))) as connection:
        connection.execute(f"SET search_path = {schema_of(with_roles)}")
        (place,) = connection.execute(asked).fetchone()
    with Ledger.open(with_roles) as ledger:
        before = 1
        assert place == (before + 1 if changed is None else None)
        assert ledger.head() == before + (changed is None)
        assert ledger.record(enrolment("P-9")) == Receipt(ledger.head())


# --- tables that only grow, one event after the other -------------------------------------------------


@pytest.fixture
def by_hand(url: str) -> Iterator[psycopg.Connection[Any]]:
    """A connection of the tables' owner to a ledger of two events."""
    with Ledger.open(url) as ledger:
        ledger.record_all([enrolment("P-1"), enrolment("P-2")])
    with connect(without_options(url)) as connection:
        connection.execute(f"SET search_path = {schema_of(url)}")
        yield connection


CHANGES = [
    "UPDATE stored_events SET state = 'x'",
    "UPDATE stored_events SET notification_id = 9 WHERE notification_id = 1",
    "UPDATE stored_events SET state = 'x' WHERE false",
    "DELETE FROM stored_events",
    "DELETE FROM stored_events WHERE number = 2",
    "TRUNCATE stored_events",
    "UPDATE ledger SET shards = 2",
    "DELETE FROM ledger",
    "TRUNCATE ledger",
    "DELETE FROM heads",
    "TRUNCATE heads",
    "INSERT INTO stored_events SELECT * FROM stored_events WHERE number = 2 "
    "ON CONFLICT (notification_id) DO UPDATE SET state = 'x'",
    "MERGE INTO stored_events AS e USING heads AS h ON true WHEN MATCHED THEN DELETE",
    "WITH gone AS (DELETE FROM stored_events RETURNING *) SELECT * FROM gone",
]


@pytest.mark.parametrize("change", CHANGES)
def test_what_is_recorded_is_never_changed_not_even_by_the_owner(
    by_hand: psycopg.Connection[Any], change: str
):
    before = by_hand.execute("SELECT * FROM stored_events AS e, heads, ledger ORDER BY e.number").fetchall()
    with pytest.raises(psycopg.errors.RestrictViolation, match="is append-only"):
        by_hand.execute(change)

    after = by_hand.execute("SELECT * FROM stored_events AS e, heads, ledger ORDER BY e.number").fetchall()
    assert after == before


def test_an_event_inserted_by_hand_that_follows_the_last_one_stands(
    by_hand: psycopg.Connection[Any], url: str
):
    insert(by_hand, row(3), row(4))

    with Ledger.open(url) as ledger:
        assert ledger.record(enrolment("X-3")) == Receipt(3, duplicate=True)
        assert ledger.record(enrolment("P-3")) == Receipt(5)


NOT_FOLLOWING = {
    "a gap": [row(4)],
    "a gap between two": [row(3), row(5)],
    "a number taken": [row(2, notification_id=3)],
    "a number twice": [row(3), row(3, notification_id=4, originator_id="participant/Y", id="y")],
    "number 0": [row(0, notification_id=3)],
    "a negative number": [row(-1, notification_id=3)],
    "a clock that goes back": [row(3, notification_id=0)],
    "a negative clock": [row(3, notification_id=-5)],
    "clocks against numbers": [row(3, notification_id=4), row(4, notification_id=3)],
    "a position that leaves a gap": [row(3, notification_id=4)],
    "a shard that is not there": [row(3, shard=1)],
    "a shard before the first": [row(3, shard=-1)],
    "one that follows and one that does not": [row(3), row(5)],
}  # fmt: skip


@pytest.mark.parametrize("rows", NOT_FOLLOWING.values(), ids=NOT_FOLLOWING)
def test_an_event_that_does_not_follow_the_last_one_is_refused(
    by_hand: psycopg.Connection[Any], rows: list[dict[str, Any]], url: str
):
    with pytest.raises(psycopg.errors.SerializationFailure, match="do not follow the last one"):
        insert(by_hand, *rows)

    with Ledger.open(url) as ledger:
        assert ledger.record(enrolment("P-3")) == Receipt(3)


def test_a_writer_who_inserts_by_hand_is_held_to_the_same(with_roles: str):
    with connect(without_options(logged_in(with_roles, "writer"))) as connection:
        connection.execute(f"SET search_path = {schema_of(with_roles)}")
        with pytest.raises(psycopg.errors.SerializationFailure, match="do not follow"):
            insert(connection, row(3))
        insert(connection, row(2))

    with Ledger.open(with_roles) as ledger:
        assert ledger.head() == 2


def test_a_caller_who_appends_by_hand_is_held_to_the_same(with_roles: str):
    append = "SELECT {}.append(%s, '{{1}}', '{{t}}', '{{s}}', %s, '{{0}}', %s, '{{//x}}', '{{1}}')"
    append = append.format(schema_of(with_roles))
    with connect(without_options(logged_in(with_roles, "caller"))) as connection:
        with pytest.raises(psycopg.errors.SerializationFailure, match="do not follow"):
            connection.execute(append, (["participant/X"], [3], [3]))
        connection.execute(append, (["participant/X"], [2], [2]))
