"""The registrar: a register kept from one write to the next, which each time reads what others added.

What it has folded is what the journal holds up to a version. Inside the writer's lock the version
tells whether that is still all: if so, nothing has to be read again to judge the next event; if
somebody else wrote in between, each stream is caught up when it is next asked for.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence

from prakerja_ledger.domain.register import Register
from prakerja_ledger.domain.schemes import Programme
from prakerja_ledger.ledger.journal import Judging, Writing
from prakerja_ledger.ledger.mapper import LedgerMapper, RecordedEvent
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
            self._look_anew(self._streams, self._identities)
        return self._register

    @staticmethod
    def _look_anew(streams: JournalStreams, identities: JournalIdentities) -> None:
        """Others may have written: nothing is complete, and each stream is looked at again."""
        streams.turn_over()
        streams.complete = False
        identities.complete = False
        identities.added.clear()

    def _anew(self, writing: Writing) -> Register:
        self.version = writing.version()
        return self._over(writing, complete=self._most_identities > 0 and writing.head() == 0)

    def _over(self, writing: Judging, *, complete: bool = False) -> Register:
        self._streams = JournalStreams(writing, self._mapper)
        self._streams.complete = complete
        self._identities = JournalIdentities(writing, complete=complete)
        self._register = self._streams.register(self._programme, self._identities)
        return self._register

    def unknown(self, names: Iterable[str]) -> set[str]:
        """Those of these streams of which nothing is known, not even whether they are there."""
        streams = self._streams
        return {name for name in names if streams is None or not streams.knows(name)}

    def ahead(self, ahead: Judging) -> Register:
        """A register over what is known, which looks at each stream anew.

        Whatever comes of it, the next turn under the lock trusts nothing that was looked at here.
        """
        self.version = None
        if self._register is None or self._is_full():
            return self._over(ahead)
        assert self._streams is not None, "made with the register"
        assert self._identities is not None, "made with the register"
        self._streams.reading = ahead
        self._identities.turn_over(ahead)
        self._look_anew(self._streams, self._identities)
        return self._register

    def judged_ahead(self, name: str) -> None:
        """Nothing that was judged ahead on this stream counts yet."""
        assert self._streams is not None, "judged on"
        assert self._identities is not None, "judged on"
        self._streams.let_go_if_new(name)
        self._identities.added.clear()

    def appended_ahead(self, one: RecordedEvent, position: int) -> None:
        """What was judged ahead is recorded. Others may have written as well, elsewhere."""
        assert self._streams is not None, "judged on"
        self._streams.fold(one.originator_id, one.event._replace(position=position))

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
