"""`eventsourcing`'s shipped cases of tracking, on the databases as a projection opens them."""

from __future__ import annotations

from typing import Any

import pytest
from eventsourcing.persistence import TrackingRecorder
from eventsourcing.postgres import PostgresTrackingRecorder
from eventsourcing.sqlite import SQLiteTrackingRecorder
from eventsourcing.tests import persistence as shipped

from prakerja_ledger.stores.postgres_recorder import LedgerDatastore as PostgresDatastore
from prakerja_ledger.stores.postgres_url import parse_url
from prakerja_ledger.stores.sqlite_recorder import LedgerDatastore as SQLiteDatastore
from tests.postgres_support import made, shared_database  # noqa: F401  # a fixture


class TestSQLite(shipped.TrackingRecorderTestCase):
    """In a file."""

    @pytest.fixture(autouse=True)
    def _folder(self, tmp_path: Any) -> None:
        self.folder = tmp_path

    def create_recorder(self) -> TrackingRecorder:
        recorder = SQLiteTrackingRecorder(SQLiteDatastore(f"file:{self.folder}/rows.db?mode=rwc"))
        recorder.create_table()
        return recorder


class TestPostgreSQL(shipped.TrackingRecorderTestCase):
    """In a schema."""

    @pytest.fixture(autouse=True)
    def _made(self, shared_database: str) -> None:  # noqa: F811
        self.url = made(shared_database)

    def create_recorder(self) -> TrackingRecorder:
        recorder = PostgresTrackingRecorder(
            PostgresDatastore(parse_url(self.url)), tracking_table_name="tracking"
        )
        recorder.create_table()
        return recorder
