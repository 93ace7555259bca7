"""Who administers which URL: making a ledger, and examining one."""

from __future__ import annotations

from typing import Final

from prakerja_ledger.domain.errors import UnreadableSource
from prakerja_ledger.domain.phrases import Phrase
from prakerja_ledger.ledger.urls import imported, without_password
from prakerja_ledger.stores.health import Administration

_ADMINISTRATIONS: Final = {
    "sqlite": "prakerja_ledger.stores.sqlite_doctor",
    "postgres": "prakerja_ledger.stores.postgres_doctor",
    "postgresql": "prakerja_ledger.stores.postgres_doctor",
}


def administration_of(url: str) -> Administration:
    """What administers the ledger behind a URL. Raises UnreadableSource."""
    scheme = url.partition(":")[0]
    name = _ADMINISTRATIONS.get(scheme)
    if name is None:
        raise UnreadableSource(
            source=without_password(url),
            problem=Phrase(
                "it is no database. Name sqlite:///path.db or postgresql://host/database."
            ),
        )
    module: Administration = imported(name, scheme)
    return module
