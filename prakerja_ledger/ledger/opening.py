"""Opening the journal behind a URL: enough for whoever only reads, who needs no law in front of it."""

from __future__ import annotations

from typing import Final, Protocol

from prakerja_ledger.domain.errors import UnreadableSource
from prakerja_ledger.domain.phrases import Phrase
from prakerja_ledger.ledger.journal import Journal
from prakerja_ledger.ledger.read_only import Readable, ReadOnlyJournal
from prakerja_ledger.ledger.urls import check_url, imported, without_password

STORES: Final = {
    "memory": "prakerja_ledger.stores.memory",
    "postgres": "prakerja_ledger.stores.postgres",
    "postgresql": "prakerja_ledger.stores.postgres",
    "sqlite": "prakerja_ledger.stores.sqlite",
}
"""URL scheme to the module that opens it. Named, not imported: stores know the ledger, not it them."""


class Opener(Protocol):
    """What a store module offers."""

    def open_journal(self, url: str, *, create: bool) -> Journal:
        """The journal behind a URL."""

    def open_to_read(self, url: str) -> Readable:
        """The same for who only reads; one that is there."""


def open_journal(url: str, *, create: bool) -> Journal:
    """The journal behind a URL; `create=False` makes none where there is none. Raises UnreadableSource."""
    return _store_of(url).open_journal(url, create=create)


def open_to_read(url: str) -> ReadOnlyJournal:
    """The journal behind a URL for who only reads: nothing is made. Raises UnreadableSource."""
    return ReadOnlyJournal(_store_of(url).open_to_read(url))


def _store_of(url: str) -> Opener:
    check_url(url)
    scheme = url.partition(":")[0]
    if scheme not in STORES:
        known = "sqlite:///path.db, postgresql://host/database, memory://name"
        raise UnreadableSource(
            source=without_password(url),
            problem=Phrase("no store for this URL. Known: {known}", known=known),
        )
    store: Opener = imported(STORES[scheme], scheme)
    return store
