"""Projections: catching up, beside stock `ProjectionRunner`; how late a row is; how quick an answer."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from functools import singledispatchmethod
from pathlib import Path
from threading import Event, Thread
from typing import Any

from eventsourcing.persistence import Notification, Subscription, Tracking
from eventsourcing.postgres import PostgresTrackingRecorder
from eventsourcing.projection import Projection as StockProjection
from eventsourcing.projection import ProjectionRunner
from eventsourcing.sqlite import SQLiteApplicationRecorder, SQLiteTrackingRecorder

from benchmarks.commands import in_turns, july_2, life
from benchmarks.measure import Row, interleaved
from benchmarks.peers import Participants, save_many, stock_environment
from psycopg import sql

from prakerja_ledger import Ledger, Projection
from prakerja_ledger.interfaces import source
from prakerja_ledger.ledger.importing import Importer
from prakerja_ledger.projecting.rows import LINE_COLUMNS, PARTICIPANT_COLUMNS
from prakerja_ledger.projecting.tables import Slot
from prakerja_ledger.stores import postgres_schema
from tests.servers import PostgresServer

STOCK_EVENTS = 3_000
"""Stock takes one transaction an event."""


class Polling(Subscription[Any]):
    """What stock lacks on SQLite: asks for the next notifications again and again."""

    def __init__(self, recorder: Any, gt: int | None = None, topics: Sequence[str] = ()) -> None:
        super().__init__(recorder, gt, topics)
        self._ended, self._held = Event(), iter(())

    def stop(self) -> None:
        super().stop()
        self._ended.set()

    def __next__(self) -> Notification:
        while not self._ended.is_set():
            for one in self._held:
                self._last_notification_id = one.id
                return one
            found = self._recorder.select_notifications(self._last_notification_id or 0, 500, inclusive_of_start=False)
            self._held = iter(found)
            if not found:
                self._ended.wait(0.01)
        raise StopIteration


class PollingRecorder(SQLiteApplicationRecorder):
    def subscribe(self, gt: int | None = None, topics: Sequence[str] = ()) -> Polling:
        return Polling(self, gt, topics)


class Counted:
    """A view of one number a kind: about the least that a projection can keep."""


class SQLiteView(SQLiteTrackingRecorder, Counted):
    def construct_create_table_statements(self) -> list[str]:
        made = "CREATE TABLE IF NOT EXISTS counted (kind TEXT PRIMARY KEY, n INT) WITHOUT ROWID"
        return [*super().construct_create_table_statements(), made]

    def count(self, kind: str, tracking: Tracking) -> None:
        with self.datastore.transaction(commit=True) as cursor:
            self._insert_tracking(cursor, tracking)
            cursor.execute("INSERT INTO counted VALUES (?, 1) ON CONFLICT (kind) DO UPDATE SET n = n + 1", (kind,))


class PostgresView(PostgresTrackingRecorder, Counted):
    def __init__(self, datastore: Any, **options: Any) -> None:
        super().__init__(datastore, **options)
        self.sql_create_statements.append(
            sql.SQL("CREATE TABLE IF NOT EXISTS counted (kind text PRIMARY KEY, n bigint)")
        )

    def count(self, kind: str, tracking: Tracking) -> None:
        with self.datastore.get_connection() as connection, connection.transaction(), connection.cursor() as cursor:
            self._insert_tracking(cursor, tracking)
            cursor.execute(
                "INSERT INTO counted VALUES (%s, 1) ON CONFLICT (kind) DO UPDATE SET n = counted.n + 1", (kind,)
            )


class Counting(StockProjection[Any]):
    name = "counting"

    @singledispatchmethod
    def process_event(self, domain_event: Any, tracking: Tracking) -> None:
        self.view.count(type(domain_event).__name__, tracking)


def _stock(environment: dict[str, str], view: type) -> Callable[[], int]:
    def run() -> int:
        with ProjectionRunner(
            application_class=Participants, projection_class=Counting, view_class=view, env=environment
        ) as runner:
            runner.wait(STOCK_EVENTS, timeout=120)
        return STOCK_EVENTS

    return run


def _filled(url: str, path: Path) -> int:
    with Ledger.open(url) as ledger, source.without_collection():
        return sum(1 for _ in Importer(ledger).outcomes(source.numbered(str(path))))


def _rebuilt(url: str, into: str) -> Callable[[], int]:
    def run() -> int:
        with Ledger.open(url, clock=july_2) as ledger, Projection.open(ledger, into) as projection:
            projection.rebuild()
            return ledger.head()

    return run


def catching_up(server: PostgresServer, path: Path, runs: int) -> list[Row]:
    """All rows of a history from nothing, beside a stock runner that counts three thousand events."""
    lines = path.read_bytes().splitlines()[:STOCK_EVENTS]
    with tempfile.TemporaryDirectory() as folder:
        on_sqlite, rows = f"sqlite:///{folder}/ledger.db", f"sqlite:///{folder}/rows.db"
        on_server = server.url(server.new_database())
        postgres_schema.apply(on_server)
        for url in (on_sqlite, on_server):
            _filled(url, path)
        stock_server = server.url(server.new_database())
        environments = []
        for target in (f"{folder}/stock.db", stock_server):
            given = stock_environment(target)
            if target != stock_server:
                given["APPLICATION_RECORDER_TOPIC"] = "benchmarks.projecting:PollingRecorder"
            app = Participants(env=given)
            save_many(app, lines, 100)
            app.close()
            environments.append(given)
        fresh = iter(range(1_000))

        def stock_sqlite() -> int:
            # A view of its own each time: a projection that is there has nothing to catch up with.
            given = {**environments[0], "COUNTING_SQLITE_DBNAME": f"{folder}/view-{next(fresh)}.db"}
            return _stock(given, SQLiteView)()

        def stock_postgres() -> int:
            server.psql("DROP TABLE IF EXISTS counting_tracking, counted", dbname=stock_server.rpartition("/")[2])
            return _stock(environments[1], PostgresView)()

        return interleaved(
            {
                "ours on SQLite": _rebuilt(on_sqlite, rows),
                "ours on PostgreSQL": _rebuilt(on_server, on_server),
                "stock ProjectionRunner on SQLite": stock_sqlite,
                "stock ProjectionRunner on PostgreSQL": stock_postgres,
            },
            runs,
        )


def milliseconds(server: PostgresServer, count: int) -> Iterator[tuple[str, list[float]]]:
    """From the commit to the row, while a runner follows; and single answers. Milliseconds each."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as held:
        on_server = server.url(server.new_database())
        postgres_schema.apply(on_server)
        for name, url, into in (
            ("SQLite", f"sqlite:///{folder}/ledger.db", f"sqlite:///{folder}/rows.db"),
            ("PostgreSQL", on_server, on_server),
        ):
            ledger = held.enter_context(Ledger.open(url, clock=july_2))
            for n in range(200):
                ledger.execute_all(life(n))
            runner = held.enter_context(Ledger.open(url, clock=july_2))
            following = held.enter_context(Projection.open(runner, into))
            following.rebuild()
            asked = held.enter_context(Projection.open(ledger, into))
            ends = Event()
            thread = Thread(target=following.follow, args=(ends, 0.005), daemon=True)
            thread.start()
            late = []
            for command in list(in_turns(10_000, 20))[:count]:
                receipt = ledger.execute(command)
                began = time.perf_counter()
                while not asked._has(receipt.position):  # noqa: SLF001  # without the pause of `wait`
                    pass
                late.append((time.perf_counter() - began) * 1000)
            ends.set()
            thread.join()
            yield f"{name}: from the commit to the row", late
            for what, ask in (
                ("statement from the rows", lambda n: asked.statement(f"P-{n:07d}")),
                ("statement from the history", lambda n: ledger.statement(f"P-{n:07d}", as_of=july_2().date())),
                ("may_pay from the rows", lambda n: asked.may_pay(f"P-{n:07d}", "post-training/3")),
                ("may_pay from the history", lambda n: ledger.may_pay(f"P-{n:07d}", "post-training/3")),
                ("first page of unpaid", lambda _: asked.unpaid(limit=100)),
            ):
                times = []
                for n in range(count):
                    began = time.perf_counter()
                    ask(n % 200)
                    times.append((time.perf_counter() - began) * 1000)
                yield f"{name}: {what}", times


MANY = 1_000_000
"""Participants: the rows of some thousands are copied under other names until there are so many."""


def of_a_million(server: PostgresServer, path: Path, count: int) -> Iterator[tuple[str, list[float]]]:
    """First pages, and pages in the middle, of the unpaid lines of very many. Milliseconds each."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as held:
        on_server = server.url(server.new_database())
        postgres_schema.apply(on_server)
        url = f"sqlite:///{folder}/ledger.db"
        _filled(url, path)
        ledger = held.enter_context(Ledger.open(url, clock=july_2))
        for name, into in (("SQLite", f"sqlite:///{folder}/rows.db"), ("PostgreSQL", on_server)):
            asked = held.enter_context(Projection.open(ledger, into))
            asked.rebuild()
            _multiply(asked)
            with asked.tables.look() as look:
                ((people,),) = look.rows("SELECT count(*) FROM projected_participants")
            middle = asked.unpaid(limit=10_000).next
            for what, given in (
                ("the first page", {}),
                ("a page that follows 10,000 lines", {"after": middle}),
                ("what may be paid", {"may_pay": "yes"}),
                ("one cause", {"cause": "NOT_INSTRUCTED"}),
                ("an owner, ten working days overdue", {"owner": "programme", "min_overdue": 10}),
            ):
                times = []
                for _ in range(count):
                    began = time.perf_counter()
                    asked.unpaid(limit=100, **given)
                    times.append((time.perf_counter() - began) * 1000)
                yield f"{name}, {people:,} participants: unpaid, {what}", times


def _multiply(projection: Projection) -> None:
    """Copy the rows in the tables themselves, each time under another name."""
    with projection.tables.look() as look:
        state = look.state(Slot.LIVE)
        ((people,),) = look.rows("SELECT count(*) FROM projected_participants")
    with projection.tables.change(state) as change:
        for n in range(1, -(-MANY // people)):
            for table, columns in (("participants", PARTICIPANT_COLUMNS), ("lines", LINE_COLUMNS)):
                rest = ", ".join(columns[1:])
                change.run(  # type: ignore[attr-defined]
                    f"INSERT INTO projected_{table} (participant, {rest}) SELECT participant || '/{n}', {rest} "
                    f"FROM projected_{table} WHERE participant NOT LIKE '%/%'"
                )
    with projection.tables.change(state) as change:
        change.run("ANALYZE")  # type: ignore[attr-defined]


def page(server: PostgresServer, path: Path) -> str:
    """The section's second table."""
    text = ["## How late and how quick a projection is", ""]
    text += ["One process, 220 participants unless another number is named, milliseconds.", ""]
    text += ["| what | median | 95 % | most |", "| --- | --: | --: | --: |"]
    for what, times in (*milliseconds(server, 200), *of_a_million(server, path, 100)):
        high = sorted(times)[int(len(times) * 0.95)]
        text.append(f"| {what} | {statistics.median(times):.2f} | {high:.2f} | {max(times):.2f} |")
    return "\n".join([*text, "", ""])

