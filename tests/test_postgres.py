"""The ledger on PostgreSQL: the contract of every store, by every way in; and opening one."""

from __future__ import annotations

import threading
import traceback
from typing import Any

import pytest

from prakerja_ledger.domain.errors import LedgerFault, UnreadableSource
from prakerja_ledger.ledger.ledger import Ledger, Receipt
from prakerja_ledger.stores import postgres_schema
from tests.ledger_support import OneLogContract, SharedByProcesses, enrolment
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
from tests.servers import connect


@pytest.fixture
def url(shared_database: str) -> str:
    """The URL of a ledger that was just made."""
    return made(shared_database)


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
    """Nor in its trace; however the URL was garbled."""
    try:
        told = str(asked(url))
    except (UnreadableSource, LedgerFault) as error:
        told = "".join(traceback.format_exception(error)) + repr(error.fields)
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
