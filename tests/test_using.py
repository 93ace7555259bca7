"""In the caller's transaction: a fact and the caller's own rows are durable together, or not at all."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from datetime import date
from pathlib import Path
from typing import Any

import psycopg
import pytest
import sqlalchemy
from psycopg.rows import dict_row
from sqlalchemy.orm import Session, scoped_session, sessionmaker

from prakerja_ledger.domain.errors import (
    Conflict,
    LedgerFault,
    NotInView,
    PrakerjaLedgerError,
    Refused,
    TurnLost,
    UnusableConnection,
)
from prakerja_ledger.ledger.ledger import Ledger, Receipt
from tests.ledger_support import (
    MAY_20,
    Clock,
    command,
    enrolment,
    envelope,
    instruct,
    ordinary_life,
    purchase,
)
from tests.postgres_support import (
    made,
    schema_of,
    shared_database,  # noqa: F401  # a fixture
    with_options,
    without_options,
)
from tests.servers import connect, wait_until

JULY_2 = date(2020, 7, 2)


# --- callers: every kind of connection that may be handed over ------------------------------------------


class Caller:
    """Somebody with a transaction and a table `payments` of their own, beside the ledger's tables."""

    given: Any
    """What is handed to the ledger."""

    def begin(self) -> None:
        """Where a transaction does not begin by itself."""

    def execute(self, statement: str) -> Any:
        return self.given.execute(statement)

    def pay(self, name: str) -> None:
        """Write a row of one's own."""
        self.execute(f"INSERT INTO {self.table} VALUES ('{name}')")

    def commit(self) -> None:
        self.given.commit()

    def rollback(self) -> None:
        self.given.rollback()

    def close(self) -> None:
        self.given.close()


class OnSQLite(Caller):
    """sqlite3, at one of its isolation levels."""

    table = "payments"

    def __init__(self, url: str, level: str | None = "") -> None:
        self.given = sqlite3.connect(path_of(url), isolation_level=level, timeout=5)
        self.level = level

    def begin(self) -> None:
        if self.level is None:
            self.given.execute("BEGIN")


class OnPsycopg(Caller):
    """psycopg, whose transactions begin by themselves."""

    def __init__(self, url: str, **options: Any) -> None:
        self.table = schema_of(url) + ".payments"
        self.given = psycopg.connect(without_options(url), **options)


class OnAutocommit(OnPsycopg):
    """psycopg with autocommit, inside `connection.transaction()`."""

    def __init__(self, url: str) -> None:
        super().__init__(url, autocommit=True)
        self.block: Any = None

    def begin(self) -> None:
        self.block = self.given.transaction()
        self.block.__enter__()

    def commit(self) -> None:
        self.block.__exit__(None, None, None)

    def rollback(self) -> None:
        error = psycopg.Rollback(self.block)
        self.block.__exit__(type(error), error, None)

    def close(self) -> None:
        if self.given.info.transaction_status:
            self.rollback()
        super().close()


class OnSQLAlchemy(Caller):
    """A SQLAlchemy Connection or Session on either database."""

    def __init__(self, url: str, kind: Callable[[Any], Any]) -> None:
        if url.startswith("sqlite"):
            self.table = "payments"
        else:
            self.table = schema_of(url) + ".payments"
            url = without_options(url).replace("postgresql:", "postgresql+psycopg:")
        self.engine = sqlalchemy.create_engine(url)
        self.given = kind(self.engine)

    def execute(self, statement: str) -> Any:
        return self.given.execute(sqlalchemy.text(statement))

    def close(self) -> None:
        super().close()
        self.engine.dispose()


def scoped(engine: Any) -> Any:
    return scoped_session(sessionmaker(engine))


CALLERS: dict[str, tuple[str, Callable[[str], Caller]]] = {
    "sqlite3": ("sqlite", OnSQLite),
    "sqlite3, isolation None": ("sqlite", lambda url: OnSQLite(url, None)),
    "sqlite3, isolation IMMEDIATE": ("sqlite", lambda url: OnSQLite(url, "IMMEDIATE")),
    "SQLAlchemy Connection, sqlite": ("sqlite", lambda url: OnSQLAlchemy(url, lambda e: e.connect())),
    "SQLAlchemy Session, sqlite": ("sqlite", lambda url: OnSQLAlchemy(url, Session)),
    "psycopg": ("postgresql", OnPsycopg),
    "psycopg, autocommit": ("postgresql", OnAutocommit),
    "psycopg, dict rows and client cursors": (
        "postgresql",
        lambda url: OnPsycopg(url, row_factory=dict_row, cursor_factory=psycopg.ClientCursor),
    ),
    "SQLAlchemy Connection, postgresql": (
        "postgresql",
        lambda url: OnSQLAlchemy(url, lambda engine: engine.connect()),
    ),
    "SQLAlchemy Session, postgresql": ("postgresql", lambda url: OnSQLAlchemy(url, Session)),
    "SQLAlchemy scoped_session, postgresql": ("postgresql", lambda url: OnSQLAlchemy(url, scoped)),
}


def path_of(url: str) -> str:
    return url.removeprefix("sqlite:///")


def new_ledger(store: str, tmp_path: Path, request: pytest.FixtureRequest, **options: Any) -> str:
    """The URL of a new ledger in a database that has the table `payments` too."""
    if store == "sqlite":
        url = f"sqlite:///{tmp_path}/ledger.db"
        Ledger.open(url).close()
        with closing(sqlite3.connect(path_of(url))) as connection:
            connection.execute("CREATE TABLE payments (id TEXT)")
        return url
    url = made(request.getfixturevalue("shared_database"), **options)
    with connect(without_options(url)) as connection:
        connection.execute(f"CREATE TABLE {schema_of(url)}.payments (id text)")
    return url


def paid(url: str) -> list[str]:
    """The caller's rows as everybody sees them."""
    if url.startswith("sqlite"):
        with closing(sqlite3.connect(path_of(url))) as connection:
            rows = connection.execute("SELECT id FROM payments ORDER BY rowid").fetchall()
    else:
        with connect(without_options(url)) as connection:
            rows = connection.execute(f"SELECT id FROM {schema_of(url)}.payments").fetchall()
    return [id for (id,) in rows]


@pytest.fixture(params=["sqlite", "postgresql"])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A ledger on each of the two."""
    return new_ledger(request.param, tmp_path, request)


@pytest.fixture(params=CALLERS, ids=str)
def kind(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def url(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return new_ledger(CALLERS[kind][0], tmp_path, request)


@pytest.fixture
def ledger(url: str) -> Iterator[Ledger]:
    with Ledger.open(url, clock=Clock(MAY_20)) as opened:
        yield opened


@pytest.fixture
def caller(kind: str, url: str) -> Iterator[Caller]:
    made_caller = CALLERS[kind][1](url)
    yield made_caller
    made_caller.close()


@pytest.fixture
def joined(ledger: Ledger, caller: Caller) -> Ledger:
    """The ledger inside the caller's transaction, which has begun with a row of the caller's."""
    caller.begin()
    caller.pay("first")
    return ledger.using(caller.given)


# --- together or not at all -------------------------------------------------------------------------------


def test_a_fact_and_the_callers_own_rows_commit_together(
    url: str, ledger: Ledger, caller: Caller, joined: Ledger
):
    assert joined.record(enrolment("P-1")) == Receipt(1)
    caller.pay("last")
    caller.commit()

    assert paid(url) == ["first", "last"]
    assert ledger.find("//pmo", "enrolled P-1") == 1


def test_a_fact_and_the_callers_own_rows_are_both_gone_after_a_rollback(
    url: str, ledger: Ledger, caller: Caller, joined: Ledger
):
    joined.record_all([enrolment("P-1"), purchase("P-1")])
    caller.pay("last")
    caller.rollback()

    assert paid(url) == []
    assert ledger.head() == 0
    assert ledger.record(enrolment("P-2")) == Receipt(1), "no position was used up"


def test_what_is_recorded_first_of_all_is_in_the_callers_transaction_too(
    url: str, ledger: Ledger, caller: Caller
):
    """Where the caller has written and looked at nothing yet."""
    caller.begin()
    ledger.using(caller.given).record(enrolment("P-1"))
    caller.rollback()
    assert ledger.head() == 0

    caller.begin()
    ledger.using(caller.given).record(enrolment("P-1"))
    caller.commit()
    assert ledger.head() == 1


def test_many_facts_commit_together(ledger: Ledger, caller: Caller, joined: Ledger):
    """More than are sent one by one."""
    joined.record_all([enrolment(f"P-{n}") for n in range(300)])
    joined.record(enrolment("P-300"))
    caller.commit()

    assert ledger.head() == 301


def test_what_is_recorded_inside_is_seen_inside_and_not_outside(
    ledger: Ledger, caller: Caller, joined: Ledger
):
    joined.record(enrolment("P-1"))

    assert (joined.head(), joined.find("//pmo", "enrolled P-1")) == (1, 1)
    assert joined.statement("P-1", as_of=JULY_2).lines
    assert len(list(joined.lines())) == 1
    assert joined.resolve("//pmo", "enrolled P-1") == Receipt(1, duplicate=True)
    assert (ledger.head(), ledger.find("//pmo", "enrolled P-1")) == (0, None)
    with pytest.raises(NotInView):
        ledger.statement("P-1", as_of=JULY_2)
    caller.commit()
    assert ledger.statement("P-1", as_of=JULY_2).lines


def test_the_same_again_inside_is_a_duplicate(ledger: Ledger, caller: Caller, joined: Ledger):
    joined.record(enrolment("P-1"))

    assert joined.record(enrolment("P-1")) == Receipt(1, duplicate=True)
    caller.commit()
    assert ledger.record(enrolment("P-1")) == Receipt(1, duplicate=True)


def test_what_a_rolled_back_transaction_recorded_may_be_recorded_again(
    ledger: Ledger, caller: Caller, joined: Ledger
):
    joined.record(enrolment("P-1"))
    caller.rollback()

    assert ledger.record(enrolment("P-1")) == Receipt(1)


def test_commands_are_executed_inside(url: str, ledger: Ledger, caller: Caller, joined: Ledger):
    joined.execute_all(ordinary_life())
    joined.execute(instruct())
    caller.commit()

    line = ledger.statement("P-1", as_of=JULY_2).line("post-training/1")
    assert line.cause.value == "AWAITING_OUTCOME"
    assert paid(url) == ["first"]


def test_what_is_joined_goes_on_in_the_callers_next_transaction(
    url: str, ledger: Ledger, caller: Caller, joined: Ledger
):
    """Nothing is durable before that one is."""
    joined.record(enrolment("P-1"))
    caller.commit()
    caller.begin()
    joined.record(enrolment("P-2"))
    assert ledger.head() == 1
    caller.rollback()
    assert ledger.head() == 1

    caller.begin()
    joined.record(enrolment("P-3"))
    caller.pay("second")
    caller.commit()
    assert paid(url) == ["first", "second"]
    assert [ledger.find("//pmo", f"enrolled P-{n}") for n in (1, 2, 3)] == [1, None, 2]


def test_what_was_recorded_after_a_savepoint_goes_with_it(
    url: str, ledger: Ledger, caller: Caller, joined: Ledger
):
    joined.record(enrolment("P-1"))
    caller.execute("SAVEPOINT mine")
    joined.record(enrolment("P-2"))
    caller.pay("second")
    caller.execute("ROLLBACK TO SAVEPOINT mine")
    assert joined.record(enrolment("P-3")) == Receipt(2)
    caller.commit()

    assert paid(url) == ["first"]
    assert [ledger.find("//pmo", f"enrolled P-{n}") for n in (1, 2, 3)] == [1, None, 2]


def test_the_ledger_outside_works_on(ledger: Ledger, caller: Caller, joined: Ledger):
    joined.record(enrolment("P-1"))
    caller.commit()
    assert ledger.record(purchase("P-1")) == Receipt(2)
    caller.begin()
    assert ledger.using(caller.given).record(enrolment("P-2")) == Receipt(3)
    caller.rollback()
    assert ledger.record(enrolment("P-3")) == Receipt(3)


def test_closing_what_is_joined_leaves_the_connection_to_the_caller(
    ledger: Ledger, caller: Caller, joined: Ledger, url: str
):
    joined.record(enrolment("P-1"))
    joined.close()
    caller.pay("last")
    caller.commit()

    assert (paid(url), ledger.head()) == (["first", "last"], 1)


def test_what_is_joined_outlives_the_ledger_that_it_came_from(
    ledger: Ledger, caller: Caller, joined: Ledger, url: str
):
    """It ends with the caller's transaction, and with nothing else."""
    ledger.close()
    assert joined.record(enrolment("P-1")) == Receipt(1)
    assert joined.statement("P-1", as_of=JULY_2).lines
    caller.commit()

    with Ledger.open(url) as again:
        assert again.head() == 1


# --- refusals -----------------------------------------------------------------------------------------


REFUSED = {
    "illegal": (purchase("NOBODY"), Refused),
    "malformed": (b"{", Refused),
    "a conflict": (enrolment("P-2", "enrolled P-1"), Conflict),
}


@pytest.mark.parametrize(("event", "error"), REFUSED.values(), ids=REFUSED)
def test_a_refusal_leaves_the_callers_transaction_usable(
    url: str, ledger: Ledger, caller: Caller, event: Any, error: type[PrakerjaLedgerError]
):
    ledger.record(enrolment("P-1"))
    caller.begin()
    caller.pay("first")
    joined = ledger.using(caller.given)
    with pytest.raises(error):
        joined.record(event)
    caller.pay("second")
    assert joined.record(enrolment("P-3")) == Receipt(2)
    with pytest.raises(error):
        joined.record_all([enrolment("P-4"), event])
    caller.commit()

    assert paid(url) == ["first", "second"]
    assert ledger.head() == 2


def test_a_refusal_keeps_nobody_waiting_where_the_caller_had_written_nothing(
    url: str, ledger: Ledger, caller: Caller
):
    """Inside the transaction that is still open, no lock is left behind."""
    if not isinstance(caller, OnSQLite):
        caller.begin()
    joined = ledger.using(caller.given)
    with pytest.raises(Refused):
        joined.record(purchase("NOBODY"))

    receipts: list[Receipt] = []
    other = threading.Thread(target=lambda: receipts.append(ledger.record(enrolment("P-1"))))
    other.start()
    other.join(timeout=3)
    assert receipts == [Receipt(1)]
    caller.rollback()


def test_a_refused_command_is_refused_with_its_code(ledger: Ledger, caller: Caller, joined: Ledger):
    with pytest.raises(Refused) as raised:
        joined.execute(instruct())
    assert raised.value.code == "NOT_ENROLLED"
    joined.execute_all(ordinary_life())
    caller.commit()
    assert ledger.head() == 7


# --- beside others --------------------------------------------------------------------------------------


def hold() -> dict[str, Any]:
    return envelope("payments-held", "programme", "held", {"reason": "evaluation"})


def refusal_of(work: Callable[[], Any]) -> str:
    try:
        return repr(work())
    except PrakerjaLedgerError as error:
        return error.code


def test_a_hold_that_is_on_its_way_is_waited_for_by_what_pays(ledger: Ledger, caller: Caller):
    """The hold is in the caller's transaction; the instruction comes from outside."""
    ledger.execute_all(ordinary_life())
    caller.begin()
    ledger.using(caller.given).record(hold())
    answers: list[str] = []
    payer = threading.Thread(
        target=lambda: answers.append(refusal_of(lambda: ledger.execute(instruct())))
    )
    payer.start()
    payer.join(timeout=0.3)
    assert answers == [], "it waits"
    caller.commit()
    payer.join(timeout=30)

    assert answers == ["PAYMENTS_HELD"]


def test_an_instruction_on_its_way_is_waited_for_by_a_hold(ledger: Ledger, caller: Caller):
    """And stands before it."""
    ledger.execute_all(ordinary_life())
    caller.begin()
    ledger.using(caller.given).execute(instruct())
    receipts: list[Receipt] = []
    holder = threading.Thread(target=lambda: receipts.append(ledger.record(hold())))
    holder.start()
    holder.join(timeout=0.3)
    assert receipts == [], "it waits"
    caller.commit()
    holder.join(timeout=30)

    assert receipts == [Receipt(9)]
    assert ledger.find("//test", "pay-1") == 8


def snapshots(store: str, url: str) -> Iterator[Caller]:
    """Callers whose transaction goes on seeing what was there when it first looked."""
    if store == "sqlite":
        yield OnSQLite(url, None)
    else:
        for level in (psycopg.IsolationLevel.REPEATABLE_READ, psycopg.IsolationLevel.SERIALIZABLE):
            caller = OnPsycopg(url)
            caller.given.isolation_level = level
            yield caller


def test_a_transaction_that_looked_before_another_wrote_is_lost_and_records_nothing(store_url: str):
    """Nothing is judged on what is past; the caller runs it again."""
    store = store_url.partition(":")[0]
    with Ledger.open(store_url) as ledger:
        for n, caller in enumerate(snapshots(store, store_url)):
            caller.begin()
            caller.execute(f"SELECT count(*) FROM {caller.table}").fetchall()
            before = ledger.record(enrolment(f"P-{n}")).position
            joined = ledger.using(caller.given)
            with pytest.raises(TurnLost, match="(?i)nothing was recorded"):
                joined.record(purchase(f"P-{n}", f"bought {n}", purchase=f"U{n}"))
            caller.rollback()
            assert ledger.head() == before

            caller.begin()
            joined.record(purchase(f"P-{n}", f"bought {n}", purchase=f"U{n}"))
            caller.commit()
            assert ledger.head() == before + 1
            caller.close()


def test_a_transaction_that_looks_and_nobody_writes_is_not_lost(store_url: str):
    store = store_url.partition(":")[0]
    with Ledger.open(store_url) as ledger:
        ledger.record(enrolment("P-1"))
        for n, caller in enumerate(snapshots(store, store_url)):
            caller.begin()
            caller.execute(f"SELECT count(*) FROM {caller.table}").fetchall()
            ledger.using(caller.given).record(enrolment(f"P-{n + 2}"))
            caller.commit()
            caller.close()
        assert ledger.head() > 1


def test_callers_at_once_lose_nothing(url: str, kind: str, ledger: Ledger):
    """Each in a connection of its own; who is told that the turn was lost runs it again."""
    errors: list[BaseException] = []

    def report(reporter: int) -> None:
        caller = CALLERS[kind][1](url)
        try:
            for n in range(4):
                once(caller, f"P-{reporter}-{n}")
        except BaseException as error:  # noqa: BLE001
            errors.append(error)
        finally:
            caller.close()

    def once(caller: Caller, who: str) -> None:
        for _ in range(50):
            caller.begin()
            try:
                ledger.using(caller.given).record(enrolment(who))
                caller.pay(who)
                caller.commit()
            except TurnLost:
                caller.rollback()
            else:
                return
        raise AssertionError("lost fifty times")

    threads = [threading.Thread(target=report, args=(n,)) for n in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)

    assert errors == []
    assert sorted(paid(url)) == sorted(f"P-{r}-{n}" for r in range(3) for n in range(4))
    assert ledger.head() == 12


# --- SQLite's own ---------------------------------------------------------------------------------------


@pytest.fixture
def sqlite_ledger(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Ledger]:
    with Ledger.open(new_ledger("sqlite", tmp_path, request)) as opened:
        yield opened


@pytest.mark.parametrize("level", ["OFF", "NORMAL"])
def test_a_connection_whose_commit_may_be_lost_is_refused(sqlite_ledger: Ledger, level: str):
    with closing(sqlite3.connect(sqlite_ledger.journal.path)) as connection:
        connection.execute(f"PRAGMA synchronous = {level}")
        with pytest.raises(UnusableConnection, match="PRAGMA synchronous = FULL"):
            sqlite_ledger.using(connection)
        connection.execute("PRAGMA synchronous = EXTRA")
        sqlite_ledger.using(connection).record(enrolment("P-1"))


@pytest.mark.parametrize("place", ["other.db", ":memory:", "", "attached"])
def test_a_connection_to_another_file_is_refused(sqlite_ledger: Ledger, tmp_path: Path, place: str):
    other = tmp_path / "other.db"
    Ledger.open(f"sqlite:///{other}").close()
    name = str(other) if place in ("other.db", "attached") else place
    with closing(sqlite3.connect(name)) as connection:
        if place == "attached":
            connection.execute("ATTACH ? AS ledger", (str(sqlite_ledger.journal.path),))
        with pytest.raises(UnusableConnection, match="Open the ledger's own file"):
            sqlite_ledger.using(connection)


def test_the_same_file_by_another_name_is_the_ledgers(sqlite_ledger: Ledger, tmp_path: Path):
    (tmp_path / "link.db").symlink_to(sqlite_ledger.journal.path)
    with closing(sqlite3.connect(tmp_path / "link.db")) as connection:
        sqlite_ledger.using(connection).record(enrolment("P-1"))
        connection.commit()
    assert sqlite_ledger.head() == 1


def test_a_connection_whose_texts_are_of_another_kind_is_refused(sqlite_ledger: Ledger):
    with closing(sqlite3.connect(sqlite_ledger.journal.path)) as connection:
        connection.text_factory = bytes
        with pytest.raises(UnusableConnection, match="text_factory is not str"):
            sqlite_ledger.using(connection)


def test_a_connection_may_make_rows_of_its_own(sqlite_ledger: Ledger):
    with closing(sqlite3.connect(sqlite_ledger.journal.path)) as connection:
        connection.row_factory = sqlite3.Row
        joined = sqlite_ledger.using(connection)
        joined.record_all([enrolment("P-1"), purchase("P-1")])
        assert joined.statement("P-1", as_of=JULY_2).lines
        with joined.journal.reading() as reading:
            assert [name for name, _ in reading.streams("participant/")] == ["participant/P-1"]
        connection.commit()
    assert sqlite_ledger.head() == 2


def test_a_lock_held_too_long_by_another_is_no_lost_turn(sqlite_ledger: Ledger):
    """The caller had looked at nothing: nothing of its own has to be run again."""
    path = sqlite_ledger.journal.path
    with closing(sqlite3.connect(path, isolation_level=None)) as holder, closing(
        sqlite3.connect(path, timeout=0.1)
    ) as connection:
        holder.execute("BEGIN IMMEDIATE")
        with pytest.raises(LedgerFault, match="held the ledger too long") as raised:
            sqlite_ledger.using(connection).record(enrolment("P-1"))
        assert not isinstance(raised.value, TurnLost)


# --- PostgreSQL's own -----------------------------------------------------------------------------------


@pytest.fixture
def postgres_ledger(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Ledger]:
    with Ledger.open(new_ledger("postgresql", tmp_path, request)) as opened:
        yield opened


def address_of(ledger: Ledger) -> str:
    return without_options(ledger.journal.url)


def test_a_connection_that_commits_each_statement_by_itself_is_refused(postgres_ledger: Ledger):
    with psycopg.connect(address_of(postgres_ledger), autocommit=True) as connection:
        with pytest.raises(UnusableConnection, match=r"commits each statement by itself.*Begin a"):
            postgres_ledger.using(connection)


def test_a_connection_of_sqlalchemy_that_does_so_is_refused_too(postgres_ledger: Ledger):
    url = address_of(postgres_ledger).replace("postgresql:", "postgresql+psycopg:")
    engine = sqlalchemy.create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        with pytest.raises(UnusableConnection, match="commits each statement by itself"):
            postgres_ledger.using(connection)
    engine.dispose()


def test_what_is_joined_records_nothing_after_the_callers_transaction_ended(postgres_ledger: Ledger):
    """With autocommit it would be durable at once."""
    with psycopg.connect(address_of(postgres_ledger), autocommit=True) as connection:
        with connection.transaction():
            joined = postgres_ledger.using(connection)
            joined.record(enrolment("P-1"))
        with pytest.raises(UnusableConnection, match="commits each statement by itself"):
            joined.record(enrolment("P-2"))
        with connection.transaction():
            joined.record(enrolment("P-3"))
    assert postgres_ledger.head() == 2


@pytest.mark.parametrize("where", ["empty", "another ledger", "a copy"])
def test_a_connection_to_another_database_is_refused_and_left_usable(
    postgres_server: Any, database_url: str, where: str
):
    url = made(database_url)
    other = postgres_server.new_database()
    if where == "another ledger":
        from prakerja_ledger.stores import postgres_schema

        postgres_schema.apply(with_options(postgres_server.url(other), schema=schema_of(url)))
    elif where == "a copy":
        postgres_server.drop_database(other)
        postgres_server.psql(f"CREATE DATABASE {other} TEMPLATE {database_url.rpartition('/')[2]}")
    try:
        with Ledger.open(url) as ledger, psycopg.connect(postgres_server.url(other)) as connection:
            connection.execute("CREATE TABLE mine (id text)")
            with pytest.raises(UnusableConnection, match="Use (its|one to this ledger's) database"):
                ledger.using(connection)
            connection.execute("INSERT INTO mine VALUES ('x')")
            connection.commit()
            assert connection.execute("SELECT count(*) FROM mine").fetchone() == (1,)
    finally:
        postgres_server.drop_database(other)


@pytest.mark.parametrize("functions", ["yes", "no"])
def test_the_callers_commit_is_on_disk_whatever_the_connection_was_told(
    shared_database: str, functions: str
):
    url = made(shared_database, functions=functions)
    with Ledger.open(url) as ledger, psycopg.connect(without_options(url)) as connection:
        connection.execute("SET synchronous_commit = off")
        ledger.using(connection).record(enrolment("P-1"))
        assert connection.execute("SHOW synchronous_commit").fetchone() == ("on",)
        connection.commit()
        assert connection.execute("SHOW synchronous_commit").fetchone() == ("off",)


def test_the_callers_own_patience_counts_inside_its_transaction(postgres_ledger: Ledger):
    with psycopg.connect(address_of(postgres_ledger)) as connection:
        connection.execute("SET lock_timeout = '50ms'")
        with postgres_ledger.journal.writing():
            with pytest.raises(LedgerFault, match="held its shard too long"):
                postgres_ledger.using(connection).record(enrolment("P-1"))
        postgres_ledger.using(connection).record(enrolment("P-1"))
        connection.commit()
    assert postgres_ledger.head() == 1


@pytest.mark.parametrize("shards", [1, 3])
@pytest.mark.parametrize("functions", ["yes", "no"])
def test_any_schema_may_be_joined(shared_database: str, shards: int, functions: str):
    url = made(shared_database, shards=shards, functions=functions)
    events = [enrolment(f"P-{n}") for n in range(250)]
    with Ledger.open(url) as ledger, psycopg.connect(without_options(url)) as connection:
        joined = ledger.using(connection)
        first = joined.record(enrolment("P-0")).position
        joined.record_all([*events, hold()])
        assert joined.find("//pmo", "enrolled P-0") == first
        connection.commit()
        assert ledger.head() == ledger.find("//pmo", "held")
        assert len(list(ledger.lines())) == 251


def test_callers_over_several_shards_lose_nothing(shared_database: str):
    """Their turns take shards one after another, so that they may stand in each other's way."""
    url = made(shared_database, shards=3)
    with connect(without_options(url)) as connection:
        connection.execute(f"ALTER DATABASE {connection.info.dbname} SET deadlock_timeout = '50ms'")

    def report(reporter: int, ledger: Ledger) -> None:
        with psycopg.connect(without_options(url)) as connection:
            for n in range(5):
                for _ in range(50):
                    try:
                        joined = ledger.using(connection)
                        for m in (range(4) if reporter % 2 else range(3, -1, -1)):
                            joined.record(enrolment(f"P-{m}-{reporter}-{n}"))
                        connection.commit()
                    except TurnLost:
                        connection.rollback()
                    else:
                        break

    with Ledger.open(url) as ledger:
        threads = [threading.Thread(target=report, args=(n, ledger)) for n in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(timeout=60)
        assert len(list(ledger.lines())) == 4 * 5 * 4
    with connect(without_options(url)) as connection:
        connection.execute(f"ALTER DATABASE {connection.info.dbname} RESET deadlock_timeout")


def test_a_connection_in_another_encoding_is_refused(postgres_ledger: Ledger):
    """Names of any characters could not be written through it, or would be written wrong."""
    with psycopg.connect(address_of(postgres_ledger), client_encoding="LATIN1") as connection:
        with pytest.raises(UnusableConnection, match="client_encoding.*UTF8"):
            postgres_ledger.using(connection)


def test_a_transaction_that_failed_already_is_refused(postgres_ledger: Ledger):
    with psycopg.connect(address_of(postgres_ledger)) as connection:
        with suppress(psycopg.Error):
            connection.execute("SELECT 1/0")
        with pytest.raises(UnusableConnection, match="aborted"):
            postgres_ledger.using(connection)
        connection.rollback()
        postgres_ledger.using(connection).record(enrolment("P-1"))
        connection.commit()
    assert postgres_ledger.head() == 1


def test_what_pays_waits_for_a_caller_who_goes_silent_and_gives_up(postgres_ledger: Ledger):
    """The caller's transaction holds its shard; a connection that dies lets go."""
    connection = psycopg.connect(address_of(postgres_ledger))
    postgres_ledger.using(connection).record(enrolment("P-1"))
    connection.close()
    wait_until(lambda: postgres_ledger.record(enrolment("P-1")) == Receipt(1), "still held", 5)


# --- what is no connection ------------------------------------------------------------------------------


class Pretended:
    """Like a connection of a driver that awaits."""

    async def execute(self, *_: Any) -> None:
        """Never awaited here."""


def sqlalchemy_asyncio(name: str) -> Any:
    """As SQLAlchemy's asyncio extension has it; it needs a library of its own to be imported."""

    async def connection(self: Any) -> None:
        """Never awaited here."""

    kind = type(name, (), {"connection": connection, "get_bind": None, "exec_driver_sql": None})
    kind.__module__ = "sqlalchemy.ext.asyncio.session"
    return kind()


def wrong_things(url: str) -> Iterator[tuple[str, Any, Callable[[], None]]]:
    """What somebody may hand over by mistake, and how to let go of it."""
    nothing = lambda: None  # noqa: E731
    yield "None", None, nothing
    yield "a URL", url, nothing
    yield "a number", 1, nothing
    yield "an object that awaits", Pretended(), nothing
    yield "AsyncSession", sqlalchemy_asyncio("AsyncSession"), nothing
    yield "AsyncConnection", sqlalchemy_asyncio("AsyncConnection"), nothing
    lite = sqlite3.connect(":memory:")
    yield "a cursor of sqlite3", lite.cursor(), lite.close
    engine = sqlalchemy.create_engine("sqlite://")
    yield "an engine", engine, engine.dispose
    yield "a sessionmaker", sessionmaker(engine), nothing
    yield "a closed connection of SQLAlchemy", closed(engine.connect()), nothing
    closed_lite = sqlite3.connect(":memory:")
    closed_lite.close()
    yield "a closed connection of sqlite3", closed_lite, nothing


def closed(connection: Any) -> Any:
    connection.close()
    return connection


def test_what_is_no_connection_is_refused_with_a_typed_error(store_url: str):
    with Ledger.open(store_url) as ledger:
        for name, thing, let_go in wrong_things(store_url):
            with pytest.raises(UnusableConnection) as raised:
                ledger.using(thing)
            let_go()
            assert str(raised.value).startswith(
                f"this connection cannot be used with {ledger.journal.url}: "
            ), name


def test_a_connection_of_the_other_store_is_refused(
    sqlite_ledger: Ledger, postgres_ledger: Ledger
):
    with closing(sqlite3.connect(sqlite_ledger.journal.path)) as lite:
        with pytest.raises(UnusableConnection, match="Give a psycopg"):
            postgres_ledger.using(lite)
    with psycopg.connect(address_of(postgres_ledger)) as connection:
        with pytest.raises(UnusableConnection, match="Give a sqlite3.Connection"):
            sqlite_ledger.using(connection)
        with pytest.raises(UnusableConnection, match="psycopg.Cursor"):
            postgres_ledger.using(connection.cursor())
    with pytest.raises(UnusableConnection, match="closed"):
        postgres_ledger.using(connection)
    engine = sqlalchemy.create_engine("sqlite://")
    with engine.connect() as lite:
        with pytest.raises(UnusableConnection, match="sqlite3.Connection"):
            postgres_ledger.using(lite)
    engine.dispose()


def test_an_async_connection_is_refused(postgres_ledger: Ledger):
    import asyncio

    async def tried() -> None:
        connection = await psycopg.AsyncConnection.connect(address_of(postgres_ledger))
        try:
            with pytest.raises(UnusableConnection, match="AsyncConnection"):
                postgres_ledger.using(connection)
        finally:
            await connection.close()

    asyncio.run(tried())


def test_a_reader_may_look_inside_a_transaction_and_not_write(shared_database: str):
    from tests.postgres_support import logged_in, made_with_roles

    url = made_with_roles(shared_database)
    with Ledger.open(logged_in(url, "reader")) as ledger:
        with psycopg.connect(without_options(url)) as connection:
            joined = ledger.using(connection)
            assert joined.head() == 0
            with pytest.raises(LedgerFault, match="may read and not write"):
                joined.record(enrolment("P-1"))


def test_a_command_inside_sees_what_the_callers_transaction_recorded_before(
    ledger: Ledger, caller: Caller, joined: Ledger
):
    joined.execute_all(ordinary_life())
    joined.record(hold())
    with pytest.raises(Refused) as raised:
        joined.execute(instruct())
    assert raised.value.code == "PAYMENTS_HELD"
    joined.execute(command(type(ordinary_life()[0]), "x", subject="P-9", wave=1, scheme="semi-bansos-2020"))
    caller.rollback()
    assert ledger.head() == 0
