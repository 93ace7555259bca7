"""Findings: facts that break a rule, dated, with the rupiah at stake and their evidence (section 5).

A finding accuses no one: it names a fact, the rule and the documents. Most are one participant's own;
module `across` has those that come of several, which `Findings` gathers while participants go by.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from attrs import define, field

from prakerja_ledger.domain.errors import CalendarTooShort
from prakerja_ledger.domain.events import Event
from prakerja_ledger.domain.schemes import Programme
from prakerja_ledger.reading.across import (
    Shareable,
    User,
    across,
    evaluated_courses,
    uses_of,
)
from prakerja_ledger.reading.case import Case, PackageInView
from prakerja_ledger.reading.dossier import (
    Dossier,
    ProgrammeInView,
)
from prakerja_ledger.reading.finding import Finding, in_order_of_findings
from prakerja_ledger.reading.package_checks import PACKAGE_CHECKS
from prakerja_ledger.reading.payment_checks import PAYMENT_CHECKS
from prakerja_ledger.reading.record_checks import RECORD_CHECKS
from prakerja_ledger.reading.statement import Statement
from prakerja_ledger.reading.view import View

Check = Callable[[Case], Iterable[Finding]]
_CHECKS: Final[tuple[Check, ...]] = (*PACKAGE_CHECKS, *PAYMENT_CHECKS, *RECORD_CHECKS)


def own_findings(case: Case) -> list[Finding]:
    """What one participant shows alone; those dated after D are not findings yet, and will be."""
    return [finding for check in _CHECKS for finding in check(case)]


@define(eq=False)
class Findings:
    """Collects the findings of one view while participants with a statement go by."""

    view: View
    programme: Programme
    around: ProgrammeInView
    packages: dict[str, PackageInView]
    found: list[Finding] = field(init=False, factory=list)
    undecided: list[tuple[str, CalendarTooShort]] = field(init=False, factory=list)
    """Participants of whom the list of holidays is too short to judge a finding, and why."""
    users: dict[Shareable, dict[User, Event]] = field(init=False, factory=dict)
    """Who uses each account and certificate, with the first fact that says so."""
    evaluated: set[str] = field(init=False, factory=set)
    """The courses that somebody lets one judge."""

    def take(self, dossier: Dossier, statement: Statement) -> list[Finding]:
        """Gather one participant; returns the findings that are theirs alone."""
        case = Case(dossier, statement, self.programme, self.around, self.packages, self.undecided)
        own = [finding for finding in own_findings(case) if finding.on <= self.view.as_of]
        self.found += own
        for (thing, user), event in uses_of(dossier).items():
            self.users.setdefault(thing, {})[user] = event
        self.evaluated |= evaluated_courses(dossier)
        return own

    def all(self) -> list[Finding]:
        """Every finding, sorted as the contract sorts them."""
        shared = across(self.users, self.packages, self.evaluated)
        return in_order_of_findings([*self.found, *shared])
