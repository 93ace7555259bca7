"""Totals: sums of the lines of statements, grouped. They equal the sum of the statements."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import date
from operator import attrgetter
from typing import Any, Final

from attrs import define, field

from prakerja_ledger.reading.statement import AMOUNTS, Statement, StatementLine

Key = str | int | None
GROUPINGS: Final[dict[str, Callable[[Statement, StatementLine], Key]]] = {
    "wave": lambda statement, _: statement.wave,
    "scheme": lambda statement, _: statement.scheme,
    "standing": lambda statement, _: statement.standing.value,
    "line": lambda _, line: line.line,
    "status": lambda _, line: line.status.value,
    "cause": lambda _, line: None if line.cause is None else line.cause.value,
    "owner": lambda _, line: None if line.owner is None else line.owner.value,
}
"""What totals can be grouped by, and the key of each line there; None where a line has no cause."""


_amounts_of = attrgetter(*AMOUNTS)


@define(eq=False)
class Total:
    """Sums over the lines of one group; whole rupiah."""

    participants: int = 0
    """Participants with at least one line in the group."""
    lines: int = 0
    entitlement: int = 0
    """The sum of the lines' `amount`, whatever happened to them."""
    amounts: dict[str, int] = field(factory=lambda: dict.fromkeys(AMOUNTS, 0))
    """The sum of each other amount of a statement's line, by its name: `owed`, `paid` and so on."""

    def add(self, line: StatementLine) -> None:
        """Add one line."""
        self.lines += 1
        self.entitlement += line.amount
        amounts = self.amounts
        for name, amount in zip(AMOUNTS, _amounts_of(line), strict=True):
            if amount:
                amounts[name] += amount

    def add_all(self, other: Total) -> None:
        """Add the lines of other participants."""
        self.participants += other.participants
        self.lines += other.lines
        self.entitlement += other.entitlement
        for name in AMOUNTS:
            self.amounts[name] += other.amounts[name]


class Summing:
    """Totals by group while statements go by."""

    def __init__(self, by: str) -> None:
        self.groups: dict[Key, Total] = {}
        self._key_of = GROUPINGS[by]

    def take(self, statement: Statement) -> None:
        """Add the lines of one."""
        met: set[Key] = set()
        for line in statement.lines:
            key = self._key_of(statement, line)
            group = self.groups.get(key)
            if group is None:
                group = self.groups[key] = Total()
            group.add(line)
            if key not in met:
                met.add(key)
                group.participants += 1


def totals(statements: Iterable[Statement], by: str) -> dict[Key, Total]:
    """Totals by group, sorted by key; the group without a key (no cause, no owner) comes last."""
    summing = Summing(by)
    for statement in statements:
        summing.take(statement)
    return sorted_groups(summing.groups)


def together(parts: Iterable[Mapping[Key, Total]]) -> dict[Key, Total]:
    """The totals of parts of the participants, as the totals of all of them."""
    groups: dict[Key, Total] = {}
    for part in parts:
        for key, total in part.items():
            groups.setdefault(key, Total()).add_all(total)
    return sorted_groups(groups)


def sorted_groups(groups: Mapping[Key, Total]) -> dict[Key, Total]:
    """By key; the group without one last."""
    return dict(sorted(groups.items(), key=lambda item: (item[0] is None, item[0])))


@define(eq=False)
class Unpaid:
    """A line with money unpaid, and whose it is."""

    statement: Statement
    line: StatementLine


def unpaid_lines(statement: Statement) -> Iterable[Unpaid]:
    """The lines of a statement with unpaid above 0."""
    return (Unpaid(statement, line) for line in statement.lines if line.unpaid > 0)


def longest_overdue_first(unpaid: Iterable[Unpaid]) -> list[Unpaid]:
    """By days overdue, the most first; then due date, participant, line."""
    return sorted(unpaid, key=order_of_unpaid)


def order_of_unpaid(one: Unpaid) -> tuple[int, date | None, str, str]:
    """The key of that order."""
    line = one.line
    return (-line.overdue_working_days, line.due_on, one.statement.participant, line.line)


Row = tuple[Any, ...]


def unpaid_row(one: Unpaid) -> Row:
    """Participant, wave, line, unpaid, status, due date, days overdue, cause, owner: as they are printed."""
    line = one.line
    return (
        one.statement.participant,
        one.statement.wave,
        line.line,
        line.unpaid,
        line.status.value,
        None if line.due_on is None else line.due_on.isoformat(),
        line.overdue_working_days,
        None if line.cause is None else line.cause.value,
        None if line.owner is None else line.owner.value,
    )


def total_rows(groups: Mapping[Key, Total]) -> list[Row]:
    """Key, participants, lines, entitlement and every other amount of each group: as they are printed."""
    return [
        (key, total.participants, total.lines, total.entitlement, *total.amounts.values())
        for key, total in groups.items()
    ]
