"""May a line be paid now? Yes, no, or unknown: and why."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Final

from attrs import frozen

from prakerja_ledger.domain.events import Event
from prakerja_ledger.reading.causes import Because, Cause
from prakerja_ledger.reading.statement import StatementLine, Status


class May(StrEnum):
    """The answer."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"
    """An attempt has no outcome yet. Paying again could pay twice; so could calling it unpaid."""


@frozen(kw_only=True, eq=False)
class Permission:
    """Whether a line may be paid, with the causes and the evidence of the answer."""

    line: StatementLine
    answer: May
    causes: Sequence[Because]

    @property
    def evidence(self) -> Sequence[Event]:
        """What a reader follows to check the answer."""
        return self.line.evidence


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
