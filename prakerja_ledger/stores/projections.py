"""Where a projection's tables are: in the same database as the ledger, or in another."""

from __future__ import annotations

from typing import Final, Protocol

from prakerja_ledger.domain.errors import UnreadableSource
from prakerja_ledger.ledger.urls import imported, without_password
from prakerja_ledger.projecting.tables import Tables

_STORES: Final = {
    "sqlite": "prakerja_ledger.stores.projection_sqlite",
    "postgres": "prakerja_ledger.stores.projection_postgres",
    "postgresql": "prakerja_ledger.stores.projection_postgres",
}


class _Opener(Protocol):
    def open_tables(self, url: str) -> Tables:
        """The tables of a projection behind a URL."""


def open_tables(url: str) -> Tables:
    """The tables of a projection in the database of a URL. Raises UnreadableSource.

    On SQLite the file is made where it is missing; on PostgreSQL the schema is, when a rebuild begins.
    """
    scheme = url.partition(":")[0]
    name = _STORES.get(scheme)
    if name is None:
        raise UnreadableSource(
            source=without_password(url),
            problem="no tables can be kept there. Name sqlite:///path.db or "
            "postgresql://host/database.",
        )
    store: _Opener = imported(name, scheme)
    return store.open_tables(url)
