"""How little the service is to make do with: set in its own process, before and after it opens."""

from __future__ import annotations

from prakerja_ledger.ledger.ledger import Ledger
from prakerja_ledger.stores import sqlite_file, sqlite_recorder


def wait_no_longer_than(seconds: float) -> None:
    """How long a writer of this process waits for its turn."""
    for module in (sqlite_file, sqlite_recorder):
        assert hasattr(module, "LOCK_TIMEOUT_SECONDS")
        module.LOCK_TIMEOUT_SECONDS = seconds


def shrink(ledger: Ledger, connections: int) -> None:
    """Leave a ledger so many connections to read with, and no patience."""
    connection_pool = ledger.journal.recorder.datastore.pool
    connection_pool.pool_size = connections
    connection_pool.max_overflow = 0
    connection_pool.pool_timeout = 0.02
