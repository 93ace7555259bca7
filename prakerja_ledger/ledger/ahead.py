"""Ahead of the lock: a step judged on what is folded already, and appended if that is still all.

Between two looks of one writer at a participant, mostly nobody else has written there. So a store that
can append on a condition is given the events with the version that each stream was judged at, in one
message; it locks, compares, appends and commits, or appends nothing and says so. Then the turn is taken
in the ordinary way, under the lock. What is judged here is never told to a caller unless it was
appended: a refusal could rest on what is past.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NoReturn

from prakerja_ledger.ledger.journal import Intent, StoredLine
from prakerja_ledger.ledger.mapper import RecordedEvent


class NotAtHand(Exception):  # no error: the ordinary way is taken
    """Something is needed that only the store can tell."""


class Ahead:
    """What a register judges against, in place of a look at the journal."""

    shards: Final = 1
    """Positions are only guessed here."""

    def __init__(self, intent: Intent, last: int) -> None:
        self._streams = intent.streams
        self._last = last

    def find(self, source: str, id: str) -> int | None:  # noqa: ARG002  # the port's signature
        """None: that the identity is new is part of the condition."""
        return None

    def stream(self, name: str, known: int = 0) -> Sequence[StoredLine]:
        """Nothing beyond what is known: that too is part of the condition, for streams named there."""
        if self._streams.get(name) != known:
            raise NotAtHand
        return ()

    def place(self, shard: int, pending: int) -> int:  # noqa: ARG002  # the port's signature
        """A position after all that is known; the store gives the true one."""
        return self._last + pending + 1

    def head(self) -> NoReturn:
        """Not known."""
        raise NotAtHand

    def version(self) -> NoReturn:
        """Not known."""
        raise NotAtHand

    def streams(self, prefix: str) -> Iterator[tuple[str, list[StoredLine]]]:  # noqa: ARG002
        """Not known."""
        raise NotAtHand

    def lines(self, after: int = 0) -> Iterator[StoredLine]:  # noqa: ARG002  # the port's signature
        """Not known."""
        raise NotAtHand

    def fetch(self, intent: Intent) -> None:
        """Nothing can be fetched."""

    def write_off(self) -> None:
        """Nothing can be promised."""
        raise NotAtHand

    def send(self) -> None:
        """Nothing is on its way."""

    def pump(self) -> None:
        """Nothing is on its way."""

    def append(self, events: Iterable[RecordedEvent]) -> Sequence[int]:  # noqa: ARG002
        """The store appends, on its condition."""
        raise NotAtHand
