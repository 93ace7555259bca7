"""What a server may be told, undo or lose, and the ledger on it stays what it is."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from prakerja_ledger.domain.errors import Conflict, LedgerFault, TurnLost
from prakerja_ledger.ledger.ledger import Ledger, Receipt
from prakerja_ledger.projecting.projection import Projection
from prakerja_ledger.stores.postgres import PostgresJournal
from prakerja_ledger.stores.postgres_writing import PostgresWriting
from prakerja_ledger.stores.postgres_text import numbers, original, storable, texts
from tests.ledger_support import as_bytes, enrolment, purchase, subjects, to_record
from tests.postgres_support import (
    default,
    insert,
    logged_in,
    made,
    made_with_roles,
    row,
    schema_of,
    shared_database,  # noqa: F401  # a fixture
    waiting,
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


# --- what the ledger sets for itself ------------------------------------------------------------------


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


HOSTILE_DEFAULTS = {
    "bytea_output": "escape",
    "standard_conforming_strings": "off",
    "search_path": "nowhere",
    "client_encoding": "LATIN1",
    "quote_all_identifiers": "on",
    "row_security": "off",
    "enable_indexscan": "off",
    "statement_timeout": "20s",
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


def test_a_turn_may_think_longer_than_the_database_lets_others(url: str):
    with default(url, "idle_in_transaction_session_timeout", "50ms"), Ledger.open(url) as ledger:
        with ledger.journal.writing() as writing:
            time.sleep(0.15)
            writing.append([to_record("P-1", 1)])

        assert ledger.head() == 1


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


@pytest.fixture
def only_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is done ahead of the lock."""
    monkeypatch.setattr(PostgresJournal, "ahead", None)


def test_a_head_held_too_long_is_an_error_that_says_so(url: str):
    """Ahead of a turn, where the function waits."""
    with connect(without_options(url)) as connection:
        connection.execute(
            f"ALTER FUNCTION {schema_of(url)}.append_next SET lock_timeout = '50ms'"
        )
    with Ledger.open(url) as ledger:
        ledger.record(enrolment("P-0"))
        with ledger.journal.writing():
            with pytest.raises(LedgerFault, match="has held its shard too long; nothing was recorded"):
                ledger.record(enrolment("P-1"))

        assert ledger.record(enrolment("P-1")) == Receipt(2)


@pytest.mark.usefixtures("only_turns")
def test_a_lock_held_too_long_is_an_error_that_says_so(url: str):
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


@pytest.mark.usefixtures("only_turns")
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


@pytest.mark.usefixtures("only_turns")
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


@pytest.mark.usefixtures("only_turns")
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
                connection.execute("SET deadlock_timeout = '1min'")  # it is the ledger that finds it
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


@pytest.mark.usefixtures("only_turns")
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


@pytest.mark.parametrize("several", [1, 4])
def test_idle_connections_to_rows_that_died_are_replaced_without_an_error(
    database_url: str, several: int
):
    url = made(database_url)
    with Ledger.open(url) as ledger, Projection.open(ledger, url) as projection:
        ledger.record(enrolment("P-1"))
        projection.rebuild()
        with ExitStack() as held:
            for _ in range(several):
                held.enter_context(projection.tables.look()).kept("P-1")
        assert terminate_all(url) >= several

        assert projection.totals("wave").position == 1


def test_a_server_that_was_away_for_longer_is_found_again_at_the_next_call_or_the_one_after():
    """The pool's own waits between attempts double, so that it would wait as long again."""
    with PostgresServer() as server:
        url = with_options(made(server.url(server.new_database())), pool_timeout=1)
        with Ledger.open(url) as ledger:
            open_several(ledger, 4)
            server.kill()
            for _ in range(8):
                with pytest.raises(LedgerFault):
                    ledger.head()
            server.restart()

            failed = 0
            while failed < 20:
                try:
                    assert ledger.head() == 0
                    break
                except LedgerFault:
                    failed += 1
    assert failed <= 2


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
