"""Questions about PostgreSQL that are put to stock `eventsourcing` and to ours."""

from __future__ import annotations

import contextlib
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any, Final

from eventsourcing.persistence import StoredEvent
from eventsourcing.postgres import PostgresApplicationRecorder, PostgresDatastore

from prakerja_ledger.domain.errors import OutcomeUnknown
from prakerja_ledger.ledger.ledger import Ledger
from prakerja_ledger.stores.postgres_schema import apply
from tests import servers
from tests.faults.postgres import Site
from tests.faults.proxy import Plan, Proxy
from tests.ledger_support import enrolment

site: Final = cache(lambda: Site(None))
"""On a disk: how long a commit takes is what some of the questions are about."""
TIMES: Final = 20
WRITERS, EACH = 4, 1_200


# --- the two sides ----------------------------------------------------------------------------------


@contextlib.contextmanager
def database() -> Iterator[str]:
    """The name of an empty database."""
    site().mended()
    name = site().server.new_database()
    yield name
    site().server.drop_database(name)


@contextlib.contextmanager
def stock(
    name: str,
    *,
    port: int = 0,
    user: str = "postgres",
    create: bool = True,
    table: str = "stored_events",
    db_functions: bool = False,
    size: int = 1,
) -> Iterator[PostgresApplicationRecorder]:
    """The library's own recorder, as it comes."""
    datastore = PostgresDatastore(
        name, "127.0.0.1", port or site().server.port, user, "", pool_size=size,
        originator_id_type="text", enable_db_functions=db_functions,
    )  # fmt: skip
    try:
        recorder = PostgresApplicationRecorder(datastore, events_table_name=table)
        if create:
            recorder.create_table()
        yield recorder
    finally:
        datastore.close()


@contextlib.contextmanager
def ours(name: str, *, port: int = 0, user: str = "postgres", **options: str) -> Iterator[Ledger]:
    """A ledger; its tables are made where they are missing."""
    given = "".join(f"&{key}={value}" for key, value in options.items())
    apply(f"{site().server.url(name)}?{given}")
    with Ledger.open(f"{site().server.url(name, user, port or None)}?{given}") as ledger:
        yield ledger


def event(name: str, number: int = 1) -> StoredEvent:
    return StoredEvent(originator_id=name, originator_version=number, topic="t", state=b"{}")


def count(name: str, table: str) -> int:
    return site().server.psql(f"SELECT count(*) FROM {table}", dbname=name)[0][0]


OURS = "prakerja_ledger.stored_events"


def told(answers: Counter[str]) -> str:
    return ", ".join(f"{count} × {name}" for name, count in sorted(answers.items())) or "no error"


def answered(call: Callable[[], Any]) -> str:
    """`acknowledged`, or the error's name."""
    try:
        call()
    except Exception as error:
        return type(error).__name__
    return "acknowledged"


# --- a commit that is cut -----------------------------------------------------------------------


def cut(form: str) -> tuple[str, Callable[[], str], Callable[[], str]]:
    def of_stock() -> str:
        plan = Plan()
        answers: Counter[str] = Counter()
        with database() as name, Proxy(site().server.port, plan) as between:
            with stock(name, port=between.port) as recorder:
                for n in range(TIMES):
                    plan.form, plan.first = form, plan.met + 1
                    answers[answered(lambda n=n: recorder.insert_events([event(f"P-{n}")]))] += 1
                    plan.form = ""
            return f"{told(answers)}; {count(name, 'stored_events')} of {TIMES} stored"

    def of_ours() -> str:
        plan = Plan()
        answers: Counter[str] = Counter()
        with database() as name, Proxy(site().server.port, plan) as between:
            with ours(name, port=between.port) as ledger:
                for n in range(TIMES):
                    plan.form, plan.first = form, plan.met + 1
                    answers[_recorded_and_resolved(ledger, enrolment(f"P-{n}"))] += 1
                    plan.form = ""
            return f"{told(answers)}; {count(name, OURS)} of {TIMES} stored"

    cuts = "after" if form == "stored" else "before"
    return (f"PostgreSQL: the connection is cut {cuts} the server commits", of_stock, of_ours)


def _recorded_and_resolved(ledger: Ledger, line: dict[str, Any]) -> str:
    try:
        ledger.record(line)
    except OutcomeUnknown as error:
        found = ledger.resolve(error.fields["source"], error.fields["id"])
        again = ledger.record(line)
        said = "a duplicate" if again.duplicate else "recorded"
        return (
            f"OutcomeUnknown, resolved as {'not ' if found is None else ''}stored, "
            f"sent again: {said}"
        )
    return "acknowledged"


# --- readers, roles, tables -----------------------------------------------------------------------------


def tail_of_stock(*, db_functions: bool) -> str:
    def write(recorder: PostgresApplicationRecorder, writer: int) -> None:
        for n, batch in _batches(writer):
            recorder.insert_events([event(f"P {writer} {n} {i}") for i in range(batch)])

    def read(recorder: PostgresApplicationRecorder, after: int) -> list[int]:
        found = recorder.select_notifications(start=after, limit=1000, inclusive_of_start=False)
        return [one.id for one in found]

    with database() as name, contextlib.ExitStack() as held:
        recorders = [
            held.enter_context(stock(name, db_functions=db_functions, create=not writer))
            for writer in range(WRITERS + 1)
        ]
        seen = _tailed(recorders, write, read)
        return f"{seen:,} of {count(name, 'stored_events'):,} seen"


def tail_of_ours() -> str:
    def write(ledger: Ledger, writer: int) -> None:
        for n, batch in _batches(writer):
            ledger.record_all([enrolment(f"P {writer} {n} {i}") for i in range(batch)])

    def read(ledger: Ledger, after: int) -> list[int]:
        with ledger.journal.reading() as reading:
            return [one.position for one in reading.lines(after)]

    with database() as name, contextlib.ExitStack() as held:
        ledgers = [held.enter_context(ours(name)) for _ in range(WRITERS + 1)]
        seen = _tailed(ledgers, write, read)
        return f"{seen:,} of {count(name, OURS):,} seen"


def _batches(writer: int) -> Iterator[tuple[int, int]]:
    """One event, or many: a long transaction is overtaken by short ones."""
    left, n = EACH, 0
    while left:
        batch = min(left, 40 if (n + writer) % 8 == 0 else 1)
        left, n = left - batch, n + 1
        yield n, batch


def _tailed(
    sides: list[Any], write: Callable[[Any, int], None], read: Callable[[Any, int], list[int]]
) -> int:
    """How many events a reader that goes on from the last position saw while others wrote."""
    done, seen = threading.Event(), []

    def follow() -> None:
        last = False
        while not last:
            last = done.is_set()
            seen.extend(read(sides[0], seen[-1] if seen else 0))

    reader = threading.Thread(target=follow)
    reader.start()
    with ThreadPoolExecutor(WRITERS) as executor:
        list(executor.map(write, sides[1:], range(WRITERS)))
    done.set()
    reader.join()
    return len(seen)


def two_of_stock() -> str:
    with (
        database() as name,
        stock(name, table="table_a", db_functions=True) as a,
        stock(name, table="table_b", db_functions=True),
    ):
        a.insert_events([event("P-1")])
        return (
            f"1 event for table_a: {count(name, 'table_a')} in table_a, "
            f"{count(name, 'table_b')} in table_b"
        )


def two_of_ours() -> str:
    with database() as name, ours(name, schema="a") as a, ours(name, schema="b"):
        a.record(enrolment("P-1"))
        found = [count(name, f"{schema}.stored_events") for schema in "ab"]
        return f"a schema for each; 1 event for a: {found[0]} in a, {found[1]} in b"


def role_of_stock() -> str:
    with database() as name, _role("plain_writer", name) as user:
        with stock(name):
            site().server.psql(f"GRANT INSERT, SELECT ON stored_events TO {user}", dbname=name)
            site().server.psql(
                f"GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO {user}", dbname=name
            )
        with stock(name, user=user, create=False) as recorder:
            return _said(lambda: recorder.insert_events([event("P-1")]))


def role_of_ours() -> str:
    with database() as name, _role("ledger_writer", name) as user:
        with ours(name):
            pass
        granted = (
            f"GRANT USAGE ON SCHEMA prakerja_ledger TO {user}",
            f"GRANT SELECT ON ALL TABLES IN SCHEMA prakerja_ledger TO {user}",
            f"GRANT INSERT ON {OURS} TO {user}",
            f"GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA prakerja_ledger TO {user}",
        )
        for statement in granted:
            site().server.psql(statement, dbname=name)
        with Ledger.open(site().server.url(name, user)) as ledger:
            said = _said(lambda: ledger.record(enrolment("P-1")))
        change = f"UPDATE {OURS} SET state = ''"
        with servers.connect(site().server.url(name, user)) as connection:
            return f"{said}; UPDATE: {_said(lambda: connection.execute(change))}"


@contextlib.contextmanager
def _role(role: str, name: str) -> Iterator[str]:
    site().server.psql(f"CREATE ROLE {role} LOGIN")
    try:
        yield role
    finally:
        site().server.psql(f"DROP OWNED BY {role}", dbname=name)
        site().server.psql(f"DROP ROLE {role}")


def _said(call: Callable[[], Any]) -> str:
    try:
        call()
    except Exception as error:
        return f"{type(error).__name__}: {str(error).splitlines()[0]}"
    return "acknowledged"


# --- the pooler, a retry, positions ---------------------------------------------------------------------

THREADS, INSERTS = 8, 30


def pooler_of_stock() -> str:
    with database() as name:
        with stock(name):
            pass

        def work(thread: int) -> Counter[str]:
            with stock(name, port=site().pooler.port, create=False) as recorder:
                return _counted(lambda n: recorder.insert_events([event(f"P {thread} {n}")]))

        return _at_once(work, lambda: count(name, "stored_events"))


def pooler_of_ours() -> str:
    with database() as name, ours(name):

        def work(thread: int) -> Counter[str]:
            with ours(name, port=site().pooler.port) as ledger:
                return _counted(lambda n: ledger.record(enrolment(f"P {thread} {n}")))

        return _at_once(work, lambda: count(name, OURS))


def _counted(insert: Callable[[int], Any]) -> Counter[str]:
    return Counter(answered(lambda n=n: insert(n)) for n in range(INSERTS))


def _at_once(work: Callable[[int], Counter[str]], stored: Callable[[], int]) -> str:
    with ThreadPoolExecutor(THREADS) as executor:
        answers = sum(executor.map(work, range(THREADS)), Counter())
    return f"{stored()} of {THREADS * INSERTS} stored; {told(answers)}"


def retry_of_stock() -> str:
    with database() as name, stock(name) as recorder:
        recorder.insert_events([event("P-1", 1)])
        same = answered(lambda: recorder.insert_events([event("P-1", 1)]))
        latest = max(one.originator_version for one in recorder.select_events("P-1"))
        again = answered(lambda: recorder.insert_events([event("P-1", latest + 1)]))
        stored = count(name, "stored_events")
    return (
        f"under the same version: {same}; by a caller that reads the history and decides again: "
        f"{again}; {stored} stored"
    )


def retry_of_ours() -> str:
    with database() as name, ours(name) as ledger:
        first, second = (ledger.record(enrolment("P-1")) for _ in range(2))
        with Ledger.open(site().server.url(name)) as other:
            third = other.record(enrolment("P-1"))
        same = {first.position, second.position, third.position}
        duplicates = sum(one.duplicate for one in (second, third))
        return (
            f"by the same caller and by another: {duplicates} of 2 told that it is a duplicate, at "
            f"position {', '.join(map(str, same))}; {count(name, OURS)} stored"
        )


def gaps_of_stock() -> str:
    with database() as name, stock(name) as recorder:
        for n in range(10):
            recorder.insert_events([event(f"P-{n}")])
            answered(lambda n=n: recorder.insert_events([event(f"P-{n}")]))  # rolled back
        found = [one.id for one in recorder.select_notifications(start=None, limit=100)]
    return _gaps(found)


def gaps_of_ours() -> str:
    with database() as name, ours(name) as ledger:
        for n in range(10):
            ledger.record(enrolment(f"P-{n}"))
            with servers.connect(site().server.url(name)) as connection:
                connection.execute("BEGIN")
                ledger.using(connection).record(enrolment(f"Q-{n}"))
                connection.execute("ROLLBACK")
        with ledger.journal.reading() as reading:
            return _gaps([one.position for one in reading.lines()])


def _gaps(positions: list[int]) -> str:
    missing = positions[-1] - len(positions)
    return f"{len(positions)} events at {positions[0]} to {positions[-1]}: {missing} missing"


QUESTIONS: Final = (
    cut("stored"),
    cut("not stored"),
    (
        "PostgreSQL: four writers, a reader that goes on from the last position",
        lambda: tail_of_stock(db_functions=False),
        tail_of_ours,
    ),
    (
        "The same; for stock with POSTGRES_ENABLE_DB_FUNCTIONS",
        lambda: tail_of_stock(db_functions=True),
        lambda: "the same as above: there is no such choice",
    ),
    ("PostgreSQL: two recorders in one database, functions on", two_of_stock, two_of_ours),
    ("PostgreSQL: a role that may INSERT and SELECT", role_of_stock, role_of_ours),
    (
        f"PgBouncer in transaction mode: {THREADS * INSERTS} inserts from {THREADS} threads",
        pooler_of_stock,
        pooler_of_ours,
    ),
    ("PostgreSQL: the same event is sent again", retry_of_stock, retry_of_ours),
    ("PostgreSQL: positions after ten transactions that were rolled back", gaps_of_stock, gaps_of_ours),
)
