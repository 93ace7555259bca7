"""The registrar: a register kept from one write to the next, which each time reads what others added.

What it has folded is what the journal holds up to a version. Inside the writer's lock the version
tells whether that is still all: if so, nothing has to be read again to judge the next event; if
somebody else wrote in between, each stream is caught up when it is next asked for.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence

from prakerja_ledger.domain.register import Register
from prakerja_ledger.domain.schemes import Programme
from prakerja_ledger.ledger.journal import Writing
from prakerja_ledger.ledger.mapper import LedgerMapper
from prakerja_ledger.ledger.streams import JournalIdentities, JournalStreams


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
        self.version: Hashable = None
        """What the journal's version was when everything known was folded; None: nothing is."""
        self._streams: JournalStreams | None = None
        self._register: Register | None = None
        self._identities: JournalIdentities | None = None

    def register(self, writing: Writing) -> Register:
        """A register that knows what the journal knows."""
        if self._register is None or self._is_full():
            return self._anew(writing)
        assert self._streams is not None, "made with the register"
        assert self._identities is not None, "made with the register"
        self._streams.reading = writing
        self._identities.turn_over(writing)
        version = writing.version()
        if version != self.version:
            self.version = version
            self._streams.turn_over(writing)
            self._streams.complete = False
            self._identities.complete = False
            self._identities.added.clear()
        return self._register

    def _anew(self, writing: Writing) -> Register:
        self.version = writing.version()
        self._streams = JournalStreams(writing, self._mapper)
        complete = self._most_identities > 0 and writing.head() == 0
        self._streams.complete = complete
        self._identities = JournalIdentities(writing, complete=complete)
        self._register = self._streams.register(self._programme, self._identities)
        return self._register

    def _is_full(self) -> bool:
        return (
            self._streams is not None and len(self._streams.participants.known) > self._most_streams
        )

    @property
    def complete(self) -> bool:
        """Whether all that is recorded is at hand, so that nothing has to be fetched."""
        identities, streams = self._identities, self._streams
        return (
            identities is not None
            and identities.complete
            and streams is not None
            and streams.complete
        )

    def known(self, name: str) -> int:
        """How many events of a stream are folded already."""
        return 0 if self._streams is None else self._streams.folded(name)

    def appended(self, writing: Writing, positions: Sequence[int]) -> None:
        """What was folded in is in the journal now, at these positions."""
        self.version = writing.version()
        identities = self._identities
        if identities is None or not positions:
            return
        if len(identities.added) > self._most_identities:
            identities.complete = False
        if not identities.complete:
            identities.added.clear()

    def forget(self) -> None:
        """What was folded in did not become durable: read everything again next time."""
        self._register = None
        self._streams = None
