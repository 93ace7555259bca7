"""Totals: sums of the lines of statements, grouped. They equal the sum of the statements."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Final

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
        for name in AMOUNTS:
            self.amounts[name] += getattr(line, name)


def totals(statements: Iterable[Statement], by: str) -> dict[Key, Total]:
    """Totals by group, sorted by key; the group without a key (no cause, no owner) comes last."""
    groups: dict[Key, Total] = {}
    key_of = GROUPINGS[by]
    for statement in statements:
        met: set[Key] = set()
        for line in statement.lines:
            key = key_of(statement, line)
            group = groups.setdefault(key, Total())
            group.add(line)
            if key not in met:
                met.add(key)
                group.participants += 1
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
    return sorted(
        unpaid,
        key=lambda one: (
            -one.line.overdue_working_days,
            one.line.due_on,
            one.statement.participant,
            one.line.line,
        ),
    )
