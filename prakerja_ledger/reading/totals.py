"""Totals: sums of the lines of statements, grouped. They equal the sum of the statements."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
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


_amounts_of = attrgetter("amount", *AMOUNTS)


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

    def add(self, amounts: Sequence[int], lines: int) -> None:
        """Add so many lines of these amounts: the entitlement, then AMOUNTS."""
        entitlement, *others = amounts
        self.lines += lines
        self.entitlement += lines * entitlement
        for name, amount in zip(AMOUNTS, others, strict=True):
            self.amounts[name] += lines * amount

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
        self._key_of = GROUPINGS[by]
        self._participants: Counter[Key] = Counter()
        self._alike: Counter[tuple[Key, tuple[int, ...]]] = Counter()
        """Lines with the same key and the same amounts: of millions of lines there are few sorts."""

    def take(self, statement: Statement) -> None:
        """Add the lines of one."""
        key_of, alike = self._key_of, self._alike
        keys = set()
        for line in statement.lines:
            key = key_of(statement, line)
            keys.add(key)
            alike[key, _amounts_of(line)] += 1
        for key in keys:
            self._participants[key] += 1

    @property
    def groups(self) -> dict[Key, Total]:
        """The sums so far."""
        found = {key: Total(participants) for key, participants in self._participants.items()}
        for (key, amounts), count in self._alike.items():
            found[key].add(amounts, count)
        return found


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
