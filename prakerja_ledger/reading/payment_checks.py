"""Checks on money: what was paid and instructed against the rules (contract, section 5)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from attrs import define

from prakerja_ledger.domain import facts as f
from prakerja_ledger.domain.events import Event, order_of_events
from prakerja_ledger.reading.case import Case
from prakerja_ledger.reading.dossier import (
    Dossier,
    Settlement,
    Transfer,
    Transfers,
)
from prakerja_ledger.reading.finding import Code, Finding
from prakerja_ledger.reading.statement import StatementLine
from prakerja_ledger.reading.view import each_once


def _on_line(settlement: Settlement) -> dict[str, Any]:
    return {"line": settlement.line, "disbursement": settlement.disbursement}


def judged_by_settlement(case: Case) -> Iterator[Finding]:
    """The findings that are judged settlement by settlement."""
    for settlement in case.d.settlements:
        yield from paid_unearned(case, settlement)
        yield from paid_after_revocation(case, settlement)
        yield from paid_without_verified_account(case, settlement)
        yield from paid_to_other_account(case, settlement)
        yield from settled_after_failure(case, settlement)


def paid_unearned(case: Case, settlement: Settlement) -> Iterator[Finding]:
    """A settlement on a line that is not earned, or before the day it was."""
    line = case.line(settlement.line)
    earned_on = line.earned_on
    if not line.earned or (earned_on is not None and settlement.event.occurred_on < earned_on):
        shown = None if earned_on is None else earned_on.isoformat()
        yield case.finding(
            Code.PAID_UNEARNED,
            settlement.event,
            amount=settlement.amount,
            detail={**_on_line(settlement), "earned_on": shown},
        )


def paid_after_revocation(case: Case, settlement: Settlement) -> Iterator[Finding]:
    """A settlement after the day of the revocation by which the participant then stood revoked."""
    revocation = settlement.revocation
    if revocation is not None and settlement.event.occurred_on > revocation.occurred_on:
        yield case.finding(
            Code.PAID_AFTER_REVOCATION,
            settlement.event,
            amount=settlement.amount,
            detail=_on_line(settlement),
            evidence=[revocation],
        )


def paid_without_verified_account(case: Case, settlement: Settlement) -> Iterator[Finding]:
    """A settlement while no linked account stood verified."""
    if not settlement.verified:
        yield case.finding(
            Code.PAID_WITHOUT_VERIFIED_ACCOUNT,
            settlement.event,
            amount=settlement.amount,
            detail=_on_line(settlement),
        )


def _transfer_of(case: Case, settlement: Settlement) -> Transfer:
    return case.d.lines[settlement.line].by_id[settlement.disbursement]


def paid_to_other_account(case: Case, settlement: Settlement) -> Iterator[Finding]:
    """A settlement of an instruction that names another account than the one then linked."""
    instruction = _transfer_of(case, settlement).instruction
    account = None if instruction is None else instruction.fact.account  # type: ignore[attr-defined]
    link = settlement.link
    if account is not None and (link is None or link.fact.account != account):  # type: ignore[attr-defined]
        yield case.finding(
            Code.PAID_TO_OTHER_ACCOUNT,
            settlement.event,
            amount=settlement.amount,
            detail={**_on_line(settlement), "account": account},
            evidence=[instruction, link],
        )


def settled_after_failure(case: Case, settlement: Settlement) -> Iterator[Finding]:
    """A settlement of a disbursement that had failed before."""
    failure = _transfer_of(case, settlement).failure
    if failure is not None and order_of_events(failure) < order_of_events(settlement.event):
        yield case.finding(
            Code.SETTLED_AFTER_FAILURE,
            settlement.event,
            amount=settlement.amount,
            detail=_on_line(settlement),
            evidence=[failure],
        )


def paid_twice(case: Case) -> Iterator[Finding]:
    """A line with more paid than its amount, by two settlements or more."""
    for name, transfers in case.d.lines.items():
        line = case.line(name)
        settlements = transfers.settlements
        if line.paid > line.amount and len(settlements) > 1:
            events = each_once(settlement.event for settlement in settlements)
            yield case.finding(
                Code.PAID_TWICE,
                events[-1],
                amount=line.paid - line.amount,
                detail={"line": name},
                evidence=events,
            )


def instructed_unduly(case: Case) -> Iterator[Finding]:
    """An instruction for which there was no reason to pay, or not so much."""
    for name, transfers in case.d.lines.items():
        line = case.line(name)
        for transfer in transfers.by_id.values():
            if transfer.instruction is not None:
                yield from _unduly(case, line, transfers, transfer, transfer.instruction)


def _unduly(
    case: Case, line: StatementLine, transfers: Transfers, transfer: Transfer, instruction: Event
) -> Iterator[Finding]:
    why: list[str] = []
    evidence: list[Event] = []
    before = _line_before(case.d, transfers, instruction)
    if transfer.amount > line.amount:
        why.append("over-amount")
    if before.paid >= line.amount:
        why.append("already-paid")
        evidence += before.settlements
    if before.open:
        why.append("in-flight")
        evidence += before.open
    earned_on = line.earned_on
    if not line.earned or (earned_on is not None and earned_on > instruction.occurred_on):
        why.append("not-earned")
    if transfer.revoked_by is not None:
        why.append("revoked")
        evidence.append(transfer.revoked_by)
    if why:
        yield case.finding(
            Code.INSTRUCTED_UNDULY,
            instruction,
            amount=transfer.amount,
            detail={"line": line.line, "disbursement": transfer.id, "why": why},
            evidence=evidence,
        )


@define(eq=False)
class _LineBefore:
    """A line just before one of its instructions."""

    paid: int
    settlements: list[Event]
    open: list[Event]


def _line_before(d: Dossier, transfers: Transfers, instruction: Event) -> _LineBefore:
    """Fold the line's events that stand before the instruction in the order of events."""
    settlements: list[Event] = []
    is_open: dict[str, Event] = {}
    settled: dict[str, int] = {}
    done: set[str] = set()
    for event in transfers.events:
        if event is instruction:
            break
        fact: Any = event.fact
        name = fact.disbursement
        match fact:
            case f.DisbursementInstructed():
                is_open[name] = event
            case f.DisbursementSettled():
                settlements.append(event)
                settled[name] = settled.get(name, 0) + d.participant.settled_amount(fact)
                done.add(name)
            case f.DisbursementReturned():
                settled[name] = settled.get(name, 0) - d.participant.returned_amount(event, fact)
            case _:
                done.add(name)
    return _LineBefore(
        paid=sum(max(0, left) for left in settled.values()),
        settlements=settlements,
        open=[event for name, event in is_open.items() if name not in done],
    )


PAYMENT_CHECKS: Final = (
    judged_by_settlement,
    paid_twice,
    instructed_unduly,
)
