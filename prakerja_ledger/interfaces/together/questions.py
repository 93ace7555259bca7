"""What can be asked of a share of the participants, and what a share says to it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import date
from typing import Any, NamedTuple, Protocol

from attrs import define, field

from prakerja_ledger.domain.errors import CalendarTooShort
from prakerja_ledger.domain.schemes import Programme
from prakerja_ledger.domain.streams import Participant
from prakerja_ledger.interfaces.json_output import finding_json, statement_json
from prakerja_ledger.interfaces.together.uses import PackedUses, pack
from prakerja_ledger.reading import totals as sums
from prakerja_ledger.reading.case import PackageInView
from prakerja_ledger.reading.dossier import Dossier, ProgrammeInView, open_dossier
from prakerja_ledger.reading.finding import order_of_findings
from prakerja_ledger.reading.findings import Findings
from prakerja_ledger.reading.statement import Statement, statement_of
from prakerja_ledger.reading.view import View, look

Withheld = list[tuple[str, date]]
"""Participants, and the day that the calendar lacks."""


class Question(NamedTuple):
    """One of `QUESTIONS`, and what it needs to be told."""

    name: str
    told: tuple[str, ...] = ()


@define(eq=False)
class Law:
    """A view, and what participants' answers rest on besides their own events."""

    view: View
    programme: Programme
    around: ProgrammeInView
    packages: dict[str, PackageInView]


@define(eq=False)
class SharedFindings:
    """The findings of a share: its own, sorted and written, and what goes into those of several."""

    own: list[tuple[Any, str]]
    uses: PackedUses
    evaluated: set[str]
    undecided: Withheld


class Gathering(Protocol):
    """Gathers the answer of a share, participant by participant."""

    def take(self, dossier: Dossier, made: Statement | None) -> None:
        """One participant; no statement where the calendar is too short for it."""

    def answer(self) -> Any:
        """What is gathered; it can be pickled."""


class _Statements:
    """Statements as JSON, a line each."""

    def __init__(self, _: Law) -> None:
        self._lines: list[str] = []

    def take(self, _: Dossier, made: Statement | None) -> None:
        if made is not None:
            self._lines.append(statement_json(made))

    def answer(self) -> bytes:
        return "".join([line + "\n" for line in self._lines]).encode()


class _Totals:
    """Sums of the lines."""

    def __init__(self, _: Law, by: str) -> None:
        self._sums = sums.Summing(by)

    def take(self, _: Dossier, made: Statement | None) -> None:
        if made is not None:
            self._sums.take(made)

    def answer(self) -> dict[sums.Key, sums.Total]:
        return self._sums.groups


class _Unpaid:
    """Rows of unpaid lines, each with its place in the order."""

    def __init__(self, _: Law) -> None:
        self._rows: list[tuple[Any, sums.Row]] = []

    def take(self, _: Dossier, made: Statement | None) -> None:
        if made is not None:
            self._rows += [
                (sums.order_of_unpaid(one), sums.unpaid_row(one)) for one in sums.unpaid_lines(made)
            ]

    def answer(self) -> list[tuple[Any, sums.Row]]:
        return self._rows


class _Findings:
    """Findings, own and common."""

    def __init__(self, law: Law) -> None:
        self._law = law
        self._found = Findings(law.view, law.programme, law.around, law.packages)

    def take(self, dossier: Dossier, made: Statement | None) -> None:
        law = self._law
        if made is None:
            made = statement_of(dossier, law.programme, law.around, undated=True)
        self._found.take(dossier, made)

    def answer(self) -> SharedFindings:
        found = self._found
        return SharedFindings(
            [(order_of_findings(one), finding_json(one)) for one in found.found],
            pack(found.users),
            found.evaluated,
            [(who, error.fields["needed"]) for who, error in found.undecided],
        )


STATEMENTS = "statements"
TOTALS = "totals"
UNPAID = "unpaid"
FINDINGS = "findings"
QUESTIONS: dict[str, Callable[..., Gathering]] = {
    STATEMENTS: _Statements,
    TOTALS: _Totals,
    UNPAID: _Unpaid,
    FINDINGS: _Findings,
}


@define(eq=False)
class Asked:
    """Questions in front of the participants of one share."""

    law: Law
    questions: Iterable[Question]
    withheld: Withheld = field(init=False, factory=list)
    """Those without a statement, as the calendar is too short for it."""
    _gathering: list[Gathering] = field(init=False)
    _of_statements: bool = field(init=False)

    def __attrs_post_init__(self) -> None:
        """Begin with nothing gathered."""
        self._gathering = [QUESTIONS[one.name](self.law, *one.told) for one in self.questions]
        self._of_statements = any(one.name != FINDINGS for one in self.questions)

    def take(self, participant: Participant) -> None:
        """Look at a participant once, for all that is asked."""
        law = self.law
        seen = look(participant, law.view)
        if seen is None:
            return
        dossier = open_dossier(seen, law.view, law.programme)
        made = None
        try:
            made = statement_of(dossier, law.programme, law.around)
        except CalendarTooShort as error:
            if self._of_statements:
                self.withheld.append((participant.id, error.fields["needed"]))
        for one in self._gathering:
            one.take(dossier, made)

    def answers(self) -> list[Any]:
        """One an answer, in the order of the questions."""
        return [one.answer() for one in self._gathering]
