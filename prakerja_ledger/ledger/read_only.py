"""A ledger opened to be read: its journal offers no way to write, whatever the store could."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from threading import Event as Signal
from typing import Any, Final, NoReturn, Protocol

from prakerja_ledger.domain.errors import LedgerFault
from prakerja_ledger.domain.phrases import Phrase
from prakerja_ledger.ledger.journal import Looking, Plan


class Readable(Protocol):
    """As much of a journal as reading needs."""

    url: str

    def reading(self) -> AbstractContextManager[Looking]:
        """A consistent look at the journal."""

    def pause(self, until: Signal, seconds: float) -> None:
        """Wait until something may have been recorded, or the signal is set; about so long at most."""

    def close(self) -> None:
        """Let go of files and connections; again, and nothing happens."""


class ReadOnlyJournal:
    """A journal that is only read."""

    ahead: Final = None
    marks: Final = None

    def __init__(self, journal: Readable) -> None:
        self.url: str = journal.url
        self._journal = journal
        self.pause: Callable[[Signal, float], None] = journal.pause
        self.close: Callable[[], None] = journal.close

    def reading(self) -> AbstractContextManager[Looking]:
        """A consistent look at the journal."""
        return self._journal.reading()

    def writing(self, plan: Plan | None = None) -> NoReturn:  # noqa: ARG002  # the port's signature
        """Not here. Raises LedgerFault."""
        raise self._fault()

    def using(self, connection: Any) -> NoReturn:  # noqa: ARG002  # the port's signature
        """Not here. Raises LedgerFault."""
        raise self._fault()

    def _fault(self) -> LedgerFault:
        problem = Phrase("it was opened to be read. To record, open it without read_only.")
        return LedgerFault(source=self.url, problem=problem)
