"""When a command happens: now, and never before what it follows.

Clocks of two hosts differ. A hold that is dated a second before the resumption it follows would hold
nothing, because what stands is what happened last; the same with accounts and revocations.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from prakerja_ledger.domain import facts as f
from prakerja_ledger.domain.events import Event, order_of_events
from prakerja_ledger.domain.facts import Fact
from prakerja_ledger.domain.streams import Stream
from prakerja_ledger.domain.time import Instant

_MOVES: Final = (
    frozenset({f.PaymentsHeld, f.PaymentsResumed}),
    frozenset({f.AccountLinked, f.AccountVerified, f.AccountRejected, f.AccountUnlinked}),
    frozenset({f.ParticipationRevoked, f.ParticipationReinstated}),
    frozenset({f.Enrolled, f.EnrolmentCorrected}),
)
"""Facts of which the last one stands."""
MOVES_OF: Final[Mapping[type[Fact], frozenset[type[Fact]]]] = {
    kind: moves for moves in _MOVES for kind in moves
}


def dated(kind: type[Fact], stream: Stream | None, now: Instant) -> tuple[Instant, Instant]:
    """When a fact that is commanded now happens, and when it is recorded."""
    moves = MOVES_OF.get(kind)
    if moves is None or stream is None:
        return now, now
    latest = max(
        (event for event in stream.events if type(event.fact) in moves),
        key=order_of_events,
        default=None,
    )
    if latest is None or latest.occurred_at < now:
        return now, now
    return _at_once_after(latest, now)


def _at_once_after(latest: Event, now: Instant) -> tuple[Instant, Instant]:
    """The same moment: what is recorded later comes after it."""
    return latest.occurred_at, max(now, latest.recorded_at)
