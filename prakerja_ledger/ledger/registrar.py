"""The registrar: a register kept from one write to the next, as long as nobody else wrote.

What it has folded is what the journal holds up to a position. Inside the writer's lock the head
tells whether that is still all: if so, nothing has to be read again to judge the next event; if
another process wrote in between, everything is forgotten and read afresh.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from prakerja_ledger.domain.register import Register
from prakerja_ledger.domain.schemes import Programme
from prakerja_ledger.ledger.journal import Writing
from prakerja_ledger.ledger.mapper import LedgerMapper
from prakerja_ledger.ledger.streams import JournalIdentities, JournalStreams

NOTHING_FOLDED: Final = -1


class Registrar:
    """Keeps a register in step with a journal. Used by one writer at a time, inside its lock."""

    def __init__(
        self,
        programme: Programme,
        mapper: LedgerMapper,
        *,
        most_streams: int,
        most_identities: int = 0,
    ) -> None:
        self._programme = programme
        self._mapper = mapper
        self._most_streams = most_streams
        self._most_identities = most_identities
        self.head = NOTHING_FOLDED
        """The position up to which everything asked for is folded."""
        self._streams: JournalStreams | None = None
        self._register: Register | None = None
        self._identities: JournalIdentities | None = None

    def register(self, writing: Writing) -> Register:
        """A register that knows what the journal knows."""
        head = writing.head()
        if self._register is None or head != self.head or self._is_full():
            return self._anew(writing, head)
        assert self._streams is not None, "made with the register"
        assert self._identities is not None, "made with the register"
        self._streams.reading = writing
        self._identities.finder = writing
        return self._register

    def _anew(self, writing: Writing, head: int) -> Register:
        self.head = head
        self._streams = JournalStreams(writing, self._mapper)
        complete = head == 0 and self._most_identities > 0
        self._identities = JournalIdentities(writing, complete=complete)
        self._register = self._streams.register(self._programme, self._identities)
        return self._register

    def _is_full(self) -> bool:
        return (
            self._streams is not None and len(self._streams.participants.known) > self._most_streams
        )

    def appended(self, positions: Sequence[int]) -> None:
        """What was folded in is in the journal now, at these positions."""
        if positions:
            self.head = positions[-1]
        identities = self._identities
        if identities is None:
            return
        if len(identities.added) > self._most_identities:
            identities.complete = False
        if not identities.complete:
            identities.added.clear()

    def forget(self) -> None:
        """What was folded in did not become durable: read everything again next time."""
        self.head = NOTHING_FOLDED
        self._register = None
