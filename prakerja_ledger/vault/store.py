"""Where a vault lies, in the vault's words, and who opens which URL."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Final, Protocol

from prakerja_ledger.domain.errors import UnreadableSource
from prakerja_ledger.domain.phrases import Phrase
from prakerja_ledger.ledger.urls import check_url, imported, without_password
from prakerja_ledger.vault.rows import Rows, Settings


class Store(Protocol):
    """A vault's tables."""

    @property
    def url(self) -> str:
        """Where they are, for messages: without a password."""

    def reading(self) -> AbstractContextManager[Rows]:
        """One consistent look."""

    def writing(self) -> AbstractContextManager[Rows]:
        """The one writer's transaction; durable when the context ends without an error."""

    def scrub(self) -> bool:
        """Clear the files of what was deleted; False where somebody else's look is in the way."""

    def close(self) -> None:
        """Let go."""


class StoreModule(Protocol):
    """What a module of a store offers."""

    def create(self, url: str, settings: Settings) -> None:
        """Make the tables. Raises UnreadableSource where there are some."""

    def open(self, url: str) -> Store:
        """Raises UnreadableSource where there are none."""


_STORES: Final = {
    "sqlite": "prakerja_ledger.vault.sqlite_store",
    "postgres": "prakerja_ledger.vault.postgres_store",
    "postgresql": "prakerja_ledger.vault.postgres_store",
}


def store_module(url: str) -> StoreModule:
    """What opens a URL. Raises UnreadableSource."""
    check_url(url)
    scheme = url.partition(":")[0]
    name = _STORES.get(scheme)
    if name is None:
        raise UnreadableSource(
            source=without_password(url),
            problem=Phrase(
                "it is no database. Name sqlite:///vault.db or postgresql://host/database."
            ),
        )
    module: StoreModule = imported(name, scheme)
    return module


def no_vault(url: str) -> UnreadableSource:
    """The error where there is none."""
    return UnreadableSource(
        source=url, problem=Phrase("there is no vault. Make one with `prakerja-ledger vault init`.")
    )


def vault_there(url: str) -> UnreadableSource:
    """The error where there is one already."""
    return UnreadableSource(
        source=url,
        problem=Phrase("there is a vault already, and it stays as it is. Name another place."),
    )
