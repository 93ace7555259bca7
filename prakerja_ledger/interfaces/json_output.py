"""Statements and findings as the contract prints them: compact JSON, keys in a fixed order.

Written by hand, a line a format string: a national history prints millions of lines, and the JSON
encoder would be a third of the work. A test holds the result equal to the encoder's.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import date
from functools import lru_cache
from json.encoder import encode_basestring
from typing import Any

from prakerja_ledger.domain.events import Event
from prakerja_ledger.domain.time import in_utc
from prakerja_ledger.reading.causes import Because
from prakerja_ledger.reading.finding import Finding
from prakerja_ledger.reading.statement import Statement, StatementLine
from prakerja_ledger.reading.view import View

_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def compact(value: Any) -> str:
    """Any JSON value, compact, in UTF-8's own characters."""
    return _encode(value)


@lru_cache(maxsize=1 << 14)
def _day(on: date | None) -> str:
    return "null" if on is None else f'"{on.isoformat()}"'


@lru_cache(maxsize=4096)
def _causes(causes: tuple[Because, ...]) -> str:
    if not causes:
        return '"cause":null,"owner":null,"causes":[]'
    first = causes[0]
    names = ",".join(f'"{one.cause}"' for one in causes)
    return f'"cause":"{first.cause}","owner":"{first.owner}","causes":[{names}]'


def named(events: Iterable[Event]) -> list[dict[str, str]]:
    """Evidence as JSON values: the identity of each event."""
    return [{"source": event.source, "id": event.id} for event in events]


def _name(event: Event) -> str:
    return f'{{"source":{encode_basestring(event.source)},"id":{encode_basestring(event.id)}}}'


def known_at_json(view: View) -> str | None:
    """K in UTC, or None where it is open."""
    return None if view.known_at is None else in_utc(view.known_at)


def statement_json(statement: Statement) -> str:
    """One statement as one line of `statement --json`, without LF."""
    names: dict[int, str] = {}
    lines = ",".join([_line(line, names) for line in statement.lines])
    return (
        f'{{"participant":{_encode(statement.participant)},"wave":{statement.wave},'
        f'"scheme":{_encode(statement.scheme)},"standing":"{statement.standing.value}",'
        f'"as_of":{_day(statement.view.as_of)},"known_at":{_encode(known_at_json(statement.view))},'
        f'"totals":{_totals(statement.lines)},"lines":[{lines}]}}'
    )


def _totals(lines: Sequence[StatementLine]) -> str:
    owed = paid = unpaid = overdue = in_flight = overpaid = not_yet_earned = forfeited = amount = 0
    for line in lines:
        amount += line.amount
        owed += line.owed
        paid += line.paid
        unpaid += line.unpaid
        overdue += line.overdue
        in_flight += line.in_flight
        overpaid += line.overpaid
        not_yet_earned += line.not_yet_earned
        forfeited += line.forfeited
    return (
        f'{{"entitlement":{amount},"owed":{owed},"paid":{paid},"unpaid":{unpaid},'
        f'"overdue":{overdue},"in_flight":{in_flight},"overpaid":{overpaid},'
        f'"not_yet_earned":{not_yet_earned},"forfeited":{forfeited}}}'
    )


def _line(line: StatementLine, names: dict[int, str]) -> str:
    """One line; `names` holds the events that lines before it have named, by position."""
    found = line.evidence
    for event in found:
        if event[6] not in names:
            names[event[6]] = _name(event)
    evidence = ",".join([names[event[6]] for event in found])
    return (
        f'{{"line":"{line.line}","amount":{line.amount},"status":"{line.status._value_}",'
        f'"owed":{line.owed},"paid":{line.paid},"unpaid":{line.unpaid},"overdue":{line.overdue},'
        f'"in_flight":{line.in_flight},"overpaid":{line.overpaid},'
        f'"not_yet_earned":{line.not_yet_earned},"forfeited":{line.forfeited},'
        f'"earned_on":{_day(line.earned_on)},"due_on":{_day(line.due_on)},'
        f'"overdue_working_days":{line.overdue_working_days},{_causes(line.causes)},'
        f'"evidence":[{evidence}]}}'
    )


def finding_json(finding: Finding) -> str:
    """One finding as one line of `findings --json`, without LF."""
    return compact(
        {
            "code": finding.code.value,
            "subject": finding.subject,
            "date": finding.on.isoformat(),
            "amount": finding.amount,
            "detail": finding.detail,
            "evidence": named(finding.evidence),
        }
    )
