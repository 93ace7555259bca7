"""The ledger on PostgreSQL: the contract of every store, on a real server, with and without a pooler."""

from __future__ import annotations

import pytest

from prakerja_ledger.stores import postgres_schema
from tests.ledger_support import JournalContract


def made(url: str) -> str:
    """The URL of a ledger that was made there."""
    assert postgres_schema.apply(url)
    return url


class TestPostgresJournal(JournalContract):
    """PostgreSQL keeps the contract of a journal."""

    @pytest.fixture
    def url(self, database_url: str) -> str:
        return made(database_url)
