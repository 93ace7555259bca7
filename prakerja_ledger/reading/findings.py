"""Findings: facts that break a rule, dated, with the rupiah at stake and their evidence (section 5).

A finding accuses no one: it names a fact, the rule and the documents. Three kinds look across
participants (a shared account, a certificate number used twice, a course that nobody can evaluate);
`Findings` gathers what they need while participants go by, one at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Final

from attrs import define, field

from prakerja_ledger.domain import facts as f
from prakerja_ledger.domain.errors import CalendarTooShort
from prakerja_ledger.domain.events import Event, order_of_events
from prakerja_ledger.domain.schemes import Programme
from prakerja_ledger.reading.case import Case, PackageInView
from prakerja_ledger.reading.dossier import (
    Dossier,
    ProgrammeInView,
)
from prakerja_ledger.reading.finding import Code, Finding, in_order_of_findings
from prakerja_ledger.reading.package_checks import PACKAGE_CHECKS
from prakerja_ledger.reading.payment_checks import PAYMENT_CHECKS
from prakerja_ledger.reading.record_checks import RECORD_CHECKS
from prakerja_ledger.reading.statement import Statement
from prakerja_ledger.reading.view import View, each_once


@define(eq=False)
class _Use:
    """Who else used one account or one certificate number: (who, first event) in any order."""

    first: dict[tuple[str, ...], Event] = field(factory=dict)


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
    _accounts: dict[tuple[str, str], _Use] = field(init=False, factory=dict)
    _certificates: dict[str, _Use] = field(init=False, factory=dict)
    _evaluable: set[str] = field(init=False, factory=set)

    def take(self, dossier: Dossier, statement: Statement) -> list[Finding]:
        """Gather one participant; returns the findings that are theirs alone."""
        own: list[Finding] = []
        case = Case(dossier, statement, self.programme, self.around, self.packages, self.undecided)
        for check in _CHECKS:
            own += check(case)
        own = [finding for finding in own if finding.on <= self.view.as_of]
        self.found += own
        self._remember(dossier)
        return own

    def _remember(self, d: Dossier) -> None:
        who = d.participant.id
        for move in d.account_moves:
            fact = move.fact
            if isinstance(fact, f.AccountLinked):
                use = self._accounts.setdefault((fact.provider, fact.account), _Use())
                use.first.setdefault((who,), move)
        for course, event in d.certificates.items():
            number = event.fact.certificate  # type: ignore[attr-defined]
            self._certificates.setdefault(number, _Use()).first[who, course] = event
        self._evaluable |= d.ratings.keys()
        for bought in d.purchases.values():
            if bought.fact.package is None:
                self._evaluable.update(one.course for one in bought.fact.courses)

    def all(self) -> list[Finding]:
        """Every finding, sorted as the contract sorts them."""
        found = [
            *self.found,
            *self._bundles(),
            *self._not_evaluable(),
            *self._shared_accounts(),
            *self._duplicate_certificates(),
        ]
        return in_order_of_findings(found)

    def _bundles(self) -> Iterator[Finding]:
        for package in self.packages.values():
            courses = package.fact.courses
            if len(courses) > 1:
                yield Finding(
                    code=Code.PACKAGE_BUNDLES_COURSES,
                    subject=package.id,
                    on=package.offer.occurred_on,
                    amount=package.fact.price,
                    detail={
                        "courses": len(courses),
                        "institutions": len({one.institution for one in courses}),
                    },
                    evidence=(package.offer,),
                )

    def _not_evaluable(self) -> Iterator[Finding]:
        offers: dict[str, list[PackageInView]] = {}
        for package in self.packages.values():
            for one in package.fact.courses:
                offers.setdefault(one.course, []).append(package)
        for course, packages in offers.items():
            if course not in self._evaluable:
                evidence = each_once(package.offer for package in packages)
                yield Finding(
                    code=Code.COURSE_NOT_EVALUABLE,
                    subject=course,
                    on=evidence[0].occurred_on,
                    amount=None,
                    detail={"packages": sorted(package.id for package in packages)},
                    evidence=evidence,
                )

    def _shared_accounts(self) -> Iterator[Finding]:
        for (provider, account), use in self._accounts.items():
            detail = {"provider": provider, "account": account, "participants": len(use.first)}
            for (who,), dated_by, evidence in _shared(use):
                yield Finding(
                    code=Code.SHARED_ACCOUNT,
                    subject=who,
                    on=dated_by.occurred_on,
                    amount=None,
                    detail=detail,
                    evidence=evidence,
                )

    def _duplicate_certificates(self) -> Iterator[Finding]:
        for certificate, use in self._certificates.items():
            for (who, course), dated_by, evidence in _shared(use):
                yield Finding(
                    code=Code.DUPLICATE_CERTIFICATE,
                    subject=who,
                    on=dated_by.occurred_on,
                    amount=None,
                    detail={
                        "course": course,
                        "certificate": certificate,
                        "pairs": len(use.first),
                    },
                    evidence=evidence,
                )


def _shared(use: _Use) -> Iterator[tuple[tuple[str, ...], Event, tuple[Event, ...]]]:
    """Each user of what two or more use: the fact that dates it, and the evidence."""
    if len(use.first) < 2:
        return
    by_order = sorted(use.first.items(), key=lambda item: order_of_events(item[1]))
    first, second = by_order[0][1], by_order[1][1]
    for rank, (who, own) in enumerate(by_order):
        dated_by, other = (second, second) if rank == 0 else (own, first)
        yield who, dated_by, each_once((own, other))


Check = Callable[[Case], Iterable[Finding]]
_CHECKS: Final[tuple[Check, ...]] = (*PACKAGE_CHECKS, *PAYMENT_CHECKS, *RECORD_CHECKS)
