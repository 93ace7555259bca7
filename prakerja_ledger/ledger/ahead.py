"""Ahead of the lock: one step judged on what is known already, appended if that still is all.

A store that can append on a condition is given the event of a participant with the number of events of
every stream that it was judged on: it locks, compares, appends and commits in one message, or appends
nothing and says so. So nobody waits at a lock while somebody else's process decides. Streams that were
never looked at are read before, without any lock. What cannot be done in this way is done in an ordinary
turn, under the lock: nothing judged here is told to a caller unless it was appended, as a refusal could
rest on what is past.

One step, not several: whether all of several identities are new is only known under the lock, and without
that the answer for one of them would not be the answer for all.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NoReturn

from prakerja_ledger.domain.errors import PrakerjaLedgerError, TurnLost
from prakerja_ledger.domain.register import Duplicate
from prakerja_ledger.ledger.journal import Conditional, StoredLine
from prakerja_ledger.ledger.mapper import RecordedEvent
from prakerja_ledger.ledger.registrar import Registrar
from prakerja_ledger.ledger.shards import is_common
from prakerja_ledger.ledger.steps import Step, Turn


class NotAtHand(Exception):  # no error: the ordinary way is taken
    """Something is needed that only a look under the lock can tell."""


class Ahead:
    """What a register judges against, in place of a look at the journal."""

    shards: Final = 1

    def __init__(
        self,
        identity: tuple[str, str],
        known: Mapping[str, int],
        looked: Mapping[str, Sequence[StoredLine]],
    ) -> None:
        self._identity = identity
        self._known = known
        self._looked = looked
        self.expected: dict[str, int] = {}
        """The streams that were looked at, and how many events each of them has if this is all."""

    def find(self, source: str, id: str) -> int | None:
        """None: that the identity is new is part of the condition."""
        if (source, id) != self._identity:
            raise NotAtHand
        return None

    def stream(self, name: str, known: int = 0) -> Sequence[StoredLine]:
        """What was read of it before; that this is all is part of the condition."""
        if self._known.get(name) != known:
            raise NotAtHand
        lines = self._looked.get(name, ())
        self.expected[name] = known + len(lines)
        return lines

    def place(self, shard: int, pending: int) -> int:  # noqa: ARG002  # the port's signature
        """None yet: the store gives it."""
        return 0

    def head(self) -> NoReturn:
        """Not known."""
        raise NotAtHand

    def streams(self, prefix: str) -> Iterator[tuple[str, list[StoredLine]]]:  # noqa: ARG002
        """Not known."""
        raise NotAtHand

    def lines(self, after: int = 0) -> Iterator[StoredLine]:  # noqa: ARG002  # the port's signature
        """Not known."""
        raise NotAtHand


def record_ahead(store: Conditional, registrar: Registrar, step: Step) -> int | None:
    """Judge and append one step; its position, or None where an ordinary turn has to do it.

    Raises CommitInDoubt, and LedgerFault where nothing was recorded.
    """
    stream = step.stream
    if stream is None or is_common(stream):
        return None
    names = (stream, *step.looks)
    unknown = registrar.unknown(names) - ({stream} if step.begins else set())
    looked = store.look(unknown) if unknown else {}
    ahead = Ahead(step.identity, {name: registrar.known(name) for name in names}, looked)
    position = None
    try:
        judged = _judged(step, Turn(registrar.ahead(ahead), ahead, folds=False))
        if judged is not None:
            ahead.expected.pop(stream)  # its next version is taken where it went on
            position = store.append_next(judged, ahead.expected)
    except TurnLost:
        return None
    finally:
        registrar.judged_ahead(stream)
    if judged is not None and position is not None:
        registrar.appended_ahead(judged, position)
    return position


def _judged(step: Step, turn: Turn) -> RecordedEvent | None:
    """The event, if it may stand as far as is known here."""
    try:
        outcome = step.take(turn)
    except (NotAtHand, PrakerjaLedgerError):
        return None
    return None if isinstance(outcome, Duplicate) else outcome
