"""eventsourcing's own cases on PostgreSQL, through our connections, recorder and factory."""

from __future__ import annotations

import contextlib
import io
import time
from typing import Any
from unittest import TestCase
from urllib.parse import urlsplit

import pytest
from eventsourcing.persistence import InfrastructureFactory, StoredEvent
from eventsourcing.postgres import (
    PostgresAggregateRecorder,
    PostgresProcessRecorder,
    PostgresTrackingRecorder,
)
from eventsourcing.tests import persistence as shipped
from eventsourcing.utils import Environment, get_topic

from prakerja_ledger.ledger.ledger import Ledger, Receipt
from prakerja_ledger.stores.postgres_recorder import LedgerDatastore, LedgerFactory, LedgerRecorder
from prakerja_ledger.stores.postgres_url import parse_url
from tests.ledger_support import enrolment, purchase
from tests.postgres_support import (
    made,
    schema_of,
    shared_database,  # noqa: F401  # a fixture
    with_options,
    without_options,
)
from tests.servers import connect

CLOSE_AFTER_SECONDS = 0.1
"""A shipped case leaves threads reading; they are let finish."""


class _Quiet(TestCase):
    """The shipped cases print their measurements."""

    url: str

    @pytest.fixture(autouse=True)
    def _database(self, shared_database: str, request: pytest.FixtureRequest) -> None:
        """An empty schema for each case."""
        schema = f"case_{abs(hash(request.node.nodeid))}"
        with connect(shared_database) as connection:
            connection.execute(f"CREATE SCHEMA {schema}")
        self.url = with_options(shared_database, schema=schema)

    def run(self, result: Any = None) -> Any:
        with contextlib.redirect_stdout(io.StringIO()):
            return super().run(result)


class _OnOurConnections(_Quiet):
    """`recorder_class` is what is put to the case."""

    recorder_class: Any = LedgerRecorder

    def create_recorder(self) -> Any:
        datastore = LedgerDatastore(parse_url(self.url), originator_id_type="uuid")
        self.addCleanup(datastore.close)
        self.addCleanup(time.sleep, CLOSE_AFTER_SECONDS)  # cleanups run last to first
        recorder = self.recorder_class(datastore)
        recorder.create_table()
        return recorder


class TestApplicationRecorder(_OnOurConnections, shipped.ApplicationRecorderTestCase):
    """Our recorder is an application recorder."""


class TestNotificationIDs(_OnOurConnections, shipped.NonInterleavingNotificationIDsBaseCase):
    """Positions of writers at once do not interleave."""


class TestAggregateRecorder(_OnOurConnections, shipped.AggregateRecorderTestCase):
    """The library's aggregate recorder (it gives no positions, ours does) works on our connections."""

    recorder_class = PostgresAggregateRecorder


class TestTrackingRecorder(_OnOurConnections, shipped.TrackingRecorderTestCase):
    """The library's tracking recorder works on our connections: a view can stand beside a ledger."""

    recorder_class = PostgresTrackingRecorder


class TestProcessRecorder(_OnOurConnections, shipped.ProcessRecorderTestCase):
    """The library's process recorder works on our connections."""

    recorder_class = PostgresProcessRecorder


class TrackingSubclass(PostgresTrackingRecorder):
    """The shipped case wants one that it can find by its topic."""


def environment(url: str) -> Environment:
    """The library's names for what a URL says."""
    parts = urlsplit(url)
    env = Environment("Test")
    env["PERSISTENCE_MODULE"] = get_topic(LedgerFactory)
    env["POSTGRES_DBNAME"] = parts.path.removeprefix("/")
    env["POSTGRES_HOST"] = parts.hostname
    env["POSTGRES_PORT"] = str(parts.port)
    env["POSTGRES_USER"] = parts.username
    env["POSTGRES_PASSWORD"] = "p@ss:w/ord?#%"
    env["POSTGRES_SCHEMA"] = schema_of(url)
    return env


class TestFactory(_Quiet, shipped.InfrastructureFactoryTestCase[Any]):
    """Our factory makes what the library asks a factory for, with our recorder as the application's."""

    def setUp(self) -> None:
        self.env = environment(self.url)
        super().setUp()

    def expected_factory_class(self) -> type[Any]:
        return LedgerFactory

    def expected_aggregate_recorder_class(self) -> type[Any]:
        return PostgresAggregateRecorder

    def expected_application_recorder_class(self) -> type[Any]:
        return LedgerRecorder

    def expected_tracking_recorder_class(self) -> type[Any]:
        return PostgresTrackingRecorder

    def tracking_recorder_subclass(self) -> type[Any]:
        return TrackingSubclass

    def expected_process_recorder_class(self) -> type[Any]:
        return PostgresProcessRecorder


# --- beside a ledger ----------------------------------------------------------------------------------


@pytest.fixture
def url(shared_database: str) -> str:
    return made(shared_database)


def factory_of(url: str, **more: str) -> Any:
    env = environment(url)
    env.update({"ORIGINATOR_ID_TYPE": "text", **more})
    return InfrastructureFactory.construct(env)


def test_a_recorder_of_the_factory_makes_a_ledger(shared_database: str):
    url = with_options(shared_database, schema="by_factory")
    factory_of(url).application_recorder().datastore.close()

    with Ledger.open(url) as ledger:
        assert ledger.record(enrolment("P-1")) == Receipt(1)


def test_the_library_reads_what_a_ledger_recorded(url: str):
    names = ["P-1", "é\0\1𝓐", "NULL"]
    with Ledger.open(url) as ledger, factory_of(url) as factory:
        ledger.record_all([*map(enrolment, names), purchase("P-1")])
        recorder = factory.application_recorder()
        streams = [
            [one.originator_version for one in recorder.select_events(f"participant/{name}")]
            for name in names
        ]
        notifications = recorder.select_notifications(1, 10)

        assert streams == [[1, 2], [1], [1]]
        assert [(one.id, one.originator_id) for one in notifications] == [
            *enumerate([f"participant/{name}" for name in names], 1),
            (4, "participant/P-1"),
        ]
        assert [one.state for one in notifications] == list(ledger.lines())
        assert recorder.max_notification_id() == 4


def test_what_the_library_inserts_follows_what_a_ledger_recorded(url: str):
    with Ledger.open(url) as ledger, factory_of(url) as factory:
        ledger.record(enrolment("P-1"))
        recorder = factory.application_recorder()
        other = StoredEvent("other/1", 1, "t", b"s")
        assert recorder.insert_events([other], identities=[("//x", "1")]) == [2]
        assert recorder.insert_events([]) == []
        assert ledger.record(enrolment("P-2")) == Receipt(3)
        assert ledger.find("//x", "1") == 2


@pytest.mark.parametrize("shards", [1, 3])
def test_the_recorder_of_a_journal_is_that_of_its_ledger(shared_database: str, shards: int):
    """Its shards and rights included."""
    with Ledger.open(made(shared_database, shards=shards)) as ledger:
        ledger.record(enrolment("P-1"))
        recorder = ledger.journal.recorder
        events = [StoredEvent(name, 1, "t", b"s") for name in ("other/1", "participant/P-2", "other/2")]
        positions = recorder.insert_events(events)

        assert positions == sorted(positions)
        assert ledger.head() == positions[-1]
        assert ledger.record(enrolment("P-3")).position > positions[-1] - shards
        assert [one.id for one in recorder.select_notifications(1, 10)][1:4] == positions


def test_a_subscription_that_would_never_hear_of_anything_is_not_offered(url: str):
    with Ledger.open(url) as ledger, pytest.raises(NotImplementedError):
        ledger.journal.recorder.subscribe(gt=0)


def test_the_factory_takes_the_schema_of_ledgers_where_none_is_named(database_url: str):
    env = environment(database_url)
    del env["POSTGRES_SCHEMA"]
    with InfrastructureFactory.construct(env) as factory:
        factory.application_recorder()
    with Ledger.open(without_options(database_url)) as ledger:
        assert ledger.head() == 0
