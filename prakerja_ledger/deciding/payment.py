"""May a line be paid now? Yes, no, or unknown: and why."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Final

from attrs import frozen

from prakerja_ledger.domain.events import Event
from prakerja_ledger.reading.causes import BECAUSE, Because, Cause
from prakerja_ledger.reading.dossier import Dossier
from prakerja_ledger.reading.obstacles import account_causes
from prakerja_ledger.reading.statement import StatementLine, Status


class May(StrEnum):
    """The answer."""

    YES = "yes"
    """It is earned, and nothing stands against paying what is unpaid."""
    NO = "no"
    """It is paid, forfeited or not earned, or a cause stands against it."""
    UNKNOWN = "unknown"
    """An attempt has no outcome yet. Paying again could pay twice; so could calling it unpaid."""


@frozen(kw_only=True, eq=False)
class Permission:
    """Whether a line may be paid, with the causes and the evidence of the answer."""

    line: StatementLine
    """The line as the statement of that day has it."""
    answer: May
    causes: Sequence[Because]
    """Of no: what stands against it. Otherwise the causes why the line is not paid yet."""
    dated_later: Sequence[Event] = ()
    """Events dated after the day of the answer that stand against it all the same."""

    @property
    def evidence(self) -> Sequence[Event]:
        """What a reader follows to check the answer."""
        return (*self.line.evidence, *self.dated_later)


NO_OBSTACLE: Final = frozenset(
    {
        Cause.REPORT_LAG,
        Cause.PAYMENT_WINDOW_OPEN,
        Cause.NOT_INSTRUCTED,
        Cause.TRANSFER_FAILED,
        Cause.TRANSFER_RETURNED,
    }
)
"""Causes why an earned line is not paid that do not stand in the way of paying it now."""
_PAYABLE: Final = frozenset({Status.DUE, Status.OVERDUE})


def may_pay(line: StatementLine) -> Permission:
    """The answer for one line of a statement of today."""
    if line.status is Status.IN_FLIGHT:
        return Permission(line=line, answer=May.UNKNOWN, causes=line.causes)
    if line.status not in _PAYABLE:
        return Permission(line=line, answer=May.NO, causes=line.causes)
    obstacles = [because for because in line.causes if because.cause not in NO_OBSTACLE]
    answer = May.NO if obstacles else May.YES
    return Permission(line=line, answer=answer, causes=obstacles or line.causes)


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
