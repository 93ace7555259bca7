"""What stands in the way of paying a line that is earned (contract, section 4.2)."""

from __future__ import annotations

from prakerja_ledger.domain import facts as f
from prakerja_ledger.domain.events import Event
from prakerja_ledger.reading.causes import BECAUSE, BECAUSE_OF, Because, Cause
from prakerja_ledger.reading.dossier import (
    Dossier,
    Transfers,
)


def account_causes(d: Dossier) -> tuple[list[Because], list[Event]]:
    """Why the account that stands linked cannot be paid to, and the events that say so."""
    if d.link is None:
        unlinking = [] if d.unlinking is None else [d.unlinking]
        return [BECAUSE[Cause.ACCOUNT_NOT_ON_RECORD]], unlinking
    if d.word is None:
        return [BECAUSE[Cause.ACCOUNT_NOT_VERIFIED]], [d.link]
    if isinstance(d.word.fact, f.AccountRejected):
        return [BECAUSE_OF[Cause.ACCOUNT_REJECTED, d.word.fact.reason]], [d.link, d.word]
    return [], []


def transfer_causes(transfers: Transfers) -> list[Because]:
    """What went wrong with the disbursement that was instructed last."""
    latest = transfers.latest
    causes: list[Because] = []
    if latest is None:
        return causes
    if latest.failure is not None and not latest.settlements:
        reason = latest.failure.fact.reason  # type: ignore[attr-defined]
        causes.append(BECAUSE_OF[Cause.TRANSFER_FAILED, reason])
    if latest.returns:
        reason = latest.returns[-1].fact.reason  # type: ignore[attr-defined]
        causes.append(BECAUSE_OF[Cause.TRANSFER_RETURNED, reason])
    return causes
