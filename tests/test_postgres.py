"""The ledger on PostgreSQL: the contract of every store, by every way in; who may do what; and what
the server is asked and left to do."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from prakerja_ledger.domain.errors import Conflict, LedgerFault, TurnLost, UnreadableSource
from prakerja_ledger.ledger.ledger import Ledger, Receipt
from prakerja_ledger.stores import postgres_schema
from prakerja_ledger.stores.postgres import PostgresWriting
from prakerja_ledger.stores.postgres_text import numbers, original, storable, texts
from tests.ledger_support import (
    OneLogContract,
    SharedByProcesses,
    as_bytes,
    enrolment,
    purchase,
    subjects,
)
from tests.postgres_support import (
    logged_in,
    made,
    made_with_roles,
    schema_of,
    shared_database,  # noqa: F401  # a fixture
    through,
    with_options,
    without_options,
)
from tests.servers import PostgresServer, connect, wait_until


@pytest.fixture
def url(shared_database: str) -> str:
    """The URL of a ledger that was just made."""
    return made(shared_database)


@pytest.fixture
def ledger(url: str) -> Iterator[Ledger]:
    with Ledger.open(url) as opened:
        yield opened


# --- the contract, by every way in ------------------------------------------------------------------


class TestPostgresJournal(OneLogContract, SharedByProcesses):
    """PostgreSQL keeps the contract of a journal."""

    @pytest.fixture
    def url(self, shared_database: str) -> str:
        return made(shared_database)


class TestThroughPgBouncer(OneLogContract, SharedByProcesses):
    """Also where each transaction may run on another connection."""

    @pytest.fixture
    def url(self, shared_database: str, pgbouncer: Any) -> str:
        return through(made(shared_database), pgbouncer.port)


class TestAsWriter(OneLogContract):
    """Also for who may only INSERT and SELECT."""

    @pytest.fixture
    def url(self, shared_database: str) -> str:
        return logged_in(made_with_roles(shared_database), "writer")


class TestAsCaller(OneLogContract):
    """Also for who has no right on any table, and calls functions."""

    @pytest.fixture
    def url(self, shared_database: str) -> str:
        return logged_in(made_with_roles(shared_database), "caller")


class TestPlainSchema(OneLogContract, SharedByProcesses):
    """Also on an engine that has neither functions nor triggers."""

    @pytest.fixture
    def url(self, shared_database: str) -> str:
        return made(shared_database, functions="no")


class TestPlainSchemaAsWriter(OneLogContract):
    """There a writer moves the heads by its own UPDATE."""

    @pytest.fixture
    def url(self, shared_database: str) -> str:
        return logged_in(made_with_roles(shared_database, functions="no"), "writer")


# --- opening ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("create", [True, False])
def test_a_database_without_a_ledger_is_refused_and_nothing_is_made(database_url: str, create: bool):
    with pytest.raises(UnreadableSource, match="schema --apply"):
        Ledger.open(database_url, create=create)

    with connect(database_url) as connection:
        made_things = connection.execute(
            "SELECT nspname FROM pg_namespace WHERE nspname LIKE 'prakerja%' "
            "UNION ALL SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace"
        ).fetchall()
    assert made_things == []


def test_making_a_ledger_twice_makes_it_once(shared_database: str):
    url = made(shared_database)
    with Ledger.open(url) as ledger:
        ledger.record(enrolment())

    assert postgres_schema.apply(url) is False
    with Ledger.open(url) as ledger:
        assert ledger.head() == 1


def test_many_that_make_a_ledger_at_once_make_it_once(shared_database: str):
    url = with_options(shared_database, schema="made_at_once")
    answers: list[bool] = []
    threads = [
        threading.Thread(target=lambda: answers.append(postgres_schema.apply(url))) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(answers) == [False, False, False, True]


def test_the_script_makes_what_apply_makes(shared_database: str):
    url = with_options(shared_database, schema="by_script")
    with connect(without_options(url)) as connection:
        connection.execute(postgres_schema.script(url))

    with Ledger.open(url) as ledger:
        assert ledger.record(enrolment()) == Receipt(1)


@pytest.mark.parametrize(("has", "says"), [(1, 4), (4, 1), (4, 5)])
def test_a_url_that_says_another_number_of_shards_is_refused(
    shared_database: str, has: int, says: int
):
    url = made(shared_database, shards=has)
    with pytest.raises(UnreadableSource, match=f"made with {has} shards, and the URL says {says}"):
        Ledger.open(with_options(url, shards=says))


def test_a_url_that_says_no_number_of_shards_takes_what_is_there(shared_database: str):
    url = made(shared_database, shards=3)
    schema = schema_of(url)
    with Ledger.open(with_options(shared_database, schema=schema)) as ledger:
        assert ledger.journal.rights.shards == 3


def test_a_ledger_of_a_later_release_is_refused(shared_database: str):
    url = made(shared_database)
    with connect(shared_database) as connection:
        connection.execute(f"ALTER TABLE {schema_of(url)}.ledger DISABLE TRIGGER USER")
        connection.execute(f"UPDATE {schema_of(url)}.ledger SET schema_version = 2")

    for refused in (Ledger.open, postgres_schema.apply):
        with pytest.raises(UnreadableSource, match="schema version 2.*newer release"):
            refused(url)


@pytest.mark.parametrize(
    "options",
    ["schema=UPPER", "schema=a-b", "schema=a;b", "schema=", "schema=é", "schema=" + "a" * 64]
    + ["shards=0", "shards=-1", "shards=1025", "shards=x", "shards=", "shards=1.5", "shards=²"]
    + ["pool=0", "pool=x", "pool_timeout=0", "nonsense=1"],
)
def test_a_url_whose_options_make_no_sense_is_refused(options: str):
    with pytest.raises(UnreadableSource):
        Ledger.open(f"postgresql://postgres@127.0.0.1:1/x?{options}")


def test_a_server_that_is_not_there_is_refused_with_its_name():
    with pytest.raises(UnreadableSource, match=r"127\.0\.0\.1:1/x.*Check the URL"):
        Ledger.open("postgresql://postgres@127.0.0.1:1/x")


SECRET = "s3cr3t"
WITH_A_PASSWORD = [
    f"postgresql://u:{SECRET}@127.0.0.1:1/x",
    f"postgresql://:{SECRET}@127.0.0.1:1/x",
    f"postgresql://u:{SECRET}@127.0.0.1:1/x?shards=0",
    f"postgresql://u:a@{SECRET}@127.0.0.1:1/x?shards=0",
    f"postgresql://u:a@{SECRET}@127.0.0.1:1/x",
    f"postgresql://u:a/{SECRET}@127.0.0.1:1/x",
    f"postgresql://u:a?{SECRET}@127.0.0.1:1/x",
    f"postgresql://u:a#{SECRET}@127.0.0.1:1/x",
    f"postgresql://u:1#{SECRET}@127.0.0.1:1/x",
    f"postgresql://u:%{SECRET}@127.0.0.1:1/x",
    f"postgresql://u:{SECRET}%@127.0.0.1:1/x",
    f"postgresql://u:[{SECRET}@127.0.0.1:1/x",
    f"postgresql://127.0.0.1:1/x?user=u&password={SECRET}",
    f"postgresql://127.0.0.1:1/x?user=u&password={SECRET}&schema=X",
    f"postgresql://127.0.0.1:1/x?user=u&password={SECRET}&nonsense=1",
    f"postgresql://127.0.0.1:1/x?user=u&sslpassword={SECRET}",
    f"postgresql://127.0.0.1:1/x?user=u&pass%77ord={SECRET}",
]


@pytest.mark.parametrize("url", WITH_A_PASSWORD)
@pytest.mark.parametrize("asked", [Ledger.open, postgres_schema.apply, postgres_schema.script])
def test_a_password_is_in_no_error(url: str, asked: Any):
    """Nor in what a debugger shows of the values on the way, as far as they are ours."""
    try:
        told = str(asked(url))
    except (UnreadableSource, LedgerFault) as error:
        causes = [error, error.__cause__, error.__context__]
        told = repr([(str(one), getattr(one, "fields", None)) for one in causes])
    assert SECRET not in told


@pytest.mark.parametrize("form", ["postgres:{}@", "postgres@?password={}"])
def test_a_password_is_in_no_url_of_a_journal(url: str, form: str):
    user, _, query = form.format(SECRET).partition("?")
    with_password = with_options(url.replace("postgres@", user), **dict([query.split("=")]) if query else {})
    with Ledger.open(with_password) as ledger:
        assert SECRET not in ledger.journal.url
        assert SECRET not in repr(ledger)


@pytest.mark.parametrize("scheme", ["postgres", "postgresql"])
def test_both_spellings_of_the_scheme_are_known(url: str, scheme: str):
    with Ledger.open(url.replace("postgresql://", f"{scheme}://")) as ledger:
        assert ledger.head() == 0


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
        match=f"_as_nobody may .*Grant it {schema}_reader, {schema}_writer or {schema}_caller",
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
    before = by_hand.execute("SELECT * FROM stored_events, heads, ledger ORDER BY number").fetchall()
    with pytest.raises(psycopg.errors.RestrictViolation, match="is append-only"):
        by_hand.execute(change)

    after = by_hand.execute("SELECT * FROM stored_events, heads, ledger ORDER BY number").fetchall()
    assert after == before


def row(number: int, **changes: Any) -> dict[str, Any]:
    """A row as a writer of an own program might insert it; its shard is the only one."""
    return {
        "originator_id": f"participant/X-{number}",
        "originator_version": 1,
        "topic": "prakerja.enrolled.v1",
        "state": as_bytes(enrolment(f"X-{number}")),
        "notification_id": number,
        "shard": 0,
        "number": number,
        "source": "//pmo",
        "id": f"enrolled X-{number}",
        **changes,
    }


def insert(connection: psycopg.Connection[Any], *rows: dict[str, Any]) -> None:
    names = list(rows[0])
    places = "(" + ", ".join(["%s"] * len(names)) + ")"
    connection.execute(
        f"INSERT INTO stored_events ({', '.join(names)}) VALUES {', '.join([places] * len(rows))}",
        [one[name] for one in rows for name in names],
    )


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
    "a shard that is not there": [row(3, shard=1), row(3, shard=7)],
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


# --- what the ledger sets for itself ------------------------------------------------------------------


@contextmanager
def default(url: str, name: str, value: str) -> Iterator[None]:
    """A default of the whole database, for its time."""
    database = without_options(url).rpartition("/")[2]
    with connect(without_options(url)) as connection:
        connection.execute(f"ALTER DATABASE {database} SET {name} = '{value}'")
        yield
        connection.execute(f"ALTER DATABASE {database} RESET {name}")


def setting_in_a_turn(ledger: Ledger, name: str) -> str:
    with ledger.journal.writing() as writing:
        connection = writing._connection
        (found,) = connection.execute("SELECT current_setting(%s) AS it", (name,)).fetchone().values()
    return found


@pytest.mark.parametrize("careless", ["off", "local"])
@pytest.mark.parametrize(("functions", "role"), [("yes", "writer"), ("yes", "caller"), ("no", "writer")])
def test_what_is_acknowledged_is_on_disk_whatever_the_database_was_told(
    shared_database: str, functions: str, role: str, careless: str
):
    url = logged_in(made_with_roles(shared_database, functions=functions), role)
    with default(shared_database, "synchronous_commit", careless), Ledger.open(url) as ledger:
        assert setting_in_a_turn(ledger, "synchronous_commit") == "on"


@pytest.mark.parametrize("level", ["repeatable read", "serializable"])
def test_a_turn_sees_what_was_recorded_while_it_waited_whatever_the_default_isolation(
    url: str, level: str
):
    with default(url, "default_transaction_isolation", level), Ledger.open(url) as ledger:
        ledger._attempts = 1
        ledger.record(enrolment("P-1"))
        answers: list[Receipt] = []

        def report() -> None:
            answers.append(ledger.record(purchase("P-1")))

        with ledger.journal.writing() as writing:
            thread = threading.Thread(target=report)
            thread.start()
            wait_until(lambda: waiting(url), "nobody waits")
            writing.append([])
        thread.join()

        assert answers == [Receipt(2)]


def waiting(url: str) -> int:
    """How many wait for a lock in this database."""
    with connect(without_options(url)) as connection:
        return connection.execute(
            "SELECT count(*) FROM pg_stat_activity "
            "WHERE datname = current_database() AND wait_event_type = 'Lock'"
        ).fetchone()[0]


HOSTILE_DEFAULTS = {
    "bytea_output": "escape",
    "standard_conforming_strings": "off",
    "search_path": "nowhere",
    "client_encoding": "LATIN1",
    "quote_all_identifiers": "on",
    "row_security": "off",
    "enable_indexscan": "off",
    "statement_timeout": "20s",
    "idle_in_transaction_session_timeout": "1ms",
    "transform_null_equals": "on",
    "backslash_quote": "off",
    "check_function_bodies": "off",
    "lock_timeout": "50ms",
}


@pytest.mark.parametrize(("name", "value"), HOSTILE_DEFAULTS.items(), ids=HOSTILE_DEFAULTS)
def test_a_default_of_the_database_changes_nothing(shared_database: str, name: str, value: str):
    url = made(shared_database)
    events = [enrolment("é𝓐'\\\"\x00", "one\\'"), *(enrolment(f"\\{n}", f"𝓐{n}") for n in range(250))]
    with default(url, name, value), Ledger.open(url) as ledger:
        ledger.record(events[0] | {"recordedtime": "2020-06-01T00:00:00Z"})
        ledger.record_all(events[1:])
        assert ledger.find("//pmo", "one\\'") == 1
        assert ledger.head() == 251
        assert next(ledger.lines()) == as_bytes(
            events[0] | {"recordedtime": "2020-06-01T00:00:00Z"}
        )
        with ledger.journal.reading() as reading:
            names = [name for name, _ in reading.streams("participant/")]
        assert names == sorted(f"participant/{one['subject']}" for one in events)


def test_a_lock_that_is_held_is_waited_for_longer_than_a_role_waits(url: str):
    """The ledger's own patience counts, not what a role was given for its queries."""
    with default(url, "lock_timeout", "20ms"), Ledger.open(url) as ledger:
        with ledger.journal.writing():
            release = threading.Event()
            thread = threading.Thread(
                target=lambda: (ledger.record(enrolment("P-1")), release.set())
            )
            thread.start()
            assert not release.wait(0.15)
        thread.join(timeout=10)
        assert ledger.head() == 1


def test_a_lock_held_too_long_is_an_error_that_says_so(url: str, monkeypatch: pytest.MonkeyPatch):
    with Ledger.open(url) as ledger:
        rights = ledger.journal.rights
        impatient = rights.writes.begin.replace("lock_timeout = '30s'", "lock_timeout = '50ms'")
        assert impatient != rights.writes.begin
        object.__setattr__(rights.writes, "begin", impatient)
        with ledger.journal.writing():
            with pytest.raises(LedgerFault, match="has held its shard too long; nothing was recorded"):
                ledger.record(enrolment("P-1"))

        assert ledger.record(enrolment("P-1")) == Receipt(1)


# --- undone for another's sake ------------------------------------------------------------------------


@pytest.mark.parametrize("state", ["40001", "40P01", "23505"])
@pytest.mark.parametrize("times", [1, 3])
def test_a_turn_that_the_server_undid_is_taken_again_and_recorded_once(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch, state: str, times: int
):
    """The statement is one that the server itself refuses, in the middle of the turn."""
    flush, left = PostgresWriting.flush, [None] * times

    def refused(writing: PostgresWriting, ending: str = "") -> Any:
        if left:
            left.pop()
            writing._connection.execute(
                f"DO $$ BEGIN RAISE EXCEPTION 'undone' USING ERRCODE = '{state}'; END $$"
            )
        return flush(writing, ending)

    monkeypatch.setattr(PostgresWriting, "flush", refused)

    assert ledger.record_all([enrolment("P-1"), purchase("P-1")]) == [Receipt(1), Receipt(2)]
    assert ledger.record(purchase("P-1")) == Receipt(2, duplicate=True)
    assert len(list(ledger.lines())) == 2


def test_a_turn_that_is_undone_each_time_ends_with_what_to_do(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
):
    def refused(writing: PostgresWriting, ending: str = "") -> Any:
        writing._connection.execute(
            "DO $$ BEGIN RAISE EXCEPTION 'undone' USING ERRCODE = '40001'; END $$"
        )

    with monkeypatch.context() as patched:
        patched.setattr(PostgresWriting, "flush", refused)
        with pytest.raises(TurnLost, match="nothing was recorded. Do it again"):
            ledger.record(enrolment("P-1"))

    assert ledger.record(enrolment("P-1")) == Receipt(1)


def test_a_deadlock_with_another_program_is_survived(url: str, monkeypatch: pytest.MonkeyPatch):
    """It holds the identity and wants the head; the ledger holds the head and wants the identity."""
    flush, go_on = PostgresWriting.flush, threading.Event()
    entered = threading.Event()

    def slow(writing: PostgresWriting, ending: str = "") -> Any:
        entered.set()
        go_on.wait(10)
        return flush(writing, ending)

    monkeypatch.setattr(PostgresWriting, "flush", slow)
    receipts: list[Receipt] = []
    with default(url, "deadlock_timeout", "50ms"), Ledger.open(url) as ledger:
        ours = threading.Thread(target=lambda: receipts.append(ledger.record(enrolment("P-1"))))
        ours.start()
        entered.wait(10)

        def theirs() -> None:
            with psycopg.connect(without_options(url)) as connection:
                connection.execute(f"SET search_path = {schema_of(url)}")
                insert(connection, row(1, id="enrolled P-1"))  # the trigger waits for the head
                connection.rollback()

        other = threading.Thread(target=theirs)
        other.start()
        wait_until(lambda: waiting(url), "nobody waits for the head")
        go_on.set()
        ours.join(timeout=30)
        other.join(timeout=30)
        lines = list(ledger.lines())

    assert receipts == [Receipt(1)]
    assert subjects(lines) == {"P-1"}
    assert len(lines) == 1


def test_an_identity_that_another_took_meanwhile_is_met_as_what_it_is(
    url: str, monkeypatch: pytest.MonkeyPatch
):
    """The ledger looked before it was there: the key refuses it, and the next look finds it."""
    flush, other = PostgresWriting.flush, []

    def late(writing: PostgresWriting, ending: str = "") -> Any:
        if not other:
            other.append(True)
            writing.rows = [(*one[:-1], "taken") for one in writing.rows]
        return flush(writing, ending)

    with Ledger.open(url) as ledger:
        ledger.record(enrolment("P-9", "taken"))
        monkeypatch.setattr(PostgresWriting, "flush", late)

        assert ledger.record(enrolment("P-1")) == Receipt(2)
        with pytest.raises(Conflict):
            ledger.record(enrolment("P-2", "taken"))


# --- texts --------------------------------------------------------------------------------------------

HOSTILE = [
    "NULL", "null", "", " ", "{}", "{", "}", ",", '"', "'", "\\", "\\\\", '\\"', "a\\0b", "\n", "\r\n",
    "\t", "\0", "\0\0", "\1", "\1\1", "\1\2", "\0\1", "\1\0", "\2", "\x7f", "$1", "%s", "%(x)s", "%", "--",
    "/*", ";", "é", "e\u0301", "𝓐", "🧾", "\ufeff", "\u202e", "\ud7ff", "\ue000", "\uffff", "\U0010ffff",
    "E'\\x41'", "\\x00", "ARRAY[1]", "a" * 200, "🧾" * 50,
]  # fmt: skip
CHARACTERS = st.one_of(
    st.sampled_from("\0\1\2\3\"\\{},'NUL %$"), st.characters(exclude_categories=["Cs"])
)


@pytest.fixture(scope="module")
def asked(shared_database: str) -> Iterator[psycopg.Cursor[Any]]:
    with connect(shared_database) as connection:
        yield psycopg.ClientCursor(connection)


@given(st.lists(st.text(CHARACTERS, max_size=30)))
def test_texts_come_back_from_the_server_as_they_were(asked: Any, values: list[str]):
    given_texts = texts(map(storable, values))
    (back,) = asked.execute("SELECT %s::text[]", (given_texts,)).fetchone()

    assert list(map(original, back)) == values


@given(st.lists(st.text(CHARACTERS, max_size=8)))
def test_the_server_puts_texts_in_the_order_of_code_points(asked: Any, values: list[str]):
    rows = asked.execute(
        'SELECT t FROM unnest(%s::text[]) AS t ORDER BY t COLLATE "C"', (texts(map(storable, values)),)
    ).fetchall()

    assert [original(one) for (one,) in rows] == sorted(values)


@given(st.lists(st.one_of(st.none(), st.text(max_size=5).map(storable))))
def test_a_text_that_is_missing_is_not_the_text_null(asked: Any, values: list[str | None]):
    values = [value and value.encode("utf-8", "ignore").decode() for value in values]
    assert asked.execute("SELECT %s::text[]", (texts(values),)).fetchone() == (values,)


@given(st.lists(st.integers(-(2**63), 2**63 - 1)))
def test_numbers_come_back_from_the_server_as_they_were(asked: Any, values: list[int]):
    assert asked.execute("SELECT %s::bigint[]", (numbers(values),)).fetchone() == (values,)


@pytest.mark.parametrize("many", [1, 300], ids=["one by one", "many at once"])
@pytest.mark.parametrize("role", ["writer", "caller"])
def test_names_of_any_characters_come_back_as_they_were_and_in_their_order(
    shared_database: str, role: str, many: int
):
    url = logged_in(made_with_roles(shared_database), role)
    names = [name for name in HOSTILE if name]
    events = [enrolment(name, name, source=name) for name in names]
    more = [enrolment(f"{n}", f"{n}") for n in range(many - 1)]
    with Ledger.open(url) as ledger:
        if more:
            ledger.record_all(events + more)
        else:
            for event in events:
                ledger.record(event)
        found = [ledger.find(name, name) for name in names]
        with ledger.journal.reading() as reading:
            streams = [name for name, _ in reading.streams("participant/")]
            lengths = [len(reading.stream(f"participant/{name}")) for name in names]

    expected = sorted([*names, *(f"{n}" for n in range(many - 1))])
    assert found == list(range(1, len(names) + 1))
    assert streams == [f"participant/{name}" for name in expected]
    assert lengths == [1] * len(names)


# --- connections that are lost ------------------------------------------------------------------------


def terminate_all(url: str) -> int:
    """End every other connection to the database, as an administrator does."""
    with connect(without_options(url)) as connection:
        return len(
            connection.execute(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            ).fetchall()
        )


def open_several(ledger: Ledger, several: int) -> None:
    """Have the pool hold so many idle connections."""
    from contextlib import ExitStack

    with ExitStack() as held:
        for _ in range(several):
            held.enter_context(ledger.journal.reading()).head()


@pytest.mark.parametrize("several", [1, 4])
@pytest.mark.parametrize("act", ["write", "read"])
def test_idle_connections_that_died_are_replaced_without_an_error(
    database_url: str, several: int, act: str
):
    url = made(database_url)
    with Ledger.open(url) as ledger:
        ledger.record(enrolment("P-1"))
        open_several(ledger, several)
        assert terminate_all(url) >= several

        if act == "write":
            assert ledger.record(enrolment("P-2")) == Receipt(2)
        else:
            assert ledger.head() == 1


def test_a_ledger_goes_on_after_its_server_was_restarted():
    with PostgresServer() as server:
        url = made(server.url(server.new_database()))
        with Ledger.open(url) as ledger:
            ledger.record(enrolment("P-1"))
            open_several(ledger, 3)
            server.kill()
            server.restart()

            assert ledger.record(enrolment("P-2")) == Receipt(2)
            assert ledger.head() == 2
            server.kill()
            server.restart()
            assert ledger.head() == 2


def test_a_connection_lost_in_the_middle_of_a_turn_records_nothing(database_url: str):
    url = made(database_url)
    with Ledger.open(url) as ledger:
        with pytest.raises(LedgerFault), ledger.journal.writing() as writing:
            terminate_all(url)
            writing.find("//pmo", "x")

        assert ledger.record(enrolment("P-1")) == Receipt(1)


def test_a_pool_of_one_serves_many_threads(url: str):
    with Ledger.open(with_options(url, pool=1)) as ledger:
        threads = [
            threading.Thread(target=ledger.record, args=(enrolment(f"P-{n}"),)) for n in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert ledger.head() == 8


def test_a_pool_that_is_exhausted_says_so(url: str):
    with Ledger.open(with_options(url, pool=1, pool_timeout=1)) as ledger:
        with ledger.journal.reading():
            with pytest.raises(LedgerFault, match="all 1 are in use.*allow more"):
                ledger.head()

        assert ledger.head() == 0


def test_a_ledger_that_was_closed_says_so(url: str):
    ledger = Ledger.open(url)
    ledger.head()
    ledger.close()
    with pytest.raises(LedgerFault):
        ledger.head()
