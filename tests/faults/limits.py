"""How little the service is to make do with: set in its own process, before and after it opens."""

from __future__ import annotations

import re

from prakerja_ledger.ledger.ledger import Ledger
from prakerja_ledger.stores import sqlite_file, sqlite_recorder


def wait_no_longer_than(seconds: float) -> None:
    """How long a writer of this process waits for its turn."""
    for module in (sqlite_file, sqlite_recorder):
        assert hasattr(module, "LOCK_TIMEOUT_SECONDS")
        module.LOCK_TIMEOUT_SECONDS = seconds
    from prakerja_ledger.stores import postgres_sql

    begin, changed = re.subn(
        r"lock_timeout = '\w+'", f"lock_timeout = '{int(seconds * 1000)}ms'", postgres_sql._BEGIN
    )
    assert changed == 1
    postgres_sql._BEGIN = begin


def copy_from(rows: int) -> None:
    """From how many rows on PostgreSQL is given them by COPY."""
    from prakerja_ledger.stores import postgres_writing

    assert hasattr(postgres_writing, "COPY_FROM")
    postgres_writing.COPY_FROM = rows


def shrink(ledger: Ledger, connections: int) -> None:
    """Leave a ledger so many connections, for SQLite those to read with, and no patience."""
    if hasattr(ledger.journal, "pool"):
        ledger.journal.pool.resize(1, connections)
        ledger.journal.pool.timeout = 0.02
        return
    connection_pool = ledger.journal.recorder.datastore.pool
    connection_pool.pool_size = connections
    connection_pool.max_overflow = 0
    connection_pool.pool_timeout = 0.02
