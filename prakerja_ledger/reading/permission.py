"""May a line be paid, by the statement of today? Yes, no, or unknown: and why."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import Final

from attrs import frozen

from prakerja_ledger.domain.events import Event
from prakerja_ledger.reading.causes import Because, Cause
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


def answer_for(status: Status, causes: Iterable[Cause]) -> May:
    """Whether a line may be paid that has this status and these causes in a statement of today."""
    if status is Status.IN_FLIGHT:
        return May.UNKNOWN
    if status not in _PAYABLE or not NO_OBSTACLE.issuperset(causes):
        return May.NO
    return May.YES


def may_pay(line: StatementLine) -> Permission:
    """The answer for one line of a statement of today."""
    answer = answer_for(line.status, (because.cause for because in line.causes))
    causes: Sequence[Because] = line.causes
    if answer is May.NO and line.status in _PAYABLE:
        causes = [because for because in causes if because.cause not in NO_OBSTACLE]
    return Permission(line=line, answer=answer, causes=causes)
