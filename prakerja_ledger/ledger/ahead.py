"""Ahead of the lock: steps judged on what is known already, appended if that still is all.

A store that can append on a condition is given the events with the version that each stream was judged
at: it locks, compares, appends and commits in one message, or appends nothing and says so. So nobody
waits at a lock while somebody else's process decides. Streams that were never looked at are read before,
without any lock. What cannot be done in this way is done in an ordinary turn, under the lock: nothing
judged here is told to a caller unless it was appended, as a refusal could rest on what is past.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final, NoReturn

from prakerja_ledger.domain.errors import PrakerjaLedgerError, TurnLost
from prakerja_ledger.domain.register import Duplicate
from prakerja_ledger.ledger.journal import Conditional, Intent, StoredLine
from prakerja_ledger.ledger.mapper import RecordedEvent
from prakerja_ledger.ledger.registrar import Registrar
from prakerja_ledger.ledger.steps import Step, Turn, intent_of

MOST_STEPS: Final = 100
"""Steps from which a turn takes longer than the ways that it saves."""


class NotAtHand(Exception):  # no error: the ordinary way is taken
    """Something is needed that only a look under the lock can tell."""


class Ahead:
    """What a register judges against, in place of a look at the journal."""

    shards: Final = 1
    """Positions are only guessed here."""

    def __init__(
        self, intent: Intent, looked: Mapping[str, Sequence[StoredLine]], last: int
    ) -> None:
        self._intent = intent
        self._streams = intent.streams
        self._looked = looked
        self._last = max([last, *(lines[-1].position for lines in looked.values() if lines)])
        self.expected: dict[str, int] = {}
        """The streams that were looked at, and how many events each of them has if this is all."""

    def find(self, source: str, id: str) -> int | None:
        """None: that the identities are new is part of the condition."""
        if (source, id) not in self._intent.identities:
            raise NotAtHand
        return None

    def stream(self, name: str, known: int = 0) -> Sequence[StoredLine]:
        """What was read of it before; that this is all is part of the condition."""
        if self._streams.get(name) != known:
            raise NotAtHand
        lines = self._looked.get(name, ())
        self.expected[name] = known + len(lines)
        return lines

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
        """Nothing more can be fetched."""

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


def record_ahead(
    store: Conditional, registrar: Registrar, steps: Sequence[Step]
) -> Sequence[int] | None:
    """Judge and append steps; their positions, or None where an ordinary turn has to do it.

    Raises CommitInDoubt, and LedgerFault where nothing was recorded.
    """
    intent = intent_of(steps, registrar.known) if len(steps) <= MOST_STEPS else None
    if intent is None:
        return None
    unknown = registrar.unknown(intent.streams) - {step.stream for step in steps if step.begins}
    looked = store.look(unknown) if unknown else {}
    ahead = Ahead(intent, looked, registrar.last_of(intent.streams))
    turn = Turn(registrar.ahead(ahead), ahead)
    positions = None
    try:
        if _judged(turn, steps):
            positions = store.append_expecting(intent, ahead.expected, turn.pending)
    except TurnLost:
        return None
    finally:
        if positions is None:
            registrar.not_ahead(intent)
    if positions is not None:
        registrar.appended_ahead(turn.pending, positions)
    return positions


def _judged(turn: Turn, steps: Sequence[Step]) -> bool:
    """Judge all steps and fold them in; whether each may stand, as far as is known here."""
    for step in steps:
        try:
            outcome = step.take(turn)
        except (NotAtHand, PrakerjaLedgerError):
            return False
        if isinstance(outcome, Duplicate):
            return False
        turn.pending.append(outcome)
    return True
