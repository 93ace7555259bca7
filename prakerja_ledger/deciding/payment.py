"""May a line be paid now? What a statement says, and what is recorded and dated later besides."""

from __future__ import annotations

from collections.abc import Sequence

from prakerja_ledger.domain.events import Event
from prakerja_ledger.reading.causes import BECAUSE, Because, Cause
from prakerja_ledger.reading.dossier import Dossier
from prakerja_ledger.reading.obstacles import account_causes
from prakerja_ledger.reading.permission import May, Permission
from prakerja_ledger.reading.statement import StatementLine


def in_spite_of_the_clock(
    permission: Permission, recorded: Dossier, hold: Event | None
) -> Permission:
    """The answer for now, once what is recorded and dated later is looked at too.

    A clock that went back hides an instruction, a settlement or a hold from a statement of "today";
    it must not have them paid again. `recorded` and `hold` are those of everything on record.
    """
    line = permission.line
    if permission.answer is not May.YES:
        return permission
    transfers = recorded.lines.get(line.line)
    if transfers is not None and transfers.in_flight:
        return _against(line, May.UNKNOWN, [BECAUSE[Cause.AWAITING_OUTCOME]], transfers.events)
    if transfers is not None and transfers.paid >= line.amount:
        return _against(line, May.NO, [], transfers.events)
    unpayable, events = account_causes(recorded)
    if unpayable:
        return _against(line, May.NO, unpayable, events)
    if recorded.revocation is not None:
        return _against(line, May.NO, [BECAUSE[Cause.REVOKED]], [recorded.revocation])
    if hold is not None:
        return _against(line, May.NO, [BECAUSE[Cause.PROGRAMME_HOLD]], [hold])
    return permission


def _against(
    line: StatementLine, answer: May, causes: Sequence[Because], events: Sequence[Event]
) -> Permission:
    later = [event for event in events if event not in line.evidence]
    return Permission(line=line, answer=answer, causes=causes, dated_later=later)
